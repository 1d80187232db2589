// Package quorum says who has to sign what: for each payload, each threshold
// that it must reach, and which people can help to reach it.
//
//	demands, err := quorum.Demands(files)
//	for _, m := range demands[0].Members(&plan.Roster) { ... }
//
// A root is judged twice, under the root before it and under itself; targets
// once, under the newest root; a delegated role under each role that delegates to
// it, as that role is drafted here or else was published last. It reads keys from the bytes of trusted/ and
// payload/, so the answer does not depend on who drafted them.
package quorum

import (
	"fmt"
	"slices"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Demand is one threshold that a payload must reach.
type Demand struct {
	Payload folder.Version
	By      string // the role whose metadata has the keys that are counted: root, or the delegator
	Under   int64  // and its version
	Old     bool   // that is the root before the payload
	Keys    map[string]*tufmeta.Key
	Role    *tufmeta.Role
}

// Member is a distinct public key of a demand, with the IDs it is listed under.
type Member struct {
	Fingerprint string
	KeyIDs      []string
	Token       *roster.Token // nil where the plan does not know the key
}

// CanSign reports whether the plan has somebody who can sign with the key. A
// machine's key signs nothing in a ceremony.
func (m Member) CanSign() bool {
	return m.Token != nil && m.Token.Holder != "" && m.Token.CanSign()
}

// TrustedRoot gives the newest root in trusted/, or nil in a genesis.
func TrustedRoot(files folder.Files) (*tufmeta.Root, error) {
	versions, err := files.Versions(folder.Trusted)
	if err != nil {
		return nil, err
	}
	var newest *tufmeta.Root
	for _, v := range versions {
		if v.Role != "root" {
			continue
		}
		env, err := tufmeta.ParseEnvelope(files[folder.Trusted+"/"+v.File()])
		if err != nil {
			return nil, fmt.Errorf("reading trusted root %d: %w", v.Version, err)
		}
		if newest, err = tufmeta.ParseRoot(env.Signed); err != nil {
			return nil, fmt.Errorf("reading trusted root %d: %w", v.Version, err)
		}
		if newest.Version != v.Version {
			return nil, fmt.Errorf("reading trusted root %d: the file says version %d", v.Version, newest.Version)
		}
	}
	return newest, nil
}

// DraftedRoot gives the root in payload/, or nil where none is drafted.
func DraftedRoot(files folder.Files) (*tufmeta.Root, error) {
	versions, err := files.Versions(folder.Payload)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if v.Role == "root" {
			signed, err := tufmeta.ParseSigned(files[folder.Payload+"/"+v.File()])
			if err != nil {
				return nil, fmt.Errorf("reading payload %s: %w", v, err)
			}
			return tufmeta.ParseRoot(signed)
		}
	}
	return nil, nil
}

// Demands lists the thresholds of all payloads, in the order of payload/.
func Demands(files folder.Files) ([]Demand, error) {
	old, err := TrustedRoot(files)
	if err != nil {
		return nil, err
	}
	drafted, err := DraftedRoot(files)
	if err != nil {
		return nil, err
	}
	versions, err := files.Versions(folder.Payload)
	if err != nil {
		return nil, err
	}
	newest := old
	if drafted != nil {
		newest = drafted
	}
	var demands []Demand
	for _, v := range versions {
		switch top := slices.Contains(tufmeta.TopRoles, v.Role); {
		case !top:
			below, err := delegated(files, v)
			if err != nil {
				return nil, err
			}
			demands = append(demands, below...)
			continue
		case newest == nil || newest.Roles[v.Role] == nil:
			return nil, fmt.Errorf("finding who signs %s: no root names the role", v)
		case v.Role == "root" && old != nil:
			demands = append(demands, Demand{v, "root", old.Version, true, old.Keys, role(old, "root")})
		}
		demands = append(demands, Demand{v, "root", newest.Version, false, newest.Keys, role(newest, v.Role)})
	}
	return demands, nil
}

// delegated lists the thresholds of a delegated role: one for each delegator.
func delegated(files folder.Files, v folder.Version) ([]Demand, error) {
	published, err := Published(files)
	if err != nil {
		return nil, err
	}
	var demands []Demand
	for _, d := range tufmeta.Delegators(published, v.Role) {
		demands = append(demands, Demand{v, d.Name, d.Version, false, d.Keys, d.Role})
	}
	if len(demands) == 0 {
		return nil, fmt.Errorf("finding who signs %s: nothing that targets leads to delegates to it", tufmeta.Printable(v.String()))
	}
	return demands, nil
}

// Published gives, by role, targets and the roles below it as they will be
// published: as they are drafted, else the newest in trusted/.
func Published(files folder.Files) (map[string]*tufmeta.Targets, error) {
	all := map[string]*tufmeta.Targets{}
	for _, part := range []string{folder.Trusted, folder.Payload} {
		versions, err := files.Versions(part)
		if err != nil {
			return nil, err
		}
		for _, v := range versions { // the newest of a role comes last
			if v.Role != "targets" && slices.Contains(tufmeta.TopRoles, v.Role) {
				continue
			}
			if all[v.Role], err = targets(files, part, v); err != nil {
				return nil, fmt.Errorf("reading %s/%s: %w", part, tufmeta.Printable(v.File()), err)
			}
		}
	}
	return all, nil
}

func targets(files folder.Files, part string, v folder.Version) (*tufmeta.Targets, error) {
	data := files[part+"/"+v.File()]
	read := stream.ReadEnvelope
	if part == folder.Payload {
		read = stream.ReadPayload
	}
	head, err := read(data)
	if err != nil {
		return nil, err
	}
	return head.Parse()
}

func role(root *tufmeta.Root, name string) *tufmeta.Role {
	if r := root.Roles[name]; r != nil {
		return r
	}
	return &tufmeta.Role{}
}

// Members lists the distinct public keys of a demand, in the order in which
// the root lists them.
func (d Demand) Members(r *roster.Roster) []Member {
	var members []Member
	index := map[string]int{}
	for _, id := range d.Role.KeyIDs {
		key := d.Keys[id]
		if key == nil || key.Err != nil {
			continue
		}
		fingerprint := key.Fingerprint()
		if i, ok := index[fingerprint]; ok {
			members[i].KeyIDs = append(members[i].KeyIDs, id)
			continue
		}
		index[fingerprint] = len(members)
		token, _ := r.ByFingerprint(fingerprint)
		members = append(members, Member{fingerprint, []string{id}, token})
	}
	return members
}

// Able counts the members that can sign.
func (d Demand) Able(r *roster.Roster) int {
	able := 0
	for _, m := range d.Members(r) {
		if m.CanSign() {
			able++
		}
	}
	return able
}

// Whose names what has the keys: "root 12".
func (d Demand) Whose() string { return fmt.Sprintf("%s %d", d.By, d.Under) }

// String names the demand: "13.root under root 12".
func (d Demand) String() string { return fmt.Sprintf("%s under %s", d.Payload, d.Whose()) }
