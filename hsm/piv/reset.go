package piv

import (
	"errors"
	"fmt"

	"tufceremony/hsm/piv/internal/card"
)

// maxTries is the most that a card can be set to.
const maxTries = 255

// Reset wipes the PIV application: all keys and certificates are gone for good,
// and PIN, PUK and management key are the factory's. What other applications of
// the device hold (FIDO, OpenPGP, OTP) stays, and so does the key that attests.
//
// A device wipes itself only once PIN and PUK are both blocked. They are
// blocked on purpose, with values that cannot be right, so that nothing here
// ever guesses one. If the plug is pulled on the way, the keys are still
// there and cannot be used: reset again.
func (a *Admin) Reset() error {
	return a.do("resetting", func(c *card.Card) error {
		if err := block(c.MissPIN); err != nil {
			return fmt.Errorf("blocking the PIN: %w", err)
		}
		if err := block(c.MissPUK); err != nil {
			return fmt.Errorf("blocking the PUK: %w", err)
		}
		return c.Reset()
	})
}

// block gives wrong ones until none is left.
func block(miss func() error) error {
	for range maxTries + 1 {
		err := miss()
		left, counted := refusal(err)
		switch {
		case err == nil:
			return errors.New("the device took a value that cannot be right")
		case !counted:
			return err
		case left == 0:
			return nil
		}
	}
	return errors.New("the device does not stop counting")
}
