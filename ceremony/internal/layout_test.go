// Package internal_test holds what is true of the program as a whole: which
// package may know which, and that the binary cannot dial.
package internal_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "tufceremony"

// street is the one way on which packages know each other: each may import
// those before it, and no other. The stages are roster to publish.
var street = []string{
	"spool", "tufmeta", "durable", "check", "folder", // leaves
	"stream", // metadata of any size
	"manifest", "projects", "roster", "plan",
	"quorum", "evidence", "record", "inspect", // what several stages ask
	"compromise", // what a plan for a revocation is made from
	"draft", "review", "sign", "assemble", "verify", "bundle", "publish", "schedule",
}

// apart are packages that share no path, though one comes before the other:
// who checks does not ask who made, and who makes does not ask who checked.
var apart = map[string][]string{
	"stream":     {"durable", "check", "folder"},
	"inspect":    {"plan", "roster", "folder"},
	"quorum":     {"plan"},
	"compromise": {"plan", "evidence", "quorum"},
	"review":     {"draft", "compromise"},
	"sign":       {"draft", "plan"},
	"assemble":   {"draft", "review", "plan"},
	"verify":     {"draft", "sign", "plan"},
	"bundle":     {"draft", "plan", "review", "sign", "assemble"},
	"publish":    {"draft", "sign"},
	"schedule":   {"draft", "sign", "assemble", "publish"},
}

// devices are packages of hsm/ that know no device, and who may ask them:
// evidence is verified in the same way wherever it comes from.
var devices = map[string][]string{"evidence": {module + "/hsm/attest"}}

type listed struct {
	ImportPath string
	Name       string
	Imports    []string
	CgoFiles   []string
	DepsErrors []struct{ Err string }
}

func TestStreet(t *testing.T) {
	seen := 0
	for _, p := range list(t, module+"/ceremony/internal/...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/ceremony/internal/")
		if name == "ceremonytest" || p.Name == "main" || len(p.Imports) == 0 {
			continue // for tests, a program that measures, which nothing can import, and this package
		}
		seen++
		place := slices.Index(street, name)
		if place < 0 {
			t.Errorf("package %s has no place on the street", name)
			continue
		}
		for _, imported := range p.Imports {
			to, internal := strings.CutPrefix(imported, module+"/ceremony/internal/")
			switch {
			case slices.Contains(devices[name], imported):
			case !internal && strings.HasPrefix(imported, module):
				t.Errorf("%s imports %s: stages know crypto.Signer, and no device", name, imported)
			case internal && !slices.Contains(street[:place], to):
				t.Errorf("%s imports %s, which comes after it", name, to)
			case internal && slices.Contains(apart[name], to):
				t.Errorf("%s imports %s, with which it shares no path", name, to)
			}
		}
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s needs a C compiler", name)
		}
	}
	if seen != len(street) {
		t.Errorf("%d packages are on the street, and %d were found", len(street), seen)
	}
}

// Devices know nothing of ceremonies. What both need goes through main.
func TestDevicesApart(t *testing.T) {
	packages := list(t, module+"/hsm/...")
	if len(packages) < 4 {
		t.Fatalf("found %d packages", len(packages))
	}
	for _, p := range packages {
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module+"/ceremony") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// What verifies evidence knows no device, and needs no C compiler.
func TestAttestKnowsNoDevice(t *testing.T) {
	p := list(t, module+"/hsm/attest")[0]
	for _, imported := range p.Imports {
		if strings.HasPrefix(imported, module) {
			t.Errorf("attest imports %s", imported)
		}
	}
	if len(p.CgoFiles) > 0 {
		t.Error("attest needs a C compiler")
	}
}

// The keys of tests are public knowledge, so no program may have them.
func TestCeremonytestIsForTests(t *testing.T) {
	for _, p := range list(t, module+"/...") {
		for _, imported := range p.Imports {
			if imported == module+"/ceremony/internal/ceremonytest" || imported == "testing" && !strings.HasSuffix(path.Base(p.ImportPath), "test") {
				t.Errorf("%s imports %s outside its tests", p.ImportPath, imported)
			}
		}
	}
}

// Only the command joins stages to devices.
func TestMainJoins(t *testing.T) {
	stages, devices := false, false
	for _, imported := range list(t, module+"/ceremony")[0].Imports {
		stages = stages || imported == module+"/ceremony/internal/sign"
		devices = devices || imported == module+"/hsm"
	}
	if !stages || !devices {
		t.Errorf("main imports the stages: %t, the devices: %t", stages, devices)
	}
}

func list(t *testing.T, pattern string, flags ...string) []listed {
	t.Helper()
	out, err := exec.Command("go", slices.Concat([]string{"list", "-json"}, flags, []string{pattern})...).Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	return packages
}

// Virtual cards protect nothing: they are no part of the program, and of no
// package that it could link.
func TestVirtualCardsAreForTests(t *testing.T) {
	const virtual = module + "/hsm/virtual"
	for _, cgo := range []string{"0", "1"} {
		t.Setenv("CGO_ENABLED", cgo)
		for _, p := range list(t, module+"/ceremony", "-deps") {
			if strings.HasPrefix(p.ImportPath, virtual) {
				t.Errorf("with CGO_ENABLED=%s the command links %s", cgo, p.ImportPath)
			}
		}
	}
	for _, p := range list(t, module+"/...") {
		for _, imported := range p.Imports {
			if imported == virtual && p.ImportPath != virtual+"/yubikeys" {
				t.Errorf("%s imports %s outside its tests", p.ImportPath, imported)
			}
		}
	}
}
