package stream

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"tufceremony/ceremony/internal/tufmeta"
)

// Entry is one thing that the metadata says. Name and Value are valid until
// the next call of Next.
type Entry struct {
	In    Place
	Name  []byte // as it reads, without escapes; nil in Roles
	Value []byte // canonical bytes; nil for what opens a place, whose entries follow
	At    int64  // where it begins in the file

	common bool // a target of the form that all but few have, which ParseTarget takes
}

// Opens gives the place whose entries follow, for an entry that opens one.
func (e Entry) Opens() (Place, bool) {
	for _, m := range e.In.members() {
		if e.Value == nil && m.name == string(e.Name) && m.opens != e.In {
			return m.opens, true
		}
	}
	return 0, false
}

// frame is an object or array whose members are entries.
type frame struct {
	place Place
	empty bool // nothing of it was read yet
}

// Scanner reads a file entry by entry. It is at the end when Next says so, and
// only then Err and Digest have something to say.
type Scanner struct {
	window
	source io.Reader
	tee    tee
	head   *reading // what the pass makes besides, or nil
	size   int      // of a chunk
	around int      // levels of nesting around what is read
	frames []frame
	entry  Entry
	raw    raw // the entry, where another scanner may follow
	counts [places]int
	signed int64 // where the signed part begins in the file
	fault  error
	ended  bool

	signatures []tufmeta.Signature
	seen       map[string]bool // members of the envelope
	fields     map[string][]byte
}

// Payload reads a payload file, which must be canonical to the byte.
func Payload(r io.Reader) *Scanner { return newScanner(r, Signed, chunkSize) }

func newScanner(r io.Reader, place Place, size int) *Scanner {
	s := &Scanner{source: r, size: size, seen: map[string]bool{}, fields: map[string][]byte{}}
	if place == outer {
		s.published, s.below = true, ' '*each
	}
	s.frames = append(s.frames, frame{place: place, empty: true})
	return s
}

// Tee has w written the canonical bytes of the signed part, in order, beside
// the pass: another hash, or a copy. It must be called before Next.
func (s *Scanner) Tee(w io.Writer) { s.tee = writing{w} }

type writing struct{ io.Writer }

func (w writing) take(canonical []byte, _ bool) error {
	_, err := w.Write(canonical)
	return err
}

// Next goes on to the next entry, and reports whether there is one.
func (s *Scanner) Next() bool {
	if s.ended {
		return false
	}
	if s.pipe == nil {
		s.pipe = newPipe(s.source, s.tee, s.size)
		s.fault = s.begin()
	}
	if s.fault == nil {
		s.fault = s.next()
	}
	if s.fault == nil && !s.ended && s.head != nil {
		s.fault = s.head.take(s.entry)
	}
	if s.fault != nil || s.ended {
		s.end()
	}
	return !s.ended
}

// Entry is what Next has read.
func (s *Scanner) Entry() Entry { return s.entry }

// Err is why the file was refused, or nil where it was read to its end.
func (s *Scanner) Err() error {
	if !s.ended {
		return errors.New("reading metadata: it was not read to its end") // a mistake in the program, which must not pass for success
	}
	return s.fault
}

// Close ends a pass before its end. Closing after the end does nothing.
func (s *Scanner) Close() {
	if s.ended {
		return
	}
	s.fault = errors.New("reading metadata: it was closed before its end")
	s.end()
}

func (s *Scanner) end() {
	s.ended = true
	s.entry = Entry{}
	if s.pipe == nil {
		return
	}
	s.handOver(true)
	s.pipe.end()
	if s.fault == nil {
		s.fault = s.pipe.wrong
	}
	if s.head != nil {
		s.fault = s.head.end(s.fault)
	}
}

// Digest is the SHA-256 of the canonical bytes in hex, and nothing where they
// were not read to their end.
func (s *Scanner) Digest() string {
	if s.Err() != nil {
		return ""
	}
	return hex.EncodeToString(s.pipe.sum.Sum(nil))
}

// Size is the number of canonical bytes.
func (s *Scanner) Size() int64 {
	if s.Err() != nil {
		return 0
	}
	return s.pipe.size
}

// Count is how many entries a place had so far.
func (s *Scanner) Count(p Place) int { return s.counts[p] }

// Signatures are those of a published file, once it was read to its end.
func (s *Scanner) Signatures() []tufmeta.Signature { return s.signatures }

// Common gives the fields that every role has, once all was read.
func (s *Scanner) Common() (tufmeta.Common, error) {
	if err := s.Err(); err != nil {
		return tufmeta.Common{}, err
	}
	return tufmeta.ParseCommon(s.small())
}

// small gives the fields of Common as tufmeta reads them.
func (s *Scanner) small() map[string]any {
	signed := map[string]any{}
	for name, raw := range s.fields {
		signed[name], _ = tufmeta.ParseCanonical(raw) // it was canonical when it was read
	}
	return signed
}

// begin opens the outermost object.
func (s *Scanner) begin() error {
	if s.frames[0].place == Signed {
		s.hash()
	}
	return s.open()
}

// hash has everything from here on hashed.
func (s *Scanner) hash() {
	s.flush()
	s.signed = s.offset()
	s.from, s.hashing = s.w, true
}

// open reads the first byte of an object or array that has entries.
func (s *Scanner) open() error {
	place := s.frames[len(s.frames)-1].place
	begin, _ := place.frame()
	if s.token() == begin {
		s.r++
		return nil
	}
	if err := s.value(s.around + len(s.frames) - 1); err != nil {
		return err
	}
	if place == Roles {
		return fmt.Errorf("reading metadata: %s is not an array", place)
	}
	return fmt.Errorf("reading metadata: %s is not an object", place)
}

func (s *Scanner) next() error {
	for len(s.frames) > 0 {
		s.flush()
		s.keep, s.began = s.w, s.offset()
		f := &s.frames[len(s.frames)-1]
		_, end := f.place.frame()
		switch c := s.token(); {
		case f.empty && c != end:
		case c == end:
			s.r++
			s.leave()
			continue
		case c == ',' && !f.empty:
			s.r++
		case f.place == Roles:
			return s.fail("a comma or the end of the array should stand here")
		default:
			return s.fail("a comma or the end of the object should stand here")
		}
		first := f.empty
		f.empty = false
		if found, err := s.read(f.place, first); found || err != nil {
			return err
		}
	}
	return s.finish()
}

// leave closes the innermost object or array.
func (s *Scanner) leave() {
	f := s.frames[len(s.frames)-1]
	s.frames = s.frames[:len(s.frames)-1]
	if f.place == Signed {
		s.flush()
		s.handOver(false)
		s.hashing = false
	}
	if len(s.frames) > 0 {
		s.depth--
	}
}

// finish sees to it that nothing follows.
func (s *Scanner) finish() error {
	if s.token(); !s.atEnd() {
		return s.fail("text after the end of the value")
	}
	if s.err != nil {
		return s.err
	}
	s.ended = true
	if s.published && !s.seen["signed"] {
		return errors.New("reading metadata: signed is not an object")
	}
	if s.published && !s.seen["signatures"] {
		return errors.New("reading metadata: signatures is not an array")
	}
	return nil
}

// read takes in the next member or element of a place. It finds none where the
// member opens another place that has no entry to stand for it.
func (s *Scanner) read(place Place, first bool) (bool, error) {
	s.token()
	s.flush()
	s.keep, s.began = s.w, s.offset()
	s.entry, s.raw = Entry{In: place, At: s.began}, raw{}
	if place == Roles {
		return true, s.take()
	}
	turn, at := s.turn, s.keep
	if err := s.enter(place, first); err != nil {
		return false, err
	}
	s.entry.Name = s.names[s.depth-1]
	for _, m := range place.members() {
		if err := known(place.String, s.entry.Name, m.name); err != nil {
			return false, err
		}
	}
	s.token()
	s.flush()
	s.keep = s.w
	if opened, ok := s.entry.Opens(); ok {
		return place != outer, s.descend(opened)
	}
	if err := s.take(); err != nil {
		return false, err
	}
	s.depth--
	s.noteRaw(turn, at)
	return place != outer, s.note()
}

// enter reads a member's name. Those of an envelope may stand in any order.
func (s *Scanner) enter(place Place, first bool) error {
	if place != outer {
		return s.member(first)
	}
	start, name, err := s.name()
	if err != nil {
		return err
	}
	if s.seen[string(name)] {
		return s.disorder(start, name, true)
	}
	if len(s.seen) > maxDepth {
		return s.fail("the envelope has more than %d members", maxDepth)
	}
	s.seen[string(name)] = true
	return s.colon(name)
}

func (s *Scanner) descend(place Place) error {
	if place == Signed {
		s.hash()
	} else {
		s.counts[s.entry.In]++
	}
	s.frames = append(s.frames, frame{place: place, empty: true})
	return s.open()
}

// take reads the value of an entry.
func (s *Scanner) take() error {
	s.deepest = 0
	read := s.value
	if s.entry.In == Targets {
		read = s.target
	}
	if err := read(s.around + len(s.frames)); err != nil {
		return err
	}
	s.flush()
	if s.w-s.keep+len(s.entry.Name) > MaxEntry {
		return s.tooLong()
	}
	s.entry.Value = s.buf[s.keep:s.w]
	if s.entry.In != outer {
		s.counts[s.entry.In]++
	}
	return nil
}

// note keeps the fields that every role has, and the signatures.
func (s *Scanner) note() error {
	switch e := s.entry; {
	case e.In == outer && string(e.Name) == "signatures":
		return s.readSignatures(e.Value)
	case e.In == Signed && slices.Contains(everyRole, string(e.Name)):
		s.fields[string(e.Name)] = slices.Clone(e.Value)
	}
	return nil
}

var everyRole = []string{"_type", "expires", "spec_version", "version"}
