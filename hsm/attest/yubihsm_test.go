package attest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
)

// hsmTemplate is what the factory writes into opaque object 0.
func hsmTemplate() *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "YubiHSM Attestation (13200460)"}, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		ExtraExtensions: []pkix.Extension{raw(oidHSMSerial, 2, 4, 0, 0xc9, 0x6c, 0x4c)},
	}
}

// objectTemplate is what a device with firmware 2.4 says of object 3.
func objectTemplate() *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "YubiHSM Attestation id:0x0003"},
		ExtraExtensions: []pkix.Extension{
			raw(oidHSMFirmware, 4, 3, 2, 4, 1),
			raw(oidHSMSerial, 2, 4, 0, 0xc9, 0x6c, 0x4c),
			raw(oidOrigin, 3, 2, 0, 1),
			raw(oidDomains, 3, 3, 0, 0, 1),
			raw(oidCapabilities, 3, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x80),
			raw(oidObject, 2, 1, 3),
			raw(oidLabel, append([]byte{12, 8}, "tuf-root"...)...),
		},
	}
}

// hsmHierarchy has the shape of the real one: root, sub-CA, device.
type hsmHierarchy struct {
	root, sub, device *authority
	trust             *Trust
}

func newHSM(t testing.TB, template *x509.Certificate) hsmHierarchy {
	t.Helper()
	root := newAuthority(t, nil, caTemplate("Test YubiHSM Root CA", 2))
	sub := newAuthority(t, root, caTemplate("Test YubiHSM Sub-CA", 1))
	trust, err := Yubico().With(append(encodePEM(root.certificate.Raw), encodePEM(sub.certificate.Raw)...))
	if err != nil {
		t.Fatal(err)
	}
	return hsmHierarchy{root, sub, newAuthority(t, sub, template), trust}
}

func (h hsmHierarchy) attest(t testing.TB, template *x509.Certificate) Evidence {
	t.Helper()
	return Evidence{issue(t, h.device, template, nil, &newKey(t).PublicKey), []*x509.Certificate{h.device.certificate}}
}

func no(why string) Fact      { return Fact{Answer: No, Why: why} }
func unknown(why string) Fact { return Fact{Why: why} }

// objectFacts are those of objectTemplate, or of a real device, without the key.
func objectFacts(root, serial, firmware, object, label string, chainWhy string, advisory Fact) Facts {
	return Facts{
		Device: YubiHSM, Chain: Fact{Yes, root, chainWhy}, Serial: yes(serial), Firmware: yes(firmware),
		Slot:        unknown("a YubiHSM 2 keeps keys as objects, not in slots"),
		FormFactor:  unknown("a YubiHSM 2 attests no form factor"),
		PINPolicy:   unknown("a YubiHSM 2 has no PIN: any program with the password of one of its authentication keys can sign"),
		TouchPolicy: unknown("a YubiHSM 2 does not wait for a finger"),
		FIPS:        no("the device's certificate bears no FIPS mark (1.3.6.1.4.1.41482.4.10)"),
		Generated:   yes(""), Origin: yes("generated"), Capabilities: yes("sign-ecdsa"), Domains: yes("1"), Object: yes(object), Label: yes(label),
		Advisory: advisory,
	}
}

func TestObjects(t *testing.T) {
	h := newHSM(t, hsmTemplate())
	plain := objectFacts("Test YubiHSM Root CA", "13200460", "2.4.1", "0x0003", "tuf-root",
		"trusted because a file names it; SHA-256 "+fingerprint(h.root.certificate), no("no advisory that this version knows applies to firmware 2.4.1 of a YubiHSM 2"))
	imported := "the key was imported: it was made elsewhere, and there may be copies"
	for _, c := range []struct {
		name   string
		oid    asn1.ObjectIdentifier
		value  []byte
		change func(*Facts)
	}{
		{"as it is", nil, nil, func(*Facts) {}},
		{"firmware as bytes", oidHSMFirmware, []byte{2, 4, 1}, func(*Facts) {}},
		{"firmware with the flaw", oidHSMFirmware, []byte{4, 3, 2, 3, 255}, func(f *Facts) { f.Firmware, f.Advisory = yes("2.3.255"), yes("YSA-2024-03") }},
		{"imported", oidOrigin, []byte{3, 2, 0, 2}, func(f *Facts) { f.Origin, f.Generated = yes("imported"), no(imported) }},
		{"wrapped", oidOrigin, []byte{3, 2, 0, 0x11}, func(f *Facts) {
			f.Origin, f.Generated = yes("generated:imported_wrapped"), no("the key was made in another device and imported under wrap: there may be copies")
		}},
		{"imported, and wrapped", oidOrigin, []byte{3, 2, 0, 0x12}, func(f *Facts) {
			f.Origin, f.Generated = yes("imported:imported_wrapped"), no("the key was imported into another device, and from there into this one: there may be copies")
		}},
		{"later origin", oidOrigin, []byte{3, 2, 0, 0x21}, func(f *Facts) {
			f.Origin = unknown("the origin 0x21 is not known to this version")
			f.Generated = f.Origin
		}},
		{"exportable", oidCapabilities, []byte{3, 9, 0, 0, 0, 0, 0, 0, 1, 0, 0x80}, func(f *Facts) { f.Capabilities = yes("sign-ecdsa, exportable-under-wrap") }},
		{"unknown capability", oidCapabilities, []byte{3, 9, 0, 0x80, 0, 0, 4, 0, 0, 0, 0x80}, func(f *Facts) {
			f.Capabilities = yes("sign-ecdsa, sign-attestation-certificate, capability-63")
		}},
		{"no capability", oidCapabilities, []byte{3, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0}, func(f *Facts) { f.Capabilities = no("the key has no capability: it can do nothing") }},
		{"domains", oidDomains, []byte{3, 3, 0, 0x80, 5}, func(f *Facts) { f.Domains = yes("1, 3, 16") }},
		{"no domain", oidDomains, []byte{3, 3, 0, 0, 0}, func(f *Facts) { f.Domains = no("the key is in no domain: nobody can use it") }},
		{"no label", oidLabel, nil, func(f *Facts) { f.Label = unknown("the attestation does not give a label") }},
		{"empty label", oidLabel, []byte{12, 0}, func(f *Facts) { f.Label = no("the key has no label") }},
		{"padded label", oidLabel, []byte{12, 3, 'a', 0, 0}, func(f *Facts) { f.Label = yes("a") }},
		{"label that acts on the terminal", oidLabel, []byte("\x0c\x09\x1b[2J\u202e\xff\""), func(f *Facts) { f.Label = yes(`\x1b[2J\u202e\xff"`) }},
		{"mark of the device's own", oidHSMFIPS, []byte{2, 1, 6}, func(f *Facts) {
			f.FIPS = unknown("the attestation bears a FIPS mark (1.3.6.1.4.1.41482.4.10), and the device's certificate does not")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Verify(h.attest(t, with(objectTemplate(), c.oid, c.value...)), h.trust, now)
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

func TestObjectsRefused(t *testing.T) {
	h := newHSM(t, hsmTemplate())
	for _, c := range []struct {
		name     string
		oid      asn1.ObjectIdentifier
		value    []byte
		words    string
		sentinel error
	}{
		{"no firmware", oidHSMFirmware, nil, "does not give the firmware version (1.3.6.1.4.1.41482.4.1)", ErrIncomplete},
		{"no serial number", oidHSMSerial, nil, "does not give the serial number (1.3.6.1.4.1.41482.4.2)", ErrIncomplete},
		{"no origin", oidOrigin, nil, "does not give the origin (1.3.6.1.4.1.41482.4.3)", ErrIncomplete},
		{"no domains", oidDomains, nil, "does not give the domains (1.3.6.1.4.1.41482.4.4)", ErrIncomplete},
		{"no capabilities", oidCapabilities, nil, "does not give the capabilities (1.3.6.1.4.1.41482.4.5)", ErrIncomplete},
		{"no object ID", oidObject, nil, "does not give the object ID (1.3.6.1.4.1.41482.4.6)", ErrIncomplete},
		{"another serial number", oidHSMSerial, []byte{2, 1, 7}, `says serial number "7", and the device's certificate "13200460"`, ErrMalformed},
		{"short firmware", oidHSMFirmware, []byte{4, 2, 2, 4}, "firmware version has 4 bytes, not 3", ErrMalformed},
		{"raw origin", oidOrigin, []byte{1}, "the origin: it is no BIT STRING of 1 bytes", ErrMalformed},
		{"long origin", oidOrigin, []byte{3, 3, 0, 0, 1}, "no BIT STRING", ErrMalformed},
		{"origin of seven bits", oidOrigin, []byte{3, 2, 1, 2}, "no BIT STRING", ErrMalformed},
		{"short capabilities", oidCapabilities, []byte{3, 2, 0, 0x80}, "no BIT STRING of 8 bytes", ErrMalformed},
		{"capabilities as a number", oidCapabilities, []byte{2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}, "no BIT STRING", ErrMalformed},
		{"trailing byte", oidDomains, []byte{3, 3, 0, 0, 1, 0}, "no BIT STRING of 2 bytes", ErrMalformed},
		{"empty domains", oidDomains, []byte{}, "no BIT STRING", ErrMalformed},
		{"another object", oidObject, []byte{2, 1, 4}, `the extensions say object 0x0004, and the subject "0x0003"`, ErrMalformed},
		{"huge object", oidObject, []byte{2, 3, 1, 0, 3}, "no INTEGER of 16 bits", ErrMalformed},
		{"long label", oidLabel, append([]byte{12, 41}, strings.Repeat("a", 41)...), "no UTF8String of at most 40 bytes", ErrMalformed},
		{"raw label", oidLabel, []byte("tuf-root"), "no UTF8String", ErrMalformed},
		{"a slot's firmware", oidFirmware, []byte{5, 4, 3}, "of a YubiKey's PIV application and of a YubiHSM 2, and no device is both", ErrNotAttestation},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusal(t, h.attest(t, with(objectTemplate(), c.oid, c.value...)), h.trust, c.words, c.sentinel)
		})
	}
}

func TestObjectSubjects(t *testing.T) {
	h := newHSM(t, hsmTemplate())
	named := func(commonName string) *x509.Certificate {
		template := objectTemplate()
		template.Subject.CommonName = commonName
		return template
	}
	for _, good := range []string{"YubiHSM Attestation id:0x0003", "YubiHSM Attestation id 0x0003"} {
		if _, err := Verify(h.attest(t, named(good)), h.trust, now); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	refusal(t, h.attest(t, named("YubiHSM Attestation id:0x0000")), h.trust, "attests object 0x0000, the device's own key", ErrNotAttestation)
	refusal(t, h.attest(t, named("YubiHSM Attestation (13200460)")), h.trust, "the certificate of a YubiHSM 2 itself", ErrNotAttestation)
	for _, bad := range []string{"0x3", "0x00003", "0003", "", "0x+003", "0x0003 ", "0x\x1b[2J"} {
		refusal(t, h.attest(t, named("YubiHSM Attestation id:"+bad)), h.trust, "which is no object ID", ErrNotAttestation)
	}
	for _, bad := range []string{"tuf-root", "yubihsm attestation id:0x0003", ""} {
		refusal(t, h.attest(t, named(bad)), h.trust, "names no object", ErrNotAttestation)
	}
	both := named("YubiHSM Attestation id:0x0003")
	both.Subject.Organization = []string{"Yubico AB"}
	refusal(t, h.attest(t, both), h.trust, "names no object", ErrNotAttestation)
	ca := objectTemplate()
	ca.BasicConstraintsValid, ca.IsCA = true, true
	refusal(t, h.attest(t, ca), h.trust, "or a CA's", ErrNotAttestation)
}

// TestHSMChains: who may sign what a YubiHSM 2 attests.
func TestHSMChains(t *testing.T) {
	h := newHSM(t, hsmTemplate())
	good := h.attest(t, objectTemplate())
	refusal(t, good, Yubico(), `was issued by "Test YubiHSM Sub-CA", which is neither trusted nor beside it`, ErrChain)
	refusal(t, good, newHSM(t, hsmTemplate()).trust, `names "Test YubiHSM Sub-CA" as its issuer, which did not sign it`, ErrChain, ErrForged)
	refusal(t, good, Rehearsal(), "it is of a YubiHSM 2, and a rehearsal knows none", ErrChain)
	refusal(t, Evidence{Leaf: good.Leaf}, h.trust, "(opaque object 0) is missing beside the attestation", ErrChain)

	// A device that certified itself, one that a slot's device certified, and an
	// attested key that attests.
	forger := newAuthority(t, nil, hsmTemplate())
	refusal(t, Evidence{issue(t, forger, objectTemplate(), nil, &newKey(t).PublicKey), []*x509.Certificate{forger.certificate}}, h.trust,
		"is self-signed and is none of the trusted roots", ErrChain, ErrForged)
	object := newAuthority(t, h.device, objectTemplate())
	refusal(t, Evidence{issue(t, object, objectTemplate(), nil, &newKey(t).PublicKey), []*x509.Certificate{object.certificate, h.device.certificate}}, h.trust,
		"attests a key of a slot or an object, and such a key certifies nothing", ErrChain)
	refusal(t, Evidence{issue(t, h.sub, objectTemplate(), nil, &newKey(t).PublicKey), nil}, h.trust, "is no YubiHSM 2", ErrChain)

	// The kinds are apart, below one root too.
	key := newAuthority(t, h.sub, deviceTemplate())
	refusal(t, Evidence{issue(t, key, objectTemplate(), nil, &newKey(t).PublicKey), []*x509.Certificate{key.certificate}}, h.trust,
		`signed by "Yubico PIV Attestation", which is no YubiHSM 2`, ErrChain)
	refusal(t, h.attest(t, leafTemplate()), h.trust, "a YubiHSM 2, which has no PIV slots", ErrChain)
	for _, k := range []kind{old, tree} {
		refusal(t, good, trusting(k, h.sub), `the root "Test YubiHSM Sub-CA" certifies no YubiHSM 2`, ErrChain)
	}

	// Of devices the file that names roots holds none.
	for _, c := range []*x509.Certificate{good.Leaf, h.device.certificate} {
		if _, err := Yubico().With(encodePEM(c.Raw)); !errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), "it is a device's") {
			t.Errorf("%q is trusted: %v", name(c), err)
		}
	}
	if _, err := VerifyDevice(h.device.certificate.Raw, h.trust, now); !errors.Is(err, ErrNotAttestation) {
		t.Errorf("it passes for a YubiKey: %v", err)
	}
}

func TestHSMDevices(t *testing.T) {
	h := newHSM(t, with(hsmTemplate(), oidHSMSerial))
	if _, err := Verify(h.attest(t, objectTemplate()), h.trust, now); err != nil {
		t.Error(err)
	}
	template := hsmTemplate()
	template.Subject.CommonName = "YubiHSM Attestation (13200461)"
	h = newHSM(t, template)
	refusal(t, h.attest(t, objectTemplate()), h.trust, `the device's certificate is of "YubiHSM Attestation (13200461)"`, ErrMalformed)
	h = newHSM(t, with(hsmTemplate(), oidHSMSerial, 1))
	refusal(t, h.attest(t, objectTemplate()), h.trust, "the device's certificate: malformed attestation: the serial number is no INTEGER", ErrMalformed)
	h = newHSM(t, with(hsmTemplate(), oidHSMFirmware, 4, 3, 2, 1, 2))
	refusal(t, h.attest(t, objectTemplate()), h.trust, "says firmware 2.4.1, and the device's certificate 2.1.2", ErrMalformed)
	h = newHSM(t, with(hsmTemplate(), oidHSMFIPS, 2, 1, 6))
	if facts, err := Verify(h.attest(t, objectTemplate()), h.trust, now); err != nil || facts.FIPS != yes("") {
		t.Errorf("marked device: %+v, %v", facts.FIPS, err)
	}
}

// TestHSMSerial: Yubico's PKCS #11 module and labels have zeros in front.
func TestHSMSerial(t *testing.T) {
	h := newHSM(t, hsmTemplate())
	facts, err := Verify(h.attest(t, objectTemplate()), h.trust, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(facts.WantSerial("13200460"), facts.WantSerial("0013200460")); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"", "0", "1320046", "132004600", "13200461", " 13200460", "0x13200460"} {
		if err := facts.WantSerial(other); !errors.Is(err, ErrWrongSerial) {
			t.Errorf("%q passes: %v", other, err)
		}
	}
	if err := facts.WantSlot("9c"); !errors.Is(err, ErrWrongSlot) || !strings.Contains(err.Error(), "does not give one") {
		t.Errorf("an object passes for a slot: %v", err)
	}
	if names := (Facts{}).CapabilityNames(); len(names) != 0 {
		t.Errorf("nothing is known to be capable of %q", names)
	}
	if names := facts.CapabilityNames(); len(names) != 1 || names[0] != CapabilitySign {
		t.Errorf("it can %q", names)
	}
}

func TestHSMAdvisories(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	h := newHSM(t, hsmTemplate())
	for _, c := range []struct {
		patch byte
		minor byte
		want  string
	}{{2, 1, "this is an RSA key"}, {0, 4, "no advisory that this version knows"}} {
		leaf := issue(t, h.device, with(objectTemplate(), oidHSMFirmware, 4, 3, 2, c.minor, c.patch), nil, &private.PublicKey)
		facts, err := Verify(Evidence{leaf, []*x509.Certificate{h.device.certificate}}, h.trust, now)
		if err != nil || facts.Advisory.Answer != No || !strings.Contains(facts.Advisory.Why, c.want) {
			t.Errorf("%+v, %v", facts.Advisory, err)
		}
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		evidence Evidence
		want     Device
		name     string
	}{
		{newHSM(t, hsmTemplate()).attest(t, objectTemplate()), YubiHSM, "YubiHSM 2"},
		{newHierarchy(t).attest(t, leafTemplate()), YubiKey, "YubiKey"},
		{Evidence{Leaf: newHierarchy(t).root.certificate}, "", "device of an unknown kind"},
		{Evidence{}, "", "device of an unknown kind"},
	} {
		if got := c.evidence.Device(); got != c.want || got.Name() != c.name {
			t.Errorf("it is taken for a %q, %s", got, got.Name())
		}
	}
}
