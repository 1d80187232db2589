package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/record"
	"tufceremony/runbooks"
)

// TestRunbooks goes through each runbook from top to bottom, once for each run
// that its page names, and types every command that stands on it. What is
// printed must be what the page shows, a prompt that a person is asked must
// stand on the page, and in the end no command, and no message of an IF, may be
// left that no run has seen.
//
//	run: NAME; begins STATE; 3 THEN; 5 THEN (TROUBLE); rotation 4 THEN
//
// STATE is one of beginnings, and what has happened before. IF is answered with
// ELSE, but at the steps that are named, once each in their order. A TROUBLE
// is one of troubles, and happens before the step; it may have no IF of its own:
// 8 (TROUBLE). GO TO another page ends the
// run; GO TO a step of another page goes on there, with everything as it is.
func TestRunbooks(t *testing.T) {
	pages := map[string]*runbooks.Page{}
	seen := map[string]bool{}
	held := states{}
	t.Cleanup(held.remove)
	for _, name := range runbooks.Names() {
		page, err := runbooks.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = page
	}
	for _, name := range runbooks.Names() {
		t.Run(name, func(t *testing.T) {
			skipped := false
			for _, text := range pages[name].Runs {
				r := parseRun(t, name, text)
				t.Run(r.name, func(t *testing.T) {
					defer func() { skipped = skipped || t.Skipped() }()
					t.Chdir(t.TempDir()) // and back
					p := &player{t: t, rehearsal: held.begin(t, r.begins), pages: pages, page: pages[name], turns: r.turns, seen: seen}
					p.play()
				})
			}
			if !t.Failed() && !skipped {
				unseen(t, pages[name], seen)
			}
		})
	}
}

// unseen wants every command and message of a page to have been seen by a run.
func unseen(t *testing.T, page *runbooks.Page, seen map[string]bool) {
	t.Helper()
	for _, s := range page.Steps {
		for _, part := range s.Parts {
			if part.Kind == runbooks.Do && !seen[place(page, part.Line)] {
				t.Errorf("%s: no run of the page types this command", place(page, part.Line))
			}
		}
		if s.If != nil && s.If.Seen != nil && !seen[place(page, s.If.Line)] {
			t.Errorf("%s: no run of the page sees this message", place(page, s.If.Line))
		}
		if !seen[place(page, s.Line)] {
			t.Errorf("%s: no run of the page comes to step %d", place(page, s.Line), s.Number)
		}
	}
}

func place(page *runbooks.Page, line int) string {
	return fmt.Sprintf("../runbooks/%s.md:%d", page.Name, line)
}

// turn is an IF that a run answers with THEN.
type turn struct {
	page, trouble string
	step          int
	then          bool
}

type pageRun struct {
	name, begins string
	turns        []turn
}

func parseRun(t *testing.T, page, text string) pageRun {
	t.Helper()
	fields := strings.Split(text, "; ")
	r := pageRun{name: fields[0]}
	if len(fields) > 1 {
		r.begins, _ = strings.CutPrefix(fields[1], "begins ")
	}
	if r.begins == "" {
		t.Fatalf("%s: the run %q does not say how it begins", page, text)
	}
	for _, field := range fields[2:] {
		m := regexp.MustCompile(`^(?:([a-z-]+) )?(\d+)( THEN)?(?: \((.*)\))?$`).FindStringSubmatch(field)
		if m == nil {
			t.Fatalf("%s: a run has %q, which is not of the form: 5 THEN (TROUBLE)", page, field)
		}
		if m[1] == "" {
			m[1] = page
		}
		step, _ := strconv.Atoi(m[2])
		r.turns = append(r.turns, turn{page: m[1], step: step, then: m[3] != "", trouble: m[4]})
	}
	return r
}

// player is everybody who has a part in a run.
type player struct {
	*rehearsal
	t        *testing.T
	pages    map[string]*runbooks.Page
	page     *runbooks.Page
	turns    []turn
	seen     map[string]bool
	signs    *runbooks.Part // the last `ceremony sign` on a page
	typed    string         // what is typed instead of the next answer
	wrong    []byte         // and instead of the next secret
	stops    bool           // and Ctrl-C instead of a secret
	last     string         // what the last command has printed
	late     bool           // the other holders are not there
	commands []string       // all that were typed
	plans    []byte         // the plan of a renewal, as it was decided
	also     []string       // what the step says is asked as well, on some devices
}

func (p *player) play() {
	p.t.Helper()
	for number, visits := 1, 0; ; visits++ {
		if visits > 100 {
			p.t.Fatalf("%s: the run does not end", p.page.Name)
		}
		step := &p.page.Steps[number-1]
		p.seen[place(p.page, step.Line)] = true
		then := p.takes(step)
		p.step(step, then)
		to := step.Ways()[0]
		if step.If != nil && !then {
			to = step.If.Else.To
		}
		if to.End || to.Page != "" && to.Step == 0 {
			break
		}
		if to.Page != "" {
			p.page = p.pages[to.Page]
		}
		number = to.Step
	}
	for _, left := range p.turns {
		p.t.Errorf("the run does not come to step %d of %s", left.step, left.page)
	}
}

// takes says whether the run answers this step's IF with THEN, and has happen
// what is the reason.
func (p *player) takes(step *runbooks.Step) bool {
	p.t.Helper()
	if len(p.turns) == 0 || p.turns[0].page != p.page.Name || p.turns[0].step != step.Number {
		return false
	}
	next := p.turns[0]
	p.turns = p.turns[1:]
	if next.then && step.If == nil {
		p.t.Fatalf("%s: the step has no IF", place(p.page, step.Line))
	}
	if next.trouble != "" {
		p.act(troubles, next.trouble, step.Line)
	}
	return next.then
}

// act has people do something that is no command.
func (p *player) act(parts map[string]func(*player) error, name string, line int) {
	p.t.Helper()
	do, ok := parts[name]
	if !ok {
		p.t.Fatalf("%s: nobody knows how to do %q", place(p.page, line), name)
	}
	if err := do(p); err != nil {
		p.t.Fatalf("%s: %s: %v", place(p.page, line), name, err)
	}
}

// step does what stands in a step. Where the IF is about what its last command
// prints, and the answer is yes, the command must print that.
func (p *player) step(step *runbooks.Step, then bool) {
	p.t.Helper()
	last := -1
	for i, part := range step.Parts {
		if part.Kind == runbooks.Do {
			last = i
		}
	}
	p.also = nil
	for _, part := range step.Parts {
		if part.Kind == runbooks.See {
			p.also = append(p.also, quoted(part.Text)...)
		}
	}
	instead := then && step.If.Seen != nil
	if step.If != nil && step.If.Seen != nil && last < 0 {
		p.t.Fatalf("%s: the step shows a message, and has no command", place(p.page, step.If.Line))
	}
	for i := range step.Parts {
		part := &step.Parts[i]
		switch {
		case part.Kind == runbooks.Stage && !(instead && i > last):
			p.act(stages, part.Text, part.Line)
		case part.Kind == runbooks.Do && i == last && instead:
			p.seen[place(p.page, step.If.Line)] = true
			p.types(part, step.If.Seen)
		case part.Kind == runbooks.Do:
			p.seen[place(p.page, part.Line)] = true
			_, _, want := part.Command()
			p.types(part, want)
		}
	}
}

// types has a person type a command, and compares the screen with the page. It
// succeeds unless the page shows an error.
func (p *player) types(part *runbooks.Part, want []string) {
	p.t.Helper()
	who, command, _ := part.Command()
	if strings.HasPrefix(command, "ceremony sign ") {
		p.signs = part
	}
	screen, failed, asked := p.screen(who, command, want)
	p.last, p.commands = screen, append(p.commands, command)
	at := place(p.page, part.Line)
	got := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
	if missing := unlike(want, got); missing != "" {
		p.t.Fatalf("%s: %s\nit does not print %s, at its place, but in the end:\n%s", at, command, missing, strings.Join(got[max(0, len(got)-30):], "\n"))
	}
	if refusal := strings.Contains(strings.Join(want, "\n"), "ceremony: error: "); failed != refusal {
		p.t.Fatalf("%s: %s\nfailed: %t, and the page shows an error: %t\n%s", at, command, failed, refusal, screen)
	}
	_, _, usually := part.Command()
	for _, line := range asked {
		if !shows(want, line) && !shows(usually, line) && !shows(p.also, line) {
			p.t.Errorf("%s: %s\nasks, and the page does not show it: %q", at, command, line)
		}
	}
	p.wouldFail(at, want, got)
}

// wouldFail wants the page to be one that notices: a block of dots alone shows
// nothing, and a line that were another one must not match.
func (p *player) wouldFail(at string, want, got []string) {
	p.t.Helper()
	if len(want) > 0 && strings.Trim(strings.Join(want, ""), ".…") == "" {
		p.t.Errorf("%s: the page shows only dots", at)
	}
	for i, line := range want {
		if line == "..." || strings.HasSuffix(line, "…") {
			continue
		}
		changed := slices.Clone(want)
		changed[i] += " or not"
		if unlike(changed, got) == "" {
			p.t.Errorf("%s: nobody would notice that this line is another: %q", at, line)
		}
	}
}

// quoted are the pieces of a text that stand between backquotes.
func quoted(text string) (pieces []string) {
	for i, piece := range strings.Split(text, "`") {
		if i%2 == 1 {
			pieces = append(pieces, piece)
		}
	}
	return pieces
}

// shows says whether a line stands on the page, and not only behind dots.
func shows(want []string, line string) bool {
	for _, w := range want {
		if w != "..." && alike([]string{w}, []string{line}) {
			return true
		}
	}
	return false
}

// screen runs a command where its actor works. The program runs in this
// process, with people who answer; anything else is a shell's.
func (p *player) screen(who, command string, want []string) (screen string, failed bool, asked []string) {
	p.t.Helper()
	dir := filepath.Join(p.dir, who)
	if err := os.Chdir(dir); err != nil {
		p.t.Fatal(err)
	}
	if args := shellWords(command); args[0] == "ceremony" && !strings.ContainsAny(command, "|$<>&") {
		var out bytes.Buffer
		ask := &reader{p: p, args: args[1:], want: want, screen: &out}
		if err := p.plugged(who, args[1:], func() { failed = run(args[1:], p.machine(who, &out, ask)) != done }); err != nil {
			p.t.Fatal(err)
		}
		return out.String(), failed, ask.asked
	}
	c := exec.Command("sh", "-c", command)
	c.Env = append(os.Environ(), clockVariable+"="+p.now.Format(time.RFC3339))
	if strings.HasPrefix(command, "openssl ") { // it asks whoever starts it, twice where a secret is new
		detach(c)
		c.Stdin = strings.NewReader(strings.Repeat(string(p.tokens["online"].pin)+"\n", 2))
	}
	out, err := c.CombinedOutput()
	exit := (*exec.ExitError)(nil)
	switch {
	case err != nil && !errors.As(err, &exit):
		p.t.Skipf("there is no shell: %v", err)
	case err != nil && exit.ExitCode() == 127: // as shells say it
		p.t.Skipf("this machine lacks a program: %s", out)
	}
	return string(out), err != nil, nil
}

// machine is the environment of an actor.
func (p *player) machine(who string, out *bytes.Buffer, ask prompter) *environment {
	return &environment{
		out: guard{out}, err: guard{out}, ask: ask,
		now:     func() time.Time { return p.now },
		random:  p.env.random,
		binary:  func() (record.Binary, error) { return p.binary, nil },
		sitting: func(dir string) string { return record.Sitting("rehearsal", who, filepath.Base(dir)) },
	}
}
