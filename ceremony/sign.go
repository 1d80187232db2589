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
	var token, approve, uri string
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
				return usage(c, errors.New("sign: no token is named"))
			}
			return runSign(env, args[0], token, approve, uri)
		},
	}
	c.Flags().StringVar(&token, "token", "", "`NAME` of the token in the plan")
	c.Flags().StringVar(&uri, "uri", "", "where the device is on this machine, if not where the plan says: a token `URI`")
	_ = c.RegisterFlagCompletionFunc("token", completeToken)
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

func runSign(env *environment, dir, name, approve, uri string) error {
	now := env.today()
	files, err := readFolder(dir)
	if err != nil {
		return err
	}
	report, err := review.Review(files)
	if err != nil {
		return hint(err, "`ceremony draft %s` makes the payloads", dir)
	}
	token, ok := report.Plan.Roster.Token(name)
	if !ok {
		return hint(fmt.Errorf("signing: the plan has no token %q", name), "the plan's tokens: %s", tokenNames(report))
	}
	if err := errors.Join(check.Refuse(report.Results), report.InWindow(now)); err != nil {
		return err
	}
	tasks := tasksOf(report, token)
	if len(tasks) == 0 {
		return hint(fmt.Errorf("signing: the key of token %q signs nothing in this ceremony: SIG-FOREIGN", name), "`ceremony status %s` names those who sign", dir)
	}
	binary, err := env.binary() // before the PIN: from then on nobody waits
	if err != nil {
		return err
	}
	if err := elsewhere(token, uri, report.Plan.Rehearsal); err != nil {
		return err
	}
	s := &signing{env: env, dir: dir, now: now, report: report, token: token, tasks: tasks, binary: binary}
	if s.done() {
		return s.finish(nil)
	}
	return s.run(approve)
}

func tokenNames(report *review.Report) string {
	var names []string
	for _, t := range report.Plan.Roster.Tokens() {
		names = append(names, t.Name)
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
	env    *environment
	dir    string
	now    time.Time
	report *review.Report
	token  *roster.Token
	tasks  []task
	device string // as the device itself says
	binary record.Binary
}

// done reports whether everything that the token signs is signed already, as
// when a killed command is run again.
func (s *signing) done() bool {
	c, err := assemble.Collect(s.report.Files())
	if err != nil {
		return false
	}
	for _, t := range s.tasks {
		for _, id := range t.keyIDs {
			if !slices.ContainsFunc(c.Good[t.payload], func(f sign.File) bool { return f.KeyID == id }) {
				return false
			}
		}
	}
	return true
}

func (s *signing) run(approve string) error {
	device, err := s.open()
	if err != nil {
		return err
	}
	defer device.Close() // logs out and frees the device, on every way out
	stop := catchInterrupts(s.env.err)
	defer stop.release()
	key, err := s.match(device)
	if err != nil {
		return err
	}
	printReview(s.env.out, s.report)
	fmt.Fprintf(s.env.out, "\nToken %s is here: %s. It will sign:\n", s.token.Name, s.device)
	for _, t := range s.tasks {
		fmt.Fprintf(s.env.out, "  %s\n", t.payload)
	}
	approval, err := s.approve(approve)
	if err != nil {
		return err
	}
	signer, err := device.Signer(key, &pinPrompter{s.env, s.token.Name})
	if err != nil {
		return deviceHint(err, s.dir, s.token.Name)
	}
	var signatures []sign.File
	for _, t := range s.tasks {
		if stop.caught() {
			return errInterrupted
		}
		made, err := sign.Sign(approval, t.payload, t.keyIDs, key.Public, signer)
		if err != nil {
			return deviceHint(err, s.dir, s.token.Name)
		}
		signatures = append(signatures, made...)
	}
	return s.finish(signatures)
}

func (s *signing) approve(words string) (review.Approval, error) {
	if words == "" {
		var err error
		fmt.Fprintln(s.env.out)
		words, err = s.env.ask.Line("Type the first four words of the event ID to approve: ")
		if err != nil {
			return review.Approval{}, hint(err, "sign at a terminal, or give --approve \"w1 w2 w3 w4\"")
		}
	}
	approval, err := s.report.Approve(words, s.now)
	return approval, hint(err, "nothing was signed; compare the event ID with the other copies of the folder, and run the command again")
}

// finish writes signatures and record, and says what was done. What an earlier,
// killed run has written is kept.
func (s *signing) finish(signatures []sign.File) error {
	for _, f := range signatures {
		if _, ok := s.report.Files()[f.Name()]; ok {
			continue
		}
		if err := durable.Create(filepath.Join(s.dir, filepath.FromSlash(f.Name())), f.Encode()); err != nil {
			return err
		}
	}
	if err := s.record(); err != nil {
		return err
	}
	fmt.Fprintln(s.env.out)
	verb := "Signed and verified"
	if len(signatures) == 0 {
		verb = "Signed before, nothing to do"
	}
	fmt.Fprintf(s.env.out, "%s, with token %s:\n", verb, s.token.Name)
	for _, t := range s.tasks {
		for _, id := range t.keyIDs {
			fmt.Fprintf(s.env.out, "  %s under key ID %s…\n", t.payload, id[:min(16, len(id))])
		}
	}
	fmt.Fprintln(s.env.out, "Next: take the folder back to whoever merges the copies.")
	return nil
}

// record writes a line for each payload that has none yet.
func (s *signing) record() error {
	chains, _ := record.Read(s.report.Files())
	var lines []record.Line
	for _, t := range s.tasks {
		doc, _ := s.report.Document(t.payload)
		if record.Has(chains, "sign", doc.Digest, t.keyIDs[0]) {
			continue
		}
		lines = append(lines, record.Line{
			Act: "sign", At: s.now.Format(tufmeta.TimeFormat), Binary: s.binary, Event: s.report.Event.String(),
			Role: t.payload.Role, Version: t.payload.Version, Digest: doc.Digest,
			Token: s.token.Name, Device: s.device, KeyIDs: t.keyIDs, Waivers: s.report.Plan.Waivers,
		})
	}
	if len(lines) == 0 {
		return nil
	}
	return record.Append(s.dir, s.env.sitting(s.dir), lines...)
}
