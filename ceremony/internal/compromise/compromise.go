// Package compromise works out what a compromise means: which keys somebody
// else has, what can be done with them, which of the cases A to F it is, and
// what restores trust.
//
//	selector, err := compromise.ParseSelector("holder:holder-3")
//	a, err := compromise.Assess(known, []compromise.Selector{selector})
//	fmt.Println(a.Case, a.Sentences)
//
// The cases: A, keys below the threshold; B, a threshold of targets; C, a
// threshold of timestamp or snapshot; D, a threshold of root; F, too few keys
// of root are left to sign the next one. (E, a root that has expired with
// nothing compromised, is an ordinary rotation.) Where several apply the worst
// is named, in the order D, F, B, C, A.
//
// It reads no file and no clock, asks no device, and decides nothing: what it
// finds is written into a plan, which people read and the review checks again
// from the bytes. It never takes silence for good news: a device whose firmware
// is not attested is named as one that nobody can judge.
package compromise

import (
	"slices"
	"time"

	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// Known is what is known when the news comes.
type Known struct {
	Root     *tufmeta.Root       // the newest that is trusted
	Roster   *roster.Roster      // with public keys; who is not in it has no name
	Firmware map[string]Firmware // of holders' tokens, by name
	Targets  *tufmeta.Targets    // the newest that is trusted; nil where it is not at hand
	Now      time.Time
	// Destroyed are one-time tokens, by name, of whose end there is evidence.
	Destroyed map[string]Destroyed
	// Below are the tokens, by name, whose keys stand in trusted delegations, be
	// they in the root or not.
	Below map[string]roster.Below
}

// Destroyed is what the evidence says of the end of a one-time key. Gone: its
// device, which cannot move keys, has proved it, in a bundle that verifies from
// the trusted root, and has attested that it made the key; so whoever has the
// device since does not have the key.
type Destroyed struct {
	Words  string
	Proved bool // its device has attested the key in its place, in such a bundle
	Gone   bool
}

// Firmware is what a device has attested of itself. Version is empty where it
// has not, and Why says so. Serial is empty where it keeps it to itself.
type Firmware struct{ Device, Serial, Version, Why string }

// Hit is a key that a selector found.
type Hit struct {
	Token *roster.Token
	Roles []string // of the trusted root
	Below roster.Below
	By    []string // selectors as typed
	Weak  bool     // still its holder's; else it is in other hands
}

// Role is the state of a role, in keys.
type Role struct {
	Name        string `json:"name"`
	Threshold   int    `json:"threshold"`
	Keys        int    `json:"keys"`
	Compromised int    `json:"compromised"` // in other hands
	Weak        int    `json:"weak"`
	Living      int    `json:"living"`    // can sign now: weak ones too
	Destroyed   int    `json:"destroyed"` // one-time keys of whose end there is evidence
	Kept        int    `json:"kept"`      // stay in the role
}

// Fallen reports whether those who have the compromised keys can sign the role.
func (r Role) Fallen() bool { return r.Threshold >= 1 && r.Compromised >= r.Threshold }

// Missing is how many new keys the role needs to reach its threshold again.
func (r Role) Missing() int { return max(r.Threshold-r.Kept, 0) }

// Assessment is what a compromise means.
type Assessment struct {
	Case      string
	Root      int64
	Expires   string
	Expired   bool
	Hits      []Hit
	Roles     []Role
	Sentences [3]string // what can be done with the keys; what restores trust; who is needed, and by when
	Steps     []Step
	Warnings  []string
	known     Known
}

// OutOfBand reports that no next root restores trust.
func (a *Assessment) OutOfBand() bool { return a.Case == "D" || a.Case == "F" }

// Online reports whether the keys of snapshot and timestamp have to change,
// both of them.
func (a *Assessment) Online() bool {
	return a.Case == "D" || a.role("snapshot").Fallen() || a.role("timestamp").Fallen()
}

// SignsTargets reports whether targets must be signed anew.
func (a *Assessment) SignsTargets() bool {
	r := a.role("targets")
	return a.Case == "B" || a.OutOfBand() || r.Kept < r.Keys || a.delegates()
}

// delegates reports whether targets itself delegates to a key that was found.
func (a *Assessment) delegates() bool {
	return slices.ContainsFunc(a.Hits, func(h Hit) bool { return slices.Contains(h.Below.By, "targets") })
}

// Tokens names the tokens in other hands, Weak those that are to be replaced.
func (a *Assessment) Tokens() []string { return a.names(false) }

// Weak names the tokens that are to be replaced.
func (a *Assessment) Weak() []string { return a.names(true) }

func (a *Assessment) names(weak bool) []string {
	var names []string
	for _, h := range a.Hits {
		if h.Weak == weak {
			names = append(names, h.Token.Name)
		}
	}
	return names
}

func (a *Assessment) role(name string) Role {
	i := slices.IndexFunc(a.Roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}
	}
	return a.Roles[i]
}

// Assess works out what the selectors together mean.
func Assess(k Known, selectors []Selector) (*Assessment, error) {
	a := &Assessment{Root: k.Root.Version, Expires: k.Root.Expires, known: k}
	if t, err := k.Root.ExpiresAt(); err == nil {
		a.Expires, a.Expired = t.UTC().Format(tufmeta.TimeFormat), !t.After(k.Now)
	}
	for _, s := range selectors {
		if err := a.find(s); err != nil {
			return nil, err
		}
	}
	if err := a.inRoot(); err != nil {
		return nil, err
	}
	for _, name := range tufmeta.TopRoles {
		a.Roles = append(a.Roles, a.count(name))
	}
	a.Case = a.which()
	a.rest()
	a.Sentences = a.sentences()
	a.warn(selectors)
	return a, nil
}

// which names the worst case that applies.
func (a *Assessment) which() string {
	root := a.role("root")
	switch {
	case root.Fallen():
		return "D"
	case root.Living < root.Threshold:
		return "F"
	case a.role("targets").Fallen():
		return "B"
	case a.role("snapshot").Fallen() || a.role("timestamp").Fallen():
		return "C"
	}
	return "A"
}

// ended reports whether there is evidence that a one-time key was destroyed.
func (a *Assessment) ended(t *roster.Token) bool {
	_, ok := a.known.Destroyed[t.Name]
	return ok && t.OneTime
}

// rest keeps destroyed keys in a role of which nothing is compromised. They were not to
// sign again, what they have signed is to verify, and the role is not signed anew.
func (a *Assessment) rest() {
	for i := range a.Roles {
		if r := &a.Roles[i]; a.resting(*r) {
			r.Kept = r.Keys
		}
	}
}

func (a *Assessment) resting(r Role) bool {
	return r.Destroyed > 0 && r.Living+r.Destroyed == r.Keys && r.Weak == 0 && r.Name == "targets" && !a.OutOfBand() && !a.delegates()
}

// Resting names the destroyed tokens that stay in the role of targets.
func (a *Assessment) Resting() []string {
	var names []string
	for _, f := range inspect.Fingerprints(a.known.Root, "targets") {
		if t, ok := a.known.Roster.ByFingerprint(f); ok && a.ended(t) && a.resting(a.role("targets")) {
			names = append(names, t.Name)
		}
	}
	return names
}

// count judges each public key of a role once.
func (a *Assessment) count(name string) Role {
	r := Role{Name: name}
	if role := a.known.Root.Roles[name]; role != nil {
		r.Threshold = role.Threshold
	}
	for _, f := range inspect.Fingerprints(a.known.Root, name) {
		r.Keys++
		t, ok := a.known.Roster.ByFingerprint(f)
		hit := a.hit(t)
		switch {
		case ok && hit != nil && !hit.Weak:
			r.Compromised++
		case ok && t.Lost && hit == nil && a.ended(t):
			r.Destroyed++
		case ok && t.Lost:
		case hit != nil:
			r.Weak++
			r.Living++
		default:
			r.Living++
			r.Kept++
		}
	}
	return r
}

func (a *Assessment) hit(t *roster.Token) *Hit {
	for i := range a.Hits {
		if a.Hits[i].Token == t && t != nil {
			return &a.Hits[i]
		}
	}
	return nil
}

// Living lists the tokens that can sign a role now, in the order of the root.
func (a *Assessment) Living(role string) []*roster.Token {
	var tokens []*roster.Token
	for _, f := range inspect.Fingerprints(a.known.Root, role) {
		t, ok := a.known.Roster.ByFingerprint(f)
		if hit := a.hit(t); ok && !t.Lost && (hit == nil || hit.Weak) {
			tokens = append(tokens, t)
		}
	}
	return tokens
}
