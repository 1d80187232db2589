package hsmtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"tufceremony/hsm"
)

func mustOpen(t *testing.T, i Instance) hsm.Token {
	t.Helper()
	token, err := i.Open()
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(func() { token.Close() })
	return token
}

func mustClose(t *testing.T, token hsm.Token) {
	t.Helper()
	if err := token.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
}

func mustInfo(t *testing.T, token hsm.Token) hsm.Info {
	t.Helper()
	info, err := token.Info()
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	return info
}

// mustKey returns the first P-256 key, or an RSA key where there is none: some
// devices have no curves.
func mustKey(t *testing.T, token hsm.Token) hsm.Key {
	t.Helper()
	keys, err := token.Keys()
	if err != nil {
		t.Fatalf("keys: %v", err)
	}
	var found hsm.Key
	for _, key := range keys {
		switch public := key.Public.(type) {
		case *ecdsa.PublicKey:
			if public.Curve == elliptic.P256() {
				return key
			}
		case *rsa.PublicKey:
			if found.Public == nil {
				found = key
			}
		}
	}
	if found.Public == nil {
		t.Fatalf("no P-256 key and no RSA key among %d", len(keys))
	}
	return found
}

// same compares public keys.
func same(a, b crypto.PublicKey) bool {
	return a.(interface{ Equal(crypto.PublicKey) bool }).Equal(b)
}

// options are those of TUF's signatures with a key: of a SHA-256 digest, and
// with RSA a PSS.
func options(public crypto.PublicKey) crypto.SignerOpts {
	if _, ok := public.(*rsa.PublicKey); ok {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	return crypto.SHA256
}

// verifies asks the standard library.
func verifies(public crypto.PublicKey, digest, signature []byte) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPSS(key, crypto.SHA256, digest, signature, options(public).(*rsa.PSSOptions)) == nil
	}
	return false
}

func mustSigner(t *testing.T, token hsm.Token, prompter hsm.Prompter) crypto.Signer {
	t.Helper()
	signer, err := token.Signer(mustKey(t, token), prompter)
	if err != nil {
		t.Fatalf("signer: %v", err)
	}
	return signer
}

// mustSign signs and verifies with the standard library, against the key that
// Keys listed.
func mustSign(t *testing.T, signer crypto.Signer, public crypto.PublicKey, message string) {
	t.Helper()
	signature, digest, err := sign(signer, message)
	if err != nil {
		t.Fatalf("signing: %v", err)
	}
	if !verifies(public, digest, signature) {
		t.Errorf("the signature over %q does not verify: %x", message, signature)
	}
	other := sha256.Sum256([]byte("not " + message))
	if verifies(public, other[:], signature) {
		t.Errorf("the signature over %q verifies for another message", message)
	}
}

func sign(signer crypto.Signer, message string) (signature, digest []byte, err error) {
	sum := sha256.Sum256([]byte(message))
	signature, err = signer.Sign(rand.Reader, sum[:], options(signer.Public()))
	return signature, sum[:], err
}
