// Package durable writes files so that a power cut, a full disk or a kill
// leaves the state before or the state after, never something between.
//
//	err := durable.Create("payload/2.root.json", data)  // must not exist
//	err := durable.Replace("metadata/timestamp.json", data)
//	err := durable.CreateBy("payload/3.targets.json", func(w io.Writer) error { ... }) // one too large for memory
//
// A file is written under a temporary name in the same folder, flushed,
// renamed, and the folder flushed. The temporary name is fixed, so what a
// killed process left is taken over by the next one that writes the same file.
//
// It will not overwrite: Create refuses a name that is taken, and Replace is
// for the few files whose name is fixed by somebody else. It uses no links and
// no permissions, since the folder lies on FAT.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tufceremony/ceremony/internal/spool"
)

// partial marks the temporary name of a file that is being written.
const partial = ".partial"

// IsPartial reports whether a name is that of a file which a killed process
// left behind. Readers skip such files.
func IsPartial(name string) bool { return strings.HasSuffix(name, partial) }

// Step, where a test sets it, is called before each act that changes the disk,
// with its name and the path. The test ends the process in it.
var Step = func(act, path string) {}

// Create writes a new file. Where the name is taken the error is fs.ErrExist
// and the disk is as it was.
func Create(path string, data []byte) error {
	return CreateBy(path, inHalves(data))
}

// CreateBy writes a new file as Create does, from what fill writes. Where that
// ends in an error, no file appears.
func CreateBy(path string, fill func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("writing %q: %w", path, fs.ErrExist)
	}
	return write(path, fill, renameNew)
}

// Ensure writes a new file, or finds it there with the very same content, as
// it is when a killed command runs again. It reports whether it wrote.
func Ensure(path string, data []byte) (bool, error) { return EnsureBy(path, inHalves(data)) }

// EnsureBy does so with what fill writes, which must be the same each time.
func EnsureBy(path string, fill func(io.Writer) error) (bool, error) {
	switch same, err := spool.MatchesBy(path, fill); {
	case err == nil && same:
		return false, nil
	case err == nil:
		return false, fmt.Errorf("writing %q: %w with other content", path, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("writing %q: %w", path, err)
	}
	err := CreateBy(path, fill)
	return err == nil, err
}

// Replace writes a file in the place of the one that has its name, if any.
func Replace(path string, data []byte) error { return write(path, inHalves(data), os.Rename) }

// Remove takes a file away that said too much, for good.
func Remove(path string) error {
	Step("remove", path)
	err := os.Remove(path)
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("removing %q: %w", path, err)
	}
	return nil
}

// Writable tries whether files can be made in a folder, and leaves none: before
// something is done that cannot be done twice for nothing.
func Writable(dir string) error {
	probe := filepath.Join(dir, ".probe"+partial)
	if err := os.Remove(probe); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing into %q: %w", dir, err)
	}
	err := create(probe, inHalves(make([]byte, 4096)))
	if gone := os.Remove(probe); err == nil && gone != nil {
		err = gone
	}
	if err != nil {
		return fmt.Errorf("writing into %q: %w", dir, err)
	}
	return nil
}

func write(path string, fill func(io.Writer) error, rename func(from, to string) error) error {
	dir, name := filepath.Split(path)
	temporary := filepath.Join(dir, "."+name+partial)
	Step("create", path)
	if err := makeFolder(filepath.Clean(dir + ".")); err != nil {
		return fmt.Errorf("making the folder of %q: %w", path, err)
	}
	if _, err := os.Lstat(temporary); err == nil { // a read-only disk refuses to remove what is not there
		if err := os.Remove(temporary); err != nil {
			return fmt.Errorf("removing what an earlier run left of %q: %w", path, err)
		}
	}
	if err := create(temporary, fill); err != nil {
		os.Remove(temporary)
		return fmt.Errorf("writing %q: %w", path, err)
	}
	Step("rename", path)
	if err := rename(temporary, path); err != nil {
		os.Remove(temporary)
		return fmt.Errorf("writing %q: %w", path, err)
	}
	Step("flush", path)
	if err := syncFolder(filepath.Clean(dir + ".")); err != nil {
		return fmt.Errorf("flushing the folder of %q: %w", path, err)
	}
	return nil
}

// makeFolder makes a folder and those above it, each of which must know of it
// after a power cut.
func makeFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if err := makeFolder(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(above)
}

func create(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err = fill(&stepping{File: f}); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// stepping is a file, with a Step after the first part of it was written.
type stepping struct {
	*os.File
	stepped bool
}

func (s *stepping) Write(data []byte) (int, error) {
	n, err := s.File.Write(data)
	if err == nil && !s.stepped {
		s.stepped = true
		Step("write", s.Name())
	}
	return n, err
}

// inHalves writes data that is there, so that there is a step in the middle.
func inHalves(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		half := len(data) / 2
		for _, part := range [][]byte{data[:half], data[half:]} {
			if _, err := io.Copy(w, spool.NewReader(part)); err != nil {
				return err
			}
		}
		return nil
	}
}
