package virtual

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"testing"
)

const pinnedRoot = "../attest/certs/rehearsal.pem"

// The one copy of the root's certificate is the one that verifiers pin. Its
// key is the one that everybody can derive.
func TestRootIsPublicKnowledge(t *testing.T) {
	root := readRoot(t)
	key, err := rootKey()
	if err != nil {
		t.Fatal(err)
	}
	if !key.PublicKey.Equal(root.PublicKey) {
		t.Error("the pinned root has another key")
	}
	if root.Subject.CommonName != RootName || root.Issuer.String() != root.Subject.String() {
		t.Errorf("the pinned root is %s, issued by %s", root.Subject, root.Issuer)
	}
	if !root.NotBefore.Equal(rootNotBefore) || !root.NotAfter.Equal(rootNotAfter) {
		t.Errorf("the pinned root is good from %s to %s", root.NotBefore, root.NotAfter)
	}
}

func readRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(pinnedRoot)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("the pinned root is no PEM")
	}
	return parse(t, block.Bytes)
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestAttestation(t *testing.T) {
	for _, test := range []struct {
		config         Config
		version        string // of the leaf, in hex
		form, fips     string // empty: there is no such extension
		policies       string
		pin, touch     byte
		slot           byte
		subject        string
		deviceKeyCurve string
	}{
		{Config{Firmware: "4.3.5"}, "040305", "", "", "0302", pinAlways, touchAlways, 0x9c, "9c", "P-256"},
		{Config{Firmware: "5.2.4", Form: "usb-c-nano"}, "050204", "04", "", "0103", pinNever, touchCached, 0x9a, "9a", "P-256"},
		{Config{Firmware: "5.4.3", FIPS: true, Form: "usb-c-keychain"}, "050403", "83", "020107", "0301", pinAlways, touchNever, 0x9c, "9c", "P-256"},
		{Config{Firmware: "5.7.1"}, "050701", "01", "", "0202", pinOnce, touchAlways, 0x82, "82", "P-384"},
	} {
		t.Run(test.config.Firmware, func(t *testing.T) {
			test.config.Serial = 14470876
			d := newDesk(t, test.config)
			public := d.generate(test.slot, algorithmP256, test.pin, test.touch)
			leaf := parse(t, d.want(ok, insAttest, test.slot, 0))
			device := readDevice(t, d)
			verify(t, leaf, device)

			point, err := leaf.PublicKey.(*ecdsa.PublicKey).Bytes()
			if err != nil || !bytes.HasSuffix(public, point) {
				t.Error("it is about another key")
			}
			if want := "YubiKey PIV Attestation " + test.subject; leaf.Subject.CommonName != want {
				t.Errorf("its subject is %q", leaf.Subject.CommonName)
			}
			if !leaf.NotBefore.Equal(device.NotBefore) || !leaf.NotAfter.Equal(device.NotAfter) {
				t.Errorf("it is good from %s to %s", leaf.NotBefore, leaf.NotAfter)
			}
			if got := device.PublicKey.(*ecdsa.PublicKey).Params().Name; got != test.deviceKeyCurve {
				t.Errorf("the device's key is on %s", got)
			}
			for _, e := range []struct {
				of   *x509.Certificate
				oid  asn1.ObjectIdentifier
				want string
			}{
				{leaf, oidFirmware, test.version},
				{leaf, oidSerial, "0204 00dccedc"}, // a DER integer, and so with a sign
				{leaf, oidPolicies, test.policies},
				{leaf, oidForm, test.form},
				{leaf, oidFIPS, ""},
				{device, oidFirmware, test.version},
				{device, oidFIPS, test.fips},
			} {
				if got := extension(e.of, e.oid); !bytes.Equal(got, unhex(t, e.want)) {
					t.Errorf("%s of %s is % x, not %s", e.oid, e.of.Subject, got, e.want)
				}
			}
		})
	}
}

func readDevice(t *testing.T, d *desk) *x509.Certificate {
	t.Helper()
	outer, _ := parseTLV(d.want(ok, insGetData, 0x3f, 0xff, tagList, 3, 0x5f, 0xff, 0x01))
	inner, _ := parseTLV(field(outer, tagObject))
	return parse(t, field(inner, 0x70))
}

func verify(t *testing.T, leaf, device *x509.Certificate) {
	t.Helper()
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	options.Roots.AddCert(readRoot(t))
	options.Intermediates.AddCert(device)
	if _, err := leaf.Verify(options); err != nil {
		t.Error(err)
	}
}

func extension(c *x509.Certificate, oid asn1.ObjectIdentifier) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value
		}
	}
	return nil
}

// As on devices, there is nothing in these certificates beside.
func TestAttestationHasNoMore(t *testing.T) {
	d := newDesk(t, Config{Firmware: "5.4.3"})
	d.generate(slotSignature, algorithmP384, pinAlways, touchAlways)
	leaf := parse(t, d.want(ok, insAttest, slotSignature, 0))
	if n := len(leaf.Extensions); n != 4 {
		t.Errorf("the leaf has %d extensions", n)
	}
	if n := len(readDevice(t, d).Extensions); n != 2 {
		t.Errorf("the device's certificate has %d extensions", n)
	}
}

// There is nothing to attest in an empty slot, and f9 does not attest itself.
func TestAttestNothing(t *testing.T) {
	d := newDesk(t, Config{})
	d.want(wrongData, insAttest, slotSignature, 0)
	d.want(wrongData, insAttest, slotAttestation, 0)
	d.want(wrongParameters, insAttest, slotManagement, 0)
}
