package projects

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// Linter judges a list: by itself, and against what the role delegates already,
// which it is shown one delegation after another.
type Linter struct {
	scope   Scope
	entries []Entry
	keys    [][]string // fingerprints of each entry's keys
	results []check.Result
	paths   forms

	byRole   map[string]int     // place in the list
	byKey    map[string]*shared // by fingerprint
	looks    map[string]int     // by lookalike: place of the first
	slips    slips
	alike    map[int]string    // what a project of the list looks like
	nearby   map[int][]string  // and what it is near to
	states   map[int]State     // of those that the role has
	lost     map[int][]string  // what they have there, and not by the list
	reserved map[string]string // by fingerprint: what else the key signs
}

// State is how a project of the list stands to what the role delegates.
type State string

// New is delegated to for the first time, Same is delegated to as the list says,
// Moved has other paths, and Changed has other keys or another threshold.
const (
	New     State = "new"
	Same    State = "same"
	Moved   State = "moved"
	Changed State = "changed"
)

// shared is a key, with the projects that it signs.
type shared struct {
	projects []string
	more     int
}

func (s *shared) add(project string) {
	if len(s.projects) < 5 {
		s.projects = append(s.projects, project)
		return
	}
	s.more++
}

// Delegation is one that the role has: the delegated role, the fingerprints of
// its keys, its threshold, and paths or the prefixes of their hashes. The fingerprint of a key that is not in the
// list may be left empty.
type Delegation struct {
	Role      string
	Keys      []string
	Threshold int
	Paths     []string
	Prefixes  []string
}

// NewLinter begins with the list, and where its proofs must be good.
func NewLinter(scope Scope, entries []Entry) *Linter {
	l := &Linter{scope: scope, entries: entries, keys: make([][]string, len(entries)),
		byRole: map[string]int{}, byKey: map[string]*shared{}, looks: map[string]int{},
		alike: map[int]string{}, nearby: map[int][]string{}, states: map[int]State{}, lost: map[int][]string{}, reserved: map[string]string{}}
	for i, e := range entries {
		l.byRole[e.Role()] = i
		l.entry(i, e)
		l.names(i, e.Name())
		for _, path := range e.Paths {
			l.paths.take(e.Name(), e.named(), path, true)
		}
	}
	return l
}

func (l *Linter) say(id, subject, format string, args ...any) {
	l.results = append(l.results, check.New(id, subject, format, args...))
}

// Reserve says that a public key signs something else in the repository, in
// words: a list must not have it. What was said first of a key is shown.
func (l *Linter) Reserve(fingerprint, what string) {
	if l.reserved[fingerprint] == "" && l.byKey[fingerprint] != nil {
		l.reserved[fingerprint] = what
	}
}

// statement is what a project's developers must have signed. A key that cannot be
// read has no fingerprint, and is refused anyway.
func (l *Linter) statement(e Entry) []byte {
	var fingerprints []string
	for _, listed := range e.Keys {
		if key, err := listed.Public(); err == nil {
			fingerprints = append(fingerprints, key.Fingerprint())
		}
	}
	return Statement(l.scope, e, fingerprints)
}

// entry judges the keys of a project, and their proofs.
func (l *Linter) entry(i int, e Entry) {
	name, statement := e.Name(), l.statement(e)
	for n, listed := range e.Keys {
		key, err := listed.Public()
		switch {
		case errors.Is(err, tufmeta.ErrWeak):
			l.say("KEY-WEAK", name, "keys[%d]: %v", n, err)
			continue
		case err != nil:
			l.say("KEY-TYPE", name, "keys[%d]: %v", n, err)
			continue
		}
		if weak := key.Weak(); weak != nil {
			l.say("KEY-WEAK", name, "keys[%d]: %v", n, weak)
		}
		if !key.Portable() {
			l.say("KEY-PORTABLE", key.ID, "a key of project %s: scheme \"%s\" is not verified by every client", name, key.Scheme)
		}
		if err := proved(l.scope, statement, listed, key); err != nil {
			l.say("PROJECT-PROOF", name, "keys[%d]: %v", n, err)
		}
		fingerprint := key.Fingerprint()
		if slices.Contains(l.keys[i], fingerprint) {
			l.say("KEY-SHARED", name, "keys[%d] is the same public key as one before it", n)
			continue
		}
		l.keys[i] = append(l.keys[i], fingerprint)
		if l.byKey[fingerprint] == nil {
			l.byKey[fingerprint] = &shared{}
		}
		l.byKey[fingerprint].add(name)
	}
}

// names looks for names of the list that people mix up with those before them.
func (l *Linter) names(i int, name string) {
	look := lookalike(name)
	if first, twice := l.looks[look]; twice {
		l.alike[i] = l.entries[first].Name() + " in the same list"
	} else {
		l.looks[look] = i
	}
	if len(name) < shortest {
		return
	}
	l.slips.find(name, func(j int) { l.slip(i, l.entries[j].Name()) })
	l.slips.add(name, i)
}

// slip notes that a project of the list is one letter from another.
func (l *Linter) slip(i int, other string) {
	name := l.entries[i].Name()
	if name != other && near(name, other) && lookalike(name) != lookalike(other) && !slices.Contains(l.nearby[i], other) {
		l.nearby[i] = append(l.nearby[i], other)
	}
}

// Against shows the linter all that the role delegates, which may be nil. Of roles
// that go the paths become free, and nothing else: clients have known the name and
// the keys, and go on mixing them up.
func (l *Linter) Against(d *tufmeta.Delegations, goes func(role string) bool) {
	for _, x := range d.All() {
		of := Delegation{Role: x.Name, Threshold: x.Threshold, Paths: x.Paths, Prefixes: x.Prefixes}
		for _, id := range x.KeyIDs {
			fingerprint := ""
			if key := d.Key(id); key != nil {
				fingerprint = key.Fingerprint()
			}
			of.Keys = append(of.Keys, fingerprint)
		}
		if goes(x.Name) {
			l.compare(of, nameOf(x.Name, x.Paths))
			continue
		}
		l.Claimed(of)
	}
}

// Claimed shows the linter one delegation of the role. Each is shown once.
func (l *Linter) Claimed(d Delegation) {
	name := nameOf(d.Role, d.Paths)
	if i, listed := l.byRole[d.Role]; listed {
		if _, before := l.states[i]; !before { // clients look at the first of a name
			l.states[i], l.lost[i] = l.state(i, d), l.entries[i].loses(d)
		}
		return // what it has now is replaced
	}
	for _, path := range d.Paths {
		l.paths.take(who(d, name), anySpelling(name), path, false)
	}
	l.compare(d, name)
}

// who is a delegation in words.
func who(d Delegation, name string) string {
	if name == "" {
		return "role " + tufmeta.Printable(d.Role)
	}
	return name
}

// compare looks for a delegation's keys and its project's name in the list. What
// is no project's is a role like any other, and has its keys for itself.
func (l *Linter) compare(d Delegation, name string) {
	for _, fingerprint := range d.Keys {
		if s := l.byKey[fingerprint]; s != nil {
			s.add(who(d, name))
		}
		if !strings.HasPrefix(d.Role, rolePrefix) {
			l.Reserve(fingerprint, who(d, name))
		}
	}
	if name != "" {
		l.known(name)
	}
}

func (l *Linter) state(i int, d Delegation) State {
	e, have := l.entries[i], slices.Clone(l.keys[i])
	slices.Sort(have)
	before := slices.Sorted(slices.Values(d.Keys))
	switch {
	case !slices.Equal(have, slices.Compact(before)) || e.Threshold != d.Threshold:
		return Changed
	case !slices.Equal(e.Paths, d.Paths):
		return Moved
	}
	return Same
}

// known compares the name of a project that is delegated to with the list's.
func (l *Linter) known(name string) {
	if i, alike := l.looks[lookalike(name)]; alike {
		l.alike[i] = name + ", which " + tufmeta.Printable(l.scope.Role) + " has"
	}
	if len(name) < shortest {
		return
	}
	l.slips.find(name, func(j int) { l.slip(j, name) })
}

// Results are what is wrong with the list, in its order, not weighed yet.
func (l *Linter) Results() []check.Result {
	results := slices.Clone(l.results)
	for i, e := range l.entries {
		name := e.Name()
		if l.states[i] == Changed {
			results = append(results, check.New("PROJECT-CLAIMED", name, "%s delegates to it with other keys, or another threshold", tufmeta.Printable(l.scope.Role)))
		}
		results = append(results, l.moved(i, tufmeta.Printable(l.scope.Role))...)
		if other := l.alike[i]; other != "" {
			results = append(results, check.New("PROJECT-CONFUSABLE", name, "its name looks like %s", other))
		}
		if near := l.nearby[i]; len(near) > 0 {
			results = append(results, check.New("PROJECT-NEAR", name, "one letter from %s", few(near)))
		}
		for _, fingerprint := range l.keys[i] {
			if what := l.reserved[fingerprint]; what != "" {
				results = append(results, check.New("PROJECT-KEY-ROLE", name, "its key also signs as %s", what))
			}
		}
	}
	for _, fingerprint := range slices.Sorted(maps.Keys(l.byKey)) {
		if s := l.byKey[fingerprint]; len(s.projects) > 1 {
			results = append(results, check.New("PROJECT-KEY-SHARED", fingerprint, "one key for %d projects: %s", len(s.projects)+s.more, s.text()))
		}
	}
	return append(results, l.paths.results(tufmeta.Printable(l.scope.Role))...)
}

// State says how a project of the list stands to what the role delegates, after
// that was shown.
func (l *Linter) State(e Entry) State {
	if state, there := l.states[l.byRole[e.Role()]]; there {
		return state
	}
	return New
}

// Count says how many projects of the list are in a state.
func (l *Linter) Count(state State) int {
	n := 0
	for _, s := range l.states {
		if s == state {
			n++
		}
	}
	if state == New {
		return len(l.entries) - len(l.states)
	}
	return n
}

// Keys is how many distinct public keys the list has.
func (l *Linter) Keys() int { return len(l.byKey) }

func (s *shared) text() string {
	if s.more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(s.projects, ", "), s.more)
	}
	return strings.Join(s.projects, ", ")
}

func few(names []string) string {
	if n := len(names) - 3; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), n)
	}
	return strings.Join(names, ", ")
}
