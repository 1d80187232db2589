// Package guess knows the PINs that are tried first. A device counts wrong ones
// and locks, or is slow; what matters is that a PIN is none of the first guesses.
package guess

import (
	"bytes"
	"errors"
)

// Easy says why a PIN is easily guessed, or cannot be typed everywhere, or nil.
// The error is a predicate, "is one character over and over", and does not hold
// the PIN.
func Easy(secret []byte) error {
	switch {
	case bytes.ContainsFunc(secret, notTypable):
		return errors.New("has characters that not every keyboard types the same way: choose digits, or ASCII letters")
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
