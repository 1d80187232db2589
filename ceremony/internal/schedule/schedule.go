// Package schedule says of published metadata when each role expires, and by
// when the people who sign the offline ones must have met.
//
//	s, err := schedule.Make(sources, at, margin, people)
//	if s.Due() { ... }          // something is inside the margin, or past
//	text := s.Calendar(at)      // RFC 5545
//
// Only what is signed counts: roots must be a chain, other roles reach their
// threshold under the newest root or under who delegates to them, and sealed
// bundles verify from that root. What does not count is listed with the reason,
// so that a monitor does not go quiet over a file that somebody put there.
//
// It reads no clock and no files, and has no margin of its own.
package schedule

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// Sources are the files to look at, by the names under which they were found.
type Sources struct {
	Metadata []inspect.File
	Bundles  []Sealed
	Whole    bool // a repository, in which no top role may be missing
	// Imported finds the roles that other repositories sign: no ceremony here
	// makes them. It may be nil.
	Imported plan.Importers
	// Externals are the newest roots of other repositories that an earlier plan has
	// imported keys from.
	Externals []External
}

// External is the newest root that is here of another repository. It says nothing
// of what that repository has published since.
type External struct {
	Name    string
	Root    *tufmeta.Root
	Version int64
	SHA256  string // of its file
}

// Sealed is a bundle that has been unpacked.
type Sealed struct {
	Name  string
	Files folder.Files
}

// What a deadline is about.
const (
	Expires  = "expires"  // clients refuse the role from then on
	Ceremony = "ceremony" // the latest time to hold one, for the margin
	Lapses   = "lapses"   // a sealed bundle expires
	Imported = "imported" // another repository's root expires, whose keys are imported
)

// State of a deadline.
const (
	Ahead = "ahead"
	Due   = "due" // inside the margin
	Past  = "past"
)

// Deadline is a time by which something must have been done.
type Deadline struct {
	At      time.Time
	What    string
	State   string
	Role    string
	Version int64 // of what expires; of a ceremony, the version that it makes
	Offline bool
	Need    int      // how many of Who must sign
	Who     []Member // of an offline role
	File    string   // of a bundle
	digest  string   // of what expires
}

// Member is a key that can sign, with the name that people have for it.
type Member struct {
	Key  string // the fingerprint
	Name string // "" where nobody said
	Lost bool   // cannot sign any more
	Once bool   // a one-time key, which was to be destroyed: the ceremony has new ones
}

// Ignored is a file that does not count.
type Ignored struct{ File, Why string }

// Schedule is what was found, in the order of time.
type Schedule struct {
	At        time.Time
	Margin    int // days
	Root      int64
	Deadlines []Deadline
	Standings []Standing
	Ignored   []Ignored
	Unsigned  []Ignored // newer than what counts, or all there is of a role
}

// Due reports whether somebody has to act.
func (s *Schedule) Due() bool {
	return len(s.Unsigned) > 0 ||
		slices.ContainsFunc(s.Deadlines, func(d Deadline) bool { return d.State != Ahead }) ||
		slices.ContainsFunc(s.Standings, func(x Standing) bool { return x.State == Foreign })
}

// ErrNoRoot: nothing says whose signatures count.
var ErrNoRoot = errors.New("there is no root among the files: nothing says whose signatures count")

// Make looks at the files at a time. Margin is in days; people may be nil.
func Make(sources Sources, at time.Time, margin int, people *roster.Roster) (*Schedule, error) {
	f, err := read(sources.Metadata)
	if err != nil {
		return nil, err
	}
	chain, err := inspect.Chain(f.roots, at)
	if err != nil {
		return nil, err
	}
	if err := check.Refuse(chain.Broken); err != nil {
		return nil, err
	}
	if len(chain.Links) == 0 {
		return nil, ErrNoRoot
	}
	if people == nil {
		people = &roster.Roster{}
	}
	newest := chain.Last()
	s := &Schedule{At: at, Margin: margin, Root: newest.Root.Version, Ignored: f.ignored}
	m := &maker{s: s, people: people, imported: sources.Imported, found: f, root: newest.Root, shown: map[string]int64{}}
	m.role("root", newest.Root.Common, newest.Envelope, newest.Root.Keys, newest.Root.Roles["root"])
	m.top(sources.Whole)
	m.delegated()
	m.unused()
	m.externals(sources.Externals)
	for _, b := range sources.Bundles {
		x := Stand(b, chain, f.roots, at)
		s.Standings = append(s.Standings, x)
		if x.State == Live || x.State == Lapsed {
			d := Deadline{At: x.Until, What: Lapses, State: m.state(x.Until), Role: "root", Version: x.Root, File: b.Name, digest: x.digest}
			s.Deadlines = append(s.Deadlines, d)
		}
	}
	slices.SortStableFunc(s.Deadlines, func(a, b Deadline) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Role, b.Role), cmp.Compare(a.What, b.What))
	})
	return s, nil
}

type maker struct {
	s        *Schedule
	people   *roster.Roster
	imported plan.Importers
	found    *found
	root     *tufmeta.Root
	walked   []string         // delegated roles that have been looked at
	shown    map[string]int64 // versions that clients of a repository are told to fetch
}

// role adds the deadlines of a role: an online one is signed by a machine, an
// offline one needs people together, a margin before it expires.
func (m *maker) role(name string, c tufmeta.Common, env *tufmeta.Envelope, keys map[string]*tufmeta.Key, role *tufmeta.Role) {
	members := m.members(keys, role)
	theirs := m.imported.Of(keys, role) != ""
	d, ok := m.expires(name, c, env, !theirs && m.offline(name, members))
	if !ok || !d.Offline {
		return
	}
	expires := d.At
	d.What, d.State, d.Version = Ceremony, Ahead, c.Version+1
	d.At = expires.AddDate(0, 0, -m.s.Margin)
	if !d.At.After(m.s.At) {
		d.State = Due
	}
	d.Need, d.Who = role.Threshold, members
	m.s.Deadlines = append(m.s.Deadlines, d)
}

// expires adds the expiry of a role.
func (m *maker) expires(name string, c tufmeta.Common, env *tufmeta.Envelope, offline bool) (Deadline, bool) {
	at, err := c.ExpiresAt()
	if err != nil {
		m.s.Unsigned = append(m.s.Unsigned, Ignored{name, err.Error()})
		return Deadline{}, false
	}
	d := Deadline{At: at, What: Expires, State: Ahead, Role: name, Version: c.Version, Offline: offline, digest: tufmeta.Digest(env.Canonical)}
	if !at.After(m.s.At) {
		d.State = Past
	}
	m.s.Deadlines = append(m.s.Deadlines, d)
	return d, true
}

// externals adds the expiry of roots of other repositories. Clients here do not read
// them; the next ceremony refuses one that has expired.
func (m *maker) externals(all []External) {
	for _, x := range all {
		at, err := x.Root.ExpiresAt()
		if err != nil {
			m.s.Unsigned = append(m.s.Unsigned, Ignored{"the root of " + x.Name, err.Error()})
			continue
		}
		m.s.Deadlines = append(m.s.Deadlines, Deadline{At: at, What: Imported, State: m.state(at), Role: x.Name, Version: x.Version, digest: x.SHA256})
	}
}

// state of what has one date only.
func (m *maker) state(at time.Time) string {
	switch {
	case !at.After(m.s.At):
		return Past
	case !at.AddDate(0, 0, -m.s.Margin).After(m.s.At):
		return Due
	}
	return Ahead
}

func (m *maker) members(keys map[string]*tufmeta.Key, role *tufmeta.Role) []Member {
	var members []Member
	for _, id := range role.KeyIDs {
		key := keys[id]
		if key == nil || key.Err != nil || slices.ContainsFunc(members, func(x Member) bool { return x.Key == key.Fingerprint() }) {
			continue
		}
		member := Member{Key: key.Fingerprint()}
		if t, ok := m.people.ByFingerprint(member.Key); ok {
			member.Name, member.Lost, member.Once = t.Name, t.Lost || t.OneTime, t.OneTime
		}
		members = append(members, member)
	}
	return members
}

// offline reports whether people sign a role: root and targets, and who is
// delegated to, unless all keys are a machine's, which sign snapshot or
// timestamp too, or which the roster has as online.
func (m *maker) offline(name string, members []Member) bool {
	if name == "root" {
		return true
	}
	if name == "snapshot" || name == "timestamp" {
		return false
	}
	machine := slices.Concat(inspect.Fingerprints(m.root, "snapshot"), inspect.Fingerprints(m.root, "timestamp"))
	return slices.ContainsFunc(members, func(x Member) bool {
		t, known := m.people.ByFingerprint(x.Key)
		return !slices.Contains(machine, x.Key) && (!known || t.Holder != "")
	})
}

// String is the name of a member, or the beginning of the fingerprint.
func (m Member) String() string {
	switch {
	case m.Name == "":
		return "key " + roster.Short(m.Key)
	case m.Once:
		return tufmeta.Printable(m.Name) + " (one-time)"
	case m.Lost:
		return tufmeta.Printable(m.Name) + " (lost)"
	}
	return tufmeta.Printable(m.Name)
}
