package soft_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/soft"
)

// privateKey is the P-256 key of RFC 6979, appendix A.2.5.
func privateKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	scalar, err := hex.DecodeString("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func create(t testing.TB, dir, name string, opts soft.Options) {
	t.Helper()
	if err := soft.Create(dir, name, []byte("123456"), privateKey(t), opts); err != nil {
		t.Fatal(err)
	}
}

func setFault(t testing.TB, dir, name string, fault soft.Fault) {
	t.Helper()
	if err := soft.SetFault(dir, name, fault); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir, name string) *soft.Token {
	t.Helper()
	token, err := soft.Open(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { token.Close() })
	return token
}

func keyOf(t testing.TB, token *soft.Token) hsm.Key {
	t.Helper()
	keys, err := token.Keys()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys: %v, %v", keys, err)
	}
	return keys[0]
}

func signerOf(t testing.TB, token *soft.Token, prompter hsm.Prompter) crypto.Signer {
	t.Helper()
	signer, err := token.Signer(keyOf(t, token), prompter)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// typist types a PIN, as often as asked.
type typist string

func (p typist) PIN(hsm.PINRequest) ([]byte, error) { return []byte(p), nil }
func (p typist) Touch(hsm.TouchRequest) func()      { return func() {} }

const pin = typist("123456")

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q in it", err, want)
	}
}

func TestSignaturesAreRFC6979(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	digest := sha256.Sum256([]byte("sample"))
	signature, err := signerOf(t, open(t, dir, "a"), pin).Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	const want = "3046022100" + "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
		"022100" + "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
	if got := hex.EncodeToString(signature); got != want {
		t.Errorf("signature is %s, want %s", got, want)
	}
}

func TestCreateRepeatsItselfWithSameRandom(t *testing.T) {
	var files [2][]byte
	for i := range files {
		dir := t.TempDir()
		create(t, dir, "a", soft.Options{Random: bytes.NewReader(make([]byte, 28))})
		files[i] = readToken(t, dir, "a")
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two tokens from the same key, PIN and random bytes differ")
	}
	if bytes.Contains(files[0], []byte("123456")) {
		t.Error("the PIN stands in the file")
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	before := readToken(t, dir, "a")
	err := soft.Create(dir, "a", []byte("654321"), privateKey(t), soft.Options{})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v, want %q", err, fs.ErrExist)
	}
	if !bytes.Equal(before, readToken(t, dir, "a")) {
		t.Error("the token was changed")
	}
}

func TestCreateRefuses(t *testing.T) {
	p384 := &ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: elliptic.P384()}}
	long := bytes.Repeat([]byte("1"), 65)
	for _, c := range []struct {
		name, token string
		pin         []byte
		private     *ecdsa.PrivateKey
		opts        soft.Options
		want        string
	}{
		{"no name", "", []byte("1"), privateKey(t), soft.Options{}, "name is empty"},
		{"hidden", ".a", []byte("1"), privateKey(t), soft.Options{}, "full stop"},
		{"path", "../a", []byte("1"), privateKey(t), soft.Options{}, "full stop"},
		{"folder", "a/b", []byte("1"), privateKey(t), soft.Options{}, "letters, digits"},
		{"UTF-8", "é", []byte("1"), privateKey(t), soft.Options{}, "letters, digits"},
		{"long name", strings.Repeat("a", 65), []byte("1"), privateKey(t), soft.Options{}, "longer"},
		{"no PIN", "a", nil, privateKey(t), soft.Options{}, "PIN"},
		{"long PIN", "a", long, privateKey(t), soft.Options{}, "PIN"},
		{"no key", "a", []byte("1"), nil, soft.Options{}, "P-256"},
		{"P-384", "a", []byte("1"), p384, soft.Options{}, "P-256"},
		{"tries", "a", []byte("1"), privateKey(t), soft.Options{Tries: 16}, "tries"},
		{"negative tries", "a", []byte("1"), privateKey(t), soft.Options{Tries: -1}, "tries"},
		{"serial", "a", []byte("1"), privateKey(t), soft.Options{Serial: "a\x1b"}, "serial"},
		{"model", "a", []byte("1"), privateKey(t), soft.Options{Model: "a\n"}, "model"},
		{"random", "a", []byte("1"), privateKey(t), soft.Options{Random: strings.NewReader("short")}, "random"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			wantError(t, soft.Create(dir, c.token, c.pin, c.private, c.opts), c.want)
			if entries, _ := os.ReadDir(dir); len(entries) != 0 {
				t.Errorf("left %v behind", entries)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	create(t, dir, "b", soft.Options{Serial: "123", Model: "m", Tries: 5})
	info, err := open(t, dir, "a").Info()
	if err != nil {
		t.Fatal(err)
	}
	want := hsm.Info{URI: "soft:a", Driver: "soft", Label: "a", Manufacturer: "ceremony",
		Model: "soft token", Serial: info.Serial, Firmware: "1", TriesLeft: 3}
	if info != want || !strings.HasPrefix(info.Serial, "soft-") || len(info.Serial) != 13 {
		t.Errorf("info is %+v", info)
	}
	info, err = open(t, dir, "b").Info()
	if err != nil || info.Serial != "123" || info.Model != "m" || info.TriesLeft != 5 {
		t.Errorf("info is %+v, %v", info, err)
	}
}

func TestFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps no such modes")
	}
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	info, err := os.Stat(filepath.Join(dir, "a.json"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "b", soft.Options{})
	create(t, dir, "a", soft.Options{})
	for _, name := range []string{".hidden.json", "note.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "c.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	names, err := soft.List(dir)
	if err != nil || strings.Join(names, " ") != "a b" {
		t.Errorf("listed %q, %v", names, err)
	}
}

func readToken(t testing.TB, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
