package virtual

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// watcher asks pcscd what its clients are told of its readers, over the socket
// of its clients: a command is a length and a number, in the machine's order
// of bytes, and the answer to this one a table of sixteen readers.
type watcher struct {
	mu   sync.Mutex
	conn net.Conn
}

const (
	pcscVersion      = 0x11
	pcscReadersState = 0x12
	pcscPresent      = 0x04

	nameLength = 128
	rowLength  = nameLength + 3*4 + 36 + 2*4 // name; events, state, sharing; ATR, padded; its length, protocol
)

// newWatcher waits until pcscd takes clients. The answer to the version is not
// looked at: what is asked here has not changed between those of pcscd.
func newWatcher(gone <-chan struct{}) (*watcher, error) {
	conn, err := dialPCSCD(gone)
	if err != nil {
		return nil, fmt.Errorf("waiting for pcscd: %w", err)
	}
	w := &watcher{conn: conn}
	version := binary.NativeEndian.AppendUint32(nil, 4)
	version = binary.NativeEndian.AppendUint32(version, 4)
	if _, err := w.ask(pcscVersion, append(version, 0, 0, 0, 0), 12); err != nil {
		return nil, errors.Join(fmt.Errorf("asking pcscd for its version: %w", err), conn.Close())
	}
	return w, nil
}

func dialPCSCD(gone <-chan struct{}) (net.Conn, error) {
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("unix", filepath.Join(pcscdDir, socketName))
		if err == nil || time.Now().After(deadline) {
			return conn, err
		}
		select {
		case <-gone:
			return nil, errors.New("it has ended at once")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// wait returns when clients see a card in the reader, or see none. Mostly that
// is at once, and otherwise after pcscd's next look at the reader.
func (w *watcher) wait(name string, present bool) error {
	pause := time.Millisecond
	for deadline := time.Now().Add(patience); ; pause = min(2*pause, 20*time.Millisecond) {
		table, err := w.ask(pcscReadersState, nil, maxReaders*rowLength)
		if err != nil {
			return fmt.Errorf("asking pcscd for its readers: %w", err)
		}
		state, found := stateOf(table, name)
		switch {
		case !found:
			return fmt.Errorf("pcscd has no reader %q", name)
		case (state&pcscPresent != 0) == present:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("pcscd does not notice what happens in reader %q", name)
		}
		time.Sleep(pause)
	}
}

func (w *watcher) ask(number uint32, message []byte, length int) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn.SetDeadline(time.Now().Add(patience))
	request := binary.NativeEndian.AppendUint32(nil, uint32(len(message)))
	request = binary.NativeEndian.AppendUint32(request, number)
	if _, err := w.conn.Write(append(request, message...)); err != nil {
		return nil, err
	}
	answer := make([]byte, length)
	_, err := io.ReadFull(w.conn, answer)
	return answer, err
}

func stateOf(table []byte, name string) (state uint32, found bool) {
	for ; len(table) >= rowLength; table = table[rowLength:] {
		text, _, _ := bytes.Cut(table[:nameLength], []byte{0})
		if string(text) == name {
			return binary.NativeEndian.Uint32(table[nameLength+4:]), true
		}
	}
	return 0, false
}
