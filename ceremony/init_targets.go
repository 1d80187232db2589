package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// takeTargets puts the trusted targets, and trusted delegated roles, into the
// folder, byte for byte, and gives them by role, less the targets that they list. A delegated role says its name
// in no other place than the name of its file.
func takeTargets(files folder.Files, names []string) (map[string]*tufmeta.Targets, error) {
	all := map[string]*tufmeta.Targets{}
	for _, name := range names {
		data, err := spool.ReadFile(name)
		if err != nil {
			return nil, hint(fmt.Errorf("reading the trusted targets: %w", err), "name the newest targets that is published, like 3.targets.json")
		}
		head, err := stream.ReadEnvelope(data)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", name, err)
		}
		targets, err := head.Parse()
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", name, err)
		}
		v := folder.Version{Role: "targets", Version: targets.Version}
		if named, err := folder.ParseVersion(filepath.Base(name)); err == nil && named.Version == targets.Version {
			v.Role = named.Role
		}
		if all[v.Role] != nil || v.Role != "targets" && slices.Contains(tufmeta.TopRoles, v.Role) {
			return nil, hint(fmt.Errorf("reading %q: it is taken for %s, which another file is already, or which the root signs", name, tufmeta.Printable(v.Role)), "name the newest file of each role, as VERSION.ROLE.json: a delegated role has its name there alone")
		}
		files[folder.Trusted+"/"+v.File()] = data
		all[v.Role] = targets
	}
	return all, nil
}

// completeTargets wants those who delegate beside each delegated role.
func completeTargets(all map[string]*tufmeta.Targets) error {
	for _, role := range slices.Sorted(maps.Keys(all)) {
		if role != "targets" && len(tufmeta.Delegators(all, role)) == 0 {
			return hint(fmt.Errorf("reading the trusted targets: of the files that were named, none that targets leads to delegates to %q", tufmeta.Printable(role)), "name the published targets too, and each role on the way, with --trusted-targets")
		}
	}
	return nil
}

// inPlan is how many files are listed in the plan itself: it is read aloud.
const inPlan = 100

// fillTargets writes the targets section, where the ceremony signs targets.
func fillTargets(p *plan.Plan, files folder.Files, old map[string]*tufmeta.Targets, expires time.Time, o initOptions) (advice []string, err error) {
	before := old["targets"]
	if p.Kind == plan.Rotation && before == nil && o.add == "" && o.list == "" {
		return nil, nil
	}
	p.Targets = &plan.TargetsPlan{Version: 1, Expires: expires}
	if before != nil {
		p.Targets.Version = before.Version + 1
	}
	entries, advice, err := newTargets(o)
	if err != nil {
		return nil, err
	}
	return advice, putTargets(p.Targets, files, entries)
}

// fillDelegated writes a section for each delegated role that is trusted, and
// who signs it.
func fillDelegated(p *plan.Plan, files folder.Files, old map[string]*tufmeta.Targets, known *plan.Plan, expires time.Time, spell bool) error {
	imported, err := p.Importers(files)
	if err != nil {
		return err
	}
	for _, role := range slices.Sorted(maps.Keys(old)) {
		if role == "targets" {
			continue
		}
		by := tufmeta.Delegators(old, role)
		if imported.Of(by[0].Keys, by[0].Role) != "" {
			continue // the other repository signs it
		}
		for _, d := range by {
			if err := plan.FillSigners(p, d, role, known, files); err != nil {
				return hint(fmt.Errorf("making a plan from the trusted %s: %w", d.Name, err), "leave the file of %s out: its delegator has to be mended first", tufmeta.Printable(role))
			}
		}
		p.Delegated = append(p.Delegated, &plan.TargetsPlan{Role: role, Delegator: by[0].Name, Version: old[role].Version + 1, Expires: expires})
	}
	if !spell {
		return nil
	}
	for _, t := range p.TargetsRoles() {
		if before := old[t.Name()]; before != nil && before.Delegations != nil {
			if err := plan.FillDelegations(p, t, before.Delegations, known, files); err != nil {
				return hint(fmt.Errorf("writing out delegations: %w", err), "leave --delegations out, and write the field by hand where it changes")
			}
		}
	}
	return nil
}

// putTargets lists targets in the plan or, where they are many or the plan cannot
// say all of them, in a file of lists/.
func putTargets(t *plan.TargetsPlan, files folder.Files, entries []plan.File) error {
	more := func(f plan.File) bool { return f.Custom != nil || f.SHA512 != "" }
	if len(entries) <= inPlan && !slices.ContainsFunc(entries, more) {
		t.Add = entries
		return nil
	}
	t.Manifest = folder.Lists + "/" + t.Name() + ".jsonl"
	text, err := manifest.Text(entries)
	if err != nil {
		return err
	}
	if _, err := manifest.Parse(t.Manifest, text); err != nil {
		return hint(fmt.Errorf("listing targets: %w", err), "rename the file, or leave it out")
	}
	files[t.Manifest] = text
	return nil
}

// newTargets gives the targets that --add and --manifest name.
func newTargets(o initOptions) (entries []plan.File, advice []string, err error) {
	found, err := filesBelow(o.add)
	if err != nil || o.list == "" {
		return found, nil, err
	}
	data, err := os.ReadFile(o.list)
	if err != nil {
		return nil, nil, hint(fmt.Errorf("reading the manifest: %w", err), "name a file in JSON lines, or one that sha256sum has written")
	}
	read := manifest.Parse
	if manifest.IsSums(data) {
		if o.add == "" {
			return nil, nil, hint(fmt.Errorf("reading the manifest %q: it has no lengths, as sha256sum prints none", o.list), "name the folder with the files, --add FOLDER: they are compared with the manifest, and give the lengths")
		}
		read = manifest.Sums
	}
	if entries, err = read(o.list, data); err != nil || o.add == "" {
		return entries, nil, err
	}
	return compared(o, entries, found)
}

// compared holds a manifest against the files in a folder. What the folder has
// besides is not added, and is said.
func compared(o initOptions, entries, found []plan.File) ([]plan.File, []string, error) {
	there := map[string]plan.File{}
	for _, f := range found {
		there[f.Path] = f
	}
	for i, e := range entries {
		f, ok := there[e.Path]
		var problem string
		switch {
		case !ok:
			problem = "is not in the folder"
		case f.SHA256 != e.SHA256:
			problem = fmt.Sprintf("has another SHA-256 in the folder, %s…", f.SHA256[:16])
		case e.Length >= 0 && f.Length != e.Length:
			problem = fmt.Sprintf("has %d bytes in the folder", f.Length)
		case e.SHA512 != "":
			f.SHA512 = e.SHA512
			if data, err := os.ReadFile(filepath.Join(o.add, filepath.FromSlash(e.Path))); err != nil || !f.Is(data) {
				problem = "has another SHA-512 in the folder"
			}
		}
		if problem != "" {
			return nil, nil, &manifest.Error{File: o.list, Line: i + 1, Problem: fmt.Sprintf("target \"%s\" %s", tufmeta.Printable(e.Path), problem), Remedy: "find out which of the two is right; nothing was written"}
		}
		entries[i].Length = f.Length
		delete(there, e.Path)
	}
	if len(there) > 0 {
		return entries, []string{fmt.Sprintf("Not in the manifest, and not added: %s of %s.", plural(len(there), "file"), o.add)}, nil
	}
	return entries, nil, nil
}

// filesBelow lists the files of a folder as targets.
func filesBelow(add string) ([]plan.File, error) {
	if add == "" {
		return nil, nil
	}
	var all []plan.File
	err := filepath.WalkDir(add, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading a target: %w", err)
		}
		relative, err := filepath.Rel(add, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		if tufmeta.Unsafe(name) {
			return hint(fmt.Errorf("listing targets: the name \"%s\" has control or bidirectional characters: TEXT-UNSAFE", tufmeta.Printable(name)), "rename the file, or leave it out of the folder")
		}
		all = append(all, plan.File{Path: name, Length: int64(len(data)), SHA256: tufmeta.Digest(data)})
		return nil
	})
	return all, err
}
