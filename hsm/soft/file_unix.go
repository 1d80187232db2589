//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package soft

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

var errLocked = errors.New("locked")

// openLocked opens a file for this process alone. The lock is the kernel's
// (flock), not the file system's, so FAT will do. It hangs on the open file, and
// ends with the process however that ends.
func openLocked(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(errors.New("it is not a regular file"), err, file.Close())
	}
	if err := flock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func flock(file *os.File) error {
	connection, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var locking error
	err = connection.Control(func(descriptor uintptr) {
		locking = syscall.Flock(int(descriptor), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	switch {
	case err != nil:
		return err
	case errors.Is(locking, syscall.EWOULDBLOCK):
		return errLocked
	case locking != nil:
		return fmt.Errorf("locking the token file: %w", locking)
	}
	return nil
}

// syncDir makes a new name in a directory survive a power cut.
func syncDir(dir string) error {
	directory, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
