package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// formats has the second reader of the formats, docs/formats.py, come
// to the same result as the first, and refuse what was altered.
func (d *docs) formats(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there; scripts/test installs it")
	}
	dir := d.kept(t)
	read := func(bundle, root string) (string, error) {
		c := exec.Command(python, docsDir+"/formats.py", bundle, root)
		c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	root := filepath.Join(dir, "repository", "root.json")
	for name, acts := range map[string]int{"genesis": 7, "rotation": 10} {
		bundle := filepath.Join(dir, name+".bundle")
		out, err := read(bundle, root)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		var screen bytes.Buffer
		if status := run([]string{"verify", "--json", "--at", "2027-12-31T09:00:00Z", bundle, "--trusted-root", root}, rehearsalEnv(&screen)); status != done {
			t.Fatal(screen.String())
		}
		ours, theirs := proof(t, screen.Bytes(), true), proof(t, []byte(out), false)
		if ours != theirs || !strings.Contains(out, fmt.Sprintf(`"acts": %d`, acts)) {
			t.Errorf("%s: formats.py says\n%s\nand verify\n%s", name, theirs, ours)
		}
		data, err := os.ReadFile(bundle)
		if err != nil {
			t.Fatal(err)
		}
		altered := filepath.Join(t.TempDir(), "altered")
		for at := 0; at < len(data); at += 9001 { // every sort of place
			changed := bytes.Clone(data)
			changed[at] ^= 1
			if err := os.WriteFile(altered, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := read(altered, root); err == nil {
				t.Errorf("%s: byte %d altered is accepted:\n%s", name, at, out)
			}
		}
		for _, edit := range alterations {
			args := append([]string{"-c", repack, docsDir, bundle, altered}, edit...)
			if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			if out, err := read(altered, root); err == nil || !strings.HasPrefix(out, "formats.py: ") {
				t.Errorf("%s with %q is accepted by formats.py:\n%s", name, edit, out)
			}
			if status := run([]string{"verify", "--at", "2027-12-31T09:00:00Z", altered, "--trusted-root", root}, rehearsalEnv(io.Discard)); status != refused {
				t.Errorf("%s with %q is accepted by verify", name, edit)
			}
		}
	}
}

// alterations of a bundle by somebody who packs it anew: in the first file of
// that beginning, the first of that text becomes another.
var alterations = [][]string{
	{"plan.yaml", "window:  #", "window:  ##"},
	{"record/", `"prev":"0`, `"prev":"1`},
	{"metadata/", `"threshold":3`, `"threshold":2`},
	{"signatures/", `"sig":"30`, `"sig":"31`},
	{"signatures/", `"event":"`, `"event": "`},
}

const repack = `
import sys
sys.dont_write_bytecode = True
place, bundle, altered, name, old, new = sys.argv[1:]
sys.path.insert(0, place)
import formats
files = formats.unpack(open(bundle, "rb").read())
name = min(f for f in files if f.startswith(name))
assert old.encode() in files[name]
files[name] = files[name].replace(old.encode(), new.encode(), 1)
open(altered, "wb").write(formats.pack(files))
`

// proof takes what both readers say of a bundle out of their JSON. One counts
// signers, the other names them.
func proof(t *testing.T, data []byte, names bool) string {
	t.Helper()
	var p struct {
		Event, SHA256 string
		Chain         []int64
		Roles         []struct {
			Role, SHA256 string
			Version      int64
			Counts       []struct {
				Under   int64 `json:"under_root"`
				Signers any
			}
		}
	}
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	for _, r := range p.Roles {
		for i, c := range r.Counts {
			if list, ok := c.Signers.([]any); ok && names {
				r.Counts[i].Signers = float64(len(list))
			}
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// json wants docs/formats.md to name every member that --json writes.
func (d *docs) json(t *testing.T) {
	text, err := os.ReadFile(docsDir + "/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := d.kept(t)
	at := func(path string) string { return filepath.Join(dir, filepath.FromSlash(path)) }
	for _, args := range [][]string{
		{"inspect", "--json", at("repository/metadata/1.root.json"), at("repository/metadata/2.root.json"), at("repository/metadata/timestamp.json")},
		{"review", "--json", at("coordinator/rotation")},
		{"status", "--json", at("coordinator/rotation")},
		{"verify", "--json", "--at", "2027-12-31T09:00:00Z", at("rotation.bundle"), "--trusted-root", at("repository/root.json")},
		{"init", "--kind", "revocation", "--trusted-root", at("repository/metadata/2.root.json"), "--compromised", "role:timestamp", "--dry-run", "--json"},
		{"schedule", "--json", at("repository"), at("genesis.bundle"), "--margin", "60d", "--roster", at("rotation.bundle")},
		{"checks", "--json"},
		{"runbook", "--json"},
	} {
		var screen bytes.Buffer
		if status := run(args, rehearsalEnv(&screen)); status != done {
			t.Fatal(screen.String())
		}
		documented(t, text, args, screen.String())
	}
}

// documented wants every member of what a command wrote as JSON in formats.md.
func documented(t *testing.T, text []byte, args []string, screen string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^ *"([a-z_0-9]+)":`).FindAllStringSubmatch(screen, -1) {
		if !regexp.MustCompile("[`\"]" + m[1] + "[`\"\\[]").Match(text) {
			t.Errorf("formats.md says nothing of %q, which %s --json writes", m[1], args[0])
		}
	}
}
