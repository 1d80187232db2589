package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

func statusCommand(env *environment) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status DIR",
		Short: "show who has signed, who is missing, and what comes next",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(standbys(args[0])) > 0 && asJSON {
				return hint(errors.New("showing the status: a standby folder has several ceremonies, and --json shows one"), "name one of the folders in it")
			}
			return eachStandby(env.out, args[0], func(dir string) error { return runStatus(env, dir, asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "for machines")
	return c
}

func runStatus(env *environment, dir string, asJSON bool) error {
	files, p, c, err := collect(dir)
	if err != nil {
		return err
	}
	s := &status{dir: dir, plan: p, c: c, progress: c.Progress(&p.Roster), now: env.today(), aborted: aborted(files)}
	if report, err := review.Review(files); err == nil {
		s.refused, s.once = check.Refusals(report.Results), report.Once
	}
	if asJSON {
		return printJSON(env.out, s.json())
	}
	s.print(env.out)
	return nil
}

type status struct {
	dir      string
	plan     *plan.Plan
	c        *assemble.Collection
	progress []assemble.Progress
	now      time.Time
	refused  []check.Result // by review: nobody can sign
	aborted  []check.Result // the event was given up
	once     []evidence.Once
}

func (s *status) print(w io.Writer) {
	wrapTo(w, "", "  ", fmt.Sprintf("%s of \"%s\"", s.plan.Kind, tufmeta.Printable(s.plan.Repository)))
	printAborted(w, s.aborted)
	printSupersedes(w, s.plan)
	if standby := standbyOf(s.plan); standby != "" {
		wrapTo(w, "", "  ", standby)
	}
	fmt.Fprintf(w, "Signing from %s\n          to %s\n\n", s.plan.Opens.Format(tufmeta.TimeFormat), s.plan.Closes.Format(tufmeta.TimeFormat))
	s.people(w)
	fmt.Fprintln(w)
	for _, p := range s.progress {
		verdict := "enough"
		if !p.Reached() {
			verdict = fmt.Sprintf("%d missing", max(p.Role.Threshold-p.Have, 1))
		}
		fmt.Fprintf(w, "%-12s under %-11s %d signed, %d needed: %s\n", p.Payload, p.Whose(), p.Have, p.Role.Threshold, verdict)
	}
	printOnce(w, s.once)
	if len(s.c.Dropped) > 0 {
		printResults(w, s.c.Dropped)
	}
	fmt.Fprintln(w)
	wrapTo(w, "Next: ", "      ", s.next())
}

// people is the table: a line a token, with what it signed and what it could.
func (s *status) people(w io.Writer) {
	fmt.Fprintf(w, "%-24s %-28s %s\n", "token", "signed", "can still sign")
	for _, name := range s.names() {
		signed, open := s.of(name)
		fmt.Fprintf(w, "%-24s %-28s %s\n", name, dash(strings.Join(signed, ", ")), dash(strings.Join(open, ", ")))
	}
}

// label names a member: its token, or its key where the plan knows no token.
func label(m assemble.Member) string {
	switch {
	case m.Token == nil:
		return "key " + roster.Short(m.Fingerprint)
	case m.Token.Out() != "":
		return m.Token.Name + " (" + m.Token.Out() + ")"
	}
	return m.Token.Name
}

func (s *status) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range s.progress {
		for _, m := range p.Members {
			if name := label(m); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

func (s *status) of(name string) (signed, open []string) {
	seen := map[string]bool{}
	for _, p := range s.progress {
		for _, m := range p.Members {
			payload := p.Payload.String()
			if label(m) != name || seen[payload] {
				continue
			}
			seen[payload] = true
			switch {
			case m.Signed:
				signed = append(signed, payload)
			case m.CanSign():
				open = append(open, payload)
			}
		}
	}
	return signed, open
}

func (s *status) next() string {
	switch {
	case len(s.aborted) > 0:
		return fmt.Sprintf("nothing: the event was given up. A new one goes into a new folder: ceremony init NEW --supersedes %s", s.dir)
	case len(s.refused) > 0:
		return fmt.Sprintf("nobody can sign: review refuses this folder (%s). ceremony review %s", s.refused[0].Check, s.dir)
	case !s.reached() && s.now.After(s.plan.Closes):
		return fmt.Sprintf("nobody can sign any more: the window closed %s ago. Plan and draft another", inspect.Days(s.plan.Closes, s.now))
	case !s.reached() && s.now.Before(s.plan.Opens):
		return fmt.Sprintf("wait: signing opens in %s", inspect.Days(s.now, s.plan.Opens))
	}
	for _, p := range s.progress {
		if !p.Reached() {
			var who []string
			for _, m := range p.Members {
				if !m.Signed && m.CanSign() {
					who = append(who, m.Token.Name)
				}
			}
			return fmt.Sprintf("more signatures for %s. Who can: %s. ceremony sign %s --token NAME", p.Payload, dash(strings.Join(who, ", ")), s.dir)
		}
	}
	if len(s.progress) == 0 {
		return "nothing is drafted. ceremony draft " + s.dir
	}
	if alive := keysAlive(s.plan, s.once); len(alive) > 0 {
		return fmt.Sprintf("every threshold is reached, and these keys were made for this ceremony alone: %s. ceremony token destroy %s --token NAME", strings.Join(alive, ", "), s.dir)
	}
	return fmt.Sprintf("every threshold is reached. ceremony seal %s -o FILE", s.dir)
}

// reached reports whether there is something to seal.
func (s *status) reached() bool {
	for _, p := range s.progress {
		if !p.Reached() {
			return false
		}
	}
	return true
}

// rootOf is the version of the root whose keys are counted, and 0 where they are
// a delegator's.
func rootOf(by string, version int64) int64 {
	if by != "root" {
		return 0
	}
	return version
}

type statusDemand struct {
	Payload   string   `json:"payload"`
	Under     int64    `json:"under_root"`
	Whose     string   `json:"under"`
	Old       bool     `json:"old"`
	Have      int      `json:"have"`
	Threshold int      `json:"threshold"`
	Signed    []string `json:"signed"`
	Missing   []string `json:"missing"`
}

type statusReport struct {
	Event   string         `json:"event"`
	Opens   string         `json:"opens"`
	Closes  string         `json:"closes"`
	Demands []statusDemand `json:"demands"`
	Dropped []check.Result `json:"dropped"`
	Aborted []check.Result `json:"aborted,omitempty"`
	Once    []onceJSON     `json:"one_time,omitempty"`
	Next    string         `json:"next"`
}

func (s *status) json() statusReport {
	out := statusReport{
		Event: s.c.Event.String(), Opens: s.plan.Opens.Format(tufmeta.TimeFormat), Closes: s.plan.Closes.Format(tufmeta.TimeFormat),
		Demands: []statusDemand{}, Dropped: append([]check.Result{}, s.c.Dropped...), Aborted: s.aborted, Once: onceOf(s.once), Next: s.next(),
	}
	for _, p := range s.progress {
		d := statusDemand{p.Payload.String(), rootOf(p.By, p.Under), p.Whose(), p.Old, p.Have, p.Role.Threshold, []string{}, []string{}}
		for _, m := range p.Members {
			if m.Signed {
				d.Signed = append(d.Signed, label(m))
			} else {
				d.Missing = append(d.Missing, label(m))
			}
		}
		out.Demands = append(out.Demands, d)
	}
	return out
}
