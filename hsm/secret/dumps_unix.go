//go:build linux || darwin

package secret

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NoDumps sees to it that no core dump of this process is written, whatever it
// dies of, and none of a child that it makes.
func NoDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("limiting core dumps to nothing: %w", err)
	}
	return undumpable()
}
