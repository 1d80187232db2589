package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"tufceremony/ceremony/internal/folder"
)

// reader answers as a person does who has the page before them.
type reader struct {
	p      *player
	args   []string
	want   []string
	screen *bytes.Buffer
	asked  []string
}

func (r *reader) answer(prompt, shown string) {
	fmt.Fprintf(r.screen, "%s%s\n", prompt, shown)
	lines := strings.Split(prompt+shown, "\n")
	r.asked = append(r.asked, lines[len(lines)-1])
}

// Line types what stands on the page behind the question. For … there, it is
// what the actors of every rehearsal type: words, or the event ID.
func (r *reader) Line(prompt string) (string, error) {
	if typed := r.p.typed; typed != "" {
		r.p.typed = ""
		r.answer(prompt, typed)
		return typed, nil
	}
	lines := strings.Split(prompt, "\n")
	for _, w := range r.want {
		if typed, ok := strings.CutPrefix(w, lines[len(lines)-1]); ok && typed != "…" {
			r.answer(prompt, typed)
			return typed, nil
		}
	}
	typed, err := r.event(prompt)
	r.answer(prompt, typed)
	return typed, err
}

var digest = regexp.MustCompile(`(?m)^ +[0-9a-f]{64}\n((?: +[a-z]+ +[a-z]+ +[a-z]+ +[a-z]+\n)+)`)

// event is typed from the last digest on the screen, or from the minutes: the
// folder beside the bundle.
func (r *reader) event(prompt string) (string, error) {
	if strings.Contains(prompt, "first four words") {
		all := digest.FindAllStringSubmatch(r.screen.String(), -1)
		if len(all) == 0 {
			return "", errors.New("no words stand on the screen")
		}
		return strings.Join(strings.Fields(all[len(all)-1][1])[:4], " "), nil
	}
	if files, err := folder.Read(strings.TrimSuffix(r.args[1], ".bundle")); err == nil {
		return files.Event().String(), nil
	}
	return (&actorPrompter{r.p.rehearsal, r.args, &bytes.Buffer{}}).Line(prompt)
}

// Secret types what the holder knows, or in trouble something else.
func (r *reader) Secret(prompt string) ([]byte, error) {
	if r.p.stops {
		r.p.stops = false
		return nil, errInterrupted
	}
	secret, err := r.p.secretFor(prompt, r.args)
	if r.p.wrong != nil {
		secret, r.p.wrong = r.p.wrong, nil
	}
	r.answer(prompt, strings.Repeat("*", len(secret)))
	return bytes.Clone(secret), err
}

func (r *reader) Reveal(string, string) (string, error) {
	return "", errors.New("no runbook shows a secret")
}

func (r *reader) Countdown(int) (stop func()) { return func() {} }

// secretFor finds whose secret is asked for, by the token or the device that
// the command names.
func (p *player) secretFor(prompt string, args []string) ([]byte, error) {
	whose := "online"
	for i, arg := range args {
		for name, token := range p.tokens {
			if i > 0 && args[i-1] == "--token" && name == arg || token.serial != "" && arg == "piv:serial="+token.serial {
				whose = name
			}
		}
	}
	token, ok := p.tokens[whose]
	if !ok {
		return nil, fmt.Errorf("nobody knows a secret for %q", prompt)
	}
	if strings.Contains(prompt, "PUK") {
		return token.puk, nil
	}
	return token.pin, nil
}
