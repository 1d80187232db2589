package secret

import "golang.org/x/sys/unix"

// keepOut keeps a page out of core dumps and of child processes: modules are
// tried in one.
func keepOut(b []byte) {
	_ = unix.Madvise(b, unix.MADV_DONTDUMP)
	_ = unix.Madvise(b, unix.MADV_DONTFORK)
}
