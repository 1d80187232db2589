package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// takeExternals puts the roots of other repositories into the folder, byte for
// byte, and names the repositories in the plan: those that were named here, and
// those of an earlier plan to whose keys something is delegated. Each chain is
// checked at once; from where on it is believed an earlier plan says, else it is
// the lowest root, and people say where they have it from. It ends with the newest
// that is here, and never before the one with which an earlier plan's ends.
func takeExternals(p *plan.Plan, files folder.Files, named []string, known *plan.Plan, had folder.Files, old map[string]*tufmeta.Targets, now time.Time) (advice []string, err error) {
	given, order, err := readExternals(named)
	if err != nil {
		return nil, err
	}
	before, err := externalsBefore(known, had, old, order)
	if err != nil {
		return nil, err
	}
	for _, x := range before {
		if !slices.Contains(order, x.Name) {
			order = append(order, x.Name)
		}
	}
	for _, name := range order {
		chain := given[name]
		i := slices.IndexFunc(before, func(x plan.External) bool { return x.Name == name })
		x := plan.External{Name: name}
		if i >= 0 {
			x = before[i]
			chain = slices.Concat(externalFiles(name, had), chain)
		}
		said, err := takeExternal(p, files, x, chain, now)
		if err != nil {
			return nil, err
		}
		advice = append(advice, said...)
	}
	return advice, nil
}

const externalHint = "name its roots as they were published, with none left out: the one that was obtained in a way that you trust, and all after it"

// takeExternal checks the chain of one repository, and puts it into the folder.
func takeExternal(p *plan.Plan, files folder.Files, x plan.External, given []inspect.File, now time.Time) (advice []string, err error) {
	roots, err := inspect.Chain(once(given), now)
	if err != nil {
		return nil, hint(fmt.Errorf("reading the roots of %q: %w", x.Name, err), externalHint)
	}
	if len(roots.Broken) > 0 {
		return nil, hint(fmt.Errorf("reading the roots of %q: %s: %s: EXTERNAL-CHAIN", x.Name, roots.Broken[0].Subject, roots.Broken[0].Detail), externalHint)
	}
	first := roots.Links[0].Root.Version
	if x.Root != 0 && x.Root != first {
		return nil, hint(fmt.Errorf("reading the roots of %q: root %d is older than root %d, which the earlier plan believes", x.Name, first, x.Root), "leave it out, or leave --roster out and say anew what is believed")
	}
	last := roots.Last().Root
	contents := map[string][]byte{}
	for _, f := range given {
		contents[f.Name] = f.Data
	}
	for _, l := range roots.Links {
		files[folder.ExternalFile(x.Name, l.Root.Version)] = contents[l.Name]
	}
	if x.Root == 0 {
		x.Root, x.SHA256 = first, tufmeta.Digest(contents[roots.Links[0].Name])
		advice = append(advice, fmt.Sprintf("The chain of %s is believed from its root %d on. Compare the SHA-256 that the plan has of that file with where it comes from, and write into the plan where that is: source.", x.Name, first))
	}
	if err := longer(x, roots, contents); err != nil {
		return nil, err
	}
	x.NewestRoot, x.NewestSHA256 = last.Version, tufmeta.Digest(contents[roots.Last().Name])
	p.Externals = append(p.Externals, x)
	return append(advice, fmt.Sprintf("Of %s: root %d is the newest that was given, and gives targets %d of %d keys. `external: %s` in a delegation asks for them.", x.Name, last.Version, thresholdOf(last), len(inspect.Fingerprints(last, "targets")), x.Name)), nil
}

// longer wants the chain to have the root with which the earlier plan's ends: who
// leaves it out goes back to keys that were rotated away.
func longer(x plan.External, roots *inspect.Roots, contents map[string][]byte) error {
	if x.NewestRoot == 0 {
		return nil
	}
	for _, l := range roots.Links {
		if l.Root.Version == x.NewestRoot && tufmeta.Digest(contents[l.Name]) == x.NewestSHA256 {
			return nil
		}
	}
	return hint(fmt.Errorf("reading the roots of %q: root %d, the newest in the earlier plan, is not among them, or is another: EXTERNAL-CHAIN", x.Name, x.NewestRoot), "the earlier ceremony's folder was changed, or files of it are missing: take its bundle, or leave --roster out and say anew what is believed")
}

func thresholdOf(root *tufmeta.Root) int {
	if r := root.Roles["targets"]; r != nil {
		return r.Threshold
	}
	return 0
}

// once leaves out what is given a second time, byte for byte.
func once(given []inspect.File) []inspect.File {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(given), func(f inspect.File) bool {
		digest := tufmeta.Digest(f.Data)
		defer func() { seen[digest] = true }()
		return seen[digest]
	})
}

// readExternals reads what NAME=FILE names, by NAME, in the order of the names.
func readExternals(named []string) (given map[string][]inspect.File, order []string, err error) {
	given = map[string][]inspect.File{}
	for _, text := range named {
		name, file, ok := strings.Cut(text, "=")
		if !ok || !plan.ExternalName(name) || file == "" {
			return nil, nil, hint(fmt.Errorf("reading the roots of another repository: %q is no NAME=FILE", text), "write a name of your own for it, in lower-case letters, and a root of it: --external other=1.root.json")
		}
		roots, err := rootFiles(file)
		if err != nil {
			return nil, nil, hint(fmt.Errorf("reading the roots of %q: %w", name, err), externalHint)
		}
		if given[name] == nil {
			order = append(order, name)
		}
		given[name] = append(given[name], roots...)
	}
	return given, order, nil
}

// rootFiles reads a root, or all VERSION.root.json of a folder.
func rootFiles(file string) ([]inspect.File, error) {
	names := []string{file}
	if entries, err := os.ReadDir(file); err == nil {
		names = nil
		for _, e := range entries {
			if v, err := folder.ParseVersion(e.Name()); err == nil && v.Role == "root" {
				names = append(names, filepath.Join(file, e.Name()))
			}
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("folder %q has no VERSION.root.json", file)
		}
	}
	var roots []inspect.File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		roots = append(roots, inspect.File{Name: name, Data: data})
	}
	return roots, nil
}

// externalFiles are the roots of another repository in an earlier folder.
func externalFiles(name string, had folder.Files) []inspect.File {
	var roots []inspect.File
	for _, file := range had.Names(folder.External + "/" + name) {
		roots = append(roots, inspect.File{Name: "the earlier ceremony's " + file, Data: had[file]})
	}
	return roots
}

// externalsBefore are those of an earlier plan to which something is delegated
// still, or which are named again.
func externalsBefore(known *plan.Plan, had folder.Files, old map[string]*tufmeta.Targets, again []string) ([]plan.External, error) {
	if known == nil || len(known.Externals) == 0 {
		return nil, nil
	}
	imported, err := known.Importers(had)
	if err != nil {
		return nil, fmt.Errorf("reading the earlier ceremony: %w", err)
	}
	used := map[string]bool{}
	for _, name := range again {
		used[name] = true
	}
	for _, role := range slices.Sorted(maps.Keys(old)) {
		d := old[role].Delegations
		if len(imported) == 0 { // there may be half a million
			break
		}
		for _, x := range d.All() {
			used[imported.Of(d.KeysOf(x.KeyIDs), &x.Role)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(known.Externals), func(x plan.External) bool { return !used[x.Name] }), nil
}
