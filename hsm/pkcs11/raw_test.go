//go:build cgo

package pkcs11_test

import (
	"crypto/elliptic"
	"encoding/asn1"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var p256 = elliptic.P256()

// newKey is a key pair that tests make themselves, as other programs do.
type newKey struct {
	label, kind string
	id          []byte
	always      bool
}

// raw runs f with the binding alone, logged in to a token.
func raw(t testing.TB, module, token string, f func(c *p11.Ctx, s p11.SessionHandle)) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := p11.New(module)
	must(c.Initialize())
	defer c.Finalize()
	slots, err := c.GetSlotList(true)
	must(err)
	for _, slot := range slots {
		info, err := c.GetTokenInfo(slot)
		must(err)
		if info.Label != token {
			continue
		}
		s, err := c.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
		must(err)
		must(c.Login(s, p11.CKU_USER, userPIN))
		f(c, s)
		return
	}
	t.Fatalf("no token %q", token)
}

func curveParams(kind string) []byte {
	oid := map[string]asn1.ObjectIdentifier{"P-256": {1, 2, 840, 10045, 3, 1, 7}, "P-384": {1, 3, 132, 0, 34}, "Ed25519": {1, 3, 101, 112}}[kind]
	der, _ := asn1.Marshal(oid)
	return der
}

// addKeys generates key pairs on a token.
func addKeys(t testing.TB, module, token string, keys ...newKey) {
	t.Helper()
	raw(t, module, token, func(c *p11.Ctx, s p11.SessionHandle) {
		for _, k := range keys {
			common := []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_LABEL, k.label), p11.NewAttribute(p11.CKA_ID, k.id)}
			public := append([]*p11.Attribute{p11.NewAttribute(p11.CKA_PRIVATE, false), p11.NewAttribute(p11.CKA_VERIFY, true)}, common...)
			private := append([]*p11.Attribute{p11.NewAttribute(p11.CKA_PRIVATE, true), p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_SENSITIVE, true)}, common...)
			if k.always {
				private = append(private, p11.NewAttribute(p11.CKA_ALWAYS_AUTHENTICATE, true))
			}
			mechanism := uint(p11.CKM_EC_KEY_PAIR_GEN)
			switch k.kind {
			case "RSA":
				mechanism = p11.CKM_RSA_PKCS_KEY_PAIR_GEN
				public = append(public, p11.NewAttribute(p11.CKA_MODULUS_BITS, 2048), p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
			case "RSA-1024":
				mechanism = p11.CKM_RSA_PKCS_KEY_PAIR_GEN
				public = append(public, p11.NewAttribute(p11.CKA_MODULUS_BITS, 1024), p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
			case "Ed25519":
				mechanism = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN
				fallthrough
			default:
				public = append(public, p11.NewAttribute(p11.CKA_EC_PARAMS, curveParams(k.kind)))
			}
			if _, _, err := c.GenerateKeyPair(s, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, public, private); err != nil {
				t.Fatalf("generating %s: %v", k.kind, err)
			}
		}
	})
}
