package virtual_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"testing"

	"tufceremony/hsm/virtual"
)

// vpcd plays the reader's side of the link.
type vpcd struct {
	*testing.T
	listener net.Listener
	conn     net.Conn
}

// insert waits for a card and switches it on.
func (v *vpcd) insert() {
	v.Helper()
	conn, err := v.listener.Accept()
	if err != nil {
		v.Fatal(err)
	}
	v.conn = conn
	v.send(1)
}

func (v *vpcd) send(message ...byte) {
	v.Helper()
	frame := append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	if _, err := v.conn.Write(frame); err != nil {
		v.Fatal(err)
	}
}

func (v *vpcd) ask(message ...byte) []byte {
	v.Helper()
	v.send(message...)
	var length [2]byte
	if _, err := io.ReadFull(v.conn, length[:]); err != nil {
		v.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(v.conn, answer); err != nil {
		v.Fatal(err)
	}
	return answer
}

// Cards can be plugged into a vpcd that runs already, and be pulled from it.
func TestServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	path := filepath.Join(t.TempDir(), "s")
	control, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- virtual.Serve(control, virtual.Config{Port: listener.Addr().(*net.TCPAddr).Port})
	}()
	v := &vpcd{T: t, listener: listener}
	v.insert()
	client, err := virtual.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	card := client.Card(0)

	if atr := v.ask(4); !bytes.Contains(atr, []byte("YubiKey")) {
		t.Errorf("the ATR is % x", atr)
	}
	choose := []byte{0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 3, 8}
	if out := v.ask(choose...); !bytes.HasSuffix(out, []byte{0x90, 0}) {
		t.Errorf("SELECT was answered with % x", out)
	}
	v.send(0)
	if out := v.ask(0, 0xfd, 0, 0); !bytes.Equal(out, []byte{0x6d, 0}) {
		t.Errorf("without power it has not forgotten: % x", out)
	}

	if err := card.PullAtINS(0xa4, virtual.Before); err != nil {
		t.Fatal(err)
	}
	v.send(choose...)
	if rest, err := io.ReadAll(v.conn); len(rest) != 0 || err != nil {
		t.Errorf("a pulled card said % x, %v", rest, err)
	}
	v.conn.Close()
	plugged := make(chan error, 1)
	go func() { plugged <- card.Plug() }()
	v.insert()
	if err := <-plugged; err != nil {
		t.Fatal(err)
	}
	if log, err := card.Log(); err != nil || len(log) != 3 || log[2].SW != 0 {
		t.Errorf("the log is %v, %v", log, err)
	}

	control.Close()
	if rest, err := io.ReadAll(v.conn); len(rest) != 0 || err != nil {
		t.Errorf("at the end it said % x, %v", rest, err)
	}
	v.conn.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
