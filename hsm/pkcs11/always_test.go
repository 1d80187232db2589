//go:build cgo

package pkcs11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

func TestAlwaysAuthenticate(t *testing.T) {
	f, r, text := newFake(t)
	f.objects[1].attributes[p11.CKA_ALWAYS_AUTHENTICATE] = []byte{1}
	p := &typist{pin: fakePIN}
	signer := mustSigner(t, mustOpen(t, r, text), p)
	for n := 1; n <= 2; n++ {
		if err := signMessage(signer); err != nil {
			t.Fatal(err)
		}
		if len(p.asked) != 1+n || f.contextLogins != n {
			t.Errorf("%d signatures: asked %d times, %d logins", n, len(p.asked), f.contextLogins)
		}
	}
	p.pin = "654321"
	var pinError *hsm.PINError
	if err := signMessage(signer); !errors.As(err, &pinError) || f.left != fakeTries-1 {
		t.Errorf("%d tries left, %v", f.left, err)
	}
	wantError(t, signMessage(signer), "the session ended after an error")
}

func TestAlwaysAuthenticateNotEnforced(t *testing.T) {
	for _, code := range []p11.Error{p11.CKR_USER_TYPE_INVALID, p11.CKR_USER_ALREADY_LOGGED_IN} {
		f, r, text := newFake(t)
		f.objects[1].attributes[p11.CKA_ALWAYS_AUTHENTICATE] = []byte{1}
		f.contextLoginAnswer = code
		if err := signMessage(mustSigner(t, mustOpen(t, r, text), &typist{pin: fakePIN})); err != nil {
			t.Errorf("%v: %v", code, err)
		}
	}
}

func TestKeysThatDoNotSign(t *testing.T) {
	f, r, text := newFake(t)
	set := func(attribute uint, value []byte) func(map[uint][]byte) {
		return func(a map[uint][]byte) { a[attribute] = value }
	}
	for name, spoil := range map[string]func(map[uint][]byte){
		"RSA":         set(p11.CKA_KEY_TYPE, p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_RSA).Value),
		"P-384":       set(p11.CKA_EC_PARAMS, []byte{6, 5, 0x2B, 0x81, 4, 0, 0x22}),
		"no ID":       set(p11.CKA_ID, nil),
		"no type":     func(a map[uint][]byte) { delete(a, p11.CKA_KEY_TYPE) },
		"no point":    func(a map[uint][]byte) { delete(a, p11.CKA_EC_POINT) },
		"off curve":   func(a map[uint][]byte) { a[p11.CKA_EC_POINT][10] ^= 1 },
		"cut point":   func(a map[uint][]byte) { a[p11.CKA_EC_POINT] = a[p11.CKA_EC_POINT][:66] },
		"other tag":   func(a map[uint][]byte) { a[p11.CKA_EC_POINT][0] = 3 },
		"other size":  func(a map[uint][]byte) { a[p11.CKA_EC_POINT][1] = 64 },
		"compression": func(a map[uint][]byte) { a[p11.CKA_EC_POINT][2] = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			f.objects = nil
			f.addKey(t, newKey(t), []byte{1}, "root")
			f.addKey(t, newKey(t), []byte{2}, "spoiled")
			spoil(f.objects[2].attributes)
			token := mustOpen(t, r, text)
			defer token.Close()
			keys, err := token.Keys()
			if err != nil || len(keys) != 1 || keys[0].Label != "root" {
				t.Errorf("keys are %v, %v", keys, err)
			}
		})
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func TestRawPointAndNoLabel(t *testing.T) {
	f, r, text := newFake(t)
	public := f.objects[0].attributes
	public[p11.CKA_EC_POINT] = public[p11.CKA_EC_POINT][2:]
	delete(public, p11.CKA_LABEL)
	if err := signMessage(mustSigner(t, mustOpen(t, r, text), &typist{pin: fakePIN})); err != nil {
		t.Error(err)
	}
}

func TestPrivateHalf(t *testing.T) {
	f, r, text := newFake(t)
	whole := slices.Clone(f.objects)
	f.objects = whole[:1]
	token := mustOpen(t, r, text)
	if _, err := signer1(t, token, &typist{pin: fakePIN}); !errors.Is(err, hsm.ErrNotFound) {
		t.Errorf("without a private half: %v", err)
	}
	f.objects = append(whole, whole[1])
	_, err := signer1(t, token, &typist{pin: fakePIN})
	wantError(t, err, "2 private keys have this ID")
	f.objects = append(whole, whole[0]) // the public half twice is one key
	if keys, err := token.Keys(); err != nil || len(keys) != 1 {
		t.Errorf("keys are %v, %v", keys, err)
	}
}

func TestOddSignatureIsRefused(t *testing.T) {
	f, r, text := newFake(t)
	f.shorten = true
	signer := mustSigner(t, mustOpen(t, r, text), &typist{pin: fakePIN})
	wantError(t, signMessage(signer), "63 bytes instead of 64")
}
