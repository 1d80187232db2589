package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/soft"
)

// openToken opens the device that a token URI names. Software tokens are files
// in a folder `tokens` beside the ceremony folder: they stay where they are
// when the folder travels, as devices do.
func openToken(uri, dir string) (hsm.Token, error) {
	scheme, _, _ := strings.Cut(uri, ":")
	switch scheme {
	case "soft":
		place, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("opening token %q: %w", uri, err)
		}
		return soft.OpenURI(filepath.Join(filepath.Dir(place), "tokens"), uri)
	case "pkcs11":
		return pkcs11.Open(uri)
	}
	return nil, fmt.Errorf("opening token %q: no driver for such a URI: %w", uri, hsm.ErrUnsupported)
}

// readFolder reads a ceremony folder, with a hint for the one who named the
// wrong one.
func readFolder(dir string) (folder.Files, error) {
	files, err := folder.Read(dir)
	return files, hint(err, "name the ceremony folder, the one with plan.yaml in it; `ceremony init` makes one")
}

// readPlan reads the plan of a folder and the keys that it names.
func readPlan(files folder.Files) (*plan.Plan, error) {
	p, err := plan.Parse(files[folder.Plan])
	if err != nil {
		return nil, err
	}
	if err := p.Roster.LoadKeys(files); err != nil {
		return nil, hint(err, "put each public key, as PEM, into keys/ under the name that the plan gives")
	}
	return p, nil
}
