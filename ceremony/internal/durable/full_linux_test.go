package durable_test

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"tufceremony/ceremony/internal/durable"
)

// A disk that fills in the middle is left as it was.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no disk of one megabyte can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(dir, "file")
	for name, err := range map[string]error{
		"Create":  durable.Create(file, make([]byte, 2<<20)),
		"Replace": durable.Replace(file, make([]byte, 2<<20)),
		"CreateBy": durable.CreateBy(file, func(w io.Writer) error {
			for range 1 << 10 {
				if _, err := w.Write(make([]byte, 2<<10)); err != nil {
					return err
				}
			}
			return nil
		}),
	} {
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantNothing(t, file)
	must(t, durable.Create(file, make([]byte, 512<<10))) // the room is there again
}
