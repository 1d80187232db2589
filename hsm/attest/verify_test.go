package attest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestExtensions(t *testing.T) {
	h := newHierarchy(t)
	plain := Facts{
		Device: YubiKey, Chain: yes("Test PIV Root"), Serial: yes("13078778"), Slot: yes("9c"), Firmware: yes("5.4.3"),
		FormFactor: yes("usb-c-keychain"), PINPolicy: yes("always"), TouchPolicy: yes("always"), Generated: yes(""),
		FIPS: noMark, Advisory: yes("YSA-2024-03"),
	}
	for _, c := range []struct {
		name   string
		oid    asn1.ObjectIdentifier
		value  []byte
		change func(*Facts)
	}{
		{"as it is", nil, nil, func(*Facts) {}},
		{"no form factor", oidFormFactor, nil, func(f *Facts) {
			f.FormFactor = Fact{Why: "the attestation does not give the form factor, as firmware 4 does not"}
		}},
		{"USB-A keychain", oidFormFactor, []byte{1}, func(f *Facts) { f.FormFactor = yes("usb-a-keychain") }},
		{"USB-A nano", oidFormFactor, []byte{2}, func(f *Facts) { f.FormFactor = yes("usb-a-nano") }},
		{"USB-C nano", oidFormFactor, []byte{4}, func(f *Facts) { f.FormFactor = yes("usb-c-nano") }},
		{"lightning", oidFormFactor, []byte{5}, func(f *Facts) { f.FormFactor = yes("usb-c-lightning") }},
		{"USB-A bio", oidFormFactor, []byte{6}, func(f *Facts) { f.FormFactor = yes("usb-a-bio") }},
		{"USB-C bio", oidFormFactor, []byte{7}, func(f *Facts) { f.FormFactor = yes("usb-c-bio") }},
		{"of the FIPS series, without the mark", oidFormFactor, []byte{0x83}, func(*Facts) {}},
		{"in an octet string", oidFormFactor, []byte{4, 1, 3}, func(*Facts) {}},
		{"later form factor", oidFormFactor, []byte{8}, func(f *Facts) {
			f.FormFactor = Fact{Why: "the form factor 0x08 is not known to this version"}
		}},
		{"never, never", oidPolicy, []byte{1, 1}, func(f *Facts) { f.PINPolicy, f.TouchPolicy = yes("never"), yes("never") }},
		{"once, cached", oidPolicy, []byte{2, 3}, func(f *Facts) { f.PINPolicy, f.TouchPolicy = yes("once"), yes("cached") }},
		{"match once", oidPolicy, []byte{4, 2}, func(f *Facts) { f.PINPolicy = yes("match-once") }},
		{"match always", oidPolicy, []byte{5, 2}, func(f *Facts) { f.PINPolicy = yes("match-always") }},
		{"policies in an octet string", oidPolicy, []byte{4, 2, 3, 1}, func(f *Facts) { f.TouchPolicy = yes("never") }},
		{"later PIN policy", oidPolicy, []byte{6, 2}, func(f *Facts) {
			f.PINPolicy = Fact{Why: "the PIN policy 0x06 is not known to this version"}
		}},
		{"default touch policy", oidPolicy, []byte{3, 0}, func(f *Facts) {
			f.TouchPolicy = Fact{Why: "the touch policy 0x00 is not known to this version"}
		}},
		{"short serial number", oidSerial, []byte{2, 1, 7}, func(f *Facts) { f.Serial = yes("7") }},
		{"padded serial number", oidSerial, []byte{2, 4, 0, 0x4c, 0x4b, 0x40}, func(f *Facts) { f.Serial = yes("5000000") }},
		{"largest serial number", oidSerial, []byte{2, 5, 0, 0xff, 0xff, 0xff, 0xff}, func(f *Facts) { f.Serial = yes("4294967295") }},
		{"serial number 0", oidSerial, []byte{2, 1, 0}, func(f *Facts) {
			f.Serial = Fact{Why: "the attestation gives 0, which is no serial number"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Verify(h.attest(t, with(leafTemplate(), c.oid, c.value...)), h.trust, now)
			if err != nil {
				t.Fatal(err)
			}
			want := plain
			c.change(&want)
			got.Key = nil
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestExtensionsRefused(t *testing.T) {
	h := newHierarchy(t)
	for _, c := range []struct {
		name     string
		oid      asn1.ObjectIdentifier
		value    []byte
		words    string
		sentinel error
	}{
		{"no firmware", oidFirmware, nil, "does not give the firmware version (1.3.6.1.4.1.41482.3.3)", ErrIncomplete},
		{"no serial number", oidSerial, nil, "does not give the serial number (1.3.6.1.4.1.41482.3.7)", ErrIncomplete},
		{"no policies", oidPolicy, nil, "does not give the PIN and touch policy (1.3.6.1.4.1.41482.3.8)", ErrIncomplete},
		{"short firmware", oidFirmware, []byte{5, 4}, "firmware version has 2 bytes, not 3", ErrMalformed},
		{"long firmware", oidFirmware, []byte{5, 4, 3, 0}, "firmware version has 4 bytes, not 3", ErrMalformed},
		{"other firmware than the factory's", oidFirmware, []byte{5, 7, 1}, "says firmware 5.7.1, and the device's certificate 5.4.3", ErrMalformed},
		{"empty policies", oidPolicy, []byte{}, "policy has 0 bytes, not 2", ErrMalformed},
		{"one policy", oidPolicy, []byte{3}, "policy has 1 bytes, not 2", ErrMalformed},
		{"three policies", oidPolicy, []byte{3, 2, 1}, "policy has 3 bytes, not 2", ErrMalformed},
		{"policies in an integer", oidPolicy, []byte{2, 2, 3, 2}, "policy has 4 bytes, not 2", ErrMalformed},
		{"empty form factor", oidFormFactor, []byte{}, "form factor has 0 bytes, not 1", ErrMalformed},
		{"two form factors", oidFormFactor, []byte{3, 3}, "form factor has 2 bytes, not 1", ErrMalformed},
		{"raw serial number", oidSerial, []byte{0, 0xc7, 0x90, 0xfa}, "no INTEGER of 32 bits", ErrMalformed},
		{"empty serial number", oidSerial, []byte{2, 0}, "no INTEGER", ErrMalformed},
		{"negative serial number", oidSerial, []byte{2, 3, 0xc7, 0x90, 0xfa}, "no INTEGER", ErrMalformed},
		{"trailing bytes", oidSerial, []byte{2, 1, 7, 0}, "no INTEGER", ErrMalformed},
		{"short serial number", oidSerial, []byte{2, 4, 0, 0xc7}, "no INTEGER", ErrMalformed},
		{"huge serial number", oidSerial, []byte{2, 5, 1, 0, 0, 0, 0}, "no INTEGER", ErrMalformed},
		{"serial number as text", oidSerial, []byte("\x13\x0613078778"), "no INTEGER", ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusal(t, h.attest(t, with(leafTemplate(), c.oid, c.value...)), h.trust, c.words, c.sentinel)
		})
	}
}

func TestDeviceExtensionsRefused(t *testing.T) {
	root := newAuthority(t, nil, caTemplate("Test PIV Root", 1))
	h := hierarchy{root, newAuthority(t, root, with(deviceTemplate(), oidFirmware, 5, 4)), trusting(old, root)}
	refusal(t, h.attest(t, leafTemplate()), h.trust, "firmware version of the device's certificate has 2 bytes", ErrMalformed)
}

// TestFirmware4 leaves out what such devices do.
func TestFirmware4(t *testing.T) {
	root := newAuthority(t, nil, caTemplate("Test PIV Root", 1))
	h := hierarchy{root, newAuthority(t, root, with(deviceTemplate(), oidFirmware, 4, 3, 7)), trusting(old, root)}
	leaf := with(with(with(leafTemplate(), oidFirmware, 4, 3, 7), oidFormFactor), oidSerial)
	facts, err := Verify(h.attest(t, leaf), h.trust, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Fact{Why: "the attestation does not name its device, as firmware 4 may do"}); facts.Serial != want {
		t.Errorf("serial number is %+v", facts.Serial)
	}
	if facts.FormFactor.Answer != Unknown || facts.TouchPolicy != yes("always") {
		t.Errorf("got %+v", facts)
	}
	if err := facts.WantSerial("13078778"); !errors.Is(err, ErrWrongSerial) || !strings.Contains(err.Error(), "does not give one") {
		t.Errorf("a device that does not tell is taken for 13078778: %v", err)
	}
	if err := facts.WantSerial(""); !errors.Is(err, ErrWrongSerial) {
		t.Errorf("a device that does not tell is taken for none: %v", err)
	}
}

func TestSlots(t *testing.T) {
	h := newHierarchy(t)
	named := func(names ...string) *x509.Certificate {
		template := leafTemplate()
		template.Subject = pkix.Name{}
		for _, n := range names {
			template.Subject.ExtraNames = append(template.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: oidCommonName, Value: n})
		}
		return template
	}
	for _, slot := range []string{"9a", "9c", "9d", "9e", "82", "8f", "90", "95"} {
		facts, err := Verify(h.attest(t, named(subject+slot)), h.trust, now)
		if err != nil {
			t.Errorf("slot %s: %v", slot, err)
		}
		if err := facts.WantSlot(slot); err != nil {
			t.Error(err)
		}
		if err := facts.WantSlot("9b"); !errors.Is(err, ErrWrongSlot) {
			t.Errorf("slot %s passes for 9b: %v", slot, err)
		}
	}
	refusal(t, h.attest(t, named(subject+"f9")), h.trust, "attests slot f9, the device's own key", ErrNotAttestation)
	for _, slot := range []string{"9C", "9b", "81", "96", "9c ", " 9c", "", "9", "09c", "9c\x1b[2J", "+9c", "0x9c"} {
		refusal(t, h.attest(t, named(subject+slot)), h.trust, "which is no slot for keys", ErrNotAttestation)
	}
	refusal(t, h.attest(t, named("9c")), h.trust, `its subject "9c" names no slot`, ErrNotAttestation)
	refusal(t, h.attest(t, named("yubikey piv attestation 9c")), h.trust, "names no slot", ErrNotAttestation)
	refusal(t, h.attest(t, named()), h.trust, "names no slot", ErrNotAttestation)
	refusal(t, h.attest(t, named(subject+"9a", subject+"9c")), h.trust, "names no slot", ErrNotAttestation)
	both := named(subject + "9c")
	both.Subject.Organization = []string{"Yubico AB"}
	refusal(t, h.attest(t, both), h.trust, "names no slot", ErrNotAttestation)
}

func TestNotAttestations(t *testing.T) {
	h := newHierarchy(t)
	stranger := leafTemplate()
	stranger.ExtraExtensions = nil
	refusal(t, h.attest(t, stranger), h.trust, "no extensions of a YubiKey's PIV application", ErrNotAttestation)

	// The OpenPGP application has an arc of its own, and attests imported keys too.
	stranger.Subject.CommonName = "YubiKey OPGP Attestation SIG"
	stranger.ExtraExtensions = []pkix.Extension{raw(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 5, 2}, 2, 1, 0)}
	refusal(t, h.attest(t, stranger), h.trust, "no extensions of a YubiKey's PIV application", ErrNotAttestation)

	authority := leafTemplate()
	authority.BasicConstraintsValid, authority.IsCA = true, true
	refusal(t, h.attest(t, authority), h.trust, "or a CA's", ErrNotAttestation)

	refusal(t, Evidence{Leaf: h.root.certificate}, h.trust, "", ErrNotAttestation)
	refusal(t, Evidence{}, h.trust, "certificate 1 is missing", ErrEvidence)
	refusal(t, Evidence{Leaf: &x509.Certificate{}}, h.trust, "certificate 1", ErrEvidence)
	good := h.attest(t, leafTemplate())
	refusal(t, Evidence{good.Leaf, []*x509.Certificate{nil}}, h.trust, "certificate 2 is missing", ErrEvidence)
	refusal(t, Evidence{good.Leaf, []*x509.Certificate{good.Leaf}}, h.trust, "certificates 1 and 2 are the same", ErrEvidence)
	refusal(t, Evidence{good.Leaf, make([]*x509.Certificate, maxCertificates)}, h.trust, "more than 8", ErrEvidence)
	refusal(t, good, &Trust{}, "", ErrChain)
}

func TestCallersMistakes(t *testing.T) {
	h := newHierarchy(t)
	if _, err := Verify(h.attest(t, leafTemplate()), nil, now); err == nil {
		t.Error("verified against no trust")
	}
	// Package x509 takes the zero time for the present.
	if _, err := Verify(h.attest(t, leafTemplate()), h.trust, time.Time{}); err == nil {
		t.Error("verified at no time")
	}
}

// TestChangedCertificate: what counts is what was signed, not what someone
// wrote into the parsed certificate afterwards.
func TestChangedCertificate(t *testing.T) {
	h := newHierarchy(t)
	evidence := h.attest(t, leafTemplate())
	changed := *evidence.Leaf
	changed.Extensions = append([]pkix.Extension{raw(oidPolicy, 1, 1)}, changed.Extensions...)
	changed.Subject.CommonName, changed.PublicKey = subject+"9a", &newKey(t).PublicKey
	facts, err := Verify(Evidence{&changed, evidence.Intermediates}, h.trust, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(facts.WantSlot("9c"), facts.Bind(evidence.Leaf.PublicKey)); err != nil || facts.PINPolicy != yes("always") {
		t.Errorf("got %+v, %v", facts, err)
	}
}

func TestAdvisories(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		firmware  [3]byte
		key       any
		answer    Answer
		value     string
		mustExist string // in Why
	}{
		{[3]byte{4, 3, 5}, &newKey(t).PublicKey, Yes, "YSA-2024-03", ""},
		{[3]byte{5, 6, 255}, &newKey(t).PublicKey, Yes, "YSA-2024-03", ""},
		{[3]byte{5, 7, 0}, &newKey(t).PublicKey, No, "", "applies to firmware 5.7.0"},
		{[3]byte{5, 7, 4}, edKey, No, "", "applies to firmware 5.7.4"},
		{[3]byte{10, 0, 0}, &newKey(t).PublicKey, No, "", "applies to firmware 10.0.0"},
		{[3]byte{5, 4, 3}, edKey, Yes, "YSA-2024-03", ""},
		{[3]byte{5, 4, 3}, &rsaKey.PublicKey, No, "", "this is an RSA key"},
		{[3]byte{4, 3, 4}, &rsaKey.PublicKey, Yes, "YSA-2017-01", ""},
		{[3]byte{4, 2, 6}, &rsaKey.PublicKey, Yes, "YSA-2017-01", ""},
		{[3]byte{4, 3, 5}, &rsaKey.PublicKey, No, "", "this is an RSA key"},
	} {
		root := newAuthority(t, nil, caTemplate("Test PIV Root", 1))
		device := newAuthority(t, root, with(deviceTemplate(), oidFirmware, c.firmware[:]...))
		leaf := issue(t, device, with(leafTemplate(), oidFirmware, c.firmware[:]...), nil, c.key)
		facts, err := Verify(Evidence{leaf, []*x509.Certificate{device.certificate}}, trusting(old, root), now)
		if err != nil {
			t.Fatal(err)
		}
		got := facts.Advisory
		if got.Answer != c.answer || got.Value != c.value || !strings.Contains(got.Why, c.mustExist) || (got.Why == "") != (c.mustExist == "") {
			t.Errorf("%T on firmware %v: %+v", c.key, c.firmware, got)
		}
	}
}

func TestFIPS(t *testing.T) {
	root := newAuthority(t, nil, caTemplate("Test PIV Root", 1))
	h := hierarchy{root, newAuthority(t, root, with(deviceTemplate(), oidFIPS, 2, 1, 7)), trusting(old, root)}
	facts, err := Verify(h.attest(t, leafTemplate()), h.trust, now)
	if err != nil || facts.FIPS != yes("") {
		t.Errorf("marked device: %+v, %v", facts.FIPS, err)
	}
	// The mark is the factory's to give, not the device's.
	h = newHierarchy(t)
	facts, err = Verify(h.attest(t, with(leafTemplate(), oidFIPS, 2, 1, 7)), h.trust, now)
	if err != nil || facts.FIPS != noMark {
		t.Errorf("mark in the attestation: %+v, %v", facts.FIPS, err)
	}
}
