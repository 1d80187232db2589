package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/record"
)

// rehearsal is a stage: actors type commands, and everybody sees the screen.
// Each actor works in a folder of the same name, as on a machine of their own.
type rehearsal struct {
	env    *environment
	now    time.Time
	dir    string
	kept   string
	seed   []byte
	maker  maker
	tokens map[string]stock // by token name; "online" for the publisher's key
	binary record.Binary
	before []string // the last review that was shown in full
	about  string   // the occasion, where it is not the whole of it

	provisioned bool // and that was shown in full
	reviewed    bool // and so was a standby revocation
}

// say tells what happens off the screen.
func (r *rehearsal) say(format string, args ...any) {
	fmt.Fprintln(r.env.out)
	wrapTo(r.env.out, "# ", "# ", fmt.Sprintf(format, args...))
}

// types has an actor type a command, and shows it with what it prints. Holders
// sign by reading the event's words from the screen.
func (r *rehearsal) types(actor string, args ...string) error {
	status, err := r.typed(actor, args)
	if err == nil && status != done {
		err = fmt.Errorf("rehearsing: %s's `ceremony %s` was refused", actor, quoteArgs(args))
	}
	return err
}

// refused has an actor type a command that must be refused: what it answers is
// part of the rehearsal.
func (r *rehearsal) refused(actor string, args ...string) error {
	status, err := r.typed(actor, args)
	if err == nil && status != refused {
		err = fmt.Errorf("rehearsing: %s's `ceremony %s` was not refused", actor, quoteArgs(args))
	}
	return err
}

func (r *rehearsal) typed(actor string, args []string) (status int, err error) {
	if err := os.Chdir(filepath.Join(r.dir, actor)); err != nil {
		return refused, fmt.Errorf("rehearsing: %w", err)
	}
	fmt.Fprintf(r.env.out, "\n%s$ ceremony %s\n", actor, quoteArgs(args))
	var screen bytes.Buffer
	status = run(args, &environment{
		out: &screen, err: &screen, ask: &actorPrompter{r, args, &screen},
		now:     func() time.Time { return r.now },
		random:  r.env.random,
		binary:  func() (record.Binary, error) { return r.binary, nil },
		sitting: func(dir string) string { return record.Sitting("rehearsal", actor, filepath.Base(dir)) },
	})
	r.show(r.shorter(args, screen.String()))
	return status, nil
}

func quoteArgs(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if strings.ContainsAny(arg, " ;?") {
			quoted[i] = `"` + arg + `"`
		}
	}
	return strings.Join(quoted, " ")
}

// actorPrompter answers as the people do who read the screen.
type actorPrompter struct {
	r      *rehearsal
	args   []string
	screen *bytes.Buffer
}

// Line types the four words that are asked for, from the screen, or all of the
// event ID, from the minutes, or which key is to be destroyed.
func (p *actorPrompter) Line(prompt string) (string, error) {
	if strings.Contains(prompt, "to destroy the key: ") {
		typed := p.r.named(p.args, prompt)
		fmt.Fprintf(p.screen, "%s%s\n", prompt, typed)
		return typed, nil
	}
	event, err := p.r.event(p.folder())
	if err != nil {
		return "", err
	}
	typed := event.Words()
	if p.args[0] == "publish" {
		typed = event.String()
	}
	fmt.Fprintf(p.screen, "%s%s\n", prompt, typed)
	return typed, nil
}

// named is what is typed before a key is destroyed: the token's name, or the
// serial number of its device.
func (r *rehearsal) named(args []string, prompt string) string {
	for i, arg := range args[:len(args)-1] {
		switch token := args[i+1]; {
		case arg != "--token":
		case strings.Contains(prompt, "serial number"):
			return r.tokens[token].serial
		default:
			return token
		}
	}
	return ""
}

// Secret types a PIN or PUK, which is not shown.
func (p *actorPrompter) Secret(prompt string) ([]byte, error) {
	name := "online"
	for i, arg := range p.args {
		if arg == "--token" {
			name = p.args[i+1]
		}
	}
	s, ok := p.r.tokens[name]
	if !ok {
		return nil, errors.New("rehearsing: nobody knows this secret")
	}
	secret := s.pin
	if strings.Contains(prompt, "PUK") {
		secret = s.puk
	}
	fmt.Fprintf(p.screen, "%s%s\n", prompt, strings.Repeat("*", len(secret)))
	return bytes.Clone(secret), nil
}

// Reveal reads the secret and types its end, as from paper.
func (p *actorPrompter) Reveal(secret, _ string) (string, error) {
	groups := strings.Fields(secret)
	return strings.Join(groups[len(groups)-2:], " "), nil
}

// Countdown has nobody to show it to: actors touch at once.
func (p *actorPrompter) Countdown(int) (stop func()) { return func() {} }

// folder is the ceremony folder or bundle that a command is about. Of those in
// a standby folder it is the one whose heading was printed last.
func (p *actorPrompter) folder() string {
	if len(standbys(p.args[1])) == 0 {
		return p.args[1]
	}
	printed := p.screen.String()
	_, heading, _ := strings.Cut(printed[strings.LastIndex("\n"+printed, "\n== "):], "== ")
	name, _, _ := strings.Cut(heading, " ")
	return filepath.FromSlash(name)
}

// event is the one of a ceremony folder, where the actor has it, or that of the
// coordinator's.
func (r *rehearsal) event(dir string) (folder.Event, error) {
	if _, err := os.Stat(filepath.Join(dir, folder.Plan)); err != nil {
		dir = filepath.Join(r.dir, "coordinator", strings.TrimSuffix(filepath.Base(dir), ".bundle"))
	}
	files, err := folder.Read(dir)
	if err != nil {
		return folder.Event{}, err
	}
	return files.Event(), nil
}

// carry copies a ceremony folder from the coordinator to another actor, as on a
// stick, under a name.
func (r *rehearsal) carry(name, to, as string) error {
	source := filepath.Join(r.dir, "coordinator", name)
	files, err := folder.Read(source)
	if err != nil {
		return err
	}
	for path, data := range files {
		if err := durable.Create(filepath.Join(r.dir, to, as, filepath.FromSlash(path)), data); err != nil {
			return err
		}
	}
	return nil
}

// edit is what a person does to the plan: each line that is found is written
// anew. What is new is shown.
func (r *rehearsal) edit(name string, change func(plan string) (string, error)) error {
	path := filepath.Join(r.dir, "coordinator", name, folder.Plan)
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rehearsing: %w", err)
	}
	text, err := change(string(old))
	if err != nil {
		return err
	}
	if err := durable.Replace(path, []byte(text)); err != nil {
		return err
	}
	r.say("The coordinator edits %s/plan.yaml until it says what was decided. Its new lines:", name)
	had := map[string]int{}
	for _, line := range strings.Split(string(old), "\n") {
		had[line]++
	}
	for i, line := range strings.Split(text, "\n") {
		if had[line]--; had[line] < 0 && line != "" {
			fmt.Fprintf(r.env.out, "%4d  %s\n", i+1, line)
		}
	}
	return nil
}

// replace does one edit, which must find its place exactly once.
func replace(text, old, new string) (string, error) {
	if strings.Count(text, old) != 1 {
		return "", fmt.Errorf("rehearsing: the plan does not have %q once", old)
	}
	return strings.Replace(text, old, new, 1), nil
}
