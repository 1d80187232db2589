package attest

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The device's certificate alone leads to the root to which its attestations
// lead, and to no other.
func TestVerifyDevice(t *testing.T) {
	for _, d := range devices() {
		certificate := d.evidence(t).Intermediates[0]
		root, err := VerifyDevice(certificate.Raw, Yubico(), now)
		if err != nil || root != "Yubico PIV Root CA Serial 263751" {
			t.Errorf("%s leads to %q, %v", d.serial, root, err)
		}
		if _, err := VerifyDevice(certificate.Raw, Rehearsal(), now); !errors.Is(err, ErrChain) {
			t.Errorf("%s in a rehearsal: %v", d.serial, err)
		}
	}
}

func TestVerifyDeviceOfARehearsal(t *testing.T) {
	device := newAuthority(t, rehearsalAuthority(t), deviceTemplate())
	root, err := VerifyDevice(device.certificate.Raw, Rehearsal(), now)
	if err != nil || root != rehearsalName {
		t.Errorf("it leads to %q, %v", root, err)
	}
	if _, err := VerifyDevice(device.certificate.Raw, Yubico(), now); !errors.Is(err, ErrRehearsal) {
		t.Errorf("on the real day: %v", err)
	}
}

func TestVerifyDeviceRefuses(t *testing.T) {
	h := newHierarchy(t)
	device := newAuthority(t, h.root, deviceTemplate())
	attestation := h.attest(t, leafTemplate()).Leaf
	for _, row := range []struct {
		name  string
		der   []byte
		trust *Trust
		at    time.Time
		is    error
		words string
	}{
		{"no certificate", []byte("hello"), h.trust, now, ErrEvidence, ""},
		{"an attestation", attestation.Raw, h.trust, now, ErrNotAttestation, "no device's certificate"},
		{"a root", h.root.certificate.Raw, h.trust, now, ErrNotAttestation, "no device's certificate"},
		{"made at home", newAuthority(t, nil, deviceTemplate()).certificate.Raw, h.trust, now, ErrForged, "self-signed"},
		{"another maker", device.certificate.Raw, Yubico(), now, ErrChain, ""},
		{"too early", device.certificate.Raw, h.trust, time.Unix(1, 0), ErrExpired, ""},
		{"no time", device.certificate.Raw, h.trust, time.Time{}, nil, "no time"},
		{"no trust", device.certificate.Raw, nil, now, nil, "no trust"},
	} {
		root, err := VerifyDevice(row.der, row.trust, row.at)
		if err == nil || root != "" || row.is != nil && !errors.Is(err, row.is) || !strings.Contains(err.Error(), row.words) {
			t.Errorf("%s: %q, %v", row.name, root, err)
		}
	}
}
