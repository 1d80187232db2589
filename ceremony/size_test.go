//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/durable"
)

// many is how many targets make a file that is not held in memory.
const many = 70_000

// manyTargets is a ceremony that adds so many, and changes one.
func manyTargets(t *testing.T) *rehearsal {
	t.Helper()
	stepwise(t)
	r := staged(t, (*rehearsal).prepare, (*rehearsal).genesis)
	var list bytes.Buffer
	for i := range many {
		path := fmt.Sprintf("packages/%06d/file-%d.tar.gz", i, i)
		fmt.Fprintf(&list, `{"path":%q,"length":%d,"hashes":{"sha256":"%x"}}`+"\n", path, i, sha256.Sum256([]byte(path)))
	}
	for _, err := range []error{
		durable.Create(filepath.Join(r.dir, "coordinator", "list.jsonl"), list.Bytes()),
		r.types("coordinator", "init", "many", "--kind", "targets", "--trusted-root", "../repository/metadata/1.root.json",
			"--trusted-targets", "../repository/metadata/1.targets.json", "--roster", "../genesis.bundle", "--manifest", "list.jsonl"),
		r.edit("many", r.marked),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// Files that are not held in memory go through the whole ceremony, and clients
// take what comes of it.
func TestManyTargets(t *testing.T) {
	r := manyTargets(t)
	for _, err := range []error{
		r.hold("many", []string{"holder-1", "holder-2"}),
		r.types("stranger", "verify", "../many.bundle", "--trusted-root", "../repository/root.json"),
		r.types("publisher", "publish", "../many.bundle", "../repository", "--online-key", "online.pem"),
		r.types("stranger", "inspect", "../repository/metadata/1.root.json", "../repository/metadata/2.targets.json"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if shown, status, _ := measured(t, r, nil, "verify", "../many.bundle", "--trusted-root", "../repository/root.json"); status != done || !strings.Contains(shown, "go-tuf agrees; it was not asked about 2.targets: files of more than 5,000,000 bytes are too large for it") {
		t.Errorf("exit status %d, %s", status, shown)
	}
	if info, err := os.Stat(filepath.Join(r.dir, "repository", "metadata", "2.targets.json")); err != nil || info.Size() < 8<<20 {
		t.Fatal("the file is one that is held in memory", err)
	}
	file := filepath.Join(r.dir, "repository", "targets", "packages", "000007")
	text := []byte("packages/000007/file-7.tar.gz") // whose SHA-256 is listed, and whose length is not
	if err := durable.Create(filepath.Join(file, fmt.Sprintf("%x.file-7.tar.gz", sha256.Sum256(text))), text); err != nil {
		t.Fatal(err)
	}
	repository := filepath.Join(r.dir, "repository")
	base := serve(t, repository)
	for _, name := range []string{"go-tuf", "python-tuf"} { // tuf-js takes minutes over such a file
		t.Run(name, func(t *testing.T) {
			got, _ := clients[name](t, base, filepath.Join(repository, "root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "out"))
			if want := (versions{1, 2, 2, 2}); got != want {
				t.Errorf("it trusts %+v, and %+v is published", got, want)
			}
		})
	}
}

// A large file whose members are not sorted may be the newest that clients have: it
// is in the way of an older one, and is not passed over.
func TestUnsortedAtSize(t *testing.T) {
	r := manyTargets(t)
	for _, err := range []error{
		r.hold("many", []string{"holder-1", "holder-2"}),
		r.types("publisher", "publish", "../many.bundle", "../repository", "--online-key", "online.pem"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(r.dir, "repository", "metadata", "2.targets.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("packages/000007/file-7.tar.gz")))
	unsorted := bytes.Replace(data, []byte(`{"hashes":{"sha256":"`+sum+`"},"length":7}`), []byte(`{"length":7,"hashes":{"sha256":"`+sum+`"}}`), 1)
	if bytes.Equal(data, unsorted) {
		t.Fatal("the target is not there")
	}
	put(t, file, func(w io.Writer) error { _, err := w.Write(unsorted); return err })
	before := listed(t, filepath.Join(r.dir, "repository"))
	screen, status, _ := measured(t, r, nil, "publish", "../genesis.bundle", "../repository")
	if status != refused || !strings.Contains(screen, "reading metadata/2.targets.json: ") || !strings.Contains(screen, "is out of order") {
		t.Errorf("exit status %d, %s", status, tail(screen))
	}
	if after := listed(t, filepath.Join(r.dir, "repository")); !slices.Equal(before, after) {
		t.Error("the repository has changed")
	}
}

// measured runs the program in a process of its own, with an environment of its
// own besides, and gives what it said, its exit status and its peak memory in MB.
func measured(t *testing.T, r *rehearsal, extra []string, args ...string) (screen string, status int, peak int64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &exec.Cmd{Path: self, Args: append([]string{"ceremony"}, args...), Dir: filepath.Join(r.dir, "coordinator")}
	return ran(t, r, c, extra)
}

func ran(t *testing.T, r *rehearsal, c *exec.Cmd, extra []string) (screen string, status int, peak int64) {
	t.Helper()
	note := filepath.Join(t.TempDir(), "peak")
	c.Env = append(append(os.Environ(), clockVariable+"="+r.now.Format("2006-01-02T15:04:05Z"), peakVariable+"="+note), extra...)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	text, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &peak); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), " "), c.ProcessState.ExitCode(), peak
}

// mostMemory is what the program may take for a file of any size, in MB. A part of
// it is for the plan, whose list of new targets is held whole.
const mostMemory = 150

// What is wrong with a large payload is refused in words that say where, in
// bounded memory, and nothing is written.
func TestFaultsAtSize(t *testing.T) {
	r := manyTargets(t)
	if err := r.types("coordinator", "draft", "many"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(r.dir, "coordinator", "many")
	file := filepath.Join(dir, "payload", "2.targets.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndex(good, []byte(`},"version":2`))
	last := good[bytes.LastIndex(good[:end], []byte(`,"packages/`)):end]
	with := func(custom string) []byte {
		entry := bytes.LastIndex(good[:end], []byte(`{"hashes"`)) + 1
		return slices.Concat(good[:entry], []byte(`"custom":`+custom+`,`), good[entry:])
	}
	const offset = `JSON-STRICT, 2.targets: reading JSON at byte [0-9]+, in [^:]*: .*`
	for _, row := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut short", good[:len(good)-1000], offset},
		{"cut after a whole entry", good[:end], offset + "the end of the object should stand here"},
		{"a duplicate member at the far end", slices.Concat(good[:end], last, good[end:]), offset + "stands twice"},
		{"members out of order at the far end", slices.Concat(good[:end], []byte(`,"a":{}`), good[end:]), offset},
		{"10 levels", with(strings.Repeat(`{"a":`, 10) + "1" + strings.Repeat("}", 10)), "PLAN-MISMATCH, 2.targets: target .* is not as the plan makes it"},
		{"10,000 levels", with(strings.Repeat(`[`, 10_000) + strings.Repeat("]", 10_000)), offset + "100 levels"},
		{"text after the end", slices.Concat(good, []byte("\n")), "JSON-STRICT, 2.targets: reading JSON at byte [0-9]+: text after the end"},
	} {
		t.Run(row.name, func(t *testing.T) {
			refusedAtSize(t, r, file, row.data, row.want)
		})
	}
	t.Run("a byte flipped", func(t *testing.T) {
		at := rand.New(rand.NewPCG(6, 6))
		for range 6 {
			data := bytes.Clone(good)
			i := at.IntN(len(data))
			data[i] ^= 1 << at.IntN(8)
			refusedAtSize(t, r, file, data, `JSON-STRICT|PLAN-MISMATCH|TEXT-UNSAFE`)
		}
	})
	put(t, file, func(w io.Writer) error { _, err := w.Write(good); return err })
	if screen, status, peak := measured(t, r, nil, "review", "many"); status != 0 || peak > mostMemory {
		t.Errorf("the good one: exit status %d, %d MB, %s", status, peak, tail(screen))
	}
}

// refusedAtSize reviews a payload that is not to be approved.
func refusedAtSize(t *testing.T, r *rehearsal, file string, data []byte, want string) {
	t.Helper()
	put(t, file, func(w io.Writer) error { _, err := w.Write(data); return err })
	before := listed(t, r.dir)
	screen, status, peak := measured(t, r, nil, "review", "many")
	if status != refused || !regexp.MustCompile(want).MatchString(screen) {
		t.Errorf("exit status %d, and it says %s", status, tail(screen))
	}
	if peak > mostMemory {
		t.Errorf("it took %d MB", peak)
	}
	if after := listed(t, r.dir); !slices.Equal(before, after) {
		t.Errorf("files before %v, after %v", before, after)
	}
}

// tail is the end of what was said, where what is wrong stands.
func tail(screen string) string { return screen[max(0, len(screen)-1500):] }

func put(t *testing.T, file string, write func(io.Writer) error) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err == nil {
		err = errors.Join(write(f), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listed gives names and sizes.
func listed(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			all = append(all, fmt.Sprint(path, " ", info.Size()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A string of a gigabyte is read up to where it is too long.
func TestGigabyteAtSize(t *testing.T) {
	r := manyTargets(t)
	if err := r.types("coordinator", "draft", "many"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.dir, "coordinator", "many", "payload", "2.targets.json")
	put(t, file, func(w io.Writer) error {
		_, err := io.WriteString(w, `{"_type":"targets","expires":"`)
		for part := bytes.Repeat([]byte("a"), 1<<20); err == nil && part != nil; {
			for range 1 << 10 {
				if _, err = w.Write(part); err != nil {
					return err
				}
			}
			part = nil
		}
		return err
	})
	screen, status, peak := measured(t, r, nil, "review", "many")
	if status != refused || !strings.Contains(screen, "JSON-STRICT, 2.targets: ") || !regexp.MustCompile(`at byte 19, in expires: .*more than 1048576 bytes`).MatchString(screen) || peak > mostMemory {
		t.Errorf("exit status %d, %d MB, %s", status, peak, tail(screen))
	}
}

// A disk that fills, whether the medium or that of this machine, is said in words,
// and leaves nothing half-written; with room the same command completes.
func TestFullDiskAtSize(t *testing.T) {
	if exec.Command("unshare", "-rm", "true").Run() != nil {
		t.Skip("no file system can be mounted here: the machine has no user namespaces")
	}
	r := manyTargets(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(r.dir, "coordinator")
	full := func(script string) (string, int) {
		// The program goes by its name in the tests.
		c := exec.Command("unshare", "-rm", "bash", "-c", script, "-", self)
		c.Dir = dir
		screen, status, _ := ran(t, r, c, nil)
		return screen, status
	}
	mount := t.TempDir()
	screen, status := full("mount -t tmpfs -o size=10m none " + mount + " && TMPDIR=" + mount + " && export TMPDIR && exec -a ceremony $1 draft many")
	if status != refused || !strings.Contains(screen, "making room for a large file in") || !strings.Contains(screen, "no space left on device") {
		t.Errorf("this machine's disk: exit status %d, %s", status, screen)
	}
	if _, err := os.Stat(filepath.Join(dir, "many", "payload")); err == nil {
		t.Error("a payload was written")
	}
	screen, status = full("mount -t tmpfs -o size=14m none " + mount + " && cp -r many " + mount + "/many && (exec -a ceremony $1 draft " + mount + "/many); status=$?; find " + mount + "/many -type f -name '*2.targets*' | sed 's/^/left: /'; exit $status")
	if status != refused || !regexp.MustCompile(`writing ".*payload/.*no space left on device`).MatchString(screen) || strings.Contains(screen, "left: ") {
		t.Errorf("the medium: exit status %d, %s", status, screen)
	}
	if err := r.types("coordinator", "draft", "many"); err != nil {
		t.Error(err)
	}
}
