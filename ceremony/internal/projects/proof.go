package projects

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"tufceremony/ceremony/internal/tufmeta"
)

// Scope is where a proof is good: in the repository that plans name so, for the role
// that is to delegate to the project, and in rehearsals or in none.
type Scope struct {
	Repository, Role string
	Rehearsal        bool
}

// Statement is what each developer of a project signs: these very bytes, the same
// for all of them. It says where, so that what was signed for a rehearsal or for
// another role is good there alone; what the list's line asks for in the project's
// name, every path and every key, so that nobody can hand on a proof with other ones;
// and until when, so that an old line does not come back. It begins as no metadata
// does, so that it proves nothing anywhere else. The keys are given as SHA-256
// fingerprints in hex.
func Statement(scope Scope, e Entry, fingerprints []string) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "ceremony proof of possession 3\nrepository: %s\nrole: %s\n", scope.Repository, scope.Role)
	if scope.Rehearsal {
		text.WriteString("rehearsal: true\n")
	}
	fmt.Fprintf(&text, "project: %s\nthreshold: %d\nuntil: %s\n", e.Name(), e.Threshold, e.Until)
	for _, path := range slices.Sorted(slices.Values(e.Paths)) {
		fmt.Fprintf(&text, "path: %s\n", path)
	}
	for _, fingerprint := range slices.Compact(slices.Sorted(slices.Values(fingerprints))) {
		fmt.Fprintf(&text, "key: %s\n", fingerprint)
	}
	return text.Bytes()
}

// proved reports whether a key's proof is one, over the statement of its project.
func proved(scope Scope, statement []byte, listed Key, key *tufmeta.Key) error {
	if listed.Proof == nil {
		return errors.New("there is no proof that its developer has the private key")
	}
	if key.Verify(statement, listed.Proof) != nil {
		return fmt.Errorf("the proof is not this key's signature over the statement about this project in \"%s\": the name, threshold, last day, paths and keys that the list has, for the role \"%s\", %s", tufmeta.Printable(scope.Repository), tufmeta.Printable(scope.Role), map[bool]string{true: "in a rehearsal", false: "in no rehearsal"}[scope.Rehearsal])
	}
	return nil
}

// lastDay is the form of a day until which proofs are good.
const lastDay = "2006-01-02"

var day = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

func isDay(text string) bool {
	_, err := time.Parse(lastDay, text)
	return err == nil && day.MatchString(text)
}

// longest is for how many days after the window opens proofs may be good without a
// word: a ceremony is held every month, and a developer can sign again in a year.
const longest = 400

// At says when the event is held that is to sign for the projects. What a developer
// has signed is good until the end of the day that it names, in UTC; holders may
// sign until the window closes, so that day must not be over then. Days that are far
// away are found too, each once.
func (l *Linter) At(opens, closes time.Time) {
	close, far := closes.UTC().Format(lastDay), opens.UTC().AddDate(0, 0, longest).Format(lastDay)
	late := map[string]*shared{}
	for _, e := range l.entries {
		switch {
		case e.Until < close:
			l.say("PROJECT-PROOF", e.Name(), "its proofs are good until %s, and the plan's window closes on %s", e.Until, close)
		case e.Until > far:
			if late[e.Until] == nil {
				late[e.Until] = &shared{}
			}
			late[e.Until].add(e.Name())
		}
	}
	for _, day := range slices.Sorted(maps.Keys(late)) {
		s := late[day]
		l.say("PROJECT-UNTIL", day, "proofs are good until then, more than %d days after the plan's window opens, of %s", longest, s.text())
	}
}

// Ends says in words between which days the proofs of a list end, "on 2027-12-31"
// where that is one, and gives both. Of an empty list there are none.
func Ends(entries []Entry) (words, first, last string) {
	for _, e := range entries {
		if first == "" || e.Until < first {
			first = e.Until
		}
		last = max(last, e.Until)
	}
	if first == last {
		return "on " + first, first, last
	}
	return "between " + first + " and " + last, first, last
}
