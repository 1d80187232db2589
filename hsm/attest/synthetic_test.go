package attest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// now is a time at which real and synthetic certificates are valid.
var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// authority is a key with its certificate.
type authority struct {
	certificate *x509.Certificate
	private     *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// issue signs a certificate. A nil issuer signs itself.
func issue(t testing.TB, issuer *authority, template *x509.Certificate, private *ecdsa.PrivateKey, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	parent, signer := template, private
	if issuer != nil {
		parent, signer = issuer.certificate, issuer.private
	}
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(4711)
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Date(2016, 3, 14, 0, 0, 0, 0, time.UTC)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Date(2052, 4, 17, 0, 0, 0, 0, time.UTC)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func newAuthority(t testing.TB, issuer *authority, template *x509.Certificate) *authority {
	t.Helper()
	private := newKey(t)
	return &authority{issue(t, issuer, template, private, &private.PublicKey), private}
}

func caTemplate(name string, pathLength int) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: true,
		MaxPathLen: pathLength, MaxPathLenZero: pathLength == 0, KeyUsage: x509.KeyUsageCertSign,
	}
}

func raw(oid asn1.ObjectIdentifier, value ...byte) pkix.Extension {
	return pkix.Extension{Id: oid, Value: value}
}

// deviceTemplate is what the factory writes into f9.
func deviceTemplate() *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: deviceName}, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		ExtraExtensions: []pkix.Extension{raw(oidFirmware, 5, 4, 3)},
	}
}

// leafTemplate is what a device with firmware 5 says of a key in slot 9c.
func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "YubiKey PIV Attestation 9c"},
		ExtraExtensions: []pkix.Extension{
			raw(oidFirmware, 5, 4, 3),
			raw(oidSerial, 2, 4, 0, 0xc7, 0x90, 0xfa),
			raw(oidPolicy, 3, 2),
			raw(oidFormFactor, 3),
		},
	}
}

// hierarchy is a world of its own, in the shape of the old roots.
type hierarchy struct {
	root, device *authority
	trust        *Trust
}

// trusting is the test's way to pin a root.
func trusting(k kind, roots ...*authority) *Trust {
	trust := &Trust{}
	for _, root := range roots {
		trust.roots = append(trust.roots, anchor{root.certificate, k, OriginPinned})
	}
	return trust
}

func newHierarchy(t testing.TB) hierarchy {
	t.Helper()
	root := newAuthority(t, nil, caTemplate("Test PIV Root", 1))
	return hierarchy{root, newAuthority(t, root, deviceTemplate()), trusting(old, root)}
}

// attest makes evidence with a new key.
func (h hierarchy) attest(t testing.TB, template *x509.Certificate) Evidence {
	t.Helper()
	return Evidence{issue(t, h.device, template, nil, &newKey(t).PublicKey), []*x509.Certificate{h.device.certificate}}
}

// with replaces an extension of a template, or takes it out.
func with(template *x509.Certificate, oid asn1.ObjectIdentifier, value ...byte) *x509.Certificate {
	var kept []pkix.Extension
	for _, e := range template.ExtraExtensions {
		if !e.Id.Equal(oid) {
			kept = append(kept, e)
		}
	}
	if value != nil {
		kept = append(kept, raw(oid, value...))
	}
	template.ExtraExtensions = kept
	return template
}

// rehearsalAuthority is what anyone can make: the key is public.
func rehearsalAuthority(t testing.TB) *authority {
	t.Helper()
	scalar := sha256.Sum256([]byte("ceremony rehearsal PIV root, not a secret"))
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		t.Fatal(err)
	}
	return &authority{Rehearsal().roots[0].certificate, private}
}

// refusal holds that evidence is refused with the sentinels and the words, and
// that nothing is said of the key.
func refusal(t *testing.T, e Evidence, trust *Trust, words string, sentinels ...error) {
	t.Helper()
	facts, err := Verify(e, trust, now)
	if err == nil {
		t.Fatalf("accepted as %+v", facts)
	}
	for _, sentinel := range sentinels {
		if !errors.Is(err, sentinel) {
			t.Errorf("error %q is not %q", err, sentinel)
		}
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("error is %q, want %q in it", err, words)
	}
	if facts != (Facts{}) {
		t.Errorf("refused evidence left %+v behind", facts)
	}
}
