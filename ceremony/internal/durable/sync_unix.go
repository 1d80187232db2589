//go:build !windows

package durable

import (
	"errors"
	"os"
	"syscall"
)

// syncFolder makes a rename survive a power cut. Some file systems refuse to
// flush a folder (EINVAL); there is nothing more to be done on those.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
