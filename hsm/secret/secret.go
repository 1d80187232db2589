// Package secret keeps PINs where they are least likely to be found: in pages
// of their own, outside Go's heap, that are not swapped out, not dumped, not
// inherited by a child process, and wiped after use.
//
//	pin := secret.New(128)
//	defer secret.Free(pin)
//	n, err := tty.Read(pin)
//
// NoDumps, called first thing in a program, has the system write no core dump
// of it, and lets no other process of the same user read its memory.
//
// It will not find copies that others make: those of a binding that wants a
// string, of a module, of a terminal's driver. Where the system locks no memory
// (Weakness says so) a secret may be written to swap; where there are no such
// pages at all, as on Windows, New gives memory of Go's heap, and all that is
// left is that Free wipes it.
package secret

import (
	"sync"
	"unsafe"
)

// store hands out pages. They are reserved in one range and never given back:
// a slice that is freed twice, or was never from here, is told by its address,
// and nothing of Go's heap can come to lie there.
type store struct {
	mu       sync.Mutex
	reserved []byte
	used     [pages]bool
	weakness error // why a page could not be locked
}

// pages is how many secrets there can be at once: a PIN, an SO PIN, a PUK and a
// management key, a few times over. More come from Go's heap.
const pages = 64

var all store

// New returns n bytes of zeros for a secret. Free gives them back.
func New(n int) []byte {
	all.mu.Lock()
	defer all.mu.Unlock()
	if page := all.take(n); page != nil {
		return page[:n:n]
	}
	return make([]byte, n)
}

// Copy returns a copy of b that Free gives back.
func Copy(b []byte) []byte {
	c := New(len(b))
	copy(c, b)
	return c
}

// Free wipes b, which may be a part of what New gave, or memory from elsewhere.
// All of what New gave is wiped and taken back: it cannot be used any more.
// Freeing twice is no error.
func Free(b []byte) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if page, mine := all.page(b); mine {
		all.giveBack(page)
		return
	}
	clear(b)
}

// Weakness says why secrets are not locked in memory, or nil. A page is tried
// for the answer.
func Weakness() error {
	Free(New(1))
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.weakness
}

// page says which page of the range b lies in.
func (s *store) page(b []byte) (page int, mine bool) {
	if cap(b) == 0 || len(s.reserved) == 0 {
		return 0, false
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s.reserved)))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if at < start || at-start >= uintptr(len(s.reserved)) {
		return 0, false
	}
	return int(at-start) / (len(s.reserved) / pages), true
}

// at gives the bytes of a page.
func (s *store) at(page int) []byte {
	size := len(s.reserved) / pages
	return s.reserved[page*size : (page+1)*size]
}
