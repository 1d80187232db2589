package secret

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// undumpable is needed besides the limit, which does not hold where the system
// pipes core dumps into a program. It also keeps other processes of the same
// user from reading this one's memory.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the process undumpable: %w", err)
	}
	return nil
}
