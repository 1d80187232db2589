//go:build cgo && (linux || darwin)

package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// What a device returns must at least look like a signature of its key.
func TestCheckSignature(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum := make([]byte, 32)
	good, err := private.Sign(rand.Reader, sum, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	pair := func(r, s *big.Int) []byte {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	one, order := big.NewInt(1), elliptic.P256().Params().N
	public := &private.PublicKey
	modulus := &rsa.PublicKey{N: new(big.Int).Lsh(one, 2047), E: 65537}
	for name, test := range map[string]struct {
		public    crypto.PublicKey
		signature []byte
		ok        bool
	}{
		"good":               {public, good, true},
		"empty":              {public, nil, false},
		"one byte more":      {public, append(good, 0), false},
		"one byte less":      {public, good[:len(good)-1], false},
		"zero":               {public, pair(new(big.Int), one), false},
		"negative":           {public, pair(one, big.NewInt(-1)), false},
		"order":              {public, pair(one, order), false},
		"length not minimal": {public, append([]byte{0x30, 0x81, good[1]}, good[2:]...), false},
		"RSA":                {modulus, make([]byte, 256), true},
		"RSA too short":      {modulus, make([]byte, 255), false},
		"RSA too large":      {modulus, append([]byte{0xFF}, make([]byte, 255)...), false},
		"Ed25519":            {ed25519.PublicKey(sum), make([]byte, 64), true},
		"Ed25519 too short":  {ed25519.PublicKey(sum), make([]byte, 63), false},
		"no key":             {nil, good, false},
	} {
		if err := checkSignature(test.public, test.signature); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What piv-go panics on is an error in words.
func TestProtect(t *testing.T) {
	want := errors.New("an error")
	if err := protect(func() error { return want }); err != want {
		t.Errorf("error is %v", err)
	}
	var short []byte
	err := protect(func() error {
		_ = short[2:][0] // as piv-go does with the metadata of the management key
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "something that piv-go cannot read") {
		t.Errorf("error is %v", err)
	}
}
