package piv

import (
	"crypto"
	"errors"
	"fmt"
	"slices"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

// ErrOccupied: the slot holds a key or a certificate, which is not overwritten.
var ErrOccupied = errors.New("the slot is occupied")

// Generate makes a key in a slot that holds neither a key nor a certificate;
// one that does is ErrOccupied. A wrong management key is ErrManagementKey, and
// what the firmware does not have hsm.ErrUnsupported. The public key is as the
// device gave it: Attest proves it.
//
// Before firmware 5.3 a key that was imported without a certificate cannot be
// seen: whoever imported it knows.
func (a *Admin) Generate(slot Slot, algorithm Algorithm, pin PINPolicy, touch TouchPolicy, managementKey []byte) (public crypto.PublicKey, err error) {
	err = a.do(fmt.Sprintf("generating a key in slot %s of", slot), func(c *card.Card) error {
		if err := a.canGenerate(slot, algorithm, pin, touch); err != nil {
			return err
		}
		if err := a.free(c, slot); err != nil {
			return err
		}
		if err := a.authenticate(c, managementKey); err != nil {
			return err
		}
		encoded, err := c.Generate(byte(slot), byte(algorithm), byte(pin), byte(touch))
		if err != nil {
			return err
		}
		public, err = card.PublicKey(byte(algorithm), encoded)
		return err
	})
	return public, err
}

func (a *Admin) canGenerate(slot Slot, algorithm Algorithm, pin PINPolicy, touch TouchPolicy) error {
	firmware := a.identity.firmware
	rsa := algorithm == RSA2048 || algorithm == RSA3072 || algorithm == RSA4096
	switch {
	case !slices.Contains(slots, slot):
		return errors.New("there is no such slot for signing keys")
	case !slices.Contains(signing, algorithm):
		return fmt.Errorf("keys of type %s are not generated: %w", algorithm, hsm.ErrUnsupported)
	case (algorithm == RSA3072 || algorithm == RSA4096 || algorithm == Ed25519) && !firmware.AtLeast(5, 7, 0):
		return fmt.Errorf("keys of type %s came with firmware 5.7, and this is %s: %w", algorithm, firmware, hsm.ErrUnsupported)
	case rsa && firmware.AtLeast(4, 2, 6) && !firmware.AtLeast(4, 3, 5):
		// ROCA, CVE-2017-15361 and Yubico's YSA-2017-01: the public key gives
		// the private one away.
		return fmt.Errorf("firmware %s makes RSA keys that can be broken: %w", firmware, hsm.ErrUnsupported)
	case pin != PINNever && pin != PINOnce && pin != PINAlways:
		return fmt.Errorf("PIN policy %s is not one to generate a key with: choose never, once or always", pin)
	case touch != TouchNever && touch != TouchAlways && touch != TouchCached:
		return fmt.Errorf("touch policy %s is not one to generate a key with: choose never, always or cached", touch)
	}
	return nil
}

// free refuses an occupied slot. One that cannot be read counts as occupied.
func (a *Admin) free(c *card.Card, slot Slot) error {
	info, err := readSlot(c, a.identity.firmware, slot)
	_, refused := statusOf(err)
	switch {
	case refused || errors.Is(err, card.ErrMalformed):
		return fmt.Errorf("%w by something that cannot be read: %w", ErrOccupied, translate(err))
	case err != nil:
		return err
	case info.Slot != 0:
		return fmt.Errorf("%w by a key of type %s", ErrOccupied, info.Algorithm)
	}
	used, err := hasCertificate(c, slot)
	if err == nil && used {
		return fmt.Errorf("%w by a certificate without a key", ErrOccupied)
	}
	return err
}

// Attest returns the device's statement about the key in a slot, and the
// certificate of slot f9, as hsm.Attester does.
func (a *Admin) Attest(slot Slot) (chain [][]byte, err error) {
	err = a.do(fmt.Sprintf("attesting the key in slot %s of", slot), func(c *card.Card) error {
		if err := attestable(SlotInfo{}, a.identity.firmware); err != nil {
			return err
		}
		statement, err := c.Attest(byte(slot))
		if absent(err) {
			return errNotGenerated
		}
		if err != nil {
			return err
		}
		device, err := c.Certificate(card.RefAttestation)
		if absent(err) {
			return errNoFactoryCertificate
		}
		chain = [][]byte{statement, device}
		return err
	})
	if err != nil {
		return nil, err
	}
	return chain, nil
}
