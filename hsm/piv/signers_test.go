//go:build cgo && linux

package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"testing"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"tufceremony/hsm"
)

// mustToken opens the token of a slot.
func (b bench) mustToken(slot Slot) *token {
	b.t.Helper()
	opened, err := Open(b.uri(slot))
	must(b.t, err)
	b.t.Cleanup(func() { opened.Close() })
	return opened.(*token)
}

// signer prepares to sign with the key in the slot that the URI names.
func (t *token) key(tb testing.TB) hsm.Key {
	tb.Helper()
	keys, err := t.Keys()
	must(tb, err)
	for _, key := range keys {
		if key.ID == t.uri.Slot.String() {
			return key
		}
	}
	tb.Fatalf("slot %s is not among %v", t.uri.Slot, keys)
	return hsm.Key{}
}

func mustSigner(t testing.TB, tok *token, p hsm.Prompter) crypto.Signer {
	t.Helper()
	signer, err := tok.Signer(tok.key(t), p)
	must(t, err)
	return signer
}

// imported puts a key into a slot as other programs do.
func (b bench) imported(slot Slot, private crypto.PrivateKey, pin pivgo.PINPolicy) {
	b.t.Helper()
	yubikey, err := pivgo.Open(stack.ReaderName(first))
	must(b.t, err)
	defer yubikey.Close()
	must(b.t, yubikey.SetPrivateKeyInsecure(FactoryManagementKey(), pivgo.Slot{Key: uint32(slot)}, private,
		pivgo.Key{PINPolicy: pin, TouchPolicy: pivgo.TouchPolicyNever}))
}

func signsP256(signer crypto.Signer) error {
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(signer.Public().(*ecdsa.PublicKey), digest[:], signature) {
		return errWrong
	}
	return err
}

func mustParse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return certificate
}
