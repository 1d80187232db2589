package attest

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestParseEvidence(t *testing.T) {
	e := newHierarchy(t).attest(t, leafTemplate())
	text := e.PEM()
	for name, variant := range map[string][]byte{
		"as it is":              text,
		"no newline at end":     bytes.TrimSpace(text),
		"Windows lines":         bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
		"blank lines between":   bytes.ReplaceAll(text, []byte("-----BEGIN"), []byte("\n\n-----BEGIN")),
		"blanks at line ends":   bytes.ReplaceAll(text, []byte("-----\n"), []byte("-----  \n")),
		"lines of another tool": relined(text),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEvidence(variant)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Leaf.Equal(e.Leaf) || len(got.Intermediates) != 1 || !got.Intermediates[0].Equal(e.Intermediates[0]) {
				t.Errorf("got %+v", got)
			}
			if !bytes.Equal(got.PEM(), text) {
				t.Errorf("written again it is %s", got.PEM())
			}
		})
	}
	if got := (Evidence{}).PEM(); got != nil {
		t.Errorf("no evidence is written as %q", got)
	}
}

// relined breaks base64 after 76 characters.
func relined(text []byte) []byte {
	var out []byte
	for block := range strings.SplitSeq(string(text), "-----END CERTIFICATE-----\n") {
		_, body, found := strings.Cut(block, "-----BEGIN CERTIFICATE-----\n")
		if !found {
			continue
		}
		body = strings.ReplaceAll(body, "\n", "")
		out = append(out, "-----BEGIN CERTIFICATE-----\n"...)
		for len(body) > 76 {
			out, body = append(append(out, body[:76]...), '\n'), body[76:]
		}
		out = append(append(out, body...), "\n-----END CERTIFICATE-----\n"...)
	}
	return out
}

func TestParseEvidenceRefuses(t *testing.T) {
	e := newHierarchy(t).attest(t, leafTemplate())
	text := string(e.PEM())
	one := string(encodePEM(e.Leaf.Raw))
	var many []byte
	for range maxCertificates + 1 {
		many = append(many, newHierarchy(t).attest(t, leafTemplate()).PEM()...)
	}
	for _, c := range []struct{ name, text, words string }{
		{"nothing", "", "it holds no certificate"},
		{"white space", " \n\n", "it holds no certificate"},
		{"no PEM", "not a certificate", "certificate 1: it is no PEM block"},
		{"DER", string(e.Leaf.Raw), "certificate 1: it is no PEM block"},
		{"text before", "Slot 9c:\n" + text, "certificate 1: text stands beside the certificate"},
		{"text between", one + "f9:\n" + string(encodePEM(e.Intermediates[0].Raw)), "certificate 2: text stands beside"},
		{"text after", text + "# end\n", "certificate 3: it is no PEM block"},
		{"a broken block before", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n" + text, "certificate 1: text stands beside"},
		{"a private key", text + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "certificate 3: only PEM certificates"},
		{"a trusted certificate of OpenSSL", strings.ReplaceAll(one, "CERTIFICATE", "TRUSTED CERTIFICATE"), "only PEM certificates"},
		{"headers", strings.Replace(one, "-----\n", "-----\nSlot: 9c\n\n", 1), "only PEM certificates without headers"},
		{"trailing bytes", string(encodePEM(append(bytes.Clone(e.Leaf.Raw), 0))), "certificate 1: x509: trailing data"},
		{"cut short", string(encodePEM(e.Leaf.Raw[:200])), "certificate 1: x509"},
		{"twice", one + one, "certificates 1 and 2 are the same"},
		{"too many", string(many), "more than 8 certificates"},
		{"too large", strings.Repeat("\n", maxFile) + text, "more than 65536 bytes"},
		{"a huge certificate", string(encodePEM(make([]byte, maxCertificate+1))), "more than 8192 bytes"},
		{"a huge RSA key", string(encodePEM(hugeRSA(t).Raw)), "its RSA key has more than 8192 bits"},
		{"a duplicated extension", string(encodePEM(duplicated(e.Leaf.Raw))), "duplicate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseEvidence([]byte(c.text))
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if !errors.Is(err, ErrEvidence) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error is %q, want %q in it", err, c.words)
			}
			if got.Leaf != nil || got.Intermediates != nil {
				t.Errorf("refused evidence left %+v behind", got)
			}
		})
	}
}

func hugeRSA(t testing.TB) *x509.Certificate {
	modulus := new(big.Int).SetBit(big.NewInt(1), maxRSA, 1)
	return issue(t, newHierarchy(t).device, leafTemplate(), nil, &rsa.PublicKey{N: modulus, E: 65537})
}

// duplicated makes the form factor's extension one more firmware version. The
// two names differ in their last byte, and their values are never read.
func duplicated(der []byte) []byte {
	arc := []byte{0x2b, 6, 1, 4, 1, 0x82, 0xc4, 0x0a, 3}
	return bytes.Replace(der, append(bytes.Clone(arc), 9), append(bytes.Clone(arc), 3), 1)
}

func BenchmarkVerify(b *testing.B) {
	h := newHierarchy(b)
	e := h.attest(b, leafTemplate())
	for b.Loop() {
		if _, err := Verify(e, h.trust, now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyPublished has RSA signatures, and Yubico's certificates to
// search.
func BenchmarkVerifyPublished(b *testing.B) {
	e := devices()[0].evidence(b)
	for b.Loop() {
		if _, err := Verify(e, Yubico(), now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuse is the most work that evidence can cause: every certificate
// that may be given, none of which leads anywhere, and every time tried.
func BenchmarkRefuse(b *testing.B) {
	h := newHierarchy(b)
	e := h.attest(b, leafTemplate())
	e.Intermediates = nil
	for i := range maxCertificates - 1 {
		template := deviceTemplate()
		template.NotBefore = time.Date(2017+i, 1, 1, 0, 0, 0, 0, time.UTC)
		e.Intermediates = append(e.Intermediates, newAuthority(b, h.root, template).certificate)
	}
	for b.Loop() {
		if _, err := Verify(e, Yubico(), now); err == nil {
			b.Fatal("accepted")
		}
	}
}
