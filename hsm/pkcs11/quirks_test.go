//go:build cgo

package pkcs11

import (
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// What modules were measured to do wrong, and where it is shown that it does no
// harm:
//
//  1. A valid signature over the empty message, when signed in several parts:
//     the modules of all tests abort there (pkcs11test, in_parts); what the
//     driver may call does not have it (cryptoki).
//  2. A key pair is overwritten by one with the same ID: TestLooksBeforeItGenerates.
//  3. A digest of the wrong length is signed: TestSoftHSMKinds, refusals.
//  4. A curve that is not Ed25519 passes for it: TestNoEdDSAFallback, TestEdwardsParams.
//  5. Labels are not unique: TestLabelTwice, TestIDTwice, TestPrivateHalf.
//  6. Signing with a public key's handle breaks a TPM: TestFaults, "class"; the
//     modules of all tests abort when it is tried.

// An ID or a label that is there already stops the generation before it begins.
func TestLooksBeforeItGenerates(t *testing.T) {
	f, r, text := newFake(t) // it would panic in GenerateKeyPair
	for _, c := range []struct {
		id    []byte
		label string
		want  string
	}{
		{[]byte{1, 2}, "new", "an object with the ID 0102 is on the token already"},
		{[]byte{9}, "root", "there is a key of this label already"},
	} {
		_, err := within(mustOpen(t, r, text), DefaultTimeout, func(c2 cryptoki, s p11.SessionHandle) (struct{}, error) {
			f.loggedIn = true
			return struct{}{}, checkAbsent(c2, s, c.id, c.label)
		})
		wantError(t, err, c.want)
		r.modules = nil
		f.initialised = false
	}
	_, err := generateKey(r, strings.Replace(text, "?", ";object=root;id="+strings.Repeat("%10", IDSize)+"?", 1), []byte(fakePIN), Options{})
	wantError(t, err, "there is a key of this label already")
}

// The OID that GNU gave Ed25519 makes another curve in NSS, and is none here.
func TestEdwardsParams(t *testing.T) {
	point := append([]byte{4, 32}, make([]byte, 32)...)
	values := func(params, point []byte) map[uint][]byte {
		return map[uint][]byte{p11.CKA_KEY_TYPE: p11.NewAttribute(p11.CKA_KEY_TYPE, keyTypeEdwards).Value, p11.CKA_EC_PARAMS: params, p11.CKA_EC_POINT: point}
	}
	for _, params := range edwardsParams {
		for _, p := range [][]byte{point, point[2:]} {
			if _, ok := decodePublic(values(params, p)); !ok {
				t.Errorf("%x with a point of %d bytes is refused", params, len(p))
			}
		}
	}
	gnu := []byte{0x06, 0x09, 0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01}
	for _, v := range []map[uint][]byte{values(gnu, point), values(nil, point), values(edwardsParams[0], point[1:]), values(edwardsParams[0], nil)} {
		if public, ok := decodePublic(v); ok {
			t.Errorf("%v is taken for %v", v, public)
		}
	}
}

// RSA keys that are no keys, or broken ones, are not listed.
func TestRSAPublic(t *testing.T) {
	modulus := func(bits int) []byte {
		n := make([]byte, bits/8)
		n[0], n[len(n)-1] = 0x80, 1
		return n
	}
	for _, c := range []struct {
		modulus, exponent []byte
		ok                bool
	}{
		{modulus(2048), []byte{1, 0, 1}, true}, {append([]byte{0}, modulus(4096)...), []byte{0, 1, 0, 1}, true}, {modulus(3072), []byte{3}, true},
		{modulus(2040), []byte{1, 0, 1}, false}, {modulus(8200), []byte{1, 0, 1}, false}, {nil, nil, false}, {modulus(2048), []byte{1}, false},
		{modulus(2048), []byte{4}, false}, {modulus(2048), []byte{1, 0, 0, 0, 1}, false}, {append(modulus(2040), 2), []byte{1, 0, 1}, false},
	} {
		if _, ok := decodeRSA(c.modulus, c.exponent); ok != c.ok {
			t.Errorf("%d bytes, exponent %x: %t", len(c.modulus), c.exponent, ok)
		}
	}
}
