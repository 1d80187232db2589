package stream

import "io"

// PayloadBy and EnvelopeBy read in chunks of a given size, so that every place
// in a small file comes to stand at a border.
func PayloadBy(r io.Reader, size int) *Scanner { return newScanner(r, Signed, size) }

// LargeEnvelopeBy reads a small file as large ones are read.
func LargeEnvelopeBy(r io.Reader, size int) *Scanner { return newScanner(r, outer, size) }

func EnvelopeBy(f io.ReadSeeker, size int) (*Scanner, error) {
	return openEnvelope(f, size, func(*Scanner) {})
}
