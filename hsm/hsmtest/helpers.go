package hsmtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

// mustKey returns the first P-256 key.
func mustKey(t *testing.T, token hsm.Token) hsm.Key {
	t.Helper()
	keys, err := token.Keys()
	if err != nil {
		t.Fatalf("keys: %v", err)
	}
	for _, key := range keys {
		if public, ok := key.Public.(*ecdsa.PublicKey); ok && public.Curve == elliptic.P256() {
			return key
		}
	}
	t.Fatalf("no P-256 key among %d", len(keys))
	return hsm.Key{}
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
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("the key is a %T", public)
	}
	if !ecdsa.VerifyASN1(key, digest, signature) {
		t.Errorf("the signature over %q does not verify: %x", message, signature)
	}
	other := sha256.Sum256([]byte("not " + message))
	if ecdsa.VerifyASN1(key, other[:], signature) {
		t.Errorf("the signature over %q verifies for another message", message)
	}
}

func sign(signer crypto.Signer, message string) (signature, digest []byte, err error) {
	sum := sha256.Sum256([]byte(message))
	signature, err = signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	return signature, sum[:], err
}
