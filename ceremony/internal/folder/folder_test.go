package folder_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
)

// The event ID is what anybody computes with the tools that lie at hand.
func TestEventIsThatOfSha256sum(t *testing.T) {
	for _, tool := range []string{"sha256sum", "find", "sort", "xargs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s", tool)
		}
	}
	c := ceremonytest.Rotation(t)
	c.Draft()
	c.Sign("holder-1")
	dir := write(t, c.Files)
	files, err := folder.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", "find keys payload plan.yaml trusted -type f | LC_ALL=C sort | xargs sha256sum | sha256sum")
	shell.Dir = dir
	out, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want, _, _ := strings.Cut(string(out), " "); files.Event().String() != want || len(want) != 64 {
		t.Errorf("event %s, and sha256sum says %s", files.Event(), want)
	}
	if !maps.EqualFunc(files, c.Files, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Error("what was read is not what was written")
	}
}

// Plan, keys, trusted metadata and payloads make the event; what is added to them by
// signing does not.
func TestEventCovers(t *testing.T) {
	base := folder.Files{"plan.yaml": []byte("p"), "trusted/1.root.json": []byte("t"), "payload/2.root.json": []byte("b")}
	event := base.Event()
	for name, same := range map[string]bool{
		"plan.yaml": false, "trusted/1.root.json": false, "payload/2.root.json": false, "trusted/1.targets.json": false, "payload/2.targets.json": false, "external/theirs/1.root.json": false,
		"keys/holder-1.pem": false, "signatures/2.root/k.json": true, "record/r.jsonl": true, "metadata/2.root.json": true,
	} {
		files := maps.Clone(base)
		files[name] = append(slices.Clone(files[name]), 'x')
		if (files.Event() == event) != same {
			t.Errorf("%s changed: the event is the same: %t", name, !same)
		}
	}
	moved := folder.Files{"plan.yaml": []byte("p"), "trusted/2.root.json": []byte("b"), "payload/1.root.json": []byte("t")}
	if moved.Event() == event {
		t.Error("the same content under other names is the same event")
	}
	if event.IsZero() || !(folder.Event{}).IsZero() {
		t.Error("a zero event is no event")
	}
	if words := event.Words(); len(strings.Fields(words)) != 4 {
		t.Errorf("words %q", words)
	}
}

func TestReadPassesOver(t *testing.T) {
	dir := write(t, folder.Files{
		"plan.yaml": []byte("p"), "keys/holder-1.pem": []byte("k"),
		"keys/.holder-2.pem.partial": []byte("half"), "trusted/._1.root.json": []byte("x"), "trusted/.DS_Store": []byte("x"), // killed, and what macOS strews
		"notes.txt": []byte("ours is not to read"), "metadata/.partial": nil,
	})
	files, err := folder.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if have := strings.Join(slices.Sorted(maps.Keys(files)), " "); have != "keys/holder-1.pem plan.yaml" {
		t.Errorf("read %s", have)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"a link to a file", func(dir string) error { return os.Symlink("../plan.yaml", filepath.Join(dir, "keys", "holder-1.pem")) }, `"keys/holder-1.pem" is neither a file nor a folder`},
		{"a link to a folder", func(dir string) error { return os.Symlink("keys", filepath.Join(dir, "trusted")) }, `"trusted" is neither a file nor a folder`},
		{"a link for the plan", func(dir string) error {
			return join(os.Rename(filepath.Join(dir, "plan.yaml"), filepath.Join(dir, "other")), os.Symlink("other", filepath.Join(dir, "plan.yaml")))
		}, `"plan.yaml" is neither a file nor a folder`},
		{"a name with a space", func(dir string) error { return os.WriteFile(filepath.Join(dir, "keys", "a b"), nil, 0o644) }, `file name "a b" in "keys"`},
		{"a name with an escape sequence", func(dir string) error { return os.WriteFile(filepath.Join(dir, "keys", "a\x1b[2J"), nil, 0o644) }, `u001b[2J`},
		{"a hidden name", func(dir string) error { return os.WriteFile(filepath.Join(dir, "keys", ".hidden"), nil, 0o644) }, `file name ".hidden"`},
		{"a name of Windows", func(dir string) error { return os.WriteFile(filepath.Join(dir, "keys", "aux.pem"), nil, 0o644) }, `file name "aux.pem"`},
		{"folders too deep", func(dir string) error {
			deep := filepath.Join(dir, "signatures", "2.root", "more")
			return join(os.MkdirAll(deep, 0o755), os.WriteFile(filepath.Join(deep, "x"), nil, 0o644))
		}, "nested too deep"},
		{"no plan", func(dir string) error { return os.Remove(filepath.Join(dir, "plan.yaml")) }, "it has no plan.yaml"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := write(t, folder.Files{"plan.yaml": []byte("p"), "keys/holder-2.pem": []byte("k")})
			if err := row.make(dir); err != nil {
				t.Fatal(err)
			}
			files, err := folder.Read(dir)
			if err == nil || files != nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
}

func join(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Names are what FAT, exFAT, Windows and every shell take.
func TestSafeName(t *testing.T) {
	for name, safe := range map[string]bool{
		"2.root.json": true, "holder-1.pem": true, "A_b": true, strings.Repeat("a", 100): true,
		"": false, ".": false, "..": false, ".a": false, "-a": false, "_a": false, "a/b": false, `a\b`: false, "a b": false, "a:b": false, "a*": false,
		"ä": false, "a\n": false, "a.": false, strings.Repeat("a", 101): false,
		"con": false, "CON": false, "Con.json": false, "nul": false, "lpt1.pem": false, "com0": false, "console": true, "nullify": true,
	} {
		if folder.SafeName(name) != safe {
			t.Errorf("%q is safe: %t", name, !safe)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for name, want := range map[string]folder.Version{
		"13.root.json": {Role: "root", Version: 13}, "payload/1.targets.json": {Role: "targets", Version: 1}, "2.a.b.json": {Role: "a.b", Version: 2},
	} {
		have, err := folder.ParseVersion(name)
		if err != nil || have != want || have.File() != filepath.Base(name) {
			t.Errorf("%s: %v, %v", name, have, err)
		}
	}
	for _, name := range []string{"", "root.json", "0.root.json", "-1.root.json", "+1.root.json", "01.root.json", "1e1.root.json", "1..json", "1.json", "1.root", "1.root.json.json.", "99999999999999999999.root.json", " 1.root.json", "1.root.JSON"} {
		if have, err := folder.ParseVersion(name); err == nil {
			t.Errorf("%q is taken for %v", name, have)
		}
	}
}

func TestVersionsInOrder(t *testing.T) {
	files := folder.Files{}
	for _, name := range []string{"10.root", "2.targets", "9.root", "1.bins", "10.targets"} {
		files["trusted/"+name+".json"] = nil
	}
	versions, err := files.Versions("trusted")
	if have := fmt.Sprint(versions); err != nil || have != "[9.root 10.root 2.targets 10.targets 1.bins]" {
		t.Errorf("%s, %v", have, err)
	}
	files["trusted/odd"] = nil
	if _, err := files.Versions("trusted"); err == nil || !strings.Contains(err.Error(), `"trusted/odd"`) {
		t.Errorf("an odd name: %v", err)
	}
}

func TestNames(t *testing.T) {
	files := folder.Files{"keys/b": nil, "keys/a": nil, "keysafe/c": nil, "plan.yaml": nil}
	if have := files.Names("keys"); !slices.Equal(have, []string{"keys/a", "keys/b"}) {
		t.Errorf("%q", have)
	}
}

func write(t *testing.T, files folder.Files) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
