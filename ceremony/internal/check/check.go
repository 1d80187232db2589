// Package check has the one table of what the toolkit looks for: the ID of
// each check, how much it weighs, and what a person does about it.
//
//	f := check.New("EXPIRES-PAST", "root", "expired on %s", date)
//	check.Draft.Level(f)           // a refusal in what is about to be signed
//	check.Published.Level(f)       // a finding in what others published
//
// Weights stand in the table and nowhere else: no stage decides for itself
// that a fault matters less today. The one exception is a Waiver, which stands
// in the reviewed plan, names one check and one subject, and gives a reason.
package check

import (
	"fmt"
	"slices"
	"strings"
)

// Level is how much a finding weighs.
type Level string

// A Refusal stops the command. A Finding is shown and wants an answer from the
// people present. A Note is worth knowing.
const (
	Refusal Level = "refusal"
	Finding Level = "finding"
	Note    Level = "note"
)

// Context says of what a finding speaks, which decides its weight.
type Context int

// Draft is metadata that this ceremony is making; Published is metadata that
// others have signed and published, which nobody here can change.
const (
	Draft Context = iota
	Published
)

// Check is a row of the table. Do is what a person does about it.
type Check struct {
	ID        string `json:"id"`
	Draft     Level  `json:"draft"`
	Published Level  `json:"published"`
	Waiver    string `json:"waiver,omitempty"` // what a waiver's subject is; empty: it cannot be waived
	Means     string `json:"means"`
	Do        string `json:"do"`
}

// Waivable reports whether a plan may waive the check.
func (c Check) Waivable() bool { return c.Waiver != "" }

// Result is one finding: which check, of what, and in words. Subject is what a
// waiver names: a role, a token, a file. Level is set by Weigh.
type Result struct {
	Check   string `json:"check"`
	Subject string `json:"subject"`
	Detail  string `json:"detail"`
	Level   Level  `json:"level"`
	Waived  string `json:"waived,omitempty"` // the reason, where a waiver applied
}

// Waiver lowers one check for one subject by one level.
type Waiver struct {
	Check   string `json:"check"`
	Subject string `json:"subject"`
	Reason  string `json:"reason"`
}

// New makes a result. An ID that is not in the table is a mistake in the
// program.
func New(id, subject, format string, args ...any) Result {
	if _, ok := Lookup(id); !ok {
		panic("check: no row for " + id)
	}
	return Result{Check: id, Subject: subject, Detail: fmt.Sprintf(format, args...)}
}

// NewRefusal makes a result that stops the command, whatever the table says of
// its context.
func NewRefusal(id, subject, format string, args ...any) Result {
	r := New(id, subject, format, args...)
	r.Level = Refusal
	return r
}

// Refused is the error of a single refusal.
func Refused(id, subject, format string, args ...any) error {
	return Refuse([]Result{NewRefusal(id, subject, format, args...)})
}

// Lookup finds a row of the table.
func Lookup(id string) (Check, bool) {
	i := slices.IndexFunc(Table, func(c Check) bool { return c.ID == id })
	if i < 0 {
		return Check{}, false
	}
	return Table[i], true
}

// Level is what the table says of a result in this context.
func (c Context) Level(r Result) Level {
	row, ok := Lookup(r.Check)
	switch {
	case !ok:
		return Refusal
	case c == Published:
		return row.Published
	}
	return row.Draft
}

// Weigh sets the level of each result.
func (c Context) Weigh(results []Result) []Result {
	for i := range results {
		results[i].Level = c.Level(results[i])
	}
	return results
}

// Waive applies waivers to weighed results, each to the one result that it
// names, and adds a finding for each waiver that names nothing that happened:
// a waiver must not lie in wait.
func Waive(results []Result, waivers []Waiver) []Result {
	for _, w := range waivers {
		if !w.apply(results) {
			unused := New("WAIVER-UNUSED", w.Check+" "+w.Subject, "the plan waives this check and it did not fail: take the waiver out")
			unused.Level = Draft.Level(unused)
			results = append(results, unused)
		}
	}
	return results
}

// WaiveAgain applies waivers to what is checked once more after review, with
// more known. What is not needed there has been told at review.
func WaiveAgain(results []Result, waivers []Waiver) []Result {
	for _, w := range waivers {
		w.apply(results)
	}
	return results
}

// apply lowers the result that the waiver names, if there is one.
func (w Waiver) apply(results []Result) (used bool) {
	for i := range results {
		r := &results[i]
		if r.Check != w.Check || r.Subject != w.Subject || r.Waived != "" {
			continue
		}
		r.Waived, used = w.Reason, true
		r.Level = lower(r.Level)
	}
	return used
}

func lower(l Level) Level {
	if l == Refusal {
		return Finding
	}
	return Note
}

// Refusals are the results that stop the command.
func Refusals(results []Result) []Result {
	var out []Result
	for _, r := range results {
		if r.Level == Refusal {
			out = append(out, r)
		}
	}
	return out
}

// Error is a command stopped by checks.
type Error struct{ Results []Result }

// mostLines is how many refusals are told: thousands would be read by nobody.
const mostLines = 50

func (e *Error) Error() string {
	var lines []string
	for i, r := range e.Results {
		if i == mostLines {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Results)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s, %s: %s", r.Check, r.Subject, r.Detail))
	}
	return strings.Join(lines, "\n")
}

// Hint is what to do about the first of them.
func (e *Error) Hint() string {
	if len(e.Results) == 0 {
		return ""
	}
	row, _ := Lookup(e.Results[0].Check)
	return row.Do
}

// Refuse makes an error of the refusals among results, or nil.
func Refuse(results []Result) error {
	if refusals := Refusals(results); len(refusals) > 0 {
		return &Error{refusals}
	}
	return nil
}
