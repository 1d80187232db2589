package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/schedule"
	"tufceremony/ceremony/internal/tufmeta"
)

// scheduledFrom takes names and imported roots from an earlier ceremony. A bundle is
// verified from the roots that are scheduled; of a folder words say that nothing was.
func scheduledFrom(sources *schedule.Sources, from string, now time.Time) (past, error) {
	before, err := lookBack(from, chained(sources.Metadata, now))
	if err != nil || before.plan == nil {
		return before, err
	}
	if sources.Imported, err = before.plan.Importers(before.files); err != nil {
		return before, err
	}
	sources.Externals, err = importedRoots(before.plan, before.files)
	return before, err
}

// warnings are what is to be known of an earlier ceremony that does not verify from a
// trusted root.
func (b *past) warnings() []string {
	if b.verified {
		return []string{}
	}
	return append([]string{}, b.said()...)
}

// chained names the files of roots, the newest first, if each is signed as it must be.
// Where one is not, none is a root to verify from.
func chained(metadata []inspect.File, now time.Time) []string {
	versions := map[int64]inspect.File{}
	for _, f := range metadata {
		if name := path.Base(f.Name); name != "root.json" && !strings.HasSuffix(name, ".root.json") {
			continue
		}
		if env, err := tufmeta.ParseEnvelope(f.Data); err == nil {
			if root, err := tufmeta.ParseRoot(env.Signed); err == nil {
				versions[root.Version] = f
			}
		}
	}
	var files []inspect.File
	for _, f := range versions {
		files = append(files, f)
	}
	roots, err := inspect.Chain(files, now)
	if err != nil || !roots.Valid() {
		return nil
	}
	var names []string
	for _, l := range slices.Backward(roots.Links) {
		names = append(names, l.Name)
	}
	return names
}

// importedRoots are the newest roots of other repositories that a ceremony has: those
// whose digests its plan names. With another file the plan's expiry would be made up.
func importedRoots(p *plan.Plan, files folder.Files) ([]schedule.External, error) {
	roots, err := plan.ExternalRoots(files)
	if err != nil {
		return nil, err
	}
	var all []schedule.External
	for _, x := range p.Externals {
		file := folder.ExternalFile(x.Name, x.NewestRoot)
		i := slices.IndexFunc(roots[x.Name], func(root *tufmeta.Root) bool { return root.Version == x.NewestRoot })
		if i < 0 || tufmeta.Digest(files[file]) != x.NewestSHA256 {
			return nil, hint(fmt.Errorf("reading the roots of %q: %s is missing, or its SHA-256 is not the one that the plan has of root %d, the newest", x.Name, file, x.NewestRoot), "the earlier ceremony's folder was changed, or files of it are missing: take its bundle, or leave --roster out")
		}
		all = append(all, schedule.External{Name: x.Name, Root: roots[x.Name][i], Version: x.NewestRoot, SHA256: x.NewestSHA256})
	}
	return all, nil
}
