package card

import (
	"bytes"
	"errors"
)

// pinLength is what the card compares: shorter PINs are filled up with FF.
const pinLength = 8

// ErrPINLength: it cannot be a PIN, and was not sent.
var ErrPINLength = errors.New("a PIN or PUK has 6 to 8 bytes")

// padded returns PINs one behind the other, each filled up. The caller wipes
// the result.
func padded(pins ...[]byte) ([]byte, error) {
	all := make([]byte, 0, pinLength*len(pins))
	for _, pin := range pins {
		if len(pin) == 0 || len(pin) > pinLength || bytes.IndexByte(pin, 0xFF) >= 0 {
			clear(all)
			return nil, ErrPINLength
		}
		all = append(all, pin...)
		for len(all)%pinLength != 0 {
			all = append(all, 0xFF)
		}
	}
	return all, nil
}

// Verify gives the PIN: 63Cx if it is wrong, 6983 if it is blocked.
func (c *Card) Verify(pin []byte) error { return c.withPINs(insVerify, RefPIN, pin) }

// ChangeReference replaces a PIN (RefPIN) or PUK (RefPUK).
func (c *Card) ChangeReference(reference byte, old, new []byte) error {
	return c.withPINs(insChangeReference, reference, old, new)
}

// ResetRetry sets a new PIN with the PUK.
func (c *Card) ResetRetry(puk, pin []byte) error {
	return c.withPINs(insResetRetry, RefPIN, puk, pin)
}

func (c *Card) withPINs(instruction, reference byte, pins ...[]byte) error {
	data, err := padded(pins...)
	if err != nil {
		return err
	}
	defer clear(data)
	_, err = c.command(instruction, 0, reference, data)
	return err
}

// MissPIN gives a PIN that cannot be right, as no PIN is empty: a try is spent.
func (c *Card) MissPIN() error {
	_, err := c.command(insVerify, 0, RefPIN, nothing(1))
	return err
}

// MissPUK gives a PUK that cannot be right: a try of the PUK is spent. The card
// counts it before it looks at the new PIN, which could not be one either.
func (c *Card) MissPUK() error {
	_, err := c.command(insResetRetry, 0, RefPIN, nothing(2))
	return err
}

// nothing is what empty PINs are filled up to.
func nothing(pins int) []byte { return bytes.Repeat([]byte{0xFF}, pins*pinLength) }

// Tries asks how many wrong PINs are left, without giving one. known is false
// while the PIN counts as given: cards before 5.3 do not tell then.
func (c *Card) Tries() (left int, known bool, err error) {
	_, err = c.command(insVerify, 0, RefPIN, nil)
	var status Status
	switch {
	case err == nil:
		return 0, false, nil
	case !errors.As(err, &status):
		return 0, false, err
	}
	left, ok := status.Tries()
	if !ok {
		return 0, false, err
	}
	return left, true, nil
}

// Tries reads the count of tries left from a status word: 63Cx, 6983, and 630x
// of cards before 4.3.
func (s Status) Tries() (left int, ok bool) {
	switch {
	case s == 0x6983:
		return 0, true
	case s&0xFFF0 == 0x63C0, s&0xFFF0 == 0x6300:
		return int(s & 0xF), true
	}
	return 0, false
}

// Reset wipes the application: 6985 unless PIN and PUK are both blocked.
func (c *Card) Reset() error {
	_, err := c.command(insReset, 0, 0, nil)
	return err
}
