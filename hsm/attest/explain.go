package attest

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// explain says why there is no chain. Package x509 says only that the issuer is
// not known, whatever was tried.
func explain(e Evidence, trust *Trust, at time.Time, err error) error {
	for _, why := range []func(Evidence, *Trust, time.Time) error{otherTime, otherTrust, selfMade, attestedKey, noCA, notSigned, issuerMissing} {
		if err := why(e, trust, at); err != nil {
			return fmt.Errorf("%w: %w", ErrChain, err)
		}
	}
	return fmt.Errorf("%w: %s", ErrChain, clean(err.Error()))
}

// otherTime: the chain holds, at another time.
func otherTime(e Evidence, trust *Trust, at time.Time) error {
	chain := atAnyTime(e.Leaf, e.Intermediates, trust)
	if chain == nil {
		return nil
	}
	from, until := chain[0].NotBefore, chain[0].NotAfter
	for _, c := range chain {
		if c.NotBefore.After(from) {
			from = c.NotBefore
		}
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return fmt.Errorf("%w: asked about is %s, and it is valid from %s to %s", ErrExpired, day(at), day(from), day(until))
}

// otherTrust: a rehearsal's evidence in a real ceremony, or the reverse.
func otherTrust(e Evidence, trust *Trust, _ time.Time) error {
	switch {
	case !trust.rehearsal && atAnyTime(e.Leaf, e.Intermediates, Rehearsal()) != nil:
		return fmt.Errorf("%w: it leads to %q, and a virtual card protects nothing", ErrRehearsal, rehearsalName)
	case trust.rehearsal && e.Device() == YubiHSM:
		return errors.New("it is of a YubiHSM 2, and a rehearsal knows none")
	case trust.rehearsal && atAnyTime(e.Leaf, e.Intermediates, Yubico()) != nil:
		return errors.New("it is a real device's, and this is a rehearsal")
	}
	return nil
}

// selfMade: a certificate that calls itself a root. Whoever takes the supplied
// certificates as roots would believe it.
func selfMade(e Evidence, trust *Trust, _ time.Time) error {
	for i, c := range e.all() {
		known := slices.ContainsFunc(trust.roots, func(a anchor) bool { return sameKey(a.certificate, c) })
		if selfSigned(c) && !known {
			return fmt.Errorf("%w: certificate %d (%q) is self-signed and is none of the trusted roots", ErrForged, i+1, name(c))
		}
	}
	return nil
}

// attestedKey: a certificate issued by a key that someone holds in a slot.
func attestedKey(e Evidence, _ *Trust, _ time.Time) error {
	for i, c := range e.Intermediates {
		if isAttestation(c) {
			return fmt.Errorf("certificate %d (%q) attests a key of a slot or an object, and such a key certifies nothing", i+2, name(c))
		}
	}
	return nil
}

// noCA: a certificate beside the attestation whose key may not sign others.
func noCA(e Evidence, _ *Trust, _ time.Time) error {
	for i, c := range e.Intermediates {
		if relaxed := relaxDevice(c); !relaxed.BasicConstraintsValid || !relaxed.IsCA {
			return fmt.Errorf("certificate %d (%q) is no CA's, and certifies nothing", i+2, name(c))
		}
	}
	return nil
}

// notSigned: a certificate that names an issuer which is at hand and did not
// sign it. Where the attestation itself does, two devices' files may have been
// mixed up; nobody takes a root for a device by mistake.
func notSigned(e Evidence, trust *Trust, _ time.Time) error {
	candidates := slices.Clone(e.Intermediates)
	for _, a := range slices.Concat(trust.roots, trust.intermediates) {
		candidates = append(candidates, a.certificate)
	}
	for i, c := range e.all() {
		issuers := slices.DeleteFunc(slices.Clone(candidates), func(issuer *x509.Certificate) bool {
			return string(issuer.RawSubject) != string(c.RawIssuer)
		})
		switch {
		case len(issuers) == 0 || slices.ContainsFunc(issuers, func(issuer *x509.Certificate) bool { return signed(issuer, c) }):
		case i == 0 && !slices.ContainsFunc(issuers, trust.has):
			return fmt.Errorf("the certificate of %q beside the attestation did not sign it: it is another device's, or one of them is forged", name(issuers[0]))
		default:
			return fmt.Errorf("%w: certificate %d (%q) names %q as its issuer, which did not sign it", ErrForged, i+1, name(c), name(issuers[0]))
		}
	}
	return nil
}

// issuerMissing: an issuer that is not at hand.
func issuerMissing(e Evidence, trust *Trust, _ time.Time) error {
	switch {
	case len(e.Intermediates) == 0 && e.Device() == YubiHSM:
		return errors.New("the device's certificate (opaque object 0) is missing beside the attestation")
	case len(e.Intermediates) == 0:
		return errors.New("the device's certificate (slot f9) is missing beside the attestation")
	}
	for i, c := range e.all() {
		known := slices.ContainsFunc(slices.Concat(trust.roots, trust.intermediates), func(a anchor) bool { return signed(a.certificate, c) }) ||
			slices.ContainsFunc(e.Intermediates, func(issuer *x509.Certificate) bool { return signed(issuer, c) })
		if !known {
			return fmt.Errorf("certificate %d (%q) was issued by %q, which is neither trusted nor beside it", i+1, name(c), shown(c.Issuer))
		}
	}
	return nil
}

func signed(issuer, c *x509.Certificate) bool {
	return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// atAnyTime looks for a chain at each time at which one of the certificates
// becomes valid. If there is a time at all, it is one of these.
func atAnyTime(leaf *x509.Certificate, supplied []*x509.Certificate, trust *Trust) []*x509.Certificate {
	times := []time.Time{leaf.NotBefore}
	for _, c := range supplied {
		times = append(times, c.NotBefore)
	}
	for _, a := range slices.Concat(trust.roots, trust.intermediates) {
		times = append(times, a.certificate.NotBefore)
	}
	slices.SortFunc(times, time.Time.Compare)
	options := trust.options(supplied)
	for _, at := range slices.CompactFunc(times, time.Time.Equal) {
		options.CurrentTime = at
		if chains, err := leaf.Verify(options); err == nil {
			return chains[0]
		}
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
