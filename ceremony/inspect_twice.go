package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// again is a root that says what another of the files says: published copies
// differ in white space and in signatures.
type again struct {
	name, first string
	version     int64
	tally       tufmeta.Tally
}

// copies takes roots out of the chain that say what an earlier one says. Each
// must reach its threshold by itself. Two that differ are kept both: the chain
// is broken by them, and equivocation says how.
func (i *inspection) copies() error {
	var kept []inspect.File
	seen := map[string]string{}
	for _, f := range i.roots {
		env, root, err := readRoot(f)
		if err != nil {
			return err
		}
		first, twice := seen[string(env.Canonical)]
		if !twice {
			seen[string(env.Canonical)] = f.Name
			kept = append(kept, f)
			continue
		}
		tally := tufmeta.Count(env.Canonical, env.Signatures, root.Keys, root.Roles["root"])
		i.again = append(i.again, again{f.Name, first, root.Version, tally})
		if !tally.Reached() {
			i.broken = append(i.broken, check.NewRefusal("THRESHOLD-NEW", f.Name, "has %s of its own keys, and %d are needed", plural(tally.Valid(), "valid signature"), tally.Threshold))
		}
	}
	i.roots = kept
	return nil
}

func readRoot(f inspect.File) (*tufmeta.Envelope, *tufmeta.Root, error) {
	env, err := tufmeta.ParseEnvelope(f.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %q: %w", f.Name, err)
	}
	root, err := tufmeta.ParseRoot(env.Signed)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %q: %w", f.Name, err)
	}
	return env, root, nil
}

// named is a file as one of a role and version.
type named struct {
	folder.Version
	inspect.Copy
}

// equivocation finds two files of one role and version that say different
// things.
func (i *inspection) equivocation() {
	var all []named
	var keys []map[string]*tufmeta.Key
	for _, l := range i.chain.Links {
		all = append(all, named{folder.Version{Role: "root", Version: l.Root.Version}, inspect.Copy{Name: l.Name, Envelope: l.Envelope}})
		keys = append(keys, l.Root.Keys)
	}
	delegated := i.delegations()
	for _, d := range delegated {
		for _, o := range i.others {
			keys = append(keys, d.KeysOf(tufmeta.KeyIDs(o.env.Signatures)))
		}
	}
	for n := range i.others {
		o := &i.others[n]
		all = append(all, named{folder.Version{Role: o.role(delegated), Version: o.common.Version}, inspect.Copy{Name: o.name, Envelope: o.env}})
	}
	for n, a := range all {
		for _, b := range all[n+1:] {
			if a.Version != b.Version {
				continue
			}
			subject := tufmeta.Printable(a.Role) + " " + fmt.Sprint(a.Version.Version)
			if r, ok := inspect.Equivocation(subject, a.Copy, b.Copy, keys, keyName); ok {
				i.broken = append(i.broken, r)
			}
		}
	}
}

func keyName(fingerprint string) string { return "key " + roster.Short(fingerprint) }

// delegations are those of all files.
func (i *inspection) delegations() []*tufmeta.Delegations {
	var all []*tufmeta.Delegations
	for n := range i.others {
		if d := i.others[n].delegations(); d != nil {
			all = append(all, d)
		}
	}
	return all
}

// delegations are those of a file, or nil.
func (o *other) delegations() *tufmeta.Delegations {
	t, err := o.head.Parse()
	if err != nil {
		return nil
	}
	return t.Delegations
}

// role is whose metadata a file is. Delegated targets say of themselves that
// they are targets: there the name of the file has the role, unless the file
// can only be the top one, whatever it is called.
func (o *other) role(delegated []*tufmeta.Delegations) string {
	if o.common.Type != "targets" {
		return o.common.Type
	}
	base := filepath.Base(o.name)
	if v, err := folder.ParseVersion(base); err == nil && v.Version == o.common.Version {
		return v.Role
	}
	name := base[:len(base)-len(filepath.Ext(base))]
	if o.tally != nil && o.tally.Reached() && !slices.ContainsFunc(delegated, func(d *tufmeta.Delegations) bool { return d.Lists(name) }) {
		return "targets"
	}
	return name
}

func (i *inspection) printAgain(w io.Writer) {
	for _, a := range i.again {
		wrapTo(w, "", "  ", fmt.Sprintf("%s says what %s says: root %d, %d valid signatures of its own keys, %d needed.", tufmeta.Printable(a.name), tufmeta.Printable(a.first), a.version, a.tally.Valid(), a.tally.Threshold))
	}
}
