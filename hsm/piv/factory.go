package piv

import (
	"fmt"

	"tufceremony/hsm/piv/internal/card"
)

// FactoryPIN returns the PIN with which devices leave the factory: public
// knowledge.
func FactoryPIN() []byte { return []byte(factoryPIN) }

// FactoryPUK returns the PUK with which devices leave the factory.
func FactoryPUK() []byte { return []byte(factoryPUK) }

// FactoryCertificate returns, in DER, the certificate of slot f9, with whose
// key the device attests. It is there before any key is, and says who made the
// device: hsm/attest verifies it. A device without one has an error that wraps
// hsm.ErrUnsupported.
func (a *Admin) FactoryCertificate() (der []byte, err error) {
	err = a.do("reading the factory's certificate of", func(c *card.Card) error {
		der, err = c.Certificate(card.RefAttestation)
		if absent(err) {
			return errNoFactoryCertificate
		}
		if err != nil {
			return fmt.Errorf("slot f9: %w", err)
		}
		return nil
	})
	return der, err
}
