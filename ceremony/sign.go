package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

func signCommand(env *environment) *cobra.Command {
	var token, uri, root, approve string
	c := &cobra.Command{
		Use:   "sign DIR --token NAME",
		Short: "sign with one token everything that its key signs",
		Long: `sign finds the token's device, matches serial and public key with the plan, shows
the review, takes the approval as the first four words of the event ID, asks for
the PIN, and writes one verified signature for each role and key ID. Nothing is
written before the signature has been verified with the plan's public key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if token == "" {
				return &usageError{errors.New("sign: no token is named"), "usage: " + c.UseLine() + "; `ceremony status` lists the tokens"}
			}
			return runSign(env, args[0], signOptions{token, uri, root, approve})
		},
	}
	c.Flags().StringVar(&token, "token", "", "`NAME` of the token in the plan")
	c.Flags().StringVar(&uri, "uri", "", "where the device is on this machine, if not where the plan says: a token `URI`")
	_ = c.RegisterFlagCompletionFunc("token", completeToken)
	c.Flags().StringVar(&root, "trusted-root", "", "a `ROOT` that you brought yourself, to compare with the folder's")
	c.Flags().StringVar(&approve, "approve", "", "the first four `WORDS` of the event ID, instead of typing them")
	return c
}

// completeToken offers the shell the tokens of the plan in the folder that is
// already typed.
func completeToken(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	files, err := folder.Read(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	p, err := plan.Parse(files[folder.Plan])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, h := range p.Roster.Holders {
		for _, t := range h.Tokens {
			names = append(names, t.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// task is one payload that a token signs, under all its key IDs.
type task struct {
	payload folder.Version
	keyIDs  []string
}

type signOptions struct{ token, uri, root, approve string }

func runSign(env *environment, dir string, o signOptions) error {
	s, err := newSigning(env, dir, o)
	if err != nil {
		return err
	}
	todo, err := s.todo()
	if err != nil {
		return err
	}
	if err := s.found(todo); err != nil {
		return err
	}
	if len(todo) == 0 {
		s.print("Signed before, nothing to do")
		return nil
	}
	if err := s.run(todo, o.approve); err != nil {
		return err
	}
	s.print("Signed and verified")
	return nil
}

// newSigning reviews the folder and finds the token in the plan. What review or
// the clock refuses ends here, before any device is touched.
func newSigning(env *environment, dir string, o signOptions) (*signing, error) {
	now := env.today()
	files, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	report, err := review.Review(files)
	if err != nil {
		return nil, hint(err, "`ceremony draft %s` makes the payloads", dir)
	}
	token, ok := report.Plan.Roster.Token(o.token)
	if !ok {
		return nil, hint(fmt.Errorf("signing: the plan has no token %q", o.token), "the plan's tokens: %s", tokenNames(report))
	}
	if err := errors.Join(check.Refuse(report.Results), report.InWindow(now), plannedDevices(report.Plan)); err != nil {
		return nil, err
	}
	if err := compareRoot(report, o.root); err != nil {
		return nil, err
	}
	tasks := tasksOf(report, token)
	if len(tasks) == 0 {
		return nil, hint(fmt.Errorf("signing: the key of token %q signs nothing in this ceremony: SIG-FOREIGN", o.token), "`ceremony status %s` names those who sign", dir)
	}
	binary, err := env.binary() // before the PIN: from then on nobody waits
	if err != nil {
		return nil, err
	}
	s := &signing{env: env, dir: dir, now: now, report: report, token: token, tasks: tasks, binary: binary}
	return s, s.at(o.uri)
}

func tokenNames(report *review.Report) string {
	var names []string
	for _, h := range report.Plan.Roster.Holders {
		for _, t := range h.Tokens {
			names = append(names, t.Name)
		}
	}
	return strings.Join(names, ", ")
}

// tasksOf lists what a token's key signs, root first.
func tasksOf(report *review.Report, token *roster.Token) []task {
	var tasks []task
	for _, d := range report.Demands {
		for _, m := range d.Members(&report.Plan.Roster) {
			if m.Token != token {
				continue
			}
			i := slices.IndexFunc(tasks, func(t task) bool { return t.payload == d.Payload })
			if i < 0 {
				tasks = append(tasks, task{payload: d.Payload})
				i = len(tasks) - 1
			}
			for _, id := range m.KeyIDs {
				if !slices.Contains(tasks[i].keyIDs, id) {
					tasks[i].keyIDs = append(tasks[i].keyIDs, id)
				}
			}
		}
	}
	return tasks
}

// signing is one holder at one machine.
type signing struct {
	env       *environment
	dir       string
	now       time.Time
	report    *review.Report
	token     *roster.Token
	tasks     []task
	binary    record.Binary
	uri       string   // where the device is
	elsewhere bool     // and that was typed, not planned
	device    string   // as the device itself says
	kept      []string // payloads whose signatures are on disk
}

// todo lists the tasks that are not signed yet: all of them, unless an earlier
// run was killed or the device was pulled. What lies where a signature is to be
// written, and is none, stops everything before a PIN is asked for.
func (s *signing) todo() ([]task, error) {
	c, err := assemble.Collect(s.report.Files())
	if err != nil {
		return nil, err
	}
	var todo []task
	for _, t := range s.tasks {
		signed := true
		for _, id := range t.keyIDs {
			name := sign.File{KeyID: id, Role: t.payload.Role, Version: t.payload.Version}.Name()
			if i := slices.IndexFunc(c.Dropped, func(r check.Result) bool { return r.Subject == name }); i >= 0 {
				return nil, &hinted{check.Refuse(c.Dropped[i : i+1]), "the file is no signature of yours: remove it, and find out who put it there; nothing was signed"}
			}
			signed = signed && slices.ContainsFunc(c.Good[t.payload], func(f sign.File) bool { return f.KeyID == id })
		}
		if signed {
			s.kept = append(s.kept, t.payload.String())
		} else {
			todo = append(todo, t)
		}
	}
	return todo, nil
}

// run is a sitting: review, device, approval, PIN, signatures. The review comes
// before the device, since to reach a device is to run its module's code.
func (s *signing) run(todo []task, approve string) error {
	printReview(s.env.out, s.report)
	if s.elsewhere {
		fmt.Fprintf(s.env.out, "\nOn this machine, as typed after --uri, %s is at\n  %s\n", s.token.Name, tufmeta.Printable(s.uri))
	}
	device, err := s.open()
	if err != nil {
		return err
	}
	defer device.Close() // logs out and frees the device, on every way out
	key, err := s.match(device)
	if err != nil {
		return err
	}
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
	signer, err := device.Signer(key, &pinPrompter{s.env, s.token.Name})
	if err != nil {
		return s.deviceHint(err)
	}
	stop := catchInterrupts(s.env.err)
	defer stop.release()
	for _, t := range todo {
		if stop.caught() {
			return &hinted{errStopped, s.soFar()}
		}
		made, err := sign.Sign(approval, t.payload, t.keyIDs, key.Public, signer)
		if err != nil {
			return s.deviceHint(err)
		}
		if err := s.keep(t, made); err != nil {
			return err
		}
	}
	return nil
}

// soFar says what an interruption leaves.
func (s *signing) soFar() string {
	if len(s.kept) == 0 {
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
