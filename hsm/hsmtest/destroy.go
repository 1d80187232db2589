package hsmtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"tufceremony/hsm"
)

// testDestroy has a key destroyed, and looks for it in a new session.
func testDestroy(t *testing.T, i Instance) {
	token := mustDestroyer(t, i)
	key := mustKey(t, token)
	p := &person{pin: i.PIN}
	if err := token.Destroy(key, p); err != nil {
		t.Fatalf("destroying the key: %v", err)
	}
	p.wantAsked(t, 1)
	if !slices.Equal(p.typed, make([]byte, len(i.PIN))) {
		t.Error("the PIN was not wiped")
	}
	if _, err := token.Signer(key, nobody{t}); err == nil {
		t.Error("the session signs with a key that was destroyed")
	}
	mustClose(t, token)
	again, err := i.Open()
	if err != nil {
		if !errors.Is(err, hsm.ErrNotFound) {
			t.Errorf("opening the token afterwards: error is %v, want %q", err, hsm.ErrNotFound)
		}
		return
	}
	defer again.Close()
	keys, err := again.Keys()
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(keys, func(k hsm.Key) bool { return same(k.Public, key.Public) }) {
		t.Error("a new session still lists the key")
	}
	if _, err := again.Signer(key, nobody{t}); !errors.Is(err, hsm.ErrNotFound) {
		t.Errorf("signing with it in a new session: error is %v, want %q", err, hsm.ErrNotFound)
	}
}

// testDestroyRefused wants nothing to be destroyed that was not meant, and
// nothing without the PIN.
func testDestroyRefused(t *testing.T, i Instance) {
	token := mustDestroyer(t, i)
	key := mustKey(t, token)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]hsm.Key{
		"another public key": {ID: key.ID, Label: key.Label, Public: &stranger.PublicKey},
		"another ID":         {ID: key.ID + "00", Label: key.Label, Public: key.Public},
		"no key":             {},
	} {
		if err := token.Destroy(other, nobody{t}); !errors.Is(err, hsm.ErrNotFound) {
			t.Errorf("%s: error is %v, want %q", name, err, hsm.ErrNotFound)
		}
	}
	gaveUp := errors.New("the person gave up")
	if err := token.Destroy(key, &person{err: gaveUp}); !errors.Is(err, gaveUp) {
		t.Errorf("error is %v, want %q", err, gaveUp)
	}
	var wrong *hsm.PINError
	if err := token.Destroy(key, &person{pin: i.WrongPIN}); !errors.As(err, &wrong) {
		t.Errorf("error is %v, want a *hsm.PINError", err)
	}
	mustClose(t, token)
	signer := mustSigner(t, mustOpen(t, i), &person{pin: i.PIN})
	mustSign(t, signer, key.Public, "after refusals")
}

func mustDestroyer(t *testing.T, i Instance) hsm.Destroyer {
	t.Helper()
	token, ok := mustOpen(t, i).(hsm.Destroyer)
	if !ok {
		t.Fatal("the token destroys no keys")
	}
	return token
}
