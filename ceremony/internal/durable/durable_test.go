package durable_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/durable"
)

func TestCreate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "folder", "file")
	must(t, durable.Create(file, []byte("first")))
	wantFile(t, file, "first")
	wantAlone(t, file)
	err := durable.Create(file, []byte("second"))
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("writing it again: %v", err)
	}
	wantFile(t, file, "first")
	wantAlone(t, file)
}

// Where what writes the file ends in an error, nothing is left.
func TestCreateByFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	full := errors.New("no space left on device")
	err := durable.CreateBy(file, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1<<20))
		return errors.Join(err, full)
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
	wantNothing(t, file)
}

func wantNothing(t *testing.T, file string) {
	t.Helper()
	if left := beside(t, file); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// What has the name, whatever it is, is not replaced and not written through.
func TestCreateNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	must(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "link")))
	must(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o644))
	for _, name := range []string{"folder", "link", "empty"} {
		if err := durable.Create(filepath.Join(dir, name), []byte("data")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantFile(t, filepath.Join(dir, "empty"), "")
	if _, err := os.Lstat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("it was written through the link")
	}
}

// Somebody takes the name between the look and the rename.
func TestCreateLosesRace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	at(t, func(act, path string) {
		if act == "rename" {
			must(t, os.WriteFile(path, []byte("theirs"), 0o644))
		}
	})
	if err := durable.Create(file, []byte("ours")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the name was taken meanwhile: %v", err)
	}
	wantFile(t, file, "theirs")
	wantAlone(t, file)
}

func TestCreateWhereNoFolderCanBe(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("data"), 0o644))
	if err := durable.Create(filepath.Join(dir, "file", "below"), nil); err == nil {
		t.Error("a file was made below a file")
	}
	wantFile(t, filepath.Join(dir, "file"), "data")
}

func TestEnsure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for i, want := range []bool{true, false} {
		if wrote, err := durable.Ensure(file, []byte("data")); wrote != want || err != nil {
			t.Errorf("time %d: wrote %t, %v", i+1, wrote, err)
		}
	}
	wrote, err := durable.Ensure(file, []byte("other"))
	if wrote || !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "with other content") {
		t.Errorf("other content: wrote %t, %v", wrote, err)
	}
	wantFile(t, file, "data")
}

func TestReplace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for _, data := range []string{"first", "second, longer", ""} {
		must(t, durable.Replace(file, []byte(data)))
		wantFile(t, file, data)
		wantAlone(t, file)
	}
}

// killed is what a step panics with in place of the end of the process.
type killed struct{}

// A process that is killed at any step leaves the state before or the state
// after, and the same call again completes.
func TestKilledAtEachStep(t *testing.T) {
	for _, writer := range []struct {
		name   string
		before string // "-" where there is no file
		write  func(path string, data []byte) error
	}{
		{"Create", "-", durable.Create},
		{"CreateBy", "-", func(path string, data []byte) error {
			return durable.CreateBy(path, func(w io.Writer) error {
				for _, c := range data {
					if _, err := w.Write([]byte{c}); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{"Ensure", "-", func(path string, data []byte) error { _, err := durable.Ensure(path, data); return err }},
		{"Replace nothing", "-", durable.Replace},
		{"Replace", "what was there before, and is longer", durable.Replace},
	} {
		steps := 0
		for killAt := 1; ; killAt++ {
			file := filepath.Join(t.TempDir(), "folder", "file")
			if writer.before != "-" {
				must(t, durable.Create(file, []byte(writer.before)))
			}
			act := killAtStep(t, killAt, func() { must(t, writer.write(file, []byte("the new content"))) })
			if act == "" {
				break // it ran to the end
			}
			steps++
			have, err := os.ReadFile(file)
			old := err == nil && string(have) == writer.before || errors.Is(err, fs.ErrNotExist) && writer.before == "-"
			if !old && string(have) != "the new content" {
				t.Errorf("%s, killed at %s: %q, %v", writer.name, act, have, err)
			}
			if done := act == "flush"; old == done {
				t.Errorf("%s, killed at %s: still as before: %t", writer.name, act, old)
			}
			for _, name := range beside(t, file) {
				if !durable.IsPartial(name) {
					t.Errorf("%s, killed at %s: %s is left, and a reader would take it for a file", writer.name, act, name)
				}
			}
			if err := writer.write(file, []byte("the new content")); err != nil && !(strings.HasPrefix(writer.name, "Create") && errors.Is(err, fs.ErrExist) && !old) {
				t.Errorf("%s, killed at %s, and again: %v", writer.name, act, err)
			}
			wantFile(t, file, "the new content")
			if old {
				wantAlone(t, file)
			}
		}
		if steps != 4 {
			t.Errorf("%s was killed at %d steps, and there are create, write, rename and flush", writer.name, steps)
		}
	}
}

// killAtStep runs act until its nth step and gives the name of that, or "".
func killAtStep(t *testing.T, n int, act func()) (at string) {
	t.Helper()
	before := durable.Step
	defer func() {
		durable.Step = before
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
		}
	}()
	durable.Step = func(act, _ string) {
		if n--; n == 0 {
			at = act
			panic(killed{})
		}
	}
	act()
	return ""
}

// What an earlier process left half-written neither stands in the way nor
// comes into the file.
func TestPartialIsTakenOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	at(t, func(act, path string) {
		if act == "create" {
			must(t, os.WriteFile(filepath.Join(filepath.Dir(path), ".file.partial"), []byte("left from before, and longer than the new content"), 0o444))
		}
	})
	must(t, durable.Create(file, []byte("new")))
	wantFile(t, file, "new")
	wantAlone(t, file)
}

func TestIsPartial(t *testing.T) {
	for name, want := range map[string]bool{".1.root.json.partial": true, "1.root.json": false, "partial": false, ".partial.json": false} {
		if durable.IsPartial(name) != want {
			t.Errorf("%s is partial: %t", name, !want)
		}
	}
}

// Two folders change places, and nothing of them changes.
func TestExchange(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	must(t, durable.Create(filepath.Join(a, "file"), []byte("of a")))
	must(t, durable.Create(filepath.Join(b, "file"), []byte("of b")))
	err := durable.Exchange(a, b)
	if errors.Is(err, errors.ErrUnsupported) {
		wantFile(t, filepath.Join(a, "file"), "of a")
		t.Skip("this file system cannot")
	}
	must(t, err)
	wantFile(t, filepath.Join(a, "file"), "of b")
	wantFile(t, filepath.Join(b, "file"), "of a")
	if err := durable.Exchange(a, filepath.Join(dir, "c")); err == nil {
		t.Error("a folder changed places with nothing")
	}
	wantFile(t, filepath.Join(a, "file"), "of b")
}

// at has a function called at each step.
func at(t *testing.T, step func(act, path string)) {
	t.Helper()
	before := durable.Step
	durable.Step = step
	t.Cleanup(func() { durable.Step = before })
}

func wantFile(t *testing.T, file, want string) {
	t.Helper()
	if have, err := os.ReadFile(file); err != nil || string(have) != want {
		t.Errorf("%s has %q, %v; want %q", filepath.Base(file), have, err, want)
	}
}

// wantAlone wants nothing beside a file.
func wantAlone(t *testing.T, file string) {
	t.Helper()
	if names := beside(t, file); len(names) > 0 {
		t.Errorf("beside %s there is %q", filepath.Base(file), names)
	}
}

func beside(t *testing.T, file string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	must(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != filepath.Base(file) {
			names = append(names, e.Name())
		}
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What cannot be written out is not compared with what is there either.
func TestEnsureByFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	wrong := errors.New("wrong")
	for range 2 {
		wrote, err := durable.EnsureBy(path, func(io.Writer) error { return wrong })
		if wrote || !errors.Is(err, wrong) || errors.Is(err, fs.ErrExist) {
			t.Errorf("wrote: %v, %v", wrote, err)
		}
		if err := os.WriteFile(path, []byte("there"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != "there" {
		t.Errorf("%q, %v", have, err)
	}
}
