package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/publish"
)

// pinFiles makes embedded tokens whose PIN stands in a file: a process that is
// killed has no terminal to type it at.
type pinFiles struct{ softMaker }

func (m *pinFiles) make(ceremony, holder, name string) (stock, error) {
	s, err := m.softMaker.make(ceremony, holder, name)
	if err != nil {
		return s, err
	}
	file := filepath.Join(m.r.dir, holder, name+".pin")
	s.uri += "?pin-source=file:" + file
	return s, os.WriteFile(file, s.pin, 0o600)
}

// stepwise passes a test over under the race detector, which makes the
// program slow and finds nothing in one that is alone: scripts/test runs these
// without it.
func stepwise(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("hundreds of runs of the program, one after another; scripts/test runs this without the race detector")
	}
}

// killed runs the program in a process that is killed at its n-th durable
// step, 0 for none. It reports whether the kill came.
func killed(t *testing.T, dir string, n int, clock string, args ...string) (bool, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &exec.Cmd{Path: self, Args: append([]string{"ceremony"}, args...), Dir: dir}
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d", killVariable, n), clockVariable+"="+clock)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false, string(out)
	case errors.As(err, &exit) && !exit.Exited():
		return true, string(out)
	}
	t.Fatalf("killed at step %d, `ceremony %s`: %v\n%s", n, strings.Join(args, " "), err, out)
	return false, ""
}

// tree reads all files below a folder but those that are half-written, which
// every reader passes over.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || durable.IsPartial(e.Name()) {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestKilledAtEveryWrite kills each command at each of its durable steps in
// turn. What is on disk is then from before or from after, what was there is
// there, and the same command run again completes.
func TestKilledAtEveryWrite(t *testing.T) {
	stepwise(t)
	t.Chdir(t.TempDir())
	env := rehearsalEnv(t.Output())
	r, err := newRehearsal(env, rehearseOptions{seed: "kill"}, env.today(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.maker = &pinFiles{softMaker{r}}
	for _, act := range []func() error{r.prepare, r.genesis, r.rotationFolder} {
		if err := act(); err != nil {
			t.Fatal(err)
		}
	}
	clock := r.now.Format("2006-01-02T15:04:05Z")
	all := [][]string{
		{"coordinator", "init", "another", "--kind", "rotation", "--trusted-root", "../repository/metadata/1.root.json", "--roster", "../genesis.bundle"},
		{"coordinator", "draft", "rotation"},
	}
	words := "" // known once it is drafted
	for _, holder := range []string{"holder-1", "holder-2", "holder-3", "holder-4"} {
		all = append(all, []string{holder, "sign", "rotation", "--token", holder, "--approve", "?"})
	}
	all = append(all,
		[]string{"coordinator", "merge", "rotation", "../holder-1/rotation", "../holder-2/rotation", "../holder-3/rotation", "../holder-4/rotation"},
		[]string{"coordinator", "seal", "rotation", "-o", "../rotation.bundle"},
		[]string{"coordinator", "standby", "../rotation.bundle", "-o", "standby"},
		[]string{"publisher", "publish", "../rotation.bundle", "../repository", "--targets", "../files/second"},
	)
	for _, command := range all {
		actor, args := command[0], command[1:]
		if args[0] == "sign" {
			if words == "" {
				files, err := folder.Read(filepath.Join(r.dir, "coordinator", "rotation"))
				if err != nil {
					t.Fatal(err)
				}
				words = files.Event().Words()
			}
			args[len(args)-1] = words
			if err := r.carry("rotation", actor, "rotation"); err != nil {
				t.Fatal(err)
			}
		}
		if args[0] != "sign" || actor == "holder-1" {
			t.Run(args[0], func(t *testing.T) { killEverywhere(t, r.dir, actor, clock, args) })
		}
		if _, out := killed(t, filepath.Join(r.dir, actor), 0, clock, args...); t.Failed() {
			t.Fatal(out)
		}
	}
}

func killEverywhere(t *testing.T, dir, actor, clock string, args []string) {
	before := tree(t, dir)
	whole := copyTree(t, dir)
	killed(t, filepath.Join(whole, actor), 0, clock, args...)
	after := tree(t, whole)
	kills := 0
	for n := 1; ; n++ {
		work := copyTree(t, dir)
		was, _ := killed(t, filepath.Join(work, actor), n, clock, args...)
		compare(t, n, before, tree(t, work), after)
		if !was {
			break
		}
		kills++
		if _, out := killed(t, filepath.Join(work, actor), 0, clock, args...); t.Failed() {
			t.Fatal(out)
		}
		again := tree(t, work)
		for name := range after {
			if _, ok := again[name]; !ok {
				t.Errorf("killed at step %d and run again: %s is missing", n, name)
			}
		}
	}
	if kills < 4 {
		t.Errorf("the command was killed at only %d steps", kills)
	}
}

// compare wants each file to be as before or as after, and none to be lost. A
// token counts its PIN tries in its own file.
func compare(t *testing.T, n int, before, now, after map[string]string) {
	t.Helper()
	for name, text := range now {
		if old, ok := before[name]; ok && text == old || text == after[name] || strings.Contains(name, "/tokens/") {
			continue
		}
		if strings.HasSuffix(name, ".jsonl") && strings.HasPrefix(after[name], text) && strings.HasSuffix(text, "\n") {
			continue // a chain that is to become longer still
		}
		t.Errorf("killed at step %d: %s is neither as before nor as after", n, name)
	}
	for name := range before {
		if _, ok := now[name]; !ok {
			t.Errorf("killed at step %d: %s is lost", n, name)
		}
	}
}

// copyTree copies a rehearsal. The PIN files that the plan names stay where
// they are: nothing writes there. Files that are only ever replaced are linked,
// which is quicker; tokens are written in place.
func copyTree(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		switch at := filepath.Join(to, name); {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(at, 0o755)
		case filepath.Base(filepath.Dir(path)) != "tokens":
			return os.Link(path, at)
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(at, data, 0o600)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// errEnded ends a publication in the middle, as far as the disk can tell.
var errEnded = errors.New("stopped by the test")

// TestStoppedPublication stops a publication that signs snapshot and timestamp
// at each of its steps: run again it completes, with one snapshot.
func TestStoppedPublication(t *testing.T) {
	stepwise(t)
	for _, online := range []string{"online.pem", "other.pem"} {
		t.Run(online, func(t *testing.T) {
			r := beforePublication(t, online)
			source := r.dir
			for n := 1; ; n++ {
				r.dir = copyTree(t, source)
				stopped := stopAt(n, func() error {
					return r.types("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", online, "--targets", "../files/second")
				})
				if !stopped {
					if n < 10 {
						t.Errorf("only %d steps", n)
					}
					break
				}
				if err := r.types("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", online, "--targets", "../files/second"); err != nil {
					t.Fatalf("stopped at step %d, then: %v", n, err)
				}
				want := versions{2, 2, 2, 2}
				if online == "other.pem" {
					want.Timestamp = 1 // both online keys are others, so versions begin anew
				}
				served(t, n, filepath.Join(r.dir, "repository"), want)
			}
		})
	}
}

func stopAt(n int, act func() error) (stopped bool) {
	durable.Step = func(string, string) {
		if n--; n == 0 {
			panic(errEnded)
		}
	}
	defer func() {
		durable.Step = func(string, string) {}
		if p := recover(); p != nil {
			stopped = true
		}
	}()
	_ = act()
	return false
}

func served(t *testing.T, n int, repository string, want versions) {
	t.Helper()
	root, err := publish.Open(repository)
	if err != nil {
		t.Fatalf("stopped at step %d: %v", n, err)
	}
	if !bytes.Contains(root.Root, []byte(`"version":2`)) {
		t.Errorf("stopped at step %d: root 2 is not published", n)
	}
	got, err := goTUF(t, serve(t, repository), filepath.Join(repository, "root.json"), t.TempDir(), "news.txt", filepath.Join(t.TempDir(), "out"))
	if err != nil || got != want {
		t.Errorf("stopped at step %d: clients trust %+v, %v", n, got, err)
	}
}
