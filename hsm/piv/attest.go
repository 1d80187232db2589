//go:build cgo && (linux || darwin)

package piv

import (
	"crypto/x509"
	"errors"
	"fmt"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"tufceremony/hsm"
)

// Attest implements hsm.Attester: the device's statement about the key, then
// the certificate of its slot f9, which signed it. The certificates between
// that one and Yubico's root are not on the device.
func (t *token) Attest(key hsm.Key) ([][]byte, error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	chain, err := t.attest(key)
	if err != nil {
		return nil, fmt.Errorf("attesting key %q of %s: %w", key.ID, t, err)
	}
	return chain, nil
}

func (t *token) attest(key hsm.Key) ([][]byte, error) {
	slot, err := t.slotOf(key)
	if err != nil {
		return nil, err
	}
	if err := attestable(slot, t.device.firmware); err != nil {
		return nil, err
	}
	var statement, device *x509.Certificate
	t.login.fresh = false
	err = t.call(func() (err error) {
		if statement, err = t.yubikey.Attest(pivgo.Slot{Key: uint32(slot.Slot)}); err != nil {
			return err
		}
		device, err = t.yubikey.AttestationCertificate()
		return err
	})
	missing := errors.Is(err, pivgo.ErrNotFound) || absent(err)
	switch {
	case missing && statement == nil:
		return nil, errImported
	case missing:
		return nil, errNoFactoryCertificate
	case err != nil:
		return nil, err
	}
	return [][]byte{statement.Raw, device.Raw}, nil
}

// FactoryCertificate is Admin's, in a session for signing.
func (t *token) FactoryCertificate() (der []byte, err error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	t.login.fresh = false
	var device *x509.Certificate
	err = t.call(func() (err error) {
		device, err = t.yubikey.AttestationCertificate()
		return err
	})
	if errors.Is(err, pivgo.ErrNotFound) {
		err = errNoFactoryCertificate
	}
	if err != nil {
		return nil, fmt.Errorf("reading the factory's certificate of %s: %w", t, err)
	}
	return device.Raw, nil
}
