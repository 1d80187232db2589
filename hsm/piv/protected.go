package piv

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

// ErrForeignObject: an object on the device was written by a program that means
// something else by it, and is left as it is.
var ErrForeignObject = errors.New("another program keeps something else in that place on the device")

// StoreManagementKey stores a management key on the device, where the PIN reads
// it back: as ykman does, which can use it then. current is the management key
// of now, which may be the one that is stored.
//
// A new key is stored first and set then. If the plug is pulled in between, the
// old one still works, and both steps can be done again; the other way round, a
// key that only the memory of this process knows would be lost.
//
// It is not piv-go's, which cuts an AES-256 key to 24 bytes.
func (a *Admin) StoreManagementKey(pin, current, key []byte) error {
	return a.do("storing the management key on", func(c *card.Card) error {
		if want := card.ManagementKeyLength(byte(a.ManagementAlgorithm())); len(key) != want {
			return fmt.Errorf("a management key of type %s has %d bytes, and this has %d", a.ManagementAlgorithm(), want, len(key))
		}
		if err := a.authenticate(c, current); err != nil {
			return err
		}
		protected, err := readProtected(c, pin)
		if err != nil {
			return err
		}
		defer clear(protected)
		return storeKey(c, protected, key)
	})
}

// storeKey writes the key before the flag that says that it is there.
func storeKey(c *card.Card, protected, key []byte) error {
	changed, err := card.WithProtectedKey(protected, key)
	defer clear(changed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeignObject, err)
	}
	admin, err := getObject(c, card.ObjectAdmin)
	if err != nil {
		return err
	}
	flagged, err := card.WithPINProtected(admin)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeignObject, err)
	}
	if err := c.Put(card.ObjectPrinted, changed); err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	if err := checkWritten(c, key); err != nil {
		return err
	}
	if bytes.Equal(flagged, admin) {
		return nil
	}
	if err := c.Put(card.ObjectAdmin, flagged); err != nil {
		return fmt.Errorf("writing that the key is there: %w", err)
	}
	return nil
}

// checkWritten reads the key back: nobody else knows it.
func checkWritten(c *card.Card, key []byte) error {
	contents, err := getObject(c, card.ObjectPrinted)
	if err != nil {
		return fmt.Errorf("reading the key back: %w", err)
	}
	defer clear(contents)
	stored, err := card.ProtectedKey(contents)
	defer clear(stored)
	if err == nil && subtle.ConstantTimeCompare(stored, key) != 1 {
		err = errors.New("it is another one")
	}
	if err != nil {
		return fmt.Errorf("reading the key back: %w", err)
	}
	return nil
}

// ProtectedManagementKey reads the management key that StoreManagementKey or
// ykman stored. A wrong PIN is a *hsm.PINError or hsm.ErrPINLocked, and spends
// a try. If there is no key, the error wraps hsm.ErrNotFound. The caller wipes
// the key after use.
func (a *Admin) ProtectedManagementKey(pin []byte) (key []byte, err error) {
	err = a.do("reading the management key that is stored on", func(c *card.Card) error {
		contents, err := readProtected(c, pin)
		if err != nil {
			return err
		}
		defer clear(contents)
		if key, err = card.ProtectedKey(contents); err != nil {
			return fmt.Errorf("%w: %w", ErrForeignObject, err)
		}
		if key == nil {
			return fmt.Errorf("it holds none: %w", hsm.ErrNotFound)
		}
		return nil
	})
	return key, err
}

// readProtected gives the PIN and reads the object that only the PIN reads.
func readProtected(c *card.Card, pin []byte) ([]byte, error) {
	if err := checkPIN(pin); err != nil {
		return nil, err
	}
	err := c.Verify(pin)
	if refused := pinError(err); refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("giving the PIN: %w", err)
	}
	return getObject(c, card.ObjectPrinted)
}

// getObject gives no bytes for an object that is not there.
func getObject(c *card.Card, object card.Object) ([]byte, error) {
	contents, err := c.Get(object)
	if absent(err) {
		return nil, nil
	}
	return contents, err
}

// isPINProtected says whether the device says that the PIN gives the management
// key. What another program keeps there says nothing.
func isPINProtected(c *card.Card) (bool, error) {
	contents, err := getObject(c, card.ObjectAdmin)
	if err != nil {
		return false, fmt.Errorf("reading the administrator's data: %w", err)
	}
	flags, err := card.AdminFlags(contents)
	return err == nil && flags&card.FlagPINProtected != 0, nil
}
