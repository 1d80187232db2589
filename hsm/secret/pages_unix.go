//go:build linux || darwin

package secret

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// take finds a free page, and makes it usable. It returns nil where there is
// none.
func (s *store) take(n int) []byte {
	if s.reserved == nil && !s.reserve() {
		return nil
	}
	for page, used := range s.used {
		if used || n == 0 || n > len(s.at(page)) {
			continue
		}
		b := s.at(page)
		if unix.Mprotect(b, unix.PROT_READ|unix.PROT_WRITE) != nil {
			return nil
		}
		// Before the lock fills the page: then there is nothing to be seen yet.
		keepOut(b)
		if err := unix.Mlock(b); err != nil && s.weakness == nil {
			s.weakness = fmt.Errorf("locking memory: %w", err)
		}
		s.used[page] = true
		return b
	}
	return nil
}

// reserve takes a range of addresses, with nothing behind them yet.
func (s *store) reserve() bool {
	area, err := unix.Mmap(-1, 0, pages*os.Getpagesize(), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		s.weakness = fmt.Errorf("reserving memory: %w", err)
		return false
	}
	s.reserved = area
	return true
}

// giveBack wipes a page and takes its memory away. The range stays reserved.
func (s *store) giveBack(page int) {
	if !s.used[page] {
		return
	}
	b := s.at(page)
	clear(b)
	_ = unix.Munlock(b)
	_ = unix.Madvise(b, unix.MADV_DONTNEED)
	_ = unix.Mprotect(b, unix.PROT_NONE)
	s.used[page] = false
}
