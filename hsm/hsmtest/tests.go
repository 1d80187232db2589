package hsmtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"tufceremony/hsm"
)

func testInfo(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	info := mustInfo(t, token)
	if info.Driver == "" || info.URI == "" || info.Serial == "" {
		t.Errorf("driver %q, URI %q and serial %q must not be empty", info.Driver, info.URI, info.Serial)
	}
	if bytes.Contains([]byte(info.URI), i.PIN) {
		t.Errorf("the PIN stands in the URI %q", info.URI)
	}
	if again := mustInfo(t, token); again != info {
		t.Errorf("asked twice, Info says %+v and then %+v", info, again)
	}
}

func testKeys(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	before := mustInfo(t, token)
	key := mustKey(t, token)
	if key.ID == "" {
		t.Error("the key has no ID")
	}
	if !same(key.Public, mustKey(t, token).Public) {
		t.Error("asked twice, Keys lists another key")
	}
	if after := mustInfo(t, token); after != before {
		t.Errorf("Keys changed Info from %+v to %+v", before, after)
	}
}

func testSign(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	p := &person{pin: i.PIN}
	signer := mustSigner(t, token, p)
	p.wantAsked(t, 1)
	if asked := p.asked[0]; asked.Device.Serial != mustInfo(t, token).Serial {
		t.Errorf("the PIN was asked for serial %q", asked.Device.Serial)
	}
	if !same(key.Public, signer.Public()) {
		t.Error("the signer has another public key than Keys")
	}
	mustSign(t, signer, key.Public, "message")
	if again := mustKey(t, token); again.ID != key.ID {
		t.Errorf("after login, Keys lists %q instead of %q", again.ID, key.ID)
	}
}

func testTwoSignatures(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	p := &person{pin: i.PIN}
	signer := mustSigner(t, token, p)
	mustSign(t, signer, key.Public, "first")
	mustSign(t, signer, key.Public, "second")
	mustSign(t, mustSigner(t, token, nobody{t}), key.Public, "by another signer")
	p.wantAsked(t, 1)
}

func testDigests(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	signer := mustSigner(t, token, &person{pin: i.PIN})
	_, curve := signer.Public().(*ecdsa.PublicKey) // RSA goes with any digest
	for _, bad := range []struct {
		name   string
		length int
		opts   crypto.SignerOpts
	}{
		{"empty", 0, crypto.SHA256},
		{"short", 31, crypto.SHA256},
		{"long", 33, crypto.SHA256},
		{"no options", 32, nil},
		{"SHA-512", 64, crypto.SHA512},
		{"no hash", 32, crypto.Hash(0)},
	} {
		if bad.name == "SHA-512" && !curve {
			continue
		}
		if _, err := signer.Sign(rand.Reader, make([]byte, bad.length), bad.opts); !errors.Is(err, hsm.ErrUnsupported) {
			t.Errorf("%s: error is %v, want %q", bad.name, err, hsm.ErrUnsupported)
		}
	}
	mustSign(t, signer, signer.Public(), "after refusals")
}

func testWrongPIN(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	wrong := &person{pin: i.WrongPIN}
	signer, err := token.Signer(key, wrong)
	wrong.wantAsked(t, 1)
	var pinError *hsm.PINError
	if !errors.As(err, &pinError) {
		t.Fatalf("error is %v, want a *hsm.PINError", err)
	}
	if signer != nil {
		t.Error("there is a signer beside the error")
	}
	if bytes.Contains([]byte(err.Error()), i.WrongPIN) {
		t.Errorf("the PIN stands in the error %q", err)
	}
	right := &person{pin: i.PIN}
	mustSign(t, mustSigner(t, token, right), key.Public, "after a wrong PIN")
	right.wantAsked(t, 1)
}

func testCounted(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	wrong := &person{pin: i.WrongPIN}
	_, err := token.Signer(mustKey(t, token), wrong)
	var pinError *hsm.PINError
	if !errors.As(err, &pinError) || pinError.TriesLeft != i.Tries-1 {
		t.Errorf("error is %v, want %d tries left", err, i.Tries-1)
	}
	if wrong.asked[0].TriesLeft != i.Tries {
		t.Errorf("asked with %d tries left, want %d", wrong.asked[0].TriesLeft, i.Tries)
	}
	wantTries(t, token, i.Tries-1)
	mustClose(t, token)
	token = mustOpen(t, i)
	wantTries(t, token, i.Tries-1)
	mustSigner(t, token, &person{pin: i.PIN})
	wantTries(t, token, i.Tries)
}

func wantTries(t *testing.T, token hsm.Token, want int) {
	t.Helper()
	if left := mustInfo(t, token).TriesLeft; left != want {
		t.Errorf("Info says %d tries left, want %d", left, want)
	}
}

func testUnknownKey(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, unknown := range map[string]hsm.Key{
		"public key": {ID: key.ID, Label: key.Label, Public: &stranger.PublicKey},
		"ID":         {ID: key.ID + "00", Label: key.Label, Public: key.Public},
		"no key":     {ID: key.ID, Label: key.Label},
		"zero":       {},
	} {
		if _, err := token.Signer(unknown, nobody{t}); !errors.Is(err, hsm.ErrNotFound) {
			t.Errorf("%s: error is %v, want %q", name, err, hsm.ErrNotFound)
		}
	}
}

func testNoAnswer(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	before := mustInfo(t, token)
	gaveUp := errors.New("the person gave up")
	p := &person{err: gaveUp}
	if _, err := token.Signer(key, p); !errors.Is(err, gaveUp) {
		t.Errorf("error is %v, want %q", err, gaveUp)
	}
	p.wantAsked(t, 1)
	if _, err := token.Signer(key, nil); err == nil {
		t.Error("signed without anybody to ask")
	}
	if after := mustInfo(t, token); after != before {
		t.Errorf("giving up changed Info from %+v to %+v", before, after)
	}
	mustSign(t, mustSigner(t, token, &person{pin: i.PIN}), key.Public, "after giving up")
}

func testEmptyPIN(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	before := mustInfo(t, token)
	_, err := token.Signer(mustKey(t, token), &person{pin: []byte{}})
	if err == nil {
		t.Fatal("logged in with an empty PIN")
	}
	if pinError := (*hsm.PINError)(nil); errors.As(err, &pinError) {
		t.Errorf("an empty PIN was given to the device: %v", err)
	}
	if after := mustInfo(t, token); after != before {
		t.Errorf("an empty PIN changed Info from %+v to %+v", before, after)
	}
}

func testWiped(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	for name, pin := range map[string][]byte{"wrong": i.WrongPIN, "right": i.PIN} {
		p := &person{pin: pin}
		_, _ = token.Signer(key, p)
		if !bytes.Equal(p.typed, make([]byte, len(pin))) {
			t.Errorf("the %s PIN was not wiped", name)
		}
		mustClose(t, token)
		token = mustOpen(t, i)
	}
}
