//go:build cgo && linux

package pkcs11_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // digests that callers bring
	"errors"
	"fmt"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/pkcs11test"
)

var kinds = []newKey{
	{label: "P-256", kind: "P-256", id: []byte{1}},
	{label: "P-384", kind: "P-384", id: []byte{2}},
	{label: "Ed25519", kind: "Ed25519", id: []byte{3}},
	{label: "RSA", kind: "RSA", id: []byte{4}},
}

// request is one way to ask for a signature, and to verify it.
type request struct {
	key    string
	name   string
	opts   crypto.SignerOpts
	verify func(public crypto.PublicKey, message, digest, signature []byte) bool
}

func ecdsaOK(public crypto.PublicKey, _, digest, signature []byte) bool {
	return ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest, signature)
}

func edOK(public crypto.PublicKey, message, _, signature []byte) bool {
	return ed25519.Verify(public.(ed25519.PublicKey), message, signature)
}

func pssOK(hash crypto.Hash, salt int) func(crypto.PublicKey, []byte, []byte, []byte) bool {
	return func(public crypto.PublicKey, _, digest, signature []byte) bool {
		return rsa.VerifyPSS(public.(*rsa.PublicKey), hash, digest, signature, &rsa.PSSOptions{SaltLength: salt}) == nil
	}
}

func rsaOK(hash crypto.Hash) func(crypto.PublicKey, []byte, []byte, []byte) bool {
	return func(public crypto.PublicKey, _, digest, signature []byte) bool {
		return rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), hash, digest, signature) == nil
	}
}

var requests = []request{
	{"P-256", "SHA-256", crypto.SHA256, ecdsaOK},
	{"P-384", "SHA-384", crypto.SHA384, ecdsaOK},
	{"Ed25519", "the message", crypto.Hash(0), edOK},
	{"Ed25519", "options", &ed25519.Options{}, edOK},
	{"RSA", "PSS, SHA-256", &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}, pssOK(crypto.SHA256, 32)},
	{"RSA", "PSS, SHA-384", &rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: 48}, pssOK(crypto.SHA384, 48)},
	{"RSA", "PSS, SHA-512", &rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: 20}, pssOK(crypto.SHA512, 20)},
	{"RSA", "PSS, longest salt", &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthAuto}, pssOK(crypto.SHA256, 256-2-32)},
	{"RSA", "v1.5, SHA-256", crypto.SHA256, rsaOK(crypto.SHA256)},
	{"RSA", "v1.5, SHA-384", crypto.SHA384, rsaOK(crypto.SHA384)},
	{"RSA", "v1.5, SHA-512", crypto.SHA512, rsaOK(crypto.SHA512)},
}

// sign asks for a signature, by digest or by message, and verifies it.
func (r request) sign(signer crypto.Signer, text string, byMessage bool) error {
	message, digest := []byte(text), []byte(text)
	if hash := r.opts.HashFunc(); hash != 0 {
		h := hash.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	var signature []byte
	var err error
	if byMessage {
		signature, err = crypto.SignMessage(signer, rand.Reader, message, r.opts)
	} else {
		signature, err = signer.Sign(rand.Reader, digest, r.opts)
	}
	if err == nil && !r.verify(signer.Public(), message, digest, signature) {
		return fmt.Errorf("the signature does not verify: %x", signature)
	}
	return err
}

// signersOf opens a token, and gives a signer for each of its keys by label.
func signersOf(t testing.TB, uri string, p hsm.Prompter) map[string]crypto.Signer {
	t.Helper()
	token := openToken(t, uri)
	keys, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	signers := make(map[string]crypto.Signer)
	for _, key := range keys {
		if signers[key.Label], err = token.Signer(key, p); err != nil {
			t.Fatal(err)
		}
	}
	return signers
}

func TestSoftHSMKinds(t *testing.T) {
	newSoftHSM(t)
	createToken(t, "holder-1")
	addKeys(t, softHSM, "holder-1", kinds...)
	addKeys(t, softHSM, "holder-1", newKey{label: "weak", kind: "RSA-1024", id: []byte{9}})
	p := &person{}
	signers := signersOf(t, tokenURI("holder-1"), p)
	if len(signers) != len(kinds) {
		t.Fatalf("%d keys are listed, want %d", len(signers), len(kinds))
	}
	for _, r := range requests {
		for _, byMessage := range []bool{false, true} {
			if err := r.sign(signers[r.key], "message", byMessage); err != nil {
				t.Errorf("%s, %s, by message %t: %v", r.key, r.name, byMessage, err)
			}
		}
	}
	for _, empty := range []request{requests[0], requests[2]} {
		if err := empty.sign(signers[empty.key], "", true); err != nil {
			t.Errorf("%s, the empty message: %v", empty.key, err)
		}
	}
	if len(p.asked) != 1 {
		t.Errorf("asked for the PIN %d times", len(p.asked))
	}
	for _, bad := range []struct {
		key  string
		size int
		opts crypto.SignerOpts
	}{
		{"P-256", 48, crypto.SHA384}, {"P-256", 31, crypto.SHA256}, {"P-384", 32, crypto.SHA256}, {"P-384", 48, nil},
		{"Ed25519", 32, crypto.SHA256}, {"Ed25519", 64, &ed25519.Options{Hash: crypto.SHA512}}, {"Ed25519", 5, &ed25519.Options{Context: "a"}},
		{"RSA", 20, crypto.SHA1}, {"RSA", 5, crypto.Hash(0)}, {"RSA", 48, crypto.SHA256},
		// NSS would sign a digest of 48 bytes as one of SHA-256.
		{"RSA", 48, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 32}},
		{"RSA", 32, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: -2}},
	} {
		if _, err := signers[bad.key].Sign(rand.Reader, make([]byte, bad.size), bad.opts); !errors.Is(err, hsm.ErrUnsupported) {
			t.Errorf("%s, %d bytes, %v: error is %v, want %q", bad.key, bad.size, bad.opts, err, hsm.ErrUnsupported)
		}
	}
	for _, r := range requests { // refusals cost nothing
		if err := r.sign(signers[r.key], "after refusals", false); err != nil {
			t.Errorf("%s, %s: %v", r.key, r.name, err)
		}
	}
}

// A key that wants its PIN for every signature is asked for every signature.
func TestSoftHSMAlwaysAuthenticate(t *testing.T) {
	newSoftHSM(t)
	createToken(t, "holder-1")
	addKeys(t, softHSM, "holder-1", newKey{label: "P-256", kind: "P-256", id: []byte{1}, always: true}, newKey{label: "RSA", kind: "RSA", id: []byte{2}, always: true})
	p := &person{}
	signers := signersOf(t, tokenURI("holder-1"), p)
	for n := 1; n <= 3; n++ {
		if err := errors.Join(requests[0].sign(signers["P-256"], "message", false), requests[4].sign(signers["RSA"], "message", true)); err != nil || len(p.asked) != 1+2*n {
			t.Errorf("asked %d times, %v", len(p.asked), err)
		}
	}
}

// kindsDevice is a fake with a key of each kind.
func kindsDevice(t *testing.T) (fake *pkcs11test.Fake, uri string) {
	t.Helper()
	fake = pkcs11test.Proxy(t)
	createTokenAt(t, fake.Path, "holder-1")
	addKeys(t, fake.Path, "holder-1", kinds...)
	fake.Forget()
	return fake, "pkcs11:token=holder-1?module-path=" + fake.Path
}

// tpm2-pkcs11 begins RSA-PSS over a digest, refuses it when it comes to signing,
// and has the mechanism that hashes. That is found out once a session, and costs
// no second PIN.
func TestPSSFallback(t *testing.T) {
	for _, fault := range []string{"C_Sign mechanism 0xd 0x70", "C_SignInit mechanism 0xd 0x70", "C_Sign mechanism 0xd 0x71"} {
		t.Run(fault, func(t *testing.T) {
			fake, uri := kindsDevice(t)
			fake.Faults(t, fault)
			p := &person{}
			signers := signersOf(t, uri, p)
			pss := requests[4]
			for range 3 {
				if err := pss.sign(signers["RSA"], "message", true); err != nil {
					t.Error(err)
				}
			}
			// 0xd is tried once, and 0x43 signs three times.
			if fake.Count("mechanism 0xd") != 1 || fake.Count("mechanism 0x43") != 3 || len(p.asked) != 1 {
				t.Errorf("asked %d times, called %v", len(p.asked), fake.Calls())
			}
			err := pss.sign(signers["RSA"], "message", false)
			if !errors.Is(err, hsm.ErrUnsupported) {
				t.Errorf("with a digest alone: %v", err)
			}
			wantError(t, err, "only what it hashes itself")
			// Other keys and other signatures of the session are none the worse.
			for _, r := range append(requests[:3:3], requests[8]) {
				if err := r.sign(signers[r.key], "message", false); err != nil {
					t.Errorf("%s, %s: %v", r.key, r.name, err)
				}
			}
			if len(p.asked) != 1 {
				t.Errorf("asked for the PIN %d times", len(p.asked))
			}
		})
	}
}

// Without either there is nothing left, and the session is over.
func TestNoPSS(t *testing.T) {
	fake, uri := kindsDevice(t)
	fake.Faults(t, "C_Sign rv 0x70")
	signers := signersOf(t, uri, &person{})
	err := requests[4].sign(signers["RSA"], "message", true)
	wantError(t, err, "CKR_MECHANISM_INVALID")
	if !errors.Is(err, hsm.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
	wantError(t, requests[4].sign(signers["RSA"], "message", true), "the session ended after an error")
}

// Ed25519 is CKM_EDDSA or nothing: what NSS has in its place is another curve.
func TestNoEdDSAFallback(t *testing.T) {
	fake, uri := kindsDevice(t)
	fake.Faults(t, "C_SignInit mechanism 0x1057 0x70")
	signers := signersOf(t, uri, &person{})
	fake.Forget()
	if err := requests[2].sign(signers["Ed25519"], "message", false); !errors.Is(err, hsm.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
	if fake.Count("C_SignInit") != 1 || fake.Count("mechanism 0x1057") != 1 || fake.Count("C_Sign") != 0 {
		t.Errorf("called %v", fake.Calls())
	}
}
