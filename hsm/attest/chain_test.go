package attest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

func TestLeafUnderRoot(t *testing.T) {
	h := newHierarchy(t)
	direct := issue(t, h.root, leafTemplate(), nil, &newKey(t).PublicKey)
	refusal(t, Evidence{Leaf: direct}, h.trust, `"Test PIV Root" signed it directly`, ErrChain)
	refusal(t, Evidence{direct, []*x509.Certificate{h.device.certificate}}, h.trust, "signed it directly", ErrChain)
}

// TestLeafAsCA: whoever holds a device may sign anything with a key in a slot,
// certificates that look like attestations included.
func TestLeafAsCA(t *testing.T) {
	for _, lacking := range []bool{false, true} {
		root := newAuthority(t, nil, caTemplate("Test PIV Root", 3))
		template := deviceTemplate()
		if lacking {
			template.BasicConstraintsValid, template.IsCA, template.MaxPathLenZero = false, false, false
		}
		h := hierarchy{root, newAuthority(t, root, template), trusting(old, root)}
		holder := newAuthority(t, h.device, leafTemplate())
		lie := issue(t, holder, with(leafTemplate(), oidPolicy, 3, 3), nil, &newKey(t).PublicKey)
		refusal(t, Evidence{lie, []*x509.Certificate{holder.certificate, h.device.certificate}}, h.trust,
			"such a key certifies nothing", ErrChain)

		// The same with a certificate that the holder makes for a device of their own.
		device := newAuthority(t, holder, deviceTemplate())
		lie = issue(t, device, leafTemplate(), nil, &newKey(t).PublicKey)
		refusal(t, Evidence{lie, []*x509.Certificate{device.certificate, holder.certificate, h.device.certificate}}, h.trust,
			"such a key certifies nothing", ErrChain)
	}
}

// TestCriticalExtensions: what is marked critical and not understood may change
// the meaning of all the rest (RFC 5280, section 4.2).
func TestCriticalExtensions(t *testing.T) {
	h := newHierarchy(t)
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 99}, Critical: true, Value: []byte{5, 0}}
	leaf := leafTemplate()
	leaf.ExtraExtensions = append(leaf.ExtraExtensions, critical)
	refusal(t, h.attest(t, leaf), h.trust, "unhandled critical extension", ErrChain)
	device := deviceTemplate()
	device.ExtraExtensions = append(device.ExtraExtensions, critical)
	h.device = newAuthority(t, h.root, device)
	refusal(t, h.attest(t, leafTemplate()), h.trust, "unhandled critical extension", ErrChain)
}

func TestDeviceAsCA(t *testing.T) {
	root := newAuthority(t, nil, caTemplate("Some CA", -1))
	template := deviceTemplate()
	template.MaxPathLenZero, template.MaxPathLen = false, -1
	device := newAuthority(t, root, template)
	second := newAuthority(t, device, deviceTemplate())
	evidence := Evidence{issue(t, second, leafTemplate(), nil, &newKey(t).PublicKey), []*x509.Certificate{second.certificate, device.certificate}}
	refusal(t, evidence, trusting(named, root), "is a device's certificate and certifies another", ErrChain)
}

func TestUnrelatedIntermediates(t *testing.T) {
	h, other := newHierarchy(t), newHierarchy(t)
	evidence := h.attest(t, leafTemplate())
	evidence.Intermediates = append(evidence.Intermediates, other.device.certificate)
	refusal(t, evidence, h.trust, "certificate 3 (\"Yubico PIV Attestation\") has no part in the chain", ErrChain)
	evidence.Intermediates = []*x509.Certificate{other.device.certificate, h.device.certificate}
	refusal(t, evidence, h.trust, "certificate 2 (\"Yubico PIV Attestation\") has no part in the chain", ErrChain)
	// A copy of the root is part of the chain. It adds nothing to the trust.
	evidence.Intermediates = []*x509.Certificate{h.device.certificate, h.root.certificate}
	if _, err := Verify(evidence, h.trust, now); err != nil {
		t.Error(err)
	}
	refusal(t, evidence, other.trust, "self-signed and is none of the trusted roots", ErrForged)
}

// TestLackingBasicConstraints: factories left it out of some certificates, all
// directly below roots of the old kind.
func TestLackingBasicConstraints(t *testing.T) {
	lacking := func(change func(*x509.Certificate)) *x509.Certificate {
		template := deviceTemplate()
		template.BasicConstraintsValid, template.IsCA, template.MaxPathLenZero = false, false, false
		change(template)
		return template
	}
	plain := func(*x509.Certificate) {}
	root := newAuthority(t, nil, caTemplate("Test PIV Root", -1))
	middle := newAuthority(t, root, caTemplate("Yubico PIV Attestation A 1", -1))
	chainOf := func(issuer *authority, template *x509.Certificate, more ...*x509.Certificate) Evidence {
		h := hierarchy{device: newAuthority(t, issuer, template)}
		evidence := h.attest(t, leafTemplate())
		evidence.Intermediates = append(evidence.Intermediates, more...)
		return evidence
	}
	if _, err := Verify(chainOf(root, lacking(plain)), trusting(old, root), now); err != nil {
		t.Errorf("directly below an old root: %v", err)
	}
	refusal(t, chainOf(root, lacking(plain)), trusting(named, root), "it has no BasicConstraints", ErrChain)
	refusal(t, chainOf(root, lacking(plain)), trusting(tree, root), "it has no BasicConstraints", ErrChain)
	refusal(t, chainOf(middle, lacking(plain), middle.certificate), trusting(old, root), "it has no BasicConstraints", ErrChain)
	refusal(t, chainOf(middle, deviceTemplate(), middle.certificate), trusting(old, root), `"Test PIV Root" certifies devices itself`, ErrChain)
	refusal(t, chainOf(middle, lacking(plain), middle.certificate), trusting(tree, root), "it has no BasicConstraints", ErrChain)
	for name, change := range map[string]func(*x509.Certificate){
		"another name": func(c *x509.Certificate) { c.Subject.CommonName = "Yubico U2F EE Serial 14803321578" },
		"more names":   func(c *x509.Certificate) { c.Subject.Organization = []string{"Yubico AB"} },
		"a key usage":  func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature },
		"no CA":        func(c *x509.Certificate) { c.BasicConstraintsValid = true },
	} {
		t.Run(name, func(t *testing.T) {
			refusal(t, chainOf(root, lacking(change)), trusting(old, root), "is no CA's, and certifies nothing", ErrChain)
		})
	}
}

// TestU2FRoot: its path length of 0 forbids what it certified.
func TestU2FRoot(t *testing.T) {
	root := newAuthority(t, nil, caTemplate(u2fRoot, 0))
	template := deviceTemplate()
	template.BasicConstraintsValid, template.IsCA, template.MaxPathLenZero = false, false, false
	h := hierarchy{root, newAuthority(t, root, template), trusting(old, root)}
	facts, err := Verify(h.attest(t, leafTemplate()), h.trust, now)
	if err != nil || facts.Chain != yes("Yubico U2F Root CA Serial 457200631") {
		t.Errorf("got %+v, %v", facts.Chain, err)
	}
	refusal(t, h.attest(t, leafTemplate()), trusting(named, root), "", ErrChain)

	middle := newAuthority(t, root, caTemplate("Some CA", -1))
	h.device = newAuthority(t, middle, deviceTemplate())
	evidence := h.attest(t, leafTemplate())
	evidence.Intermediates = append(evidence.Intermediates, middle.certificate)
	refusal(t, evidence, h.trust, "", ErrChain)

	// The keys of U2F lie below the same root, in certificates without BasicConstraints.
	ee := newAuthority(t, root, &x509.Certificate{Subject: pkix.Name{CommonName: "Yubico U2F EE Serial 14803321578"}})
	h.device = ee
	refusal(t, h.attest(t, leafTemplate()), h.trust, `"Yubico U2F EE Serial 14803321578") is no CA's`, ErrChain)

	// No other root is relaxed.
	other := newAuthority(t, nil, caTemplate("Test PIV Root", 0))
	h = hierarchy{other, newAuthority(t, other, deviceTemplate()), trusting(old, other)}
	refusal(t, h.attest(t, leafTemplate()), h.trust, "", ErrChain)
}

// TestTree is the shape of the chains of firmware 5.7.4 and later.
func TestTree(t *testing.T) {
	root := newAuthority(t, nil, caTemplate("Yubico Attestation Root 1", 3))
	first := newAuthority(t, root, caTemplate("Yubico Attestation Intermediate B 1", 2))
	piv := newAuthority(t, first, caTemplate("Yubico PIV Attestation B2 1", 1))
	fido := newAuthority(t, first, caTemplate("Yubico FIDO Attestation B 1", 1))
	openpgp := newAuthority(t, first, caTemplate("Yubico OPGP Attestation B 1", 1))
	trust := trusting(tree, root)
	evidence := func(issuer *authority, more ...*authority) Evidence {
		h := hierarchy{device: newAuthority(t, issuer, with(deviceTemplate(), oidFirmware, 5, 7, 4))}
		evidence := h.attest(t, with(leafTemplate(), oidFirmware, 5, 7, 4))
		for _, a := range more {
			evidence.Intermediates = append(evidence.Intermediates, a.certificate)
		}
		return evidence
	}
	facts, err := Verify(evidence(piv, piv, first), trust, now)
	if err != nil || facts.Chain != yes("Yubico Attestation Root 1") || facts.Advisory.Answer != No {
		t.Errorf("got %+v, %v", facts, err)
	}
	if _, err := Verify(evidence(piv, first, piv), trust, now); err != nil {
		t.Errorf("in another order: %v", err)
	}
	trust.intermediates = []anchor{{first.certificate, tree, OriginPinned}}
	if _, err := Verify(evidence(piv, piv), trust, now); err != nil {
		t.Errorf("with a known intermediate: %v", err)
	}
	refusal(t, evidence(piv), trust, `was issued by "Yubico PIV Attestation B2 1", which is neither trusted nor beside it`, ErrChain)
	refusal(t, evidence(fido, fido), trust, `"Yubico FIDO Attestation B 1" certifies no PIV attestations`, ErrChain)
	refusal(t, evidence(openpgp, openpgp), trust, `"Yubico OPGP Attestation B 1" certifies no PIV attestations`, ErrChain)
	refusal(t, evidence(first), trust, `"Yubico Attestation Intermediate B 1" certifies no PIV attestations`, ErrChain)
	refusal(t, evidence(root), trust, `"Yubico Attestation Root 1" certifies no PIV attestations`, ErrChain)
}

func TestExpiry(t *testing.T) {
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	dated := func(template *x509.Certificate, from, until int) *x509.Certificate {
		template.NotBefore, template.NotAfter = year(from), year(until)
		return template
	}
	for _, c := range []struct {
		name               string
		root, device, leaf [2]int
		words              string
	}{
		{"root", [2]int{2016, 2020}, [2]int{2015, 2050}, [2]int{2017, 2050}, "valid from 2017-01-01 to 2020-01-01"},
		{"device", [2]int{2016, 2050}, [2]int{2018, 2021}, [2]int{2017, 2050}, "valid from 2018-01-01 to 2021-01-01"},
		{"attestation", [2]int{2016, 2050}, [2]int{2018, 2050}, [2]int{2017, 2022}, "valid from 2018-01-01 to 2022-01-01"},
		{"not yet", [2]int{2030, 2050}, [2]int{2018, 2050}, [2]int{2017, 2050}, "valid from 2030-01-01 to 2050-01-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := newAuthority(t, nil, dated(caTemplate("Test PIV Root", 1), c.root[0], c.root[1]))
			h := hierarchy{root, newAuthority(t, root, dated(deviceTemplate(), c.device[0], c.device[1])), trusting(old, root)}
			refusal(t, h.attest(t, dated(leafTemplate(), c.leaf[0], c.leaf[1])), h.trust, "asked about is 2026-06-01, and it is "+c.words, ErrChain, ErrExpired)
		})
	}
}

func TestRehearsal(t *testing.T) {
	root := rehearsalAuthority(t)
	device := deviceTemplate()
	device.Subject.CommonName = "Ceremony Rehearsal PIV Attestation"
	h := hierarchy{root, newAuthority(t, root, device), nil}
	evidence := h.attest(t, leafTemplate())
	facts, err := Verify(evidence, Rehearsal(), now)
	if err != nil || !facts.Rehearsal || facts.Chain != yes(rehearsalName) {
		t.Errorf("got %+v, %v", facts, err)
	}
	refusal(t, evidence, Yubico(), "a virtual card protects nothing", ErrChain, ErrRehearsal)

	// Beside a real root the rehearsals' root stays what it is, even if someone
	// trusted certifies its key.
	real := newAuthority(t, nil, caTemplate("Test CA", -1))
	for _, subject := range []pkix.Name{root.certificate.Subject, {CommonName: "Test CA, Devices"}} {
		cross := caTemplate("", -1)
		cross.Subject, cross.SerialNumber = subject, big.NewInt(1)
		crossed := &authority{issue(t, real, cross, nil, &root.private.PublicKey), root.private}
		h.device = newAuthority(t, crossed, deviceTemplate())
		evidence = h.attest(t, leafTemplate())
		evidence.Intermediates = append(evidence.Intermediates, crossed.certificate)
		refusal(t, evidence, trusting(named, real), "the rehearsals' root is in it", ErrChain, ErrRehearsal)
	}
}

// A real chain is never called a rehearsal.
func TestRealFactsAreNoRehearsal(t *testing.T) {
	h := newHierarchy(t)
	if facts, err := Verify(h.attest(t, leafTemplate()), h.trust, now); err != nil || facts.Rehearsal {
		t.Errorf("got %+v, %v", facts, err)
	}
}
