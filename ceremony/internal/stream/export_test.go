package stream

import (
	"bytes"
	"io"
)

// PayloadBy and EnvelopeBy read in chunks of a given size, so that every place
// in a small file comes to stand at a border; EnvelopeBy as large files are read.
func PayloadBy(r io.Reader, size int) *Scanner { return newScanner(r, Signed, size) }

func EnvelopeBy(r io.Reader, size int) *Scanner { return newScanner(r, outer, size) }

// HeadBy reads a small payload, or a small published file, as large ones are read.
func HeadBy(data []byte, published bool, size int) (*Head, error) {
	if published {
		return readLarge(EnvelopeBy(bytes.NewReader(data), size), data)
	}
	return readLarge(PayloadBy(bytes.NewReader(data), size), data)
}
