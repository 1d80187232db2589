package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
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
	typed, err := (&actorPrompter{r.p.rehearsal, r.args, &bytes.Buffer{}}).Line(prompt)
	r.answer(prompt, typed)
	return typed, err
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
