package attest

import (
	"bytes"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
)

func TestPins(t *testing.T) {
	for _, c := range []struct {
		text []byte
		pins []pin
	}{{yubicoRoots, pinnedRoots}, {yubicoIntermediates, pinnedIntermediates}} {
		certificates, err := parsePEM(c.text, maxTrusted)
		if err != nil {
			t.Fatal(err)
		}
		if len(certificates) != len(c.pins) {
			t.Fatalf("%d certificates, %d pins", len(certificates), len(c.pins))
		}
		for i, certificate := range certificates {
			if name(certificate) != c.pins[i].name || fingerprint(certificate) != c.pins[i].sha256 {
				t.Errorf("certificate %d is %q, %s, and not as pinned", i, name(certificate), fingerprint(certificate))
			}
		}
	}
	for _, a := range Yubico().intermediates {
		if atAnyTime(a.certificate, nil, Yubico()) == nil {
			t.Errorf("%s leads to no root", name(a.certificate))
		}
	}
}

func TestPinnedRootAsPublished(t *testing.T) {
	certificates, err := parsePEM(published(t, "yubico/piv-attestation-ca.pem"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := Yubico().root(certificates[0]); !ok {
		t.Error("the published PIV root is not pinned")
	}
}

func TestRehearsalRoot(t *testing.T) {
	certificate := Rehearsal().roots[0].certificate
	if !rehearsalAuthority(t).private.PublicKey.Equal(certificate.PublicKey) {
		t.Error("the rehearsals' root has another key than the published sentence gives")
	}
	if name(certificate) != rehearsalName || !selfSigned(certificate) || !certificate.IsCA {
		t.Errorf("the rehearsals' root is %q", name(certificate))
	}
	if year := certificate.NotBefore.Year(); year != 2020 || certificate.NotAfter.Year() != 2099 {
		t.Errorf("the rehearsals' root is valid from %s to %s", certificate.NotBefore, certificate.NotAfter)
	}
}

func TestFingerprints(t *testing.T) {
	list := Yubico().Fingerprints()
	if len(list) != 13 {
		t.Fatalf("%d certificates are trusted, and not 13", len(list))
	}
	want := Fingerprint{"Yubico Attestation Root 1", "62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8", "root", OriginPinned}
	if list[0] != want || list[3].Role != "intermediate" {
		t.Errorf("got %+v and %+v", list[0], list[3])
	}
	if list := Rehearsal().Fingerprints(); len(list) != 1 || list[0].Name != rehearsalName || list[0].Origin != OriginRehearsal {
		t.Errorf("rehearsals trust %+v", list)
	}
	if list := (*Trust)(nil).Fingerprints(); list != nil {
		t.Errorf("no trust trusts %+v", list)
	}
}

func pemOf(certificates ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certificates {
		text = append(text, encodePEM(c.Raw)...)
	}
	return text
}

func TestWith(t *testing.T) {
	root := newAuthority(t, nil, caTemplate("Example Devices CA", -1))
	middle := newAuthority(t, root, caTemplate("Example Devices CA, 2026", -1))
	trust, err := Yubico().With(pemOf(middle.certificate, root.certificate))
	if err != nil {
		t.Fatal(err)
	}
	h := hierarchy{middle, newAuthority(t, middle, deviceTemplate()), trust}
	evidence := h.attest(t, leafTemplate())
	facts, err := Verify(evidence, trust, now)
	want := Fact{Answer: Yes, Value: "Example Devices CA", Why: "trusted because a file names it; SHA-256 " + fingerprint(root.certificate)}
	if err != nil || facts.Chain != want || facts.Rehearsal {
		t.Errorf("got %+v, %v", facts.Chain, err)
	}
	refusal(t, evidence, Yubico(), `issued by "Example Devices CA, 2026"`, ErrChain)
	list := trust.Fingerprints()
	if len(list) != 15 || list[3].Origin != OriginFile || list[3].Role != "root" || list[14].Role != "intermediate" {
		t.Errorf("got %+v", list)
	}
	if len(Yubico().Fingerprints()) != 13 {
		t.Error("With changed the trust that it was called on")
	}
	again, err := trust.With(pemOf(root.certificate, middle.certificate))
	if err != nil || len(again.Fingerprints()) != 15 {
		t.Errorf("the same file again: %+v, %v", again.Fingerprints(), err)
	}
}

// TestWithPublished takes Yubico's own files: they change nothing.
func TestWithPublished(t *testing.T) {
	trust, err := Yubico().With(bytes.Join([][]byte{yubicoRoots, yubicoIntermediates}, nil))
	if err != nil || len(trust.Fingerprints()) != 13 {
		t.Errorf("got %+v, %v", trust, err)
	}
}

func TestWithRefuses(t *testing.T) {
	h := newHierarchy(t)
	good := newAuthority(t, nil, caTemplate("Example CA", -1))
	rehearsals := rehearsalAuthority(t)
	sameKey := &authority{issue(t, nil, caTemplate("Example CA", -1), rehearsals.private, &rehearsals.private.PublicKey), rehearsals.private}
	selfSignedDevice := newAuthority(t, nil, deviceTemplate())
	plainDevice := deviceTemplate()
	plainDevice.ExtraExtensions = nil
	leaf := h.attest(t, leafTemplate()).Leaf
	noSigner := caTemplate("Example CA", -1)
	noSigner.KeyUsage = x509.KeyUsageDigitalSignature
	noCA := caTemplate("Example CA", -1)
	noCA.BasicConstraintsValid, noCA.IsCA, noCA.MaxPathLen = false, false, 0
	for _, c := range []struct {
		name  string
		pem   []byte
		words string
	}{
		{"the rehearsals' root", rehearsalRoot, "it is the rehearsals' root"},
		{"the rehearsals' key", pemOf(sameKey.certificate), "it is the rehearsals' root"},
		{"the rehearsals' name", pemOf(newAuthority(t, nil, caTemplate(" ceremony  REHEARSAL piv root - not yubico", -1)).certificate), "it is the rehearsals' root"},
		{"among others", pemOf(good.certificate, sameKey.certificate), "certificate 2"},
		{"a pinned root's name", pemOf(newAuthority(t, nil, caTemplate("Yubico Attestation  root 1", -1)).certificate), "bears the name of a pinned certificate, with another key"},
		{"a pinned intermediate's name", pemOf(newAuthority(t, nil, caTemplate("Yubico PIV Attestation A 1", -1)).certificate), "bears the name of a pinned"},
		{"a device", pemOf(h.device.certificate), "it is a device's, which is evidence"},
		{"a self-signed device", pemOf(selfSignedDevice.certificate), "it is a device's, which is evidence"},
		{"a device without extensions", pemOf(newAuthority(t, nil, plainDevice).certificate), "it is a device's, which is evidence"},
		{"an attestation", pemOf(leaf), "it is a device's, which is evidence"},
		{"a self-signed attestation", pemOf(newAuthority(t, nil, leafTemplate()).certificate), "it is a device's, which is evidence"},
		{"no CA", pemOf(newAuthority(t, nil, noCA).certificate), "it is no CA's certificate"},
		{"a CA that may not sign", pemOf(newAuthority(t, nil, noSigner).certificate), "its key may not sign certificates"},
		{"an intermediate of nobody", pemOf(newAuthority(t, good, caTemplate("Example CA 2", -1)).certificate), "it leads to no root"},
		{"nothing", nil, "it holds no certificate"},
		{"text", append([]byte("My CA:\n"), pemOf(good.certificate)...), "text stands beside"},
		{"twice the same", pemOf(good.certificate, good.certificate), "certificates 1 and 2 are the same"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trust, err := Yubico().With(c.pem)
			if err == nil {
				t.Fatalf("trusted %+v", trust.Fingerprints())
			}
			if !errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error is %q, want %q in it", err, c.words)
			}
			if trust != nil {
				t.Error("a refused file left a trust behind")
			}
		})
	}
	for _, trust := range []*Trust{nil, Rehearsal()} {
		if _, err := trust.With(pemOf(good.certificate)); !errors.Is(err, ErrTrust) {
			t.Errorf("got %v", err)
		}
	}
}

// TestWithPublishedDevices: real certificates of devices and attestations are
// no roots.
func TestWithPublishedDevices(t *testing.T) {
	for _, d := range devices() {
		for _, file := range []string{d.leaf, d.certificate} {
			if _, err := Yubico().With(published(t, file)); !errors.Is(err, ErrTrust) {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// TestNamesOnTheScreen: a name in a certificate is anyone's text.
func TestNamesOnTheScreen(t *testing.T) {
	for text, want := range map[string]string{
		"Yubico PIV Root CA":           "Yubico PIV Root CA",
		`a "quoted" name`:              `a "quoted" name`,
		"\x1b[2Jgone":                  `\x1b[2Jgone`,
		"two\nlines":                   `two\nlines`,
		"Yub\u0456co":                  `Yub\u0456co`, // a Cyrillic letter
		"\u202eoocibuY":                `\u202eoocibuY`,
		"\u009b2J":                     `\u009b2J`,
		"\xff":                         `\xff`,
		strings.Repeat("x", maxName+1): strings.Repeat("x", maxName) + "...",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	root := newAuthority(t, nil, caTemplate("Example\x1b[2J CA", -1))
	trust, err := Yubico().With(pemOf(root.certificate))
	if err != nil {
		t.Fatal(err)
	}
	h := hierarchy{root, newAuthority(t, root, deviceTemplate()), trust}
	facts, err := Verify(h.attest(t, leafTemplate()), trust, now)
	if err != nil || facts.Chain.Value != `Example\x1b[2J CA` {
		t.Errorf("got %+v, %v", facts.Chain, err)
	}
}
