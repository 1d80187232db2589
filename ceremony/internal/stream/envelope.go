package stream

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"tufceremony/ceremony/internal/tufmeta"
)

// MaxUnsorted is the largest published file that is read although its members
// are not sorted. It must be held in memory for that, many times over.
const MaxUnsorted = 8 << 20

// likelyEntry is what an entry takes, in bytes: a bin of PEP 458, which is less
// than a target or a project.
const likelyEntry = 150

// Envelope reads a file as clients fetch it. White space and escapes may be
// any that JSON has; what is hashed and what entries show is canonical form.
// Members of the signed part must be sorted, as canonical form has them and
// most tools write them. A file of up to MaxUnsorted bytes in which they are
// not is read by package tufmeta, and its entries are given as sorted.
func Envelope(f io.ReadSeeker) (*Scanner, error) {
	return openEnvelope(f, chunkSize, func(*Scanner) {})
}

// openEnvelope has begin told of the scanner that reads f, before it does.
func openEnvelope(f io.ReadSeeker, size int, begin func(*Scanner)) (*Scanner, error) {
	length, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	if length > MaxUnsorted {
		s := newScanner(f, outer, size)
		begin(s)
		return s, nil
	}
	whole := newScanner(io.LimitReader(f, MaxUnsorted), outer, size)
	begin(whole)
	whole.keepAll(length)
	if whole.sorted == nil {
		return whole, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxUnsorted))
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		return nil, err
	}
	s := newScanner(bytes.NewReader(env.Canonical), Signed, size)
	s.signatures = env.Signatures
	return s, nil
}

// keepAll reads to the end at once, so that it is known whether the members
// are sorted before anybody sees an entry. There is room at once for as many
// entries as the file is likely to have: what grew would be copied time and
// again, and a byte would cost twice what it costs in a file that is not kept.
func (s *Scanner) keepAll(length int64) {
	s.keeps = true
	kept, names := make([]Entry, 0, length/likelyEntry+1), make([]byte, 0, length/2+1)
	for s.Next() {
		e := s.entry
		names = append(names, e.Name...)
		e.Name = names[len(names)-len(e.Name) : len(names) : len(names)]
		kept = append(kept, e)
	}
	s.kept, s.ended = kept, false
}

// again gives the entries that were kept.
func (s *Scanner) again() bool {
	if len(s.kept) == 0 {
		s.ended = true
		return false
	}
	s.entry, s.kept = s.kept[0], s.kept[1:]
	return true
}

// readSignatures leaves the form of a signature to the package that knows it.
func (s *Scanner) readSignatures(raw []byte) error {
	env, err := tufmeta.ParseEnvelope(slices.Concat([]byte(`{"signatures":`), tufmeta.JSON(raw), []byte(`,"signed":{}}`)))
	if err != nil {
		return err
	}
	s.signatures = env.Signatures
	return nil
}
