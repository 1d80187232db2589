package spool

import (
	"crypto/sha256"
)

// ahead is how many chunks may wait to be hashed.
const ahead = 4

// summing hashes what a Writer writes while it is written, on another processor
// where there is one: whatever is as large as this is asked for its SHA-256.
type summing struct {
	full, free chan []byte
	sum        chan []byte
	total      []byte
}

func newSumming() *summing {
	s := &summing{full: make(chan []byte, ahead), free: make(chan []byte, ahead), sum: make(chan []byte, 1)}
	for range ahead {
		s.free <- nil
	}
	go s.run()
	return s
}

func (s *summing) run() {
	h := sha256.New()
	for data := range s.full {
		h.Write(data)
		s.free <- data
	}
	s.sum <- h.Sum(nil)
}

// add takes a copy, since the bytes are the writer's own again afterwards.
func (s *summing) add(data []byte) {
	for len(data) > 0 {
		n := min(len(data), chunk)
		s.full <- append((<-s.free)[:0], data[:n]...)
		data = data[n:]
	}
}

// end gives the SHA-256 of all that was added.
func (s *summing) end() []byte {
	if s.total == nil {
		close(s.full)
		s.total = <-s.sum
	}
	return s.total
}
