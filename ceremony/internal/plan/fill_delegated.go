package plan

import (
	"fmt"
	"maps"
	"slices"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// maxSpelled is how many delegations are written into a plan: it is read aloud.
const maxSpelled = 100

// FillDelegations writes what a role delegates into its section, with the keys
// into roster and files, but for those that the plan imports from another
// repository: there its name is written. Keys that neither an earlier plan nor the roster
// knows are taken for people's.
func FillDelegations(p *Plan, t *TargetsPlan, d *tufmeta.Delegations, earlier *Plan, files folder.Files) error {
	if n := d.Len(); n > maxSpelled {
		return fmt.Errorf("%s has %d delegations, and a plan takes %d at most: without the field they stay as they are", t.Name(), n, maxSpelled)
	}
	imported, err := p.Importers(files)
	if err != nil {
		return err
	}
	f := below(p, earlier, files)
	out := &Delegations{}
	for _, x := range d.All() {
		keys := d.KeysOf(x.KeyIDs)
		made := Delegation{Name: x.Name, Paths: x.Paths, Prefixes: x.Prefixes, Bits: x.Bits, Terminating: x.Terminating}
		if made.External = imported.Of(keys, &x.Role); made.External != "" {
			out.Roles = append(out.Roles, made)
			continue
		}
		if err := f.keys(x.Name, keys, x.KeyIDs, false); err != nil {
			return err
		}
		made.Role = Role{x.Threshold, f.tokensOf(keys, x.KeyIDs)}
		out.Roles = append(out.Roles, made)
	}
	t.Delegations = out
	return nil
}

// FillSigners writes those who sign a delegated role into roster and files, as
// its delegator names them.
func FillSigners(p *Plan, by tufmeta.Delegator, role string, earlier *Plan, files folder.Files) error {
	return below(p, earlier, files).keys(role, by.Keys, by.Role.KeyIDs, false)
}

// below goes on from a roster that has been filled from the root.
func below(p, earlier *Plan, files folder.Files) *filler {
	f := &filler{p: p, earlier: earlier, files: files, names: map[string]string{}}
	p.Roster.LoadKeysThere(files)
	for _, t := range p.Roster.Tokens() {
		if t.Key != nil {
			f.names[t.Key.Fingerprint()] = t.Name
		}
	}
	return f
}

// FillBelow finds the tokens whose keys stand in trusted delegations, by name, and
// adds those that the roster does not have: the ones that an earlier plan
// knows, and keys that meant picks out by fingerprint or key ID. Of what else is
// delegated to nobody can say who has it.
func FillBelow(p *Plan, old map[string]*tufmeta.Targets, earlier *Plan, files folder.Files, meant func(fingerprint, id string) bool) (map[string]roster.Below, error) {
	f := &filler{p: p, earlier: earlier, files: files, names: map[string]string{}}
	known := map[string]bool{}
	if earlier != nil {
		known = fingerprints(&earlier.Roster, func(string, string) {})
	}
	fingerprints(&p.Roster, func(fingerprint, name string) { f.names[fingerprint] = name })
	all := map[string]roster.Below{}
	for _, by := range slices.Sorted(maps.Keys(old)) {
		d := old[by].Delegations
		tokens := map[string]string{} // by key ID
		for id, key := range d.Keys() {
			if key == nil || key.Err != nil {
				continue
			}
			fingerprint := key.Fingerprint()
			if f.names[fingerprint] == "" && !known[fingerprint] && !meant(fingerprint, id) {
				continue
			}
			if err := f.keys(by, map[string]*tufmeta.Key{id: key}, []string{id}, false); err != nil {
				return nil, err
			}
			tokens[id] = f.names[fingerprint]
			if t, ok := p.Roster.Token(tokens[id]); ok && t.Key == nil {
				t.Key = key
			}
		}
		if len(tokens) > 0 {
			stand(all, by, d, tokens)
		}
	}
	return all, nil
}

func fingerprints(r *roster.Roster, each func(fingerprint, name string)) map[string]bool {
	all := map[string]bool{}
	for _, t := range r.Tokens() {
		if t.Key != nil {
			all[t.Key.Fingerprint()] = true
			each(t.Key.Fingerprint(), t.Name)
		}
	}
	return all
}

// stand notes for each token what a role delegates to it.
func stand(all map[string]roster.Below, by string, d *tufmeta.Delegations, tokens map[string]string) {
	add := func(list []string, more string) []string {
		if slices.Contains(list, more) {
			return list
		}
		return append(list, more)
	}
	for _, x := range d.All() {
		for _, id := range x.KeyIDs {
			if name := tokens[id]; name != "" {
				b := all[name]
				all[name] = roster.Below{Roles: add(b.Roles, x.Name), By: add(b.By, by), IDs: add(b.IDs, id)}
			}
		}
	}
}

// Forget takes tokens out of the roster, with their files and with holders who
// have no other.
func (p *Plan) Forget(files folder.Files, forget func(t *roster.Token) bool) {
	gone := func(t *roster.Token) bool {
		if !forget(t) {
			return false
		}
		delete(files, t.KeyFile)
		delete(files, t.EvidenceFile)
		return true
	}
	r := &p.Roster
	for i := range r.Holders {
		r.Holders[i].Tokens = slices.DeleteFunc(r.Holders[i].Tokens, gone)
	}
	r.Holders = slices.DeleteFunc(r.Holders, func(h roster.Holder) bool { return len(h.Tokens) == 0 })
	r.Online = slices.DeleteFunc(r.Online, gone)
}
