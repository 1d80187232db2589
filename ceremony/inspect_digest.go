package main

import (
	"fmt"
	"io"

	"tufceremony/ceremony/internal/tufmeta"
)

// printDigest shows the digest of a file that was named alone, in hex and in
// words: how a root is given out of band, and compared by those who get it.
func (i *inspection) printDigest(w io.Writer) {
	if i.one == nil {
		return
	}
	fmt.Fprintln(w, "The file (sha256sum prints the same):")
	printDigest(w, tufmeta.Digest(i.one))
}
