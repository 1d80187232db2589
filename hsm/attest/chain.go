package attest

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The subject of the certificates that the factory writes into slot f9, where
// the root certifies devices itself.
const deviceName = "Yubico PIV Attestation"

// What the intermediates are called that certify the PIV applet below
// Yubico Attestation Root 1: "Yubico PIV Attestation A 1", and so on.
const applet = deviceName + " "

// checkChain holds a chain that x509 found valid against the way in which
// devices are certified: attestation, device, CA or CAs, root.
func checkChain(chain []*x509.Certificate, e Evidence, trust *Trust) error {
	root, ok := trust.root(chain[len(chain)-1])
	switch {
	case !ok:
		return errors.New("it ends in no root")
	case len(chain) < 3:
		return fmt.Errorf("the root %q signed it directly, where a device's certificate belongs between", name(root.certificate))
	case isAttestation(chain[1]):
		return errors.New("it is signed by an attested key, which certifies nothing")
	}
	for _, c := range chain[2 : len(chain)-1] {
		if isAttestation(c) || isDevice(c) {
			return fmt.Errorf("%q is a device's certificate and certifies another", name(c))
		}
	}
	if !trust.rehearsal && slices.ContainsFunc(chain, isRehearsal) {
		return fmt.Errorf("%w: the rehearsals' root is in it", ErrRehearsal)
	}
	if err := checkKind(chain, root); err != nil {
		return err
	}
	if err := checkIssuer(chain, root); err != nil {
		return err
	}
	return checkUsed(chain, e)
}

// checkKind: keys are attested by devices of their own kind. No pinned root
// certifies YubiHSMs: theirs is another, which the caller names.
func checkKind(chain []*x509.Certificate, root anchor) error {
	hsm := kindOf(chain[0]) == YubiHSM
	switch {
	case hsm && !isYubiHSM(chain[1]):
		return fmt.Errorf("it is signed by %q, which is no YubiHSM 2", name(chain[1]))
	case !hsm && isYubiHSM(chain[1]):
		return fmt.Errorf("it is signed by %q, a YubiHSM 2, which has no PIV slots", name(chain[1]))
	case hsm && root.kind != named:
		return fmt.Errorf("the root %q certifies no YubiHSM 2", name(root.certificate))
	}
	return nil
}

// checkIssuer: who may certify a device's certificate.
func checkIssuer(chain []*x509.Certificate, root anchor) error {
	issuer := chain[2]
	switch {
	case !hasBasicConstraints(chain[1]) && (root.kind != old || len(chain) != 3):
		return errors.New("the device's certificate is no CA's (it has no BasicConstraints)")
	case root.kind == old && len(chain) != 3:
		return fmt.Errorf("the root %q certifies devices itself, and %q stands between", name(root.certificate), name(issuer))
	case root.kind == tree && !strings.HasPrefix(name(issuer), applet):
		// The same root certifies the FIDO, OpenPGP and Secure Domain applications,
		// whose keys answer to other rules.
		return fmt.Errorf("%q certifies no PIV attestations", name(issuer))
	}
	return nil
}

// checkUsed refuses certificates that have no part in the chain. They prove
// nothing, and whoever reads the file may think that they do.
func checkUsed(chain []*x509.Certificate, e Evidence) error {
	for i, c := range e.Intermediates {
		if !slices.ContainsFunc(chain, c.Equal) {
			return fmt.Errorf("certificate %d (%q) has no part in the chain", i+2, name(c))
		}
	}
	return nil
}

// relaxRoot lifts the path length of the U2F root. It says 0: no certificate
// between root and leaf (RFC 5280, section 4.2.1.9), since it was meant for the
// U2F applet. It certified PIV devices all the same, and their chains hold
// exactly one between, which checkIssuer sees to. No other root is relaxed.
func relaxRoot(a anchor) *x509.Certificate {
	if a.kind != old || name(a.certificate) != u2fRoot || a.certificate.MaxPathLen != 0 {
		return a.certificate
	}
	relaxed := *a.certificate
	relaxed.MaxPathLen, relaxed.MaxPathLenZero = 1, false
	return &relaxed
}

// relaxDevice makes a CA's certificate of a device's that says nothing of
// BasicConstraints, as factories wrote them for some devices with firmware 4
// and 5.2. checkIssuer accepts that only directly below a root that is known
// for it. The subject matters: certificates of U2F keys lie below the same root
// and lack BasicConstraints too, and so do attestations.
func relaxDevice(c *x509.Certificate) *x509.Certificate {
	if hasBasicConstraints(c) || c.Version != 3 || !onlyName(c.Subject, deviceName) || c.KeyUsage != 0 {
		return c
	}
	relaxed := *c
	relaxed.BasicConstraintsValid, relaxed.IsCA = true, true
	relaxed.MaxPathLen, relaxed.MaxPathLenZero = 0, true
	return &relaxed
}

func hasBasicConstraints(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, is(oidBasicConstraints))
}
