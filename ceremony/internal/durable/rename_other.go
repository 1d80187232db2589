//go:build !linux

package durable

import (
	"errors"
	"io/fs"
	"os"
)

// renameNew looks first: enough for a folder that one process at a time works
// in.
func renameNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// Exchange needs a system call that only Linux has.
func Exchange(a, b string) error { return errors.ErrUnsupported }
