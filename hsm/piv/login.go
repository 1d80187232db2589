//go:build cgo && (linux || darwin)

package piv

import (
	"errors"
	"fmt"
	"strings"

	"tufceremony/hsm"
	"tufceremony/hsm/secret"
)

// login is what the card knows of the PIN in this session.
type login struct {
	in    bool // the PIN was given, and counts until another application is selected
	fresh bool // and nothing was asked of the card since, as keys that always want it need
	left  int  // PIN tries, while in
}

// triesLeft asks how many PIN tries are left. While the PIN counts as given it
// is not asked: cards before 5.3 do not tell then, and 5.3.1 forgets the PIN
// for being asked.
func (t *token) triesLeft() (left int, err error) {
	if t.login.in {
		return t.login.left, nil
	}
	ask := func() (err error) {
		left, err = t.yubikey.Retries()
		return err
	}
	err = t.call(ask)
	if err != nil && strings.Contains(err.Error(), pinCounts) {
		// The card takes a PIN for given that this session does not rely on: after
		// a refusal, or from a program before. It is made to forget it.
		if err = t.call(t.forgetPIN); err == nil {
			err = t.call(ask)
		}
	}
	if err != nil {
		return 0, err
	}
	return left, nil
}

// pinCounts is how piv-go says that a card asks for no PIN.
const pinCounts = "expected error code from empty pin"

// logIn asks for the PIN once, and spends one try at most.
func (t *token) logIn(prompter hsm.Prompter) error {
	pin, err := t.askPIN(prompter)
	defer secret.Free(pin)
	if err != nil {
		return err
	}
	if err := t.verify(pin); err != nil {
		return err
	}
	return t.countAfter(pin)
}

// askPIN gives what could be a PIN, for which no try has been spent.
func (t *token) askPIN(prompter hsm.Prompter) ([]byte, error) {
	left, err := t.triesLeft()
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking how many PIN tries are left: %w", err)
	case left == 0:
		return nil, fmt.Errorf("%w; the PUK sets a new one", hsm.ErrPINLocked)
	case prompter == nil:
		return nil, errors.New("a PIN is needed, and there is nobody to ask")
	}
	pin, err := prompter.PIN(hsm.PINRequest{Device: t.info(left), TriesLeft: left})
	if err != nil {
		return pin, fmt.Errorf("asking for the PIN: %w", err)
	}
	return pin, checkPIN(pin)
}

// verify gives the PIN to the card. piv-go wants a string, which cannot be
// wiped: a copy of the PIN stays in this process's memory until Go needs the
// room, and in libpcsclite's for as long.
func (t *token) verify(pin []byte) error {
	t.login = login{}
	var refused error
	err := t.call(func() error {
		refused = t.yubikey.VerifyPIN(string(pin))
		if pinError(refused) != nil {
			return nil
		}
		return refused
	})
	if err = errors.Join(err, pinError(refused)); err != nil {
		return err
	}
	t.login = login{in: true, fresh: true, left: t.device.tries}
	return nil
}

// countAfter learns how many tries are left now that the right PIN has given
// all back. Cards from 5.3 on have told how many that is. An older one tells
// only while no PIN counts: it is made to forget the PIN, is asked, and is
// given the same PIN again, which was right and costs nothing.
func (t *token) countAfter(pin []byte) error {
	if t.login.left != hsm.Unknown {
		return nil
	}
	if err := t.call(t.forgetPIN); err != nil {
		return fmt.Errorf("selecting another application: %w", err)
	}
	left, err := t.triesLeft()
	if err != nil {
		return fmt.Errorf("asking how many PIN tries are left: %w", err)
	}
	if err := t.verify(pin); err != nil {
		return fmt.Errorf("giving the PIN again: %w", err)
	}
	t.login.left = left
	return nil
}
