package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"tufceremony/hsm/piv/internal/card"
)

// PlaceholderCertificate makes a certificate that says nothing but what the
// public key is. Other programs (OpenSC, Yubico's PKCS#11 module) find a key by
// the certificate in its slot, and do not verify that.
//
// A self-signed one would cost a signature by the key, with PIN and touch, over
// something that is no ceremony's. The attestation is no substitute: devices
// before 4.3 have none, and it is evidence that should not be mistaken for a
// name. So the certificate is signed by a key that is forgotten at once, and
// says so: nobody can take it for more than it is. It is valid always, since
// nothing depends on it.
func PlaceholderCertificate(public crypto.PublicKey, name string, random io.Reader) (der []byte, err error) {
	der, err = placeholder(public, name, random)
	if err != nil {
		return nil, fmt.Errorf("making a placeholder certificate: %w", err)
	}
	return der, nil
}

const placeholderIssuer = "Placeholder, signed by a key that was forgotten"

func placeholder(public crypto.PublicKey, name string, random io.Reader) ([]byte, error) {
	forgotten, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, err
	}
	number := make([]byte, 16)
	if _, err := io.ReadFull(random, number); err != nil {
		return nil, err
	}
	number[0] = number[0]&0x7F | 0x40 // positive, and as long as it looks
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(number),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, 4.1.2.5: no end
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: placeholderIssuer}}
	return x509.CreateCertificate(random, template, issuer, public, forgotten)
}

// StoreCertificate writes a certificate into a slot that has none; the same one
// again is no error, and another one ErrOccupied. Its public key must be the
// slot's. A wrong management key is ErrManagementKey.
func (a *Admin) StoreCertificate(slot Slot, managementKey, der []byte) error {
	return a.do(fmt.Sprintf("storing a certificate in slot %s of", slot), func(c *card.Card) error {
		if err := a.checkCertificate(c, slot, der); err != nil {
			return err
		}
		there, err := c.Certificate(byte(slot))
		switch {
		case err == nil && string(there) == string(der):
			return nil
		case err == nil || errors.Is(err, card.ErrMalformed):
			return fmt.Errorf("%w by another certificate", ErrOccupied)
		case !absent(err):
			return err
		}
		if err := a.authenticate(c, managementKey); err != nil {
			return err
		}
		return c.PutCertificate(byte(slot), der)
	})
}

// checkCertificate refuses a certificate of another key than the device tells:
// other programs would believe it.
func (a *Admin) checkCertificate(c *card.Card, slot Slot, der []byte) error {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("it is no certificate: %w", err)
	}
	info, err := readSlot(c, a.identity.firmware, slot)
	if err != nil {
		return err
	}
	if info.From == FromMetadata || info.From == FromAttestation {
		public, ok := info.Public.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(certificate.PublicKey) {
			return errors.New("its public key is not the one of the key in the slot")
		}
		return nil
	}
	if a.identity.firmware.AtLeast(5, 3, 0) {
		return errors.New("the slot holds no key")
	}
	return nil // an imported key, of which the device tells nothing
}
