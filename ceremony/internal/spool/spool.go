// Package spool keeps large files out of memory without reading them twice.
//
//	data, err := spool.ReadFile("payload/4.targets.json")
//	digest := spool.Sum(crypto.SHA256, data)
//	io.Copy(w, spool.NewReader(data))
//	made, err := spool.Create(func(w io.Writer) error { ... }) // what a program writes itself
//
// The medium that a ceremony lies on can be pulled out, or answer differently
// when it is asked again. So every file is read once, whatever its size: up to
// Held bytes into memory, and a larger one into a file of this process that has
// no name any more, in the system's folder for such (TMPDIR). Either way what is
// reviewed and what is signed are the same bytes. The large ones are seen through
// a mapping, so that they are a []byte like the others; whoever goes through all
// of one does so with NewReader, Sum or Equal, which take no memory.
//
// It maps on Linux only; elsewhere all is held in memory. What it maps stays until
// the process ends. Nobody may write to what it returns.
package spool

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"os"
)

// Held is the size, in bytes, up to which a file is held in memory.
const Held = 1 << 20

// ReadFile reads a file once and whole.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() <= Held {
		return io.ReadAll(f)
	}
	return Create(func(w io.Writer) error {
		_, err := io.CopyBuffer(w, watch(f, info.Size()), make([]byte, chunk))
		return err
	})
}

// Create gives what write has written. An error of write is returned as it is;
// others say where there was no room.
func Create(write func(io.Writer) error) ([]byte, error) {
	w := &Writer{}
	if err := write(w); err != nil {
		w.Abandon()
		return nil, err
	}
	return w.Bytes()
}

// Writer holds what is written, and makes a file of it where it is large.
type Writer struct {
	held bytes.Buffer
	file *os.File
	size int64
	sum  *Hash
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.file == nil && w.held.Len()+len(p) > Held {
		if err := w.spill(); err != nil {
			return 0, fmt.Errorf("making room for a large file in %q: %w", os.TempDir(), err)
		}
	}
	if w.file == nil {
		return w.held.Write(p)
	}
	w.sum.Write(p)
	n, err := w.file.Write(p)
	w.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("making room for a large file in %q: %w", os.TempDir(), err)
	}
	return n, nil
}

// Bytes gives what was written, and ends the writing.
func (w *Writer) Bytes() ([]byte, error) {
	if w.file == nil {
		return w.held.Bytes(), nil
	}
	data, err := w.mapped()
	if err != nil {
		w.Abandon()
		return nil, fmt.Errorf("reading a large file: %w", err)
	}
	return data, nil
}

// Abandon gives up what was written, if anything was.
func (w *Writer) Abandon() {
	if w != nil && w.file != nil {
		w.sum.Sum()
		w.file.Close()
	}
}

// NewReader reads data from its beginning.
func NewReader(data []byte) io.ReadSeeker {
	if m, at := find(data); m != nil {
		return m.reader(at, int64(len(data)))
	}
	return bytes.NewReader(data)
}

// Sum hashes data; of a large file it remembers the result.
func Sum(hash crypto.Hash, data []byte) []byte {
	m, at := find(data)
	if m == nil {
		h := hash.New()
		h.Write(data)
		return h.Sum(nil)
	}
	return m.sum(hash, data, at)
}

// Agree remembers how somebody who has read a large file has hashed it, so that it
// is not read for that again. It reports whether that is how it was hashed before,
// if it was: a disk may answer differently when it is asked again.
func Agree(hash crypto.Hash, data, sum []byte) bool {
	if m, at := find(data); m != nil {
		return m.agree(part{hash, at, at + int64(len(data))}, sum)
	}
	return bytes.Equal(Sum(hash, data), sum)
}

// chunk is how much is read at a time, in bytes.
const chunk = 256 << 10

// Clone gives bytes that nobody can change any more: of a large file these are
// its own.
func Clone(data []byte) []byte {
	if m, _ := find(data); m != nil {
		return data
	}
	return bytes.Clone(data)
}

// ID is the identity of a large file, or of a part of one.
type ID struct {
	file     *mapping
	from, to int64
}

// Identify tells one large file from another, for those who remember what they
// have read in it; false says that data is no large file.
func Identify(data []byte) (ID, bool) {
	m, at := find(data)
	if m == nil {
		return ID{}, false
	}
	return ID{m, at, at + int64(len(data))}, true
}
