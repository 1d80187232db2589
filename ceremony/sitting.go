package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
)

// run is a sitting: review, device, approval, PIN, signatures. The review comes
// before the device, since to reach a device is to run its module's code.
func (s *signing) run(todo []task, approve string) error {
	printReview(s.env.out, s.report)
	if s.elsewhere {
		fmt.Fprintf(s.env.out, "\nOn this machine, as typed after --uri, %s is at\n  %s\n", s.token.Name, tufmeta.Printable(s.uri))
	}
	device, key, err := s.reach()
	if err != nil {
		return err
	}
	defer func() { device.Close() }() // logs out and frees it, on every way out
	fmt.Fprintln(s.env.out)
	wrapTo(s.env.out, "", "  ", fmt.Sprintf("Token %s is here: %s. It will sign:", s.token.Name, s.device))
	for _, t := range todo {
		fmt.Fprintf(s.env.out, "  %s\n", t.payload)
	}
	approval, err := s.approve(approve)
	if err != nil {
		return err
	}
	if err := durable.Writable(s.dir); err != nil {
		return hint(err, "nothing was signed and no PIN was asked for; mend the medium and run the command again")
	}
	for {
		todo, err = s.signAll(device, key, approval, todo)
		if !errors.Is(err, hsm.ErrRemoved) {
			return err
		}
		device.Close()
		again, found, missing := s.comesBack(err)
		if missing != nil {
			return missing
		}
		device, key = again, found
	}
}

// reach opens the device and finds the plan's key on it. Nothing has been asked
// of its holder yet.
func (s *signing) reach() (hsm.Token, hsm.Key, error) {
	device, err := s.open()
	if err != nil {
		return nil, hsm.Key{}, err
	}
	key, err := s.match(device)
	if err != nil {
		device.Close()
		return nil, hsm.Key{}, err
	}
	return device, key, nil
}

// signAll asks for the PIN and signs. It returns what is left to sign.
func (s *signing) signAll(device hsm.Token, key hsm.Key, approval review.Approval, todo []task) ([]task, error) {
	prompter := &pinPrompter{env: s.env, name: s.token.Name}
	signer, err := device.Signer(key, prompter)
	if err != nil {
		return todo, s.deviceHint(err)
	}
	stop := catchInterrupts(s.env.err)
	defer stop.release()
	for len(todo) > 0 {
		if stop.caught() {
			return todo, &hinted{errStopped, s.soFar()}
		}
		prompter.signs = todo[0].payload.String()
		made, err := sign.Sign(approval, todo[0].payload, todo[0].keyIDs, key.Public, signer)
		if err != nil {
			return todo, s.deviceHint(err)
		}
		if err := s.keep(todo[0], made); err != nil {
			return todo, err
		}
		todo = todo[1:]
	}
	return nil, nil
}

// comesBack waits for the holder of a device that was pulled to put it back.
// Where nobody answers, the error stands as it is.
func (s *signing) comesBack(removed error) (hsm.Token, hsm.Key, error) {
	what := "The device was removed"
	for {
		_, err := s.env.ask.Line(fmt.Sprintf("\n%s; %s.\nInsert it again and press Enter to go on from there, or Ctrl-C to stop: ", what, s.soFar()))
		if err != nil {
			return nil, hsm.Key{}, removed
		}
		device, key, err := s.reach()
		if !errors.Is(err, hsm.ErrNotFound) && !errors.Is(err, hsm.ErrRemoved) {
			return device, key, err
		}
		what = "It is not there yet"
	}
}

// soFar says what an interruption leaves.
func (s *signing) soFar() string {
	switch {
	case s.destroys:
		return "nothing was destroyed"
	case len(s.kept) == 0:
		return "nothing was signed"
	}
	return "signed and kept so far: " + strings.Join(s.kept, ", ")
}

func (s *signing) approve(words string) (review.Approval, error) {
	if words == "" {
		var err error
		fmt.Fprintln(s.env.out, "\nCompare the event ID with the minutes, not with this screen alone.")
		words, err = s.env.ask.Line("Type the first four words of the event ID to approve: ")
		if err != nil {
			return review.Approval{}, hint(err, "sign at a terminal, or give --approve \"w1 w2 w3 w4\"")
		}
	}
	approval, err := s.report.Approve(words, s.now)
	return approval, hint(err, "nothing was signed; compare the event ID with the other copies of the folder, and run the command again")
}

// keep writes the signatures of one payload, and the record of it. A file that
// an earlier, killed run has written is kept.
func (s *signing) keep(t task, signatures []sign.File) error {
	for _, f := range signatures {
		if _, ok := s.report.Files()[f.Name()]; ok {
			continue
		}
		if err := durable.Create(filepath.Join(s.dir, filepath.FromSlash(f.Name())), f.Encode()); err != nil {
			return hint(err, "%s; make room, or mend the medium, and run the command again", s.soFar())
		}
	}
	s.kept = append(s.kept, t.payload.String())
	line := s.line("sign", t)
	line.Device = s.device
	return record.Append(s.dir, s.env.sitting(s.dir), line)
}

func (s *signing) line(act string, t task) record.Line {
	doc, _ := s.report.Document(t.payload)
	return record.Line{
		Act: act, At: s.now.Format(tufmeta.TimeFormat), Binary: s.binary, Event: s.report.Event.String(),
		Role: t.payload.Role, Version: t.payload.Version, Digest: doc.Digest,
		Token: s.token.Name, KeyIDs: t.keyIDs, Waivers: s.report.Plan.Waivers,
	}
}

// found puts on record what lies signed in the folder and is on no record, as
// when a run was killed between the two. It says "found", since nobody saw a
// device this time.
func (s *signing) found(todo []task) error {
	chains, _ := record.Read(s.report.Files())
	var lines []record.Line
	for _, t := range s.tasks {
		doc, _ := s.report.Document(t.payload)
		unsigned := slices.ContainsFunc(todo, func(x task) bool { return x.payload == t.payload })
		if !unsigned && !record.Has(chains, "sign", doc.Digest, t.keyIDs[0]) && !record.Has(chains, "found", doc.Digest, t.keyIDs[0]) {
			lines = append(lines, s.line("found", t))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return record.Append(s.dir, s.env.sitting(s.dir), lines...)
}

func (s *signing) print(verb string) {
	fmt.Fprintf(s.env.out, "\n%s, with token %s:\n", verb, s.token.Name)
	for _, t := range s.tasks {
		for _, id := range t.keyIDs {
			fmt.Fprintf(s.env.out, "  %s under key ID %s…\n", t.payload, id[:min(16, len(id))])
		}
	}
	fmt.Fprintln(s.env.out, "Next: take the folder back to whoever merges the copies.")
}
