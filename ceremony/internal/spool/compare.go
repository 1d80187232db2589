package spool

import (
	"bytes"
	"io"
	"os"
)

// Equal compares two files.
func Equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	c := NewComparison(a)
	if !c.Skip(b) {
		if err := writeAll(c, b); err != nil {
			return false
		}
	}
	return c.Same()
}

func writeAll(w io.Writer, data []byte) error {
	_, err := io.CopyBuffer(w, NewReader(data), make([]byte, min(len(data)+1, chunk)))
	return err
}

// Matches reports whether a file on disk has these bytes.
func Matches(path string, data []byte) (bool, error) {
	return MatchesBy(path, func(w io.Writer) error { return writeAll(w, data) })
}

// MatchesBy reports whether a file on disk has the bytes that fill writes.
func MatchesBy(path string, fill func(io.Writer) error) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	c := &Comparison{with: f, same: true}
	if err := fill(c); err != nil {
		return false, err
	}
	return c.Same(), nil
}

// Comparison compares what is written to it with a file. It takes all that comes.
type Comparison struct {
	with io.ReadSeeker
	data []byte // what with reads, where that is known
	at   int
	same bool
	buf  [32 << 10]byte
}

// NewComparison compares with data.
func NewComparison(data []byte) *Comparison {
	return &Comparison{with: NewReader(data), data: data, same: true}
}

func (c *Comparison) Write(p []byte) (int, error) {
	for rest := p; c.same && len(rest) > 0; {
		n, err := io.ReadFull(c.with, c.buf[:min(len(rest), len(c.buf))])
		c.same = err == nil && bytes.Equal(c.buf[:n], rest[:n])
		rest = rest[n:]
	}
	c.at += len(p)
	return len(p), nil
}

// Skip goes on behind part where the next bytes of the file are part itself: not
// others that are the same, but those of the large file that part was cut out of.
// Otherwise it does nothing, and part must be written.
func (c *Comparison) Skip(part []byte) bool {
	if c.at+len(part) > len(c.data) {
		return false
	}
	here, large := Identify(c.data[c.at : c.at+len(part)])
	if there, _ := Identify(part); !large || here != there {
		return false
	}
	if _, err := c.with.Seek(int64(len(part)), io.SeekCurrent); err != nil {
		return false
	}
	c.at += len(part)
	return true
}

// Same reports whether all that the file has was written, and nothing else.
func (c *Comparison) Same() bool {
	n, err := io.ReadFull(c.with, c.buf[:1])
	return c.same && n == 0 && err == io.EOF
}
