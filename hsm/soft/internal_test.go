package soft

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"

	"tufceremony/hsm"
)

func testContents(t testing.TB) *contents {
	t.Helper()
	scalar := big.NewInt(7).FillBytes(make([]byte, scalarSize))
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newContents([]byte("123456"), private, Options{
		TouchRequired: true, Random: bytes.NewReader(make([]byte, saltSize+nonceSize))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A PIN is not looked at before the try that it costs is on the disk: with a
// file that cannot be written, neither the right nor a wrong one gets an answer.
func TestTryIsSpentBeforePINIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	encoded, err := testContents(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	path, err := tokenPath(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := writeNew(path, encoded); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path) // read-only
	if err != nil {
		t.Fatal(err)
	}
	token := &Token{name: "a", file: file}
	defer token.Close()
	if err := token.load(); err != nil {
		t.Fatal(err)
	}
	for _, pin := range []string{"123456", "654321"} {
		err := token.verifyPIN([]byte(pin))
		var pinError *hsm.PINError
		if err == nil || errors.As(err, &pinError) || token.private != nil {
			t.Errorf("error is %v, want one about writing", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	c := testContents(f)
	add := func() {
		encoded, err := c.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimRight(encoded, " \n"))
	}
	add()
	c.TriesLeft = 0
	c.Faults = []Fault{{TouchMissed, 1}, {Removed, 2}, {WrongSignature, 1000}}
	add()
	c.Serial, c.Model = strings.Repeat("<&>", 20), "~"
	add()
	f.Add([]byte(`{"format":"ceremony soft token 1","faults":null}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, start []byte) {
		if len(start) >= blockSize {
			return
		}
		block := append(bytes.Repeat([]byte(" "), blockSize-1), '\n')
		copy(block, start)
		decoded, err := decode(block)
		if err != nil {
			return
		}
		again, err := decoded.encode()
		if err != nil || !bytes.Equal(again, block) {
			t.Fatalf("what was accepted does not encode to itself: %v", err)
		}
		if _, err := decoded.public(); err != nil {
			t.Fatalf("accepted without a public key: %v", err)
		}
	})
}
