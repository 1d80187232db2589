// Package runbooks holds the pages that people follow, step by step, on the day.
//
// A page is Markdown of a strict form, which Parse reads, so that a test can
// run each command that stands on it:
//
//	# Title
//
//	<!--
//	run: how a test goes through the page; several lines, several runs
//	-->
//
//	The purpose, in one line.
//
//	More paragraphs: what is needed, what stands for what.
//
//	## 1. What the step is about
//
//	coordinator, 5 minutes
//
//	DO (by hand): what a person does without the program.
//
//	DO: what the next command is for.
//
//	```console
//	coordinator$ the command
//	what must be seen; ... stands for any lines, and … for any text in a line
//	```
//
//	<!-- stage: what the people of a test do at this place, by hand -->
//
//	SEE: what else must be seen.
//
//	IF a question, with what is seen instead, in a console block without a command
//
//	THEN GO TO 7
//
//	ELSE GO TO 2
//
// A step ends in IF, THEN and ELSE, in GO TO, or in END; one that has none of
// these goes on to the step below. GO TO 7 is a step of the same page, GO TO
// rotation another page, and GO TO rotation 4 a step of it.
//
// The package shows nothing and runs nothing.
package runbooks

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

//go:embed *.md
var files embed.FS

// order is that of a year, with the bad days at its end.
var order = []string{
	"prepare-room", "rehearsal", "provision", "genesis", "rotation", "bins-renewal", "standby", "targets", "promotion", "publishing", "witness",
	"retire", "abort", "lost-device", "forgotten-pin", "emergency",
	"emergency-a", "emergency-b", "emergency-c", "emergency-d", "emergency-e", "emergency-f", "out-of-band-root",
}

// ErrNone is returned for a name that no page has.
var ErrNone = errors.New("there is no such runbook")

// Names lists the pages in the order in which they are listed for people.
func Names() []string { return slices.Clone(order) }

// Lookup reads a page.
func Lookup(name string) (*Page, error) {
	text, err := files.ReadFile(name + ".md")
	if err != nil || !slices.Contains(order, name) {
		return nil, fmt.Errorf("looking for %q: %w", name, ErrNone)
	}
	return Parse(name, string(text))
}

// Page is one runbook.
type Page struct {
	Name    string
	Title   string
	Purpose string   // one line
	Intro   []string // paragraphs
	Runs    []string // how tests go through it
	Steps   []Step   // numbered from 1
	SHA256  string   // of the file, in hex
}

// Step is one thing that is done, by one sort of people.
type Step struct {
	Number  int
	Title   string
	Who     string
	Minutes int
	Parts   []Part
	If      *Decision // nil: Next says where it goes on
	Next    Target
	Line    int // of the file
}

// Kind is what a part of a step is.
type Kind int

// The parts of a step.
const (
	Do     Kind = iota // a command that is typed
	ByHand             // what a person does
	See                // what must be seen, in words
	Stage              // what the people of a test do; it is not shown
)

// Part is one thing to do or to see.
type Part struct {
	Kind    Kind
	Text    string
	Console []string // of Do: the command and what it prints
	Line    int
}

// Decision is a question that is answered with yes or no.
type Decision struct {
	Question   string
	Seen       []string // what the step's last command prints then, if that is the question
	Then, Else Way
	Line       int
}

// Way is one answer's: what is said, and where it goes on.
type Way struct {
	Text string
	To   Target
}

// Target is where a step goes on.
type Target struct {
	End  bool
	Page string // "" is the same page
	Step int    // 0: the beginning of another page
}

// String is the target as the pages write it.
func (t Target) String() string {
	switch {
	case t.End:
		return "END"
	case t.Page == "":
		return fmt.Sprintf("GO TO %d", t.Step)
	case t.Step == 0:
		return "GO TO " + t.Page
	}
	return fmt.Sprintf("GO TO %s %d", t.Page, t.Step)
}

// Ways are where a step can go on.
func (s *Step) Ways() []Target {
	if s.If != nil {
		return []Target{s.If.Then.To, s.If.Else.To}
	}
	return []Target{s.Next}
}

// Minutes is how long the page takes when every IF is answered with no: the
// questions ask for what goes wrong.
func (p *Page) Minutes() int {
	sum, seen := 0, map[int]bool{}
	for n := 1; n > 0 && n <= len(p.Steps) && !seen[n]; {
		seen[n] = true
		step := &p.Steps[n-1]
		sum += step.Minutes
		ways := step.Ways()
		to := ways[len(ways)-1]
		if to.End || to.Page != "" {
			break
		}
		n = to.Step
	}
	return sum
}

// Commands says whether anything is typed on the page.
func (p *Page) Commands() bool {
	for _, s := range p.Steps {
		for _, part := range s.Parts {
			if part.Kind == Do {
				return true
			}
		}
	}
	return false
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
