// Package bundle makes one deterministic file of a verified ceremony, and
// reads it back.
//
//	data, err := bundle.Encode(verified)
//	files, err := bundle.Decode(data)    // then verify.Files
//
// A bundle is a POSIX tar (ustar) of the ceremony folder's files, sorted, with
// nothing in the headers that could differ, behind a file MANIFEST in the
// form of sha256sum. So tar and sha256sum are enough to look inside.
//
// Decode accepts exactly what Encode writes: it encodes what it read and
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

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

const manifest = "MANIFEST"

// parts are the files and folders that a bundle has.
var parts = []string{folder.Destroyed, folder.External, folder.Keys, folder.Lists, folder.Metadata, folder.Plan, folder.Record, folder.Signatures, folder.Trusted}

// Encode gives the bytes of the bundle of a verified ceremony.
func Encode(v verify.Verified) ([]byte, error) {
	facts, ok := v.Facts()
	if !ok {
		return nil, errors.New("writing a bundle: nothing has been verified")
	}
	return encode(facts.Files)
}

func encode(files folder.Files) ([]byte, error) {
	return spool.Create(func(w io.Writer) error { return pack(w, files) })
}

func pack(out io.Writer, files folder.Files) error {
	var list bytes.Buffer
	w := tar.NewWriter(out)
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		fmt.Fprintf(&list, "%s  %s\n", tufmeta.Digest(files[name]), name)
	}
	if err := add(w, manifest, list.Bytes()); err != nil {
		return err
	}
	for _, name := range names {
		if !allowed(name) {
			return fmt.Errorf("writing a bundle: \"%s\" is no name of a file in a bundle", tufmeta.Printable(name))
		}
		if err := add(w, name, files[name]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("writing a bundle: %w", err)
	}
	return nil
}

func add(w *tar.Writer, name string, data []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o644, Format: tar.FormatUSTAR}
	if err := w.WriteHeader(h); err != nil {
		return fmt.Errorf("writing %q into a bundle: %w", name, err)
	}
	if _, err := io.Copy(w, spool.NewReader(data)); err != nil {
		return fmt.Errorf("writing %q into a bundle: %w", name, err)
	}
	return nil
}

// Decode reads a bundle. A file that was cut short, altered or added to is
// refused.
func Decode(data []byte) (folder.Files, error) {
	files, list, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(list), "\n"), "\n") {
		digest, name, _ := strings.Cut(line, "  ")
		if content, ok := files[name]; !ok || tufmeta.Digest(content) != digest {
			return nil, fmt.Errorf("reading the bundle: \"%s\" is not the file that the manifest lists: the bundle was altered", tufmeta.Printable(name))
		}
	}
	same, err := packsTo(files, data)
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, errors.New("reading the bundle: its bytes are not those that its content makes: the bundle was altered")
	}
	return files, nil
}

// packsTo reports whether files make these bytes.
func packsTo(files folder.Files, data []byte) (bool, error) {
	c := &comparison{with: spool.NewReader(data), same: true}
	if err := pack(c, files); err != nil {
		return false, err
	}
	rest, err := c.with.Read(make([]byte, 1))
	return c.same && rest == 0 && err == io.EOF, nil
}

// comparison compares what is written with what is read.
type comparison struct {
	with io.Reader
	buf  [4096]byte
	same bool
}

func (c *comparison) Write(p []byte) (int, error) {
	for rest := p; c.same && len(rest) > 0; {
		n, err := io.ReadFull(c.with, c.buf[:min(len(rest), len(c.buf))])
		c.same = err == nil && bytes.Equal(c.buf[:n], rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
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
