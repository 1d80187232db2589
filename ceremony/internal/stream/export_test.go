package stream

import "io"

// PayloadBy and EnvelopeBy read in chunks of a given size, so that every place
// in a small file comes to stand at a border; EnvelopeBy as large files are read.
func PayloadBy(r io.Reader, size int) *Scanner { return newScanner(r, Signed, size) }

func EnvelopeBy(r io.Reader, size int) *Scanner { return newScanner(r, outer, size) }
