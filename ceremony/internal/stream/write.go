package stream

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"

	"tufceremony/ceremony/internal/tufmeta"
)

// Writer writes a payload entry by entry. The entries must come as a Scanner
// gives them, and values be canonical.
type Writer struct {
	out    *bufio.Writer
	sum    hash.Hash
	levels []level // Signed, and the places in it that are open
	err    error
}

type level struct {
	place Place
	begun bool   // something stands in it
	last  []byte // the name that stands last in it
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	sum := sha256.New()
	p := &Writer{out: bufio.NewWriterSize(io.MultiWriter(w, sum), chunkSize), sum: sum}
	p.out.WriteByte('{') // errors of a bufio.Writer stay with it
	p.levels = append(p.levels, level{place: Signed})
	return p
}

// Put writes an entry. Where it stands in a place that is not open, that is
// opened.
func (w *Writer) Put(e Entry) error {
	if e.Value != nil && w.err == nil {
		w.err = check(e, len(w.levels))
	}
	return w.copy(e)
}

// copy writes an entry whose value is known to be canonical.
func (w *Writer) copy(e Entry) error {
	if w.err == nil {
		w.err = w.put(e)
	}
	return w.err
}

func (w *Writer) put(e Entry) error {
	if opened, ok := e.Opens(); ok {
		return w.enter(opened)
	}
	if err := w.enter(e.In); err != nil {
		return err
	}
	if err := w.name(e.Name); err != nil {
		return err
	}
	if _, err := w.out.Write(e.Value); err != nil {
		return fmt.Errorf("writing metadata: %w", err)
	}
	return nil
}

// name writes what comes before a value: the comma, and the member's name,
// which must come after the one before it.
func (w *Writer) name(name []byte) error {
	l := &w.levels[len(w.levels)-1]
	if l.begun {
		w.out.WriteByte(',')
	}
	if l.place == Roles {
		l.begun = true
		return nil
	}
	if l.begun && bytes.Compare(l.last, name) >= 0 {
		return fmt.Errorf("writing metadata: \"%s\" in %s comes after \"%s\", and names must ascend", tufmeta.Printable(shown(name)), l.place, tufmeta.Printable(shown(l.last)))
	}
	l.begun, l.last = true, append(l.last[:0], name...)
	w.out.WriteByte('"')
	for rest := name; len(rest) > 0; {
		n := bytes.IndexAny(rest, `"\`) // an escape is two bytes, of which the second is the character
		if n < 0 {
			n = len(rest)
		}
		w.out.Write(rest[:n])
		if n < len(rest) {
			w.out.Write([]byte{'\\', rest[n]})
			n++
		}
		rest = rest[n:]
	}
	_, err := w.out.WriteString(`":`)
	return err
}

// enter closes and opens what must be for a place to be the innermost.
func (w *Writer) enter(place Place) error {
	if w.levels[len(w.levels)-1].place == place {
		return nil
	}
	if above, _ := place.within(); above != outer && !w.isOpen(place) {
		if err := w.enter(above); err != nil {
			return err
		}
		_, name := place.within()
		if err := w.name([]byte(name)); err != nil {
			return err
		}
		begin, _ := place.frame()
		w.levels = append(w.levels, level{place: place})
		return w.out.WriteByte(begin)
	}
	for w.levels[len(w.levels)-1].place != place {
		if len(w.levels) == 1 {
			return fmt.Errorf("writing metadata: there is no %s", place)
		}
		w.leave()
	}
	return nil
}

func (w *Writer) isOpen(place Place) bool {
	for _, l := range w.levels {
		if l.place == place {
			return true
		}
	}
	return false
}

func (w *Writer) leave() {
	_, end := w.levels[len(w.levels)-1].place.frame()
	w.out.WriteByte(end)
	w.levels = w.levels[:len(w.levels)-1]
}

// Close writes the end, and gives the SHA-256 of all that was written, in hex.
// It does not close what it writes to.
func (w *Writer) Close() (string, error) {
	if w.err != nil {
		return "", w.err
	}
	for len(w.levels) > 0 {
		w.leave()
	}
	if err := w.out.Flush(); err != nil {
		return "", fmt.Errorf("writing metadata: %w", err)
	}
	w.err = errors.New("writing metadata: it was written to its end already")
	return hex.EncodeToString(w.sum.Sum(nil)), nil
}

// check holds an entry to what a Scanner would read.
func check(e Entry, depth int) error {
	name := tufmeta.Printable(shown(e.Name))
	if !utf8.Valid(e.Name) {
		return fmt.Errorf("writing metadata: name \"%s\" in %s is not valid UTF-8", name, e.In)
	}
	if len(e.Name)+len(e.Value) > MaxEntry {
		return fmt.Errorf("writing metadata: \"%s\" in %s has more than %d bytes, the most that is read as one entry", name, e.In, MaxEntry)
	}
	s := window{buf: e.Value}
	err := s.value(depth)
	if err == nil && s.r != len(e.Value) {
		err = s.fail("text after the end of the value")
	}
	if err != nil {
		return fmt.Errorf("writing \"%s\" in %s: %w", name, e.In, err)
	}
	return nil
}
