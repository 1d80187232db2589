package attest

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// VerifyDevice reads the certificate of a device's slot f9 alone, in DER, as it
// is there before any key is, and returns the name of the root that it leads
// to. It says who made the device and nothing of a key: whoever has a copy of
// the certificate can show it. The errors wrap those of Verify.
func VerifyDevice(der []byte, trust *Trust, at time.Time) (root string, err error) {
	root, err = verifyDevice(der, trust, at)
	if err != nil {
		return "", fmt.Errorf("verifying the device's certificate: %w", err)
	}
	return root, nil
}

func verifyDevice(der []byte, trust *Trust, at time.Time) (string, error) {
	if trust == nil || at.IsZero() {
		return "", errors.New("no trust or no time was given")
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrEvidence, clean(err.Error()))
	}
	if !isYubiKey(c) {
		return "", fmt.Errorf("%w: %q is no device's certificate", ErrNotAttestation, name(c))
	}
	options := trust.options(nil)
	options.CurrentTime = at
	chains, err := relaxDevice(c).Verify(options)
	if err != nil {
		return "", explain(Evidence{Leaf: relaxDevice(c)}, trust, at, err)
	}
	var first error
	for _, chain := range chains {
		err := checkDeviceChain(chain, trust)
		if err == nil {
			return name(chain[len(chain)-1]), nil
		}
		first = errors.Join(first, err)
	}
	return "", fmt.Errorf("%w: %w", ErrChain, first)
}

// checkDeviceChain is checkChain without an attestation at its beginning.
func checkDeviceChain(chain []*x509.Certificate, trust *Trust) error {
	root, ok := trust.root(chain[len(chain)-1])
	switch {
	case !ok || len(chain) < 2:
		return errors.New("it ends in no root")
	case !trust.rehearsal && slices.ContainsFunc(chain, isRehearsal):
		return fmt.Errorf("%w: the rehearsals' root is in it", ErrRehearsal)
	}
	return checkIssuer(slices.Concat([]*x509.Certificate{nil}, chain), root)
}
