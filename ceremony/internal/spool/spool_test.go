package spool

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// content is not the same in any two chunks.
func content(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return data
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	for _, size := range []int{0, 1, Held, Held + 1, Held + 5*chunk + 7} {
		want := content(size)
		path := write(t, want)
		got, err := ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %v, or they differ", size, err)
		}
		sum := sha256.Sum256(want)
		for range 2 { // the second time it is remembered
			if !bytes.Equal(Sum(crypto.SHA256, got), sum[:]) {
				t.Errorf("%d bytes: another digest", size)
			}
		}
		if bytes.Equal(Sum(crypto.SHA384, got), sum[:]) || len(Sum(crypto.SHA384, got)) != 48 {
			t.Errorf("%d bytes: one hash for another", size)
		}
		read, err := io.ReadAll(NewReader(got))
		if err != nil || !bytes.Equal(read, want) {
			t.Errorf("%d bytes: the reader gives others: %v", size, err)
		}
		if _, large := Identify(got); large != (size > Held && runtime.GOOS == "linux") {
			t.Errorf("%d bytes: large is %v", size, large)
		}
	}
}

// What happens on the medium afterwards changes nothing.
func TestReadOnce(t *testing.T) {
	want := content(Held + chunk)
	path := write(t, want)
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), len(want)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 10); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || !Equal(got, want) {
		t.Error("what was read has changed with the file")
	}
}

// Of two who have read a file and disagree, the second is told.
func TestAgree(t *testing.T) {
	whole := content(Held + 3*chunk)
	data, err := ReadFile(write(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{data, data[:Held+1], data[7:], whole[:100]} {
		sum := sha256.Sum256(part)
		other := sha256.Sum256(part[1:])
		for range 2 { // the second time it is remembered
			if !Agree(crypto.SHA256, part, sum[:]) || Agree(crypto.SHA256, part, other[:]) {
				t.Errorf("%d bytes: an agreement that is none, or the other way round", len(part))
			}
		}
		if !bytes.Equal(Sum(crypto.SHA256, part), sum[:]) {
			t.Errorf("%d bytes: another digest", len(part))
		}
	}
}

// A part of a large file is hashed and read as a part.
func TestParts(t *testing.T) {
	whole := content(Held + 3*chunk)
	got, err := ReadFile(write(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	Sum(crypto.SHA256, got)
	part, want := got[1000:len(got)-1000], whole[1000:len(whole)-1000]
	sum := sha256.Sum256(want)
	if !bytes.Equal(Sum(crypto.SHA256, part), sum[:]) {
		t.Error("another digest")
	}
	read, err := io.ReadAll(NewReader(part))
	if err != nil || !bytes.Equal(read, want) {
		t.Error("the reader gives others", err)
	}
	if !Equal(part, want) || !Equal(want, part) || !Equal(part, part) || Equal(part, got[999:len(got)-1001]) || Equal(part, part[1:]) {
		t.Error("parts are compared wrongly")
	}
	a, _ := Identify(part)
	b, _ := Identify(got[1000 : len(got)-1000])
	c, _ := Identify(got)
	if a != b || a == c && runtime.GOOS == "linux" {
		t.Error("parts are known wrongly")
	}
}

func TestCreate(t *testing.T) {
	want := content(Held + 2*chunk)
	got, err := Create(func(w io.Writer) error {
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 100_000)
			if _, err := w.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
	if err != nil || !bytes.Equal(got, want) || !Equal(Clone(got), want) {
		t.Fatal(err, "or the bytes differ")
	}
	wrong := errors.New("wrong")
	if _, err := Create(func(w io.Writer) error { w.Write(want); return wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
}

// Where there is no room, that is said in words.
func TestNoRoom(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("large files are held in memory here")
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
	_, err := ReadFile(write(t, content(Held+1)))
	if err == nil || !strings.Contains(err.Error(), "making room for a large file in") {
		t.Error(err)
	}
}

// Nothing is left in the folder for temporary files.
func TestNothingLeft(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if _, err := Create(func(w io.Writer) error { _, err := w.Write(content(Held + 1)); return err }); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// Whoever watches is told of each part, up to the end, of large files alone.
func TestWatch(t *testing.T) {
	defer watcher.Store(nil)
	small, large := write(t, content(Held)), write(t, content(Held+3*chunk))
	var told []int64
	Watch(func(done, size int64) {
		if size != Held+3*chunk {
			t.Errorf("told of a file of %d bytes", size)
		}
		told = append(told, done)
	})
	if _, err := ReadFile(small); err != nil || len(told) > 0 {
		t.Error(err, told)
	}
	data, err := ReadFile(large)
	if err != nil || len(told) < 3 || !slices.IsSorted(told) || told[len(told)-1] != Held+3*chunk {
		t.Error(err, told)
	}
	told = nil
	Sum(crypto.SHA384, data)
	if runtime.GOOS == "linux" && (len(told) < 3 || told[len(told)-1] != Held+3*chunk) {
		t.Error(told)
	}
}

// A folder in which files can be made and not removed is no place: the error says so.
func TestNoRemoval(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("chattr", "+a", dir).CombinedOutput(); err != nil {
		t.Skipf("a folder that only grows cannot be made here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if err := exec.Command("chattr", "-a", dir).Run(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", dir)
	w := &Writer{}
	for range 2 {
		if _, err := w.Write(content(Held + 1)); err == nil || !strings.Contains(err.Error(), "making room for a large file in") {
			t.Error(err)
		}
	}
	w.Abandon()
}
