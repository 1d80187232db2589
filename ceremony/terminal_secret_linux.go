package main

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"tufceremony/hsm/secret"
)

// maxTyped is the longest line that a terminal gives.
const maxTyped = 4096

// readSecret reads a line that is not shown. The kernel puts it straight into
// locked memory: the usual way collects it on Go's heap, a byte at a time, and
// leaves a copy behind each time it grows.
func readSecret(in *os.File) ([]byte, error) {
	fd := int(in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag = quiet.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, err
	}
	defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }()
	line := secret.New(maxTyped)
	n := 0
	for n < len(line) && !bytes.HasSuffix(line[:n], []byte("\n")) {
		got, err := in.Read(line[n:])
		if n += got; err == io.EOF && n > 0 {
			break // Ctrl-D after what was typed
		}
		if err != nil {
			secret.Free(line)
			return nil, err
		}
	}
	return bytes.TrimRight(line[:n], "\r\n"), nil
}
