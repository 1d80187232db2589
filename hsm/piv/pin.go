package piv

import (
	"bytes"
	"errors"
	"fmt"

	"tufceremony/hsm"
)

// checkPIN refuses what cannot be a PIN before it costs a try.
func checkPIN(pin []byte) error {
	switch {
	case len(pin) == 0:
		return errors.New("no PIN was given; no try was spent")
	case len(pin) < minPIN || len(pin) > maxPIN:
		return fmt.Errorf("a PIN has %d to %d bytes, and this has %d; no try was spent", minPIN, maxPIN, len(pin))
	case bytes.IndexByte(pin, 0xFF) >= 0: // what the card fills up with
		return errors.New("a PIN does not have such characters; no try was spent")
	}
	return nil
}

// refusal reads what a refused PIN or PUK has cost from the card's status word:
// the tries left, or hsm.Unknown.
func refusal(refused error) (left int, counted bool) {
	code, ok := statusOf(refused)
	switch {
	case !ok:
		return 0, false
	case code == 0x6983:
		return 0, true
	case code == 0x6300:
		return hsm.Unknown, true
	case tries(code):
		return int(code & 0xF), true
	}
	return 0, false
}

// pinError is the error for a PIN that the card refused, or nil if that is not
// what went wrong.
func pinError(refused error) error {
	left, counted := refusal(refused)
	switch {
	case !counted:
		return nil
	case left == 0:
		return fmt.Errorf("wrong PIN, and no try is left: %w; the PUK sets a new one", hsm.ErrPINLocked)
	}
	return &hsm.PINError{TriesLeft: left}
}

// pukError is pinError for the PUK.
func pukError(refused error) error {
	left, counted := refusal(refused)
	switch {
	case !counted:
		return nil
	case left == 0:
		return fmt.Errorf("wrong PUK, and no try is left: %w", ErrPUKLocked)
	}
	return &PUKError{TriesLeft: left}
}
