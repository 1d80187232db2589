package stream

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
)

// MaxUnsorted is the largest published file, in bytes, that is read although its
// members are not sorted. It must be parsed in memory for that, many times over.
const MaxUnsorted = spool.Held

// Envelope reads a file as clients fetch it. White space and escapes may be
// any that JSON has; what is hashed and what entries show is canonical form.
// Members of the signed part must be sorted, as canonical form has them and
// most tools write them. A file of up to MaxUnsorted bytes is read by package
// tufmeta, whether they are or not, and its entries are given as sorted.
func Envelope(f io.ReadSeeker) (*Scanner, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil && size > MaxUnsorted {
		return newScanner(f, outer, chunkSize), nil
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, MaxUnsorted))
	}
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	return smallEnvelope(data)
}

func smallEnvelope(data []byte) (*Scanner, error) {
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		return nil, err
	}
	s := Payload(bytes.NewReader(env.Canonical))
	s.signatures = env.Signatures
	return s, nil
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
