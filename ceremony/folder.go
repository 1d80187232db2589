package main

import (
	"os"
	"path/filepath"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
)

// readFolder reads a ceremony folder, with a hint for the one who named the
// wrong one.
func readFolder(dir string) (folder.Files, error) {
	files, err := folder.Read(dir)
	if info, at := os.Stat(dir); at == nil && info.Mode().IsRegular() {
		return files, hint(err, "it is a file, and a ceremony is a folder: `ceremony verify` reads bundles, `ceremony inspect` metadata")
	}
	if _, missing := os.Stat(filepath.Join(dir, folder.Plan)); missing == nil {
		return files, hint(err, "take out what is not of the ceremony, and look at where it came from")
	}
	return files, hint(err, "name the ceremony folder, the one with plan.yaml in it; `ceremony init` makes one")
}

// readPlan reads the plan of a folder, and the keys and lists that it names.
func readPlan(files folder.Files) (*plan.Plan, error) {
	p, err := plan.Parse(files[folder.Plan])
	if err != nil {
		return nil, err
	}
	if err := p.Roster.LoadKeys(files); err != nil {
		return nil, hint(err, "put each public key, as PEM, into keys/ under the name that the plan gives")
	}
	if err := p.LoadLists(files); err != nil {
		return nil, err
	}
	if err := p.CheckExternals(files); err != nil {
		return nil, err
	}
	return p, nil
}

// collect reads a folder with its plan, and judges the signatures in it.
func collect(dir string) (folder.Files, *plan.Plan, *assemble.Collection, error) {
	files, err := readFolder(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := readPlan(files)
	if err != nil {
		return nil, nil, nil, err
	}
	c, err := assemble.Collect(files)
	if err != nil {
		return nil, nil, nil, err
	}
	c.Without(&p.Roster)
	return files, p, c, nil
}
