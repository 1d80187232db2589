package spool

import (
	"bytes"
	"os"
	"syscall"
)

// spill goes on in a file, which has no name as soon as it is there: whatever ends
// the process, nothing is left.
func (w *Writer) spill() error {
	file, err := os.CreateTemp("", "ceremony-")
	if err != nil {
		return err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return err
	}
	w.file, w.sum = file, NewHash()
	w.sum.Write(w.held.Bytes())
	n, err := file.Write(w.held.Bytes())
	w.size = int64(n)
	w.held = bytes.Buffer{}
	return err
}

func (w *Writer) mapped() ([]byte, error) {
	sum := w.sum.Sum()
	data, err := syscall.Mmap(int(w.file.Fd()), 0, int(w.size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	remember(w.file, data, sum)
	return data, nil
}
