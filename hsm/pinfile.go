package hsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tufceremony/hsm/secret"
)

// maxPIN is longer than any PIN that a device takes. A longer file is not a
// PIN file, but a mistake that should not cost a try.
const maxPIN = 128

// PINSourcePath returns the path that a URI's pin-source attribute names. Only
// file:/absolute/path is taken: no command, no relative path, no host.
func PINSourcePath(source string) (string, error) {
	switch path, isFile := strings.CutPrefix(source, "file:"); {
	case strings.HasPrefix(source, "|"):
		return "", errors.New("pin-source names a command, and commands are not run: write file:/absolute/path")
	case !isFile, strings.HasPrefix(path, "//"), !strings.HasPrefix(path, "/"), path == "/":
		return "", errors.New("pin-source must be file:/absolute/path")
	case strings.HasPrefix(path, "/dev/") && !strings.HasPrefix(path, "/dev/shm/"), strings.HasPrefix(path, "/proc/"):
		return "", errors.New("pin-source must be a file, not what is fed into the program")
	case strings.ContainsFunc(path, isControl):
		return "", errors.New("pin-source holds a control character")
	default:
		return path, nil
	}
}

// ReadPIN reads the PIN that a pin-source file holds. Exactly one newline at
// the end, "\n" or "\r\n", is dropped, since editors and echo leave one there
// and sending it to the device would burn a try. Everything else belongs to
// the PIN. It is in locked memory where the system has such; the caller wipes the
// slice after use.
func ReadPIN(path string) ([]byte, error) {
	pin, err := readPIN(path)
	if err != nil {
		return nil, fmt.Errorf("reading PIN file %q: %w", path, err)
	}
	return pin, nil
}

func readPIN(path string) ([]byte, error) {
	// Looked at before it is opened: opening a pipe waits for its writer.
	// A link could lead to what is fed into the program.
	if info, err := os.Lstat(path); err != nil {
		return nil, pathless(err)
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, pathless(err)
	}
	defer file.Close()
	// Two bytes more for the newline, and one to notice that it is too long.
	buffer := secret.New(maxPIN + 3)
	n, err := io.ReadFull(file, buffer)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		secret.Free(buffer)
		return nil, pathless(err)
	}
	pin, err := trimPIN(buffer[:n])
	if err != nil {
		secret.Free(buffer)
		return nil, err
	}
	return pin, nil
}

func trimPIN(content []byte) ([]byte, error) {
	pin, newline := bytes.CutSuffix(content, []byte("\n"))
	if newline {
		pin = bytes.TrimSuffix(pin, []byte("\r"))
	}
	switch {
	case len(pin) == 0:
		return nil, errors.New("it holds no PIN")
	case len(pin) > maxPIN:
		return nil, fmt.Errorf("it holds more than %d bytes, which is no PIN", maxPIN)
	}
	return pin, nil
}

// pathless drops the path from an error of package os: the caller has it.
func pathless(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
