package plan

import (
	"fmt"
	"slices"
	"time"

	"tufceremony/ceremony/internal/roster"
)

// Profile is a layout of roles that a PEP describes, for the first plan of a
// repository. It is written out into the plan and forgotten: nothing that comes
// later asks for it.
type Profile string

// PEP458 is the minimum security model of PEP 458: targets hands everything on to
// bins, and bins to 16,384 succinct bins that a machine signs. PEP480 is the
// maximum security model of PEP 480: claimed is asked before recently-claimed, and
// both before unclaimed, which is what PEP 458 calls bins.
const (
	PEP458 Profile = "pep458"
	PEP480 Profile = "pep480"
)

// Profiles are all of them.
var Profiles = []Profile{PEP458, PEP480}

// What the PEP says in numbers.
const (
	binBits    = 14 // 16,384 bins
	onlineDays = 1
)

// everything are the paths that a profile hands on: those of up to four parts, as
// PyPI's are. A * stands for letters within one part in every client, and
// path-hash-prefixes, which would say it in one line, are not portable
// (BINS-PORTABLE).
var everything = []string{"*", "*/*", "*/*/*", "*/*/*/*"}

// FillProfile changes the proposal of FillGenesis, and the targets section beside
// it, to the layout of a profile. The keys of targets, and of bins or unclaimed,
// are one-time keys, two of each and both needed. How many sign root, and claimed,
// is left at 0 as in every genesis. It gives what people should know of it.
func FillProfile(p *Plan, profile Profile, expires time.Time) (advice []string) {
	p.Lifetimes = map[string]int{"snapshot": onlineDays, "timestamp": onlineDays}
	p.Root.Roles["targets"] = oneTime(p, "targets")
	bins := "bins"
	var before []Delegation
	if profile == PEP480 {
		bins = "unclaimed"
		claimed := Role{0, []string{"claimed-1", "claimed-2", "claimed-3"}}
		for i, name := range claimed.Tokens {
			addToken(p, i, &roster.Token{Name: name})
		}
		// None of these is terminating: each is asked for every path, and a role
		// that ended the search for every path would be the last that is asked.
		before = []Delegation{
			{Name: "claimed", Role: claimed, Paths: everything},
			{Name: "recently-claimed", Role: Role{1, []string{"online"}}, Paths: everything},
		}
		p.Delegated = append(p.Delegated, &TargetsPlan{Role: "claimed", Delegator: "targets", Version: 1, Expires: expires})
		advice = append(advice, "In claimed, delegate each project with `terminating: true`: it is what keeps a project's paths from the roles after claimed, whose keys are online.")
	}
	p.Targets.Delegations = &Delegations{append(before, Delegation{Name: bins, Role: oneTime(p, bins), Paths: everything})}
	p.Delegated = append(p.Delegated, &TargetsPlan{Role: bins, Delegator: "targets", Version: 1, Expires: expires, Delegations: &Delegations{
		[]Delegation{{Name: "bin", Role: Role{1, []string{"online"}}, Bits: binBits}},
	}})
	return append(advice,
		fmt.Sprintf("The keys of targets and %s are made for this ceremony alone: `ceremony token provision` makes them, and `ceremony token destroy` destroys them when they have signed.", bins),
		"Targets are handed on whose paths have one to four parts; add a pattern where yours have more.")
}

// oneTime is a role of two one-time keys, both needed, with the first two
// holders: a tap on one shoulder must not be enough.
func oneTime(p *Plan, role string) Role {
	r := Role{Threshold: 2}
	for i := range r.Threshold {
		name := fmt.Sprintf("%s-%d", role, i+1)
		addToken(p, i, &roster.Token{Name: name, OneTime: true})
		r.Tokens = append(r.Tokens, name)
	}
	return r
}

// addToken gives a further token to the i-th holder.
func addToken(p *Plan, i int, t *roster.Token) {
	h := &p.Roster.Holders[i]
	t.Holder, t.KeyFile = h.Name, keyFile(t.Name)
	h.Tokens = append(h.Tokens, t)
}

// KnownProfile reports whether there is a profile of this name.
func KnownProfile(name string) bool { return slices.Contains(Profiles, Profile(name)) }
