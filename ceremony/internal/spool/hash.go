package spool

import "crypto/sha256"

// ahead is how many chunks may wait to be hashed.
const ahead = 4

// Hash works out a SHA-256 on another processor, where there is one, while what is
// written to it goes on to a disk as well. Sum must be called in the end.
type Hash struct {
	full, free chan []byte
	sum        chan []byte
	total      []byte
	size       int
}

// NewHash begins.
func NewHash() *Hash {
	h := &Hash{full: make(chan []byte, ahead), free: make(chan []byte, ahead), sum: make(chan []byte, 1)}
	for range ahead {
		h.free <- nil
	}
	go h.run()
	return h
}

func (h *Hash) run() {
	sum := sha256.New()
	for data := range h.full {
		sum.Write(data)
		h.free <- data
	}
	h.sum <- sum.Sum(nil)
}

// Size is how many bytes were written.
func (h *Hash) Size() int { return h.size }

// Write takes a copy, since the bytes are the writer's own again afterwards.
func (h *Hash) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		n := min(len(rest), chunk)
		h.full <- append((<-h.free)[:0], rest[:n]...)
		rest = rest[n:]
	}
	h.size += len(data)
	return len(data), nil
}

// Sum gives the SHA-256 of all that was written. Nothing can be written after it.
func (h *Hash) Sum() []byte {
	if h.total == nil {
		close(h.full)
		h.total = <-h.sum
	}
	return h.total
}
