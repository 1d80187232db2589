package stream

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"tufceremony/ceremony/internal/tufmeta"
)

// MaxEntry is the longest name and value together that are read, in bytes of
// canonical form: the target with its custom metadata, the key, the delegated
// role, the field. It is what bounds the memory, and far above what is signed
// of any of them.
const MaxEntry = 1 << 20

// maxShown bounds what a message repeats of a name.
const maxShown = 200

// window is the part of a file that is in memory. Bytes go from the reader to
// the scanner to the hash, each at work on another chunk at the same time.
//
// Canonical form is never longer than what it was written as. So where a file
// has white space or escapes that canonical form does not have, what follows
// is moved up within the chunk, and what stands before w is canonical. In a
// file that is canonical nothing is moved.
//
//	... | keep: canonical, still needed | w: dropped | run: as it stands | r: not read |
type window struct {
	pipe      *pipe // nil where all there is stands in buf
	chunk     *chunk
	turn      int // how many chunks there were
	buf       []byte
	keep      int
	w         int
	run       int
	r         int
	from      int    // canonical bytes from here on are not with the hash yet
	base      int64  // the place of buf[0] in the file
	published bool   // white space and escapes of JSON are allowed
	below     uint64 // see special
	hashing   bool
	moved     bool  // the file does not have the hashed bytes as they are
	err       error // what ended the input before its end

	deepest int      // level of nesting that the value had
	names   [][]byte // members from the outside in; those beyond depth are the last ones there
	depth   int
	began   int64 // where the entry that is being read begins
	escaped bool  // whether the last string had an escape
}

func (s *window) offset() int64 { return s.base + int64(s.r) }

// fail makes the error for the byte that is next.
func (s *window) fail(format string, args ...any) error {
	return s.failAt(s.offset(), format, args...)
}

func (s *window) failAt(offset int64, format string, args ...any) error {
	if s.err != nil {
		return s.err // the input ended early, and that is the fault
	}
	var path []byte
	for i, name := range s.names[:s.depth] {
		if i > 0 {
			path = append(path, '.')
		}
		path = append(path, shown(name)...)
	}
	return &tufmeta.SyntaxError{Offset: int(offset), Path: string(path), Reason: fmt.Sprintf(format, args...)}
}

func shown(name []byte) string {
	if len(name) <= maxShown {
		return string(name)
	}
	return string(bytes.ToValidUTF8(name[:maxShown], nil)) + "…"
}

// flush makes everything that was read part of the canonical bytes.
func (s *window) flush() {
	if s.w != s.run {
		copy(s.buf[s.w:], s.buf[s.run:s.r])
		s.moved = s.moved || s.hashing
	}
	s.w += s.r - s.run
	s.run = s.r
}

// more goes on to the next chunk, and reports whether there is one. What is
// kept and what is not read yet go with it.
func (s *window) more() bool {
	if s.err != nil || s.pipe == nil {
		return false
	}
	s.flush()
	if s.w-s.keep > MaxEntry {
		s.err = s.tooLong()
		return false
	}
	next, err := s.pipe.next()
	if next == nil {
		if err != io.EOF {
			s.err = fmt.Errorf("reading at byte %d: %w", s.offset(), err)
		}
		return false
	}
	kept, unread := s.buf[s.keep:s.w], s.buf[s.r:]
	if room := len(kept) + len(unread); room > next.start {
		next = next.widen(room)
	}
	at := next.start - len(unread)
	copy(next.buf[at:], unread)
	copy(next.buf[at-len(kept):], kept)
	offset := s.offset()
	s.handOver(true)
	s.turn++
	s.chunk, s.buf = next, next.buf[:next.start+next.n]
	s.keep, s.w, s.run, s.r, s.from = at-len(kept), at, at, at, at
	s.base = offset - int64(at)
	return true
}

func (s *window) tooLong() error {
	return s.failAt(s.began, "what begins here has more than %d bytes, the most that is read as one entry", MaxEntry)
}

// handOver gives the canonical bytes to the hash, and the chunk back.
func (s *window) handOver(done bool) {
	if s.chunk == nil {
		return
	}
	part := part{chunk: s.chunk, done: done}
	if s.hashing {
		part.data, part.moved = s.buf[s.from:s.w], s.moved
		s.from = s.w
	}
	s.pipe.hash <- part
}

// ensure sees to it that n bytes can be looked at, or all that there are.
func (s *window) ensure(n int) {
	for len(s.buf)-s.r < n && s.more() {
	}
}

// peek gives the next byte, and 0 at the end.
func (s *window) peek() byte {
	if s.r < len(s.buf) || s.more() {
		return s.buf[s.r]
	}
	return 0
}

// token gives the first byte of what is next, and 0 at the end. Only published
// files have white space before it, which is dropped.
func (s *window) token() byte {
	if s.r < len(s.buf) && s.buf[s.r] > ' ' {
		return s.buf[s.r]
	}
	return s.space()
}

func (s *window) space() byte {
	c := s.peek()
	if !s.published || !blank(c) {
		return c
	}
	s.flush()
	for ; blank(c); c = s.peek() {
		s.r++
		s.run = s.r
	}
	return c
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func (s *window) atEnd() bool { return s.r >= len(s.buf) && !s.more() }

// remember puts a member's name on the path.
func (s *window) remember(name []byte) {
	for len(s.names) <= s.depth {
		s.names = append(s.names, nil)
	}
	s.names[s.depth] = append(s.names[s.depth][:0], name...)
	s.depth++
}

// unescape reads the canonical form of a string, without its quotes, in place.
func unescape(raw []byte) []byte {
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return raw
	}
	out := slices.Clone(raw[:i])
	for ; i < len(raw); i++ {
		if raw[i] == '\\' {
			i++
		}
		out = append(out, raw[i])
	}
	return out
}
