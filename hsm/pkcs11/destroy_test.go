//go:build cgo

package pkcs11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

// Stopped between the two halves, a key is still listed, and goes for good when
// it is destroyed once more.
func TestDestroyCompletes(t *testing.T) {
	f, r, text := newFake(t)
	first := mustOpenFake(t, r, text)
	key := onlyKey(t, first)
	f.objects[1].attributes = nil // the private half is gone
	if err := first.Destroy(key, &typist{pin: fakePIN}); err != nil {
		t.Fatal(err)
	}
	if f.objects[0].attributes != nil {
		t.Error("the public half is still there")
	}
}

// A module that reports success for what it has not done, or that refuses, is
// not believed, and not the reason for a key to be taken for destroyed.
func TestDestroyRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(*fakeModule)
		want  string
	}{
		"nothing happens":    {func(f *fakeModule) { f.keeps = true }, "still shows 2 of its halves"},
		"the module refuses": {func(f *fakeModule) { f.fail["DestroyObject"] = p11.CKR_ACTION_PROHIBITED }, "destroying key"},
		"two keys, one ID": {func(f *fakeModule) {
			private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			f.addKey(t, private, []byte{1, 2}, "other")
		}, "two different public keys have ID 0102"},
	} {
		t.Run(name, func(t *testing.T) {
			f, r, text := newFake(t)
			row.spoil(f)
			token := mustOpenFake(t, r, text)
			keys, err := token.Keys()
			if err != nil || len(keys) == 0 {
				t.Fatal(keys, err)
			}
			if err := token.Destroy(keys[0], &typist{pin: fakePIN}); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error is %v, want %q in it", err, row.want)
			}
			if f.objects[0].attributes == nil || f.objects[1].attributes == nil {
				t.Error("a half is gone")
			}
		})
	}
}

func mustOpenFake(t *testing.T, r *registry, text string) hsm.Destroyer {
	t.Helper()
	token, err := open(r, text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	return token
}

func onlyKey(t *testing.T, token hsm.Token) hsm.Key {
	t.Helper()
	keys, err := token.Keys()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	return keys[0]
}
