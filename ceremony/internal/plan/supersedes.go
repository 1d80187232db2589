package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Superseded is an event that was given up and of which signatures may exist:
// they must never be published. Event is the whole event ID in hex.
type Superseded struct {
	Event  string `json:"event"`
	Reason string `json:"reason"`
}

// Superseded gives the reason for which an event was given up, and whether the
// plan names it at all.
func (p *Plan) Superseded(event string) (reason string, ok bool) {
	i := slices.IndexFunc(p.Supersedes, func(s Superseded) bool { return s.Event == event })
	if i < 0 {
		return "", false
	}
	return p.Supersedes[i].Reason, true
}

type superseded struct {
	Event  string `yaml:"event"`
	Reason string `yaml:"reason"`
}

func (v *validator) supersedes(f *file, p *Plan) {
	for i, s := range f.Supersedes {
		at := fmt.Sprintf("supersedes[%d]", i)
		v.want(sha256hex.MatchString(s.Event), at+".event", fmt.Sprintf("is %q", s.Event), "write the whole event ID, 64 digits in lower case, in quotes")
		_, twice := p.Superseded(s.Event)
		v.want(!twice, at+".event", "stands twice", "name each event once")
		v.want(len(strings.Fields(s.Reason)) >= 3, at+".reason", fmt.Sprintf("is %q", s.Reason), "write why the event was given up, so that it stands up when it is read aloud")
		p.Supersedes = append(p.Supersedes, Superseded(s))
	}
}

func (w *writer) supersedes(given []Superseded) {
	if len(given) == 0 {
		return
	}
	w.line("")
	w.line("supersedes:  # events that were given up, whose signatures must never be published")
	for _, s := range given {
		w.line("  - event: %s", quoted(s.Event))
		if s.Reason == "" {
			w.line("    reason: \"\"  # decide: why it was given up")
		} else {
			w.line("    reason: %s", quoted(s.Reason))
		}
	}
}
