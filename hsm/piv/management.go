package piv

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"tufceremony/hsm/piv/internal/card"
)

// ErrManagementKey: the management key is wrong. The device does not count.
var ErrManagementKey = errors.New("wrong management key")

// FactoryManagementKey returns the management key with which devices leave the
// factory: public knowledge, of 24 bytes.
func FactoryManagementKey() []byte {
	return []byte{1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}
}

// ManagementAlgorithm is the best type of management key that the device's
// firmware has: AES-256 from 5.4.2 on, 3DES before.
func (a *Admin) ManagementAlgorithm() Algorithm {
	if a.identity.firmware.AtLeast(5, 4, 2) {
		return AES256
	}
	return TripleDES
}

// NewManagementKey draws a management key of that type.
func (a *Admin) NewManagementKey() ([]byte, error) {
	key := make([]byte, card.ManagementKeyLength(byte(a.ManagementAlgorithm())))
	if _, err := io.ReadFull(a.random, key); err != nil {
		return nil, fmt.Errorf("drawing a management key: %w", err)
	}
	return key, nil
}

// SetManagementKey replaces the management key by one of the type
// ManagementAlgorithm. A wrong old one is ErrManagementKey. One that StoreManagementKey
// had stored on the device stays there, and is to be stored anew.
func (a *Admin) SetManagementKey(old, new []byte) error {
	return a.do("setting the management key of", func(c *card.Card) error {
		if want := card.ManagementKeyLength(byte(a.ManagementAlgorithm())); len(new) != want {
			return fmt.Errorf("a new management key of type %s has %d bytes, and this has %d", a.ManagementAlgorithm(), want, len(new))
		}
		if subtle.ConstantTimeCompare(new, FactoryManagementKey()) == 1 {
			return errors.New("the new management key is the factory's, which everybody knows")
		}
		if err := a.authenticate(c, old); err != nil {
			return err
		}
		return c.SetManagementKey(byte(a.ManagementAlgorithm()), new)
	})
}

// CheckManagementKey says whether the device takes a management key: a wrong one
// is ErrManagementKey. The device does not count.
func (a *Admin) CheckManagementKey(key []byte) error {
	return a.do("trying the management key of", func(c *card.Card) error { return a.authenticate(c, key) })
}

// authenticate gives the management key. It is this package's own and not
// piv-go's, which panics on short metadata, and has no way to write objects
// in the same session.
func (a *Admin) authenticate(c *card.Card, key []byte) error {
	state, err := a.metadata(c, card.RefManagementKey)
	if err != nil {
		return err
	}
	algorithm := state.Algorithm
	if algorithm == 0 {
		algorithm = card.TripleDES
	}
	if want := card.ManagementKeyLength(algorithm); len(key) != want {
		return fmt.Errorf("%w: it has %d bytes, and one of type %s has %d", ErrManagementKey, len(key), Algorithm(algorithm), want)
	}
	err = c.Authenticate(algorithm, key, a.random)
	if code, _ := statusOf(err); code == 0x6982 {
		return fmt.Errorf("%w, which is of type %s (status word %04X)", ErrManagementKey, Algorithm(algorithm), code)
	}
	return err
}
