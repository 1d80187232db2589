package stream

import (
	"bytes"

	"tufceremony/ceremony/internal/tufmeta"
)

// raw is an entry as it stands in its buffer, name and value: canonical bytes that
// were read, and found to be in order.
type raw struct {
	bytes   []byte // nil where a part of it is not in the buffer any more
	value   int    // where the value begins
	deepest int    // how many levels down it goes, from the place
}

// follow goes on to the next entry where it has the very bytes of the one that
// another scanner has just read in the same place: nearly all of two versions is the
// same, and bytes that are compared need not be read again. It does nothing, and
// says so, where they are not the same, or where it is not known at once.
func (s *Scanner) follow(lead *Scanner) bool {
	in, r := lead.entry.In, lead.raw
	if r.bytes == nil || lead.ended || s.ended || len(s.frames) == 0 {
		return false
	}
	f := s.frames[len(s.frames)-1]
	rest := s.buf[s.r:]
	if f.empty || f.place != in || len(rest) < len(r.bytes)+2 || rest[0] != ',' || !bytes.Equal(rest[1:1+len(r.bytes)], r.bytes) {
		return false
	}
	if c := rest[1+len(r.bytes)]; c != ',' && c != '}' {
		return false // a number may go on
	}
	if s.around+len(s.frames)+r.deepest > maxDepth || s.published && tufmeta.Control(r.bytes) < len(r.bytes) {
		return false
	}
	s.flush()
	s.r++
	s.flush()
	s.keep, s.began = s.w, s.offset()
	s.r += len(r.bytes)
	s.flush()
	s.remember(lead.entry.Name)
	s.depth--
	s.entry = Entry{In: in, Name: s.names[s.depth], Value: s.buf[s.w-len(r.bytes)+r.value : s.w], At: s.began, common: lead.entry.common}
	s.counts[in]++
	if s.head != nil {
		if s.fault = s.head.take(s.entry); s.fault != nil {
			s.end()
		}
	}
	return true
}

// noteRaw remembers an entry whose name begins at a place in the buffer of a turn.
func (s *Scanner) noteRaw(turn, at int) {
	if s.turn != turn || s.entry.In == Roles || s.entry.In.members() != nil {
		return
	}
	s.raw = raw{s.buf[at:s.w], s.keep - at, s.deepest - s.around - len(s.frames)}
}
