package piv

import (
	"crypto"
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

// ManagementPrompter is a hsm.Prompter that can be asked for a management key
// too, where the device does not give its own for the PIN.
type ManagementPrompter interface {
	hsm.Prompter
	// ManagementKey returns the key in bytes, which the driver wipes after use.
	ManagementKey(hsm.Info) ([]byte, error)
}

// Overwrite has the device make another key in a slot, over the one that is
// given, which is gone for good then; the certificate beside it is removed first.
// It works on all firmware, and of the new key the device makes an attestation,
// as it makes none of an empty slot. The new key is on P-256 and wants neither PIN
// nor touch: nobody trusts it. A slot with another key is hsm.ErrNotFound.
func (a *Admin) Overwrite(slot Slot, old crypto.PublicKey, managementKey []byte) (public crypto.PublicKey, err error) {
	err = a.do(fmt.Sprintf("overwriting the key in slot %s of", slot), func(c *card.Card) error {
		info, err := readSlot(c, a.identity.firmware, slot)
		if err != nil {
			return err
		}
		if held, ok := info.Public.(interface{ Equal(crypto.PublicKey) bool }); !ok || old == nil || !held.Equal(old) {
			return fmt.Errorf("looking for the key that is to be overwritten: %w", hsm.ErrNotFound)
		}
		if err := a.authenticate(c, managementKey); err != nil {
			return err
		}
		if err := c.Put(card.CertificateObject(byte(slot)), nil); err != nil {
			return fmt.Errorf("removing the certificate: %w", err)
		}
		encoded, err := c.Generate(byte(slot), byte(P256), byte(PINNever), byte(TouchNever))
		if err != nil {
			return err
		}
		public, err = card.PublicKey(byte(P256), encoded)
		return err
	})
	return public, err
}

// management finds the management key: the one that the PIN gives, the
// factory's, or one that a person has on paper. The PIN is given in every case.
func (a *Admin) management(pin []byte, prompter hsm.Prompter) ([]byte, error) {
	key, err := a.ProtectedManagementKey(pin)
	if err == nil || !errors.Is(err, hsm.ErrNotFound) && !errors.Is(err, ErrForeignObject) {
		return key, err
	}
	factory := FactoryManagementKey()
	if err := a.CheckManagementKey(factory); !errors.Is(err, ErrManagementKey) {
		return factory, err
	}
	person, ok := prompter.(ManagementPrompter)
	if !ok {
		return nil, fmt.Errorf("the management key of %s is needed, and there is nobody to ask", a)
	}
	info, err := a.Info()
	if err != nil {
		return nil, err
	}
	return person.ManagementKey(info)
}
