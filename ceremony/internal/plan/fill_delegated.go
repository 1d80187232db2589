package plan

import (
	"fmt"

	"tufceremony/ceremony/internal/folder"
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
