//go:build cgo && linux

package pcsc

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// defaultSocket is what the service's socket is called, unless a variable says
// otherwise.
const defaultSocket = "pcscd.comm"

// EndOrphans runs open, and if that fails, ends the connections to the service
// that it has left behind.
//
// piv-go's Open forgets its exclusive connection when the first command fails
// (https://github.com/go-piv/piv-go/pull/192). Nobody could use the reader from
// then on, not even with another card in it, until this process ends: the
// library that both bindings share closes a connection only for who knows its
// number. The service, however, gives up what a connection holds as soon as the
// socket is closed, as it does for a process that dies; and what is new among
// this process's sockets to the service can be seen.
func EndOrphans(open func() error) error {
	connecting.Lock()
	defer connecting.Unlock()
	before := sockets()
	err := open()
	if err == nil {
		return nil
	}
	for socket, fd := range sockets() {
		if _, known := before[socket]; !known {
			end(fd)
		}
	}
	return err
}

// sockets are this process's connections to the service, by what the system
// calls them: numbers of descriptors are used again.
func sockets() map[string]int {
	found := make(map[string]int)
	links, _ := filepath.Glob("/proc/self/fd/*") // fails on a malformed pattern only
	for _, link := range links {
		fd, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			continue
		}
		name, err := os.Readlink(link)
		if err != nil {
			continue // closed since
		}
		peer, err := syscall.Getpeername(fd)
		if address, ok := peer.(*syscall.SockaddrUnix); err == nil && ok && isService(address.Name) {
			found[name] = fd
		}
	}
	return found
}

// isService knows the socket by its name: where it lies, the service sees
// otherwise than its clients if it runs in a container.
func isService(path string) bool {
	elsewhere := os.Getenv("PCSCLITE_CSOCK_NAME")
	return filepath.Base(path) == defaultSocket || elsewhere != "" && filepath.Base(path) == filepath.Base(elsewhere)
}

// end hangs up, and waits for the service to do so too. The descriptor stays
// the library's, which never uses it again.
func end(fd int) {
	if syscall.Shutdown(fd, syscall.SHUT_WR) != nil {
		return
	}
	// The service answers nothing to this, and closes its end.
	timeout := syscall.NsecToTimeval(int64(time.Second))
	if syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout) == nil {
		var rest [64]byte
		for n := 1; n > 0; {
			n, _ = syscall.Read(fd, rest[:])
		}
	}
}
