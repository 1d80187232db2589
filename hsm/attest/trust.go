package attest

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxTrusted is more certificates than Yubico has published at once.
const maxTrusted = 32

// Trust is a set of roots and of known intermediates. It does not change: With
// makes a new one, and it may be used concurrently. The zero value trusts nothing.
type Trust struct {
	roots         []anchor
	intermediates []anchor
	rehearsal     bool
}

type anchor struct {
	certificate *x509.Certificate
	kind        kind
	origin      string
}

// Where a certificate of a Trust comes from, as Fingerprint.Origin says it.
const (
	OriginPinned    = "pinned"    // part of this package, as published by Yubico
	OriginFile      = "file"      // named by the caller through With
	OriginRehearsal = "rehearsal" // the root of virtual cards
)

// Fingerprint names a certificate that is trusted.
type Fingerprint struct {
	Name   string // the subject's common name, without control characters
	SHA256 string // of the DER, in lower-case hex
	Role   string // "root" or "intermediate"
	Origin string // OriginPinned, OriginFile or OriginRehearsal
}

// Yubico trusts what this package pins: three roots that certify the PIV
// applet of YubiKeys, and the ten intermediates of June 2025.
func Yubico() *Trust { return yubico() }

// Rehearsal trusts the root of virtual cards, and nothing else. Anyone can make
// evidence that it accepts.
func Rehearsal() *Trust { return rehearsal() }

var yubico = sync.OnceValue(func() *Trust {
	return &Trust{roots: embedded(yubicoRoots, pinnedRoots), intermediates: embedded(yubicoIntermediates, pinnedIntermediates)}
})

var rehearsal = sync.OnceValue(func() *Trust {
	roots := embedded(rehearsalRoot, []pin{{rehearsalName, "", named}})
	for i := range roots {
		roots[i].origin = OriginRehearsal
	}
	return &Trust{roots: roots, rehearsal: true}
})

// embedded reads certificates that are part of this package. One that is not
// as pinned is left out: then nothing chains to it, and a test says so.
func embedded(data []byte, pins []pin) []anchor {
	certificates, _ := parsePEM(data, maxTrusted)
	var anchors []anchor
	for i, c := range certificates {
		if i < len(pins) && (pins[i].sha256 == "" || pins[i].sha256 == fingerprint(c)) {
			anchors = append(anchors, anchor{c, pins[i].kind, OriginPinned})
		}
	}
	return anchors
}

// With adds the certificates of a file that the plan names (PEM, as in
// ParseEvidence): self-signed CA certificates become roots, other CA
// certificates intermediates, which must lead to a root. What the file's roots
// certify is then believed in full, marks and serial numbers included.
//
// It refuses, with errors that wrap ErrTrust: certificates that are no CA's,
// those of devices and attestations, since these are evidence; those with the
// name of a pinned one and another key; the rehearsals' root, by key and by
// name; and anything to be added to the trust for rehearsals.
func (t *Trust) With(pem []byte) (*Trust, error) {
	more, err := t.with(pem)
	if err != nil {
		return nil, fmt.Errorf("reading trusted certificates: %w: %w", ErrTrust, err)
	}
	return more, nil
}

func (t *Trust) with(pem []byte) (*Trust, error) {
	if t == nil {
		return nil, errors.New("no trust was given to add to")
	}
	if t.rehearsal {
		return nil, errors.New("a rehearsal trusts the rehearsals' root and no other")
	}
	certificates, err := parsePEM(pem, maxTrusted)
	if err != nil {
		return nil, err
	}
	more := &Trust{roots: slices.Clone(t.roots), intermediates: slices.Clone(t.intermediates)}
	for i, c := range certificates {
		if err := more.refuses(c); err != nil {
			return nil, fmt.Errorf("certificate %d (%q): %w", i+1, name(c), err)
		}
		more.add(c)
	}
	for i, c := range certificates {
		// A chain that can hold at no time is a mistake in the file.
		if atAnyTime(c, nil, more) == nil {
			return nil, fmt.Errorf("certificate %d (%q): it leads to no root", i+1, name(c))
		}
	}
	return more, nil
}

func (t *Trust) add(c *x509.Certificate) {
	switch {
	case t.has(c):
	case selfSigned(c):
		t.roots = append(t.roots, anchor{c, named, OriginFile})
	default:
		t.intermediates = append(t.intermediates, anchor{c, named, OriginFile})
	}
}

func (t *Trust) refuses(c *x509.Certificate) error {
	switch {
	case isRehearsal(c):
		return errors.New("it is the rehearsals' root, whose private key is public")
	case isAttestation(c) || isDevice(c):
		return errors.New("it is a device's, which is evidence and never a root: name the certificate of the CA that signed it")
	case !c.BasicConstraintsValid || !c.IsCA:
		return errors.New("it is no CA's certificate")
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("its key may not sign certificates")
	}
	for _, a := range slices.Concat(t.roots, t.intermediates) {
		if a.origin == OriginPinned && sameName(name(a.certificate), name(c)) && !sameKey(a.certificate, c) {
			return errors.New("it bears the name of a pinned certificate, with another key")
		}
	}
	return nil
}

// options are for x509.Certificate.Verify. Certificates in supplied are
// intermediates, whatever they are.
func (t *Trust) options(supplied []*x509.Certificate) x509.VerifyOptions {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, a := range t.roots {
		roots.AddCert(relaxRoot(a))
	}
	for _, a := range t.intermediates {
		intermediates.AddCert(a.certificate)
	}
	for _, c := range supplied {
		intermediates.AddCert(relaxDevice(c))
	}
	return x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		// Nothing in these chains says what the keys are for.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
}

// Fingerprints lists what is trusted: roots, then intermediates.
func (t *Trust) Fingerprints() []Fingerprint {
	if t == nil {
		return nil
	}
	var list []Fingerprint
	for _, a := range t.roots {
		list = append(list, Fingerprint{name(a.certificate), fingerprint(a.certificate), "root", a.origin})
	}
	for _, a := range t.intermediates {
		list = append(list, Fingerprint{name(a.certificate), fingerprint(a.certificate), "intermediate", a.origin})
	}
	return list
}

func (t *Trust) has(c *x509.Certificate) bool {
	_, root := t.root(c)
	return root || slices.ContainsFunc(t.intermediates, func(a anchor) bool { return a.certificate.Equal(c) })
}

func (t *Trust) root(c *x509.Certificate) (anchor, bool) {
	i := slices.IndexFunc(t.roots, func(a anchor) bool { return a.certificate.Equal(c) })
	if i < 0 {
		return anchor{}, false
	}
	return t.roots[i], true
}

// isRehearsal finds the rehearsals' root by key and by name, in whatever
// certificate they stand.
func isRehearsal(c *x509.Certificate) bool {
	if sameName(name(c), rehearsalName) {
		return true
	}
	return slices.ContainsFunc(rehearsal().roots, func(a anchor) bool { return sameKey(a.certificate, c) })
}

func sameKey(a, b *x509.Certificate) bool {
	key, ok := a.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b.PublicKey)
}

// sameName compares as a reader does, who sees no case and counts no spaces.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

func selfSigned(c *x509.Certificate) bool {
	return string(c.RawIssuer) == string(c.RawSubject) && signed(c, c)
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
