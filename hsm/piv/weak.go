package piv

import (
	"bytes"
	"errors"
	"fmt"

	"tufceremony/hsm/internal/guess"
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
	case bytes.HasPrefix([]byte(factoryPUK), secret): // the factory's PIN is its beginning
		return errors.New("is the one that devices leave the factory with, or its beginning")
	}
	return guess.Easy(secret)
}
