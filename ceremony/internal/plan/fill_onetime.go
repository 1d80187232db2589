package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// One-time keys of an earlier ceremony were to be destroyed in it. Where their role is
// not signed again they stay listed, since what they have signed is to verify;
// where it is, new ones take their places.

// RenewOneTime gives each role that is signed here, and was signed with one-time
// keys, new ones with the same holders. Old has targets and the delegated roles
// as they are published: what a role delegates is written out where it names
// other keys now. It gives the names of the new tokens.
func RenewOneTime(p *Plan, old map[string]*tufmeta.Targets, earlier *Plan, files folder.Files) (names []string, err error) {
	if earlier == nil || p.Root == nil {
		return nil, nil
	}
	if r := p.Root.Roles["targets"]; p.Targets != nil {
		p.Root.Roles["targets"], names = renewed(p, earlier, r)
	}
	for _, t := range p.Delegated {
		by := p.TargetsRole(t.Delegator)
		if by == nil || !signedOnce(earlier, old[t.Delegator], t.Role) {
			continue
		}
		if by.Delegations == nil {
			if err := FillDelegations(p, by, old[t.Delegator].Delegations, earlier, files); err != nil {
				return nil, err
			}
		}
		for i := range by.Delegations.Roles {
			if d := &by.Delegations.Roles[i]; d.Name == t.Role {
				role, more := renewed(p, earlier, d.Role)
				d.Role, names = role, append(names, more...)
			}
		}
	}
	return names, nil
}

// signedOnce reports whether a published delegation names a one-time key of an
// earlier plan.
func signedOnce(earlier *Plan, by *tufmeta.Targets, role string) bool {
	if by == nil {
		return false
	}
	place, ok := by.Delegations.Place(role)
	if !ok {
		return false
	}
	for _, key := range by.Delegations.KeysOf(by.Delegations.At(place).KeyIDs) {
		if t, ok := earlier.Roster.ByFingerprint(key.Fingerprint()); ok && t.OneTime {
			return true
		}
	}
	return false
}

// renewed replaces the one-time keys of a role.
func renewed(p, earlier *Plan, r Role) (Role, []string) {
	var names []string
	r.Tokens = slices.Clone(r.Tokens)
	for i, name := range r.Tokens {
		t, ok := p.Roster.Token(name)
		if !ok || !t.OneTime {
			continue
		}
		r.Tokens[i] = nextName(p, earlier, name)
		names = append(names, r.Tokens[i])
		at := slices.IndexFunc(p.Roster.Holders, func(h roster.Holder) bool { return h.Name == t.Holder })
		addToken(p, at, &roster.Token{Name: r.Tokens[i], OneTime: true})
	}
	return r, names
}

var numbered = regexp.MustCompile(`^(.*)-([0-9]{1,6})$`)

// nextName counts on from the highest number that either plan has: a name of a
// key that was to be destroyed is not given to another one.
func nextName(p, earlier *Plan, name string) string {
	base, highest := name, 0
	if m := numbered.FindStringSubmatch(name); m != nil {
		base = m[1]
	}
	for _, t := range slices.Concat(p.Roster.Tokens(), earlier.Roster.Tokens()) {
		if m := numbered.FindStringSubmatch(t.Name); m != nil && m[1] == base {
			n, _ := strconv.Atoi(m[2]) // six digits at most
			highest = max(highest, n)
		}
	}
	return fmt.Sprintf("%s-%d", base, highest+1)
}

// SignedOnce reports whether the keys of targets, by a root whose keys the plan's
// roster has, are one-time keys, too many to reach the threshold without them.
func SignedOnce(p *Plan, root *tufmeta.Root, files folder.Files) bool {
	p.Roster.LoadKeysThere(files)
	able := 0
	for _, id := range root.Roles["targets"].KeyIDs {
		if key := root.Keys[id]; key != nil {
			if t, ok := p.Roster.ByFingerprint(key.Fingerprint()); !ok || !t.OneTime {
				able++
			}
		}
	}
	return able < root.Roles["targets"].Threshold
}
