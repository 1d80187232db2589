package piv

import (
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

// ErrPUKLocked: the PUK is blocked. A blocked PIN can then be set no more, and
// only a reset is left, which destroys the keys.
var ErrPUKLocked = errors.New("the PUK is locked")

// PUKError is a PUK that the device refused.
type PUKError struct {
	TriesLeft int // after this one was spent, or hsm.Unknown
}

func (e *PUKError) Error() string {
	switch e.TriesLeft {
	case hsm.Unknown:
		return "wrong PUK; the device does not say how many tries are left"
	case 1:
		return "wrong PUK; 1 try left before it locks"
	default:
		return fmt.Sprintf("wrong PUK; %d tries left before it locks", e.TriesLeft)
	}
}

// ErrTooSimple: the device refuses the new PIN or PUK as too easy to guess.
var ErrTooSimple = errors.New("the device does not take so simple a PIN or PUK: choose one without repetition and sequence")

// ChangePIN replaces the PIN. A wrong old one is a *hsm.PINError or
// hsm.ErrPINLocked, and spends a try. A new one that WeakPIN refuses is
// refused.
func (a *Admin) ChangePIN(old, new []byte) error {
	return a.changeSecret("changing the PIN of", WeakPIN(new), pinError, old, func(c *card.Card) error {
		return c.ChangeReference(card.RefPIN, old, new)
	})
}

// ChangePUK replaces the PUK. A wrong old one is a *PUKError or ErrPUKLocked,
// and spends a try of the PUK. A new one that WeakPUK refuses is refused.
func (a *Admin) ChangePUK(old, new []byte) error {
	return a.changeSecret("changing the PUK of", WeakPUK(new), pukError, old, func(c *card.Card) error {
		return c.ChangeReference(card.RefPUK, old, new)
	})
}

// UnblockPIN sets a new PIN with the PUK, whether the old one is blocked or
// forgotten. Errors are ChangePUK's, and WeakPIN's about the new PIN.
func (a *Admin) UnblockPIN(puk, new []byte) error {
	return a.changeSecret("setting a new PIN of", WeakPIN(new), pukError, puk, func(c *card.Card) error {
		return c.ResetRetry(puk, new)
	})
}

// changeSecret spends no try on what cannot be right, nor where the new secret
// would be refused afterwards.
func (a *Admin) changeSecret(doing string, weak error, costs func(error) error, old []byte, step func(*card.Card) error) error {
	return a.do(doing, func(c *card.Card) error {
		if err := errors.Join(checkPIN(old), weak); err != nil {
			return err
		}
		err := step(c)
		if refused := costs(err); refused != nil {
			return refused
		}
		// Cards compare the old secret first: it was right.
		if code, _ := statusOf(err); code == 0x6985 {
			return fmt.Errorf("%w (status word %04X)", ErrTooSimple, code)
		}
		return err
	})
}
