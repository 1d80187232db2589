package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/sign"
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
			return runSigns(env, args[0], signOptions{token, uri, root, approve})
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

// runSigns signs in the ceremony folder that was named, or, in a standby
// folder, whatever waits for this token: each is reviewed and approved apart.
func runSigns(env *environment, dir string, o signOptions) error {
	if len(standbys(dir)) == 0 {
		return runSign(env, dir, o)
	}
	if o.approve != "" {
		return hint(errors.New("signing: --approve approves one event, and this folder has several"), "approve each as it is shown, or name one of the folders in it")
	}
	return eachStandby(env.out, dir, func(dir string) error {
		why, err := standsBy(dir, o.token)
		switch {
		case err != nil:
			return err
		case why != "":
			wrapTo(env.out, "", "", "Nothing to sign here: "+why+".")
			return nil
		}
		return runSign(env, dir, o)
	})
}

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
	if token.Compromised {
		return nil, hint(fmt.Errorf("signing: this ceremony revokes the key of token %q, so it does not sign", o.token), "if that is wrong, the plan is: nothing is signed under it")
	}
	if token.Lost || token.Holder == "" {
		return nil, hint(fmt.Errorf("signing: the plan has token %q as one that cannot sign: lost, or an online key", o.token), "if that is wrong, the plan is: nothing is signed under it")
	}
	if err := errors.Join(check.Refuse(report.Results), report.InWindow(now), plannedDevices(report.Plan)); err != nil {
		return nil, err
	}
	if name := evidence.DestructionFile(token.Name); report.Files()[name] != nil {
		return nil, hint(fmt.Errorf("signing: %s says that the key of token %q was destroyed, so nothing signs with it", name, token.Name),
			"if its device still has it, the file lies: keep it, and find out where it comes from before anybody signs")
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
	destroys  bool     // it is no signing: the device's key is to be destroyed
}

// doing begins the errors of a sitting, and command is what is typed for it.
func (s *signing) doing() string {
	if s.destroys {
		return "destroying"
	}
	return "signing"
}

func (s *signing) command() string {
	if s.destroys {
		return "token destroy"
	}
	return "sign"
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
