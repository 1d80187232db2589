package plan

import (
	"fmt"
	"regexp"
	"slices"

	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/tufmeta"
)

// Delegations are the roles to which a role hands paths on, in the order in
// which clients ask them.
type Delegations struct{ Roles []Delegation }

// Delegation is one of them: who signs it, and for which targets it is asked.
// Exactly one of Paths, Prefixes and Bits is set, and one of Role and External.
type Delegation struct {
	Name        string // of succinct bins, what their names begin with
	Role               // threshold and tokens
	External    string // the other repository whose targets role has threshold and keys
	Paths       []string
	Prefixes    []string // of the SHA-256 of a path, in lower-case hex
	Bits        int      // 2^Bits succinct bins
	Terminating bool     // clients ask no role after it
}

// Find gives the delegation to a role of this name, or nil where there is none.
func (d *Delegations) Find(role string) *Delegation {
	i := slices.IndexFunc(d.Roles, func(x Delegation) bool {
		if x.Bits > 0 {
			return tufmeta.IsBin(role, x.Name, x.Bits)
		}
		return x.Name == role
	})
	if i < 0 {
		return nil
	}
	return &d.Roles[i]
}

func (v *validator) delegations(at, role string, list []delegation, p *Plan) *Delegations {
	out := &Delegations{}
	v.want(!v.at.empty(at+".delegations"), at+".delegations", "has nothing in it", "write [] where nothing is to be delegated any more, or take the field out, where the delegations stay as they are")
	for i, d := range list {
		at := fmt.Sprintf("%s.delegations[%d]", at, i)
		v.want(!slices.ContainsFunc(out.Roles, func(x Delegation) bool { return x.Name == d.Name }), at+".name", fmt.Sprintf("is %q, which stands twice", d.Name), "list each role once: clients look for the first of a name")
		v.want(d.Name != role, at+".name", fmt.Sprintf("is %q, the role itself", d.Name), "a role does not delegate to itself")
		var x Delegation
		if d.Succinct != nil {
			v.want(len(list) == 1, at+".succinct", "stands beside other delegations", "TUF has succinct bins instead of a list of roles: delegate to a role between, and let that one have the bins")
			x = v.succinct(at, d)
		} else {
			x = v.named(at, d)
		}
		x.Role, x.External = v.signers(p, at, x.Name, d)
		out.Roles = append(out.Roles, x)
	}
	return out
}

// succinct reads bins that have no names of their own.
func (v *validator) succinct(at string, d delegation) Delegation {
	v.want(d.Name == "" && d.Paths == nil && d.Prefixes == nil && d.Terminating == nil, at, "has a name, paths, prefixes or terminating beside succinct", "succinct bins have a prefix for their names, and nothing else")
	v.want(d.Succinct.Bits >= 1 && d.Succinct.Bits <= 32, at+".succinct.bits", fmt.Sprintf("is %d", d.Succinct.Bits), "write 1 to 32: 14 bits are 16384 bins")
	v.roleName(at+".succinct.prefix", d.Succinct.Prefix)
	v.want(len(d.Succinct.Prefix) <= 50, at+".succinct.prefix", fmt.Sprintf("is %q", d.Succinct.Prefix), "use at most 50 letters: a dash and the number of the bin follow")
	return Delegation{Name: d.Succinct.Prefix, Bits: int(d.Succinct.Bits)}
}

// named reads a role with a name and paths or prefixes.
func (v *validator) named(at string, d delegation) Delegation {
	v.roleName(at+".name", d.Name)
	v.want((len(d.Paths) > 0) != (len(d.Prefixes) > 0), at, "has none of paths, path-hash-prefixes and succinct, or two of them", "write for which targets the role is asked, in one of the three ways")
	v.want(d.Terminating != nil, at+".terminating", "is missing", "write true where clients ask no role after this one, or false")
	for i, pattern := range d.Paths {
		field := fmt.Sprintf("%s.paths[%d]", at, i)
		v.want(manifest.PlainPattern(pattern), field, fmt.Sprintf("is %q", pattern), manifest.PatternRemedy)
		v.want(!slices.Contains(d.Paths[:i], pattern), field, fmt.Sprintf("is %q, which stands twice", pattern), "write each path once")
	}
	seen := map[string]bool{}
	for i, prefix := range d.Prefixes {
		field := fmt.Sprintf("%s.path-hash-prefixes[%d]", at, i)
		v.want(hexPrefix.MatchString(prefix), field, fmt.Sprintf("is %q", prefix), "write 1 to 64 digits in lower-case hex, in quotes: how the SHA-256 of a path begins")
		v.want(len(prefix) == len(d.Prefixes[0]), field, fmt.Sprintf("is %q, of another length than the first", prefix), "write all prefixes of a role with the same number of digits")
		v.want(!seen[prefix], field, fmt.Sprintf("is %q, which stands twice", prefix), "write each prefix once")
		seen[prefix] = true
	}
	return Delegation{Name: d.Name, Paths: d.Paths, Prefixes: d.Prefixes, Terminating: d.Terminating != nil && *d.Terminating}
}

var hexPrefix = regexp.MustCompile(`^[0-9a-f]{1,64}$`)
