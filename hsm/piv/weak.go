package piv

import (
	"bytes"
	"errors"
	"fmt"
)

const (
	minPIN = 6 // SP 800-73-4, and what YubiKeys of firmware 5 enforce
	maxPIN = 8
)

const (
	factoryPIN = "123456"
	factoryPUK = "12345678"
)

// WeakPIN says why a PIN is not fit to guard a key, or nil. With three tries
// before the card locks, what matters is that it is none of the first guesses.
// The error does not hold the PIN.
func WeakPIN(pin []byte) error {
	if err := weak(pin, minPIN); err != nil {
		return fmt.Errorf("the PIN %w", err)
	}
	return nil
}

// WeakPUK is WeakPIN for the PUK, which must have 8 characters: it is typed
// once in years, and whoever has it has the PIN.
func WeakPUK(puk []byte) error {
	if err := weak(puk, maxPIN); err != nil {
		return fmt.Errorf("the PUK %w", err)
	}
	return nil
}

func weak(secret []byte, least int) error {
	switch {
	case len(secret) < least:
		return fmt.Errorf("is shorter than %d characters", least)
	case len(secret) > maxPIN:
		return fmt.Errorf("is longer than %d characters", maxPIN)
	case bytes.ContainsFunc(secret, notTypable):
		return errors.New("has characters that not every keyboard types the same way: choose digits, or ASCII letters")
	case bytes.HasPrefix([]byte(factoryPUK), secret): // the factory's PIN is its beginning
		return errors.New("is the one that devices leave the factory with, or its beginning")
	case steps(secret, 0):
		return errors.New("is one character over and over")
	case steps(secret, 1), steps(secret, -1):
		return errors.New("is a run of neighbours, like 345678")
	}
	return nil
}

// notTypable: other programs send the bytes of whatever encoding they use, so
// that a PIN outside ASCII may be refused by them, at the price of a try.
func notTypable(r rune) bool { return r <= ' ' || r >= 0x7f }

// steps says whether each character is the one before plus step. After 9 comes
// 0, as on a keyboard.
func steps(secret []byte, step int) bool {
	for i := 1; i < len(secret); i++ {
		next := int(secret[i-1]) + step
		if step != 0 && next == '9'+1 {
			next = '0'
		}
		if step != 0 && next == '0'-1 {
			next = '9'
		}
		if int(secret[i]) != next {
			return false
		}
	}
	return true
}
