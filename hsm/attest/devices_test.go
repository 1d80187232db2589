package attest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// published reads a file of ../shared/data, beside the repository: what key
// holders of real ceremonies have published. The test is skipped where it is
// absent.
func published(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", filepath.FromSlash(name)))
	if err != nil {
		t.Skipf("no published evidence to test against: %s is absent", filepath.Join("..", "shared", "data", name))
	}
	return data
}

// device is one whose evidence was published.
type device struct {
	serial, leaf, certificate string
	publicKey                 string // published beside it, or empty
	want                      Facts  // without the key
}

func yes(value string) Fact { return Fact{Answer: Yes, Value: value} }

var noMark = Fact{Answer: No, Why: "the device's certificate bears no FIPS mark (1.3.6.1.4.1.41482.3.10)"}

func said(serial, firmware, touch string, formFactor, fips Fact) Facts {
	return Facts{
		Device: YubiKey, Chain: yes("Yubico PIV Root CA Serial 263751"), Serial: yes(serial), Slot: yes("9c"), Firmware: yes(firmware),
		FormFactor: formFactor, PINPolicy: yes("always"), TouchPolicy: yes(touch), Generated: yes(""),
		FIPS: fips, Advisory: yes("YSA-2024-03"),
	}
}

func devices() []device {
	sigstore := func(serial string, want Facts) device {
		prefix := "sigstore/attestation/" + serial + "/" + serial
		return device{serial, prefix + "_key_cert.pem", prefix + "_device_cert.pem", prefix + "_pubkey.pem", want}
	}
	docker := func(serial string, want Facts) device {
		folder := "docker/attestation/" + serial
		return device{serial, folder + "/Slot9CAttestation.pem", folder + "/SlotF9Intermediate.pem", "", want}
	}
	notGiven := Fact{Why: "the attestation does not give the form factor, as firmware 4 does not"}
	return []device{
		sigstore("10550341", said("10550341", "4.4.5", "always", notGiven, yes(""))),
		sigstore("13078778", said("13078778", "5.2.6", "always", yes("usb-c-keychain"), noMark)),
		sigstore("15938791", said("15938791", "5.2.7", "always", yes("usb-c-keychain"), noMark)),
		docker("25515003", said("25515003", "5.4.3", "never", yes("usb-c-keychain"), yes(""))),
		docker("25515137", said("25515137", "5.4.3", "never", yes("usb-c-keychain"), yes(""))),
	}
}

func (d device) evidence(t testing.TB) Evidence {
	t.Helper()
	evidence, err := ParseEvidence(append(published(t, d.leaf), published(t, d.certificate)...))
	if err != nil {
		t.Fatal(err)
	}
	return evidence
}

func TestPublishedDevices(t *testing.T) {
	for _, d := range devices() {
		t.Run(d.serial, func(t *testing.T) {
			evidence := d.evidence(t)
			got, err := Verify(evidence, Yubico(), now)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(got.Bind(evidence.Leaf.PublicKey), got.WantSlot("9c"), got.WantSerial(d.serial)); err != nil {
				t.Error(err)
			}
			if d.publicKey != "" {
				if err := got.Bind(parseKey(t, published(t, d.publicKey)), got.Key); err != nil {
					t.Error(err)
				}
			}
			got.Key = nil
			if got != d.want {
				t.Errorf("got  %+v\nwant %+v", got, d.want)
			}
		})
	}
}

func parseKey(t *testing.T, text []byte) crypto.PublicKey {
	t.Helper()
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPublishedKeysAreNotInterchangeable(t *testing.T) {
	for i, d := range devices() {
		facts, err := Verify(d.evidence(t), Yubico(), now)
		if err != nil {
			t.Fatal(err)
		}
		for j, other := range devices() {
			if i == j {
				continue
			}
			key := other.evidence(t).Leaf.PublicKey
			if err := facts.Bind(key); !errors.Is(err, ErrNotBound) {
				t.Errorf("the key of %s passes for that of %s: %v", other.serial, d.serial, err)
			}
			if err := facts.Bind(facts.Key, key); !errors.Is(err, ErrNotBound) || !strings.Contains(err.Error(), "key 2 of 2") {
				t.Errorf("the key of %s passes beside that of %s: %v", other.serial, d.serial, err)
			}
			if err := facts.WantSerial(other.serial); !errors.Is(err, ErrWrongSerial) {
				t.Errorf("%s passes for %s: %v", d.serial, other.serial, err)
			}
		}
	}
}

// TestPublishedDevicesMixedUp takes each attestation with each other device's
// certificate. Devices of one batch may share one: those two do.
func TestPublishedDevicesMixedUp(t *testing.T) {
	for _, d := range devices() {
		for _, other := range devices() {
			evidence, certificate := d.evidence(t), other.evidence(t).Intermediates[0]
			if certificate.Equal(evidence.Intermediates[0]) {
				continue
			}
			evidence.Intermediates[0] = certificate
			refusal(t, evidence, Yubico(), "beside the attestation did not sign it", ErrChain)
		}
	}
}

func TestPublishedDeviceCertificateAsAttestation(t *testing.T) {
	for _, d := range devices() {
		evidence := d.evidence(t)
		alone := Evidence{Leaf: evidence.Intermediates[0]}
		refusal(t, alone, Yubico(), "the device's own certificate (slot f9)", ErrNotAttestation)
		alone.Intermediates = []*x509.Certificate{evidence.Leaf}
		refusal(t, alone, Yubico(), "the device's own certificate (slot f9)", ErrNotAttestation)
		refusal(t, Evidence{Leaf: evidence.Leaf}, Yubico(), "(slot f9) is missing beside the attestation", ErrChain)
		refusal(t, evidence, Rehearsal(), "a real device's, and this is a rehearsal", ErrChain)
	}
}

// TestForgedDeviceCertificate copies everything of published certificates but
// keys and signatures. A verifier that takes what it is given for a root
// believes the first and the third.
func TestForgedDeviceCertificate(t *testing.T) {
	for _, d := range devices() {
		real := d.evidence(t)
		root, err := parsePEM(published(t, "yubico/piv-attestation-ca.pem"), 1)
		if err != nil {
			t.Fatal(err)
		}
		rootsName := &authority{&x509.Certificate{RawSubject: root[0].RawSubject}, newKey(t)}
		impostor := newAuthority(t, nil, copied(root[0]))

		refusal(t, forged(t, real, newAuthority(t, nil, copied(real.Intermediates[0]))), Yubico(),
			"is self-signed and is none of the trusted roots", ErrChain, ErrForged)
		refusal(t, forged(t, real, newAuthority(t, rootsName, copied(real.Intermediates[0]))), Yubico(),
			`names "Yubico PIV Root CA Serial 263751" as its issuer, which did not sign it`, ErrChain, ErrForged)
		refusal(t, forged(t, real, newAuthority(t, impostor, copied(real.Intermediates[0])), impostor), Yubico(),
			"is self-signed and is none of the trusted roots", ErrChain, ErrForged)
		refusal(t, forged(t, real, newAuthority(t, &authority{&x509.Certificate{Subject: pkix.Name{CommonName: "Nobody"}}, newKey(t)}, copied(real.Intermediates[0]))), Yubico(),
			`was issued by "Nobody", which is neither trusted nor beside it`, ErrChain)
	}
}

// copied is a template of a certificate with its serial number, subject, dates
// and extensions.
func copied(c *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{SerialNumber: c.SerialNumber, RawSubject: c.RawSubject, NotBefore: c.NotBefore, NotAfter: c.NotAfter, ExtraExtensions: c.Extensions}
}

func forged(t *testing.T, real Evidence, device *authority, more ...*authority) Evidence {
	t.Helper()
	evidence := Evidence{Leaf: issue(t, device, copied(real.Leaf), nil, &newKey(t).PublicKey)}
	for _, a := range append([]*authority{device}, more...) {
		evidence.Intermediates = append(evidence.Intermediates, a.certificate)
	}
	return evidence
}

func TestPublishedDevicesExpire(t *testing.T) {
	for _, d := range devices() {
		for _, at := range []string{"2016-03-13", "2052-04-18"} {
			day, err := time.Parse(time.DateOnly, at)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Verify(d.evidence(t), Yubico(), day)
			if !errors.Is(err, ErrExpired) || !errors.Is(err, ErrChain) {
				t.Errorf("at %s: %v", at, err)
			}
			if words := "asked about is " + at + ", and it is valid from 2016-03-14 to 2052-04-17"; err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("error is %v, want %q in it", err, words)
			}
		}
	}
}

// TestOtherPublishedCertificates: certificates of CAs and of devices are
// published too, and attest no key.
func TestOtherPublishedCertificates(t *testing.T) {
	var others []*x509.Certificate
	for _, name := range []string{"yubico/piv-attestation-ca.pem", "yubico/yubihsm2-root-ca.pem", "yubico/yubihsm2-sub-ca-6742036.pem"} {
		certificates, err := parsePEM(published(t, name), 1)
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, certificates...)
	}
	for _, name := range []string{"psf/0013200460/0013200460_cert.der", "psf/0013200461/0013200461_cert.der"} {
		certificate, err := x509.ParseCertificate(published(t, name))
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, certificate)
	}
	for _, c := range others {
		refusal(t, Evidence{Leaf: c}, Yubico(), "", ErrNotAttestation)
	}
}
