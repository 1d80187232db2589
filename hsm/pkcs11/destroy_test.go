//go:build cgo

package pkcs11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
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
		"nothing happens":  {func(f *fakeModule) { f.keeps = true }, "still shows 2 of its halves"},
		"the module fails": {func(f *fakeModule) { f.fail["DestroyObject"] = p11.CKR_DEVICE_ERROR }, "destroying key"},
		"untouched, refused by the module": {func(f *fakeModule) { f.fail["DestroyObject"] = p11.CKR_ACTION_PROHIBITED },
			"the module refuses to destroy it, and still shows both halves: the device's policy forbids it (CKR_ACTION_PROHIBITED)"},
		"untouched, no such function": {func(f *fakeModule) { f.fail["DestroyObject"] = p11.CKR_FUNCTION_NOT_SUPPORTED }, "the module has no such function"},
		"untouched, another label and one ID": {func(f *fakeModule) {
			private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			f.addKey(t, private, []byte{1, 2}, "precious")
			f.objects[len(f.objects)-2].attributes = nil // a private half alone, which no list of keys shows
		}, "2 private and 1 public keys have ID 0102"},
		"untouched, two keys and one ID": {func(f *fakeModule) {
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
			err = token.Destroy(keys[0], &typist{pin: fakePIN})
			if strings.HasPrefix(name, "untouched") != errors.Is(err, hsm.ErrUntouched) {
				t.Errorf("%v: does not say right whether the key was touched", err)
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error is %v, want %q in it", err, row.want)
			}
			if f.objects[0].attributes == nil || f.objects[1].attributes == nil {
				t.Error("a half is gone")
			}
		})
	}
}

// Only a module that destroys no keys is one that cannot: what another answers that
// wants a login, or a token that takes writes, is for people to mend.
func TestDestroyHindered(t *testing.T) {
	for code, cannot := range map[p11.Error]bool{
		p11.CKR_FUNCTION_NOT_SUPPORTED: true, p11.CKR_USER_TYPE_INVALID: true, p11.CKR_ACTION_PROHIBITED: true,
		p11.CKR_USER_NOT_LOGGED_IN: false, p11.CKR_SESSION_READ_ONLY: false, p11.CKR_TOKEN_WRITE_PROTECTED: false,
	} {
		f, r, text := newFake(t)
		f.fail["DestroyObject"] = code
		token := mustOpenFake(t, r, text)
		err := token.Destroy(onlyKey(t, token), &typist{pin: fakePIN})
		var h interface{ Hint() string }
		if !errors.Is(err, hsm.ErrUntouched) || errors.Is(err, hsm.ErrUnsupported) != cannot || errors.As(err, &h) == cannot {
			t.Errorf("0x%X: %v", uint(code), err)
		}
	}
}

// A key is looked for past what the URI narrows, and a private half alone is
// something that is left of it.
func TestHolds(t *testing.T) {
	f, r, text := newFake(t)
	first := mustOpenFake(t, r, text)
	key := onlyKey(t, first)
	_ = first.Close()
	for _, row := range []struct {
		name  string
		spoil func()
		held  bool
	}{
		{"both", func() {}, true},
		{"another label and ID", func() {
			f.objects[0].attributes[p11.CKA_ID], f.objects[0].attributes[p11.CKA_LABEL] = []byte{9}, []byte("moved")
			f.objects[1].attributes[p11.CKA_ID] = []byte{9}
		}, true},
		{"neither", func() { f.objects[0].attributes, f.objects[1].attributes = nil, nil }, false},
	} {
		row.spoil()
		for _, prompter := range []hsm.Prompter{nil, &typist{pin: fakePIN}} {
			token, ok := mustOpenFake(t, r, text).(hsm.Seeker)
			if !ok {
				t.Fatal("the token is no Seeker")
			}
			if held, err := token.Holds(key, prompter); err != nil || held != row.held {
				t.Errorf("%s: held %v, %v", row.name, held, err)
			}
			_ = token.Close()
		}
	}
	if _, err := mustOpenFake(t, r, text).(hsm.Seeker).Holds(key, &typist{pin: "000000"}); err == nil {
		t.Error("with a wrong PIN nothing is seen, and that is no answer")
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
