package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestGather(t *testing.T) {
	h := newHSM(t, hsmTemplate())
	e := h.attest(t, objectTemplate())
	leaf, device, sub := e.Leaf.Raw, h.device.certificate.Raw, h.sub.certificate.Raw
	for name, files := range map[string][][]byte{
		"DER":                 {leaf, device},
		"DER the other way":   {device, leaf},
		"PEM":                 {encodePEM(leaf), encodePEM(device)},
		"one file":            {e.PEM()},
		"both":                {encodePEM(device), leaf},
		"with the CA between": {sub, device, leaf},
		"PEM backwards":       {slices.Concat(encodePEM(sub), encodePEM(device)), leaf},
	} {
		got, err := Gather(files...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := Verify(got, h.trust, now); err != nil || !got.Leaf.Equal(e.Leaf) || got.Device() != YubiHSM {
			t.Errorf("%s: %v", name, err)
		}
		if again, err := ParseEvidence(got.PEM()); err != nil || !bytes.Equal(again.PEM(), got.PEM()) {
			t.Errorf("%s: written it is another: %v", name, err)
		}
	}
	// Without an attestation it is for Verify to say what there is.
	got, err := Gather(device, sub)
	if err != nil {
		t.Fatal(err)
	}
	refusal(t, got, h.trust, "the certificate of a YubiHSM 2 itself", ErrNotAttestation)
}

func TestGatherRefuses(t *testing.T) {
	h := newHSM(t, hsmTemplate())
	leaf, other, device := h.attest(t, objectTemplate()).Leaf.Raw, h.attest(t, objectTemplate()).Leaf.Raw, h.device.certificate.Raw
	for words, files := range map[string][][]byte{
		"it holds no certificate":                                 nil,
		"file 1 of 1: it holds no certificate":                    {{}},
		"file 2 of 2: certificate 1: it is no PEM block":          {leaf, []byte("hello")},
		"file 1 of 1: x509: ":                                     {leaf[:len(leaf)-1]},
		"file 1 of 2: x509: trailing data":                        {append(bytes.Clone(leaf), 0), device},
		"file 1 of 1: it holds more than 8192 bytes":              {append([]byte{0x30}, make([]byte, maxCertificate)...)},
		"certificates 1 and 3 are the same":                       {leaf, device, encodePEM(leaf)},
		"certificates 2 and 3 each attest a key: give the files ": {device, leaf, other},
		"there are more than 8 certificates":                      {leaf, leaf, leaf, leaf, leaf, leaf, leaf, leaf, leaf},
	} {
		got, err := Gather(files...)
		if !errors.Is(err, ErrEvidence) || !strings.Contains(err.Error(), words) || got.Leaf != nil {
			t.Errorf("error is %v, want %q in it", err, words)
		}
	}
}

func TestParsePublicKey(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := private.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for _, form := range [][]byte{point, der, text, append(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), '\n')} {
			key, err := ParsePublicKey(form)
			if err != nil || !private.PublicKey.Equal(key) {
				t.Errorf("%d bytes: %v, %v", len(form), key, err)
			}
		}
		off := bytes.Clone(point)
		off[len(off)-1] ^= 1
		for words, form := range map[string][]byte{
			"point not on curve":         off,
			"neither PEM nor DER nor":    point[1:],
			"nor a point of P-256":       append(bytes.Clone(point), 0),
			"of P-256, P-384 or P-521":   {4},
			"trailing data":              append(bytes.Clone(der), 0),
			"text stands beside":         append(bytes.Clone(text), "x"...),
			`is "PRIVATE KEY", not`:      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
			"it is neither PEM nor DER ": nil,
		} {
			if key, err := ParsePublicKey(form); err == nil || key != nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%v, error is %v, want %q in it", key, err, words)
			}
		}
	}
}
