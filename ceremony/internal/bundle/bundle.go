// Package bundle makes one deterministic file of a verified ceremony, and
// reads it back.
//
//	err := bundle.Write(w, verified)
//	files, err := bundle.Decode(data)    // then verify.Files
//
// A bundle is a POSIX tar (ustar) of the ceremony folder's files, sorted, with
// nothing in the headers that could differ, behind a file MANIFEST in the
// form of sha256sum. So tar and sha256sum are enough to look inside.
//
// Decode accepts exactly what Write writes: it packs again what it read and
// compares the bytes. It says nothing about what the files are worth.
package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

const manifest = "MANIFEST"

// parts are the files and folders that a bundle has.
var parts = []string{folder.Destroyed, folder.External, folder.Keys, folder.Lists, folder.Metadata, folder.Plan, folder.Record, folder.Signatures, folder.Trusted}

// Write writes the bundle of a verified ceremony.
func Write(w io.Writer, v verify.Verified) error {
	facts, ok := v.Facts()
	if !ok {
		return errors.New("writing a bundle: nothing has been verified")
	}
	return pack(w, facts.Files)
}

func pack(w io.Writer, files folder.Files) error {
	var list bytes.Buffer
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if !allowed(name) {
			return fmt.Errorf("writing a bundle: \"%s\" is no name of a file in a bundle", tufmeta.Printable(name))
		}
		fmt.Fprintf(&list, "%s  %s\n", tufmeta.Digest(files[name]), name)
	}
	if err := add(w, manifest, list.Bytes()); err != nil {
		return err
	}
	for _, name := range names {
		if err := add(w, name, files[name]); err != nil {
			return err
		}
	}
	if err := tar.NewWriter(w).Close(); err != nil {
		return fmt.Errorf("writing a bundle: %w", err)
	}
	return nil
}

// add writes a header of its own for each file, so that what is compared with a
// bundle can skip the large files that were taken from that very bundle.
func add(w io.Writer, name string, data []byte) error {
	t := tar.NewWriter(w)
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o644, Format: tar.FormatUSTAR}
	if err := t.WriteHeader(h); err != nil {
		return fmt.Errorf("writing %q into a bundle: %w", name, err)
	}
	if c, ok := w.(*spool.Comparison); !ok || !c.Skip(data) {
		if _, err := io.CopyBuffer(w, spool.NewReader(data), make([]byte, min(len(data)+1, buffer))); err != nil {
			return fmt.Errorf("writing %q into a bundle: %w", name, err)
		}
	}
	if _, err := w.Write(make([]byte, -len(data)&(block-1))); err != nil {
		return fmt.Errorf("writing %q into a bundle: %w", name, err)
	}
	return nil
}

// A tar file is made of blocks, which the end of each file fills up, and read and
// written in larger parts. Both in bytes.
const (
	block  = 512
	buffer = 256 << 10
)

// Decode reads a bundle. A file that was cut short, altered or added to is
// refused.
func Decode(data []byte) (folder.Files, error) {
	files, list, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	digests(files)
	for _, line := range strings.Split(strings.TrimSuffix(string(list), "\n"), "\n") {
		digest, name, _ := strings.Cut(line, "  ")
		if content, ok := files[name]; !ok || tufmeta.Digest(content) != digest {
			return nil, fmt.Errorf("reading the bundle: \"%s\" is not the file that the manifest lists: the bundle was altered", tufmeta.Printable(name))
		}
	}
	c := spool.NewComparison(data)
	if err := pack(c, files); err != nil {
		return nil, err
	}
	if !c.Same() {
		return nil, errors.New("reading the bundle: its bytes are not those that its content makes: the bundle was altered")
	}
	return files, nil
}

// digests hashes what is large, each on a processor of its own; it is remembered.
func digests(files folder.Files) {
	var all sync.WaitGroup
	for _, data := range files {
		if len(data) > spool.Held {
			all.Go(func() { tufmeta.Digest(data) })
		}
	}
	all.Wait()
}

func unpack(data []byte) (folder.Files, []byte, error) {
	files := folder.Files{}
	var list []byte
	var unpacked int64
	source := spool.NewReader(data)
	r := tar.NewReader(source)
	for {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && list != nil:
			return files, list, nil
		case errors.Is(err, io.EOF), errors.Is(err, tar.ErrHeader):
			return nil, nil, errors.New("it is not a bundle, or it was altered")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, nil, errors.New("it is cut short")
		case err != nil:
			return nil, nil, err
		}
		if unpacked += h.Size; unpacked > int64(len(data)) { // a sparse file: zeros without end, out of a few bytes
			return nil, nil, errors.New("it is not a bundle, or it was altered")
		}
		if h.Typeflag != tar.TypeReg || h.Size > int64(len(data)) {
			// A sparse file is a few bytes that unpack to any number of zeros.
			return nil, nil, fmt.Errorf("\"%s\" is no plain file", tufmeta.Printable(h.Name))
		}
		content, err := content(data, source, r, h.Size)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, nil, errors.New("it is cut short")
		case err != nil:
			return nil, nil, err
		case h.Name == manifest && list == nil:
			list = append([]byte{}, content...)
		case !allowed(h.Name):
			return nil, nil, fmt.Errorf("\"%s\" is no name of a file in a bundle", tufmeta.Printable(h.Name))
		default:
			files[h.Name] = content
		}
	}
}

// content gives the bytes of an entry: a large one's are those of the bundle.
func content(data []byte, source io.Seeker, r io.Reader, size int64) ([]byte, error) {
	at, err := source.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	if size <= spool.Held {
		return io.ReadAll(r)
	}
	if at+size > int64(len(data)) {
		return nil, io.ErrUnexpectedEOF
	}
	return data[at : at+size : at+size], nil
}

func allowed(name string) bool {
	elements := strings.Split(name, "/")
	if !slices.Contains(parts, elements[0]) || len(elements) > 3 || (len(elements) == 1) != (elements[0] == folder.Plan) {
		return false
	}
	return !slices.ContainsFunc(elements, func(e string) bool { return !folder.SafeName(e) })
}
