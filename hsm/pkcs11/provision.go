//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
	"tufceremony/hsm/secret"
)

// maxLabel is the width of a token's label field, in bytes.
const maxLabel = 32

// CreateToken initialises a token in a slot that has none, sets its user PIN,
// and returns its serial. An initialised token is never initialised again:
// that would destroy its keys. Nor is a label given that another token of the
// module has.
func CreateToken(modulePath, label string, soPIN, pin []byte) (serial string, err error) {
	serial, err = createToken(&process, modulePath, label, soPIN, pin)
	if err != nil {
		return "", fmt.Errorf("creating token %q: %w", label, err)
	}
	return serial, nil
}

func createToken(r *registry, modulePath, label string, soPIN, pin []byte) (serial string, err error) {
	switch {
	case label == "" || len(label) > maxLabel || trim(label) != label:
		return "", fmt.Errorf("the label must have 1 to %d bytes and not end in a blank", maxLabel)
	case len(soPIN) == 0 || len(pin) == 0:
		return "", errors.New("both PINs must be given")
	}
	m, err := r.acquire(source{path: modulePath}, DefaultTimeout)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.release(DefaultTimeout)) }()
	empty, err := m.emptySlot(label)
	if err != nil {
		return "", err
	}
	lent := secret.Copy(soPIN)
	if err := tell(m, generationFactor*DefaultTimeout, func(c cryptoki) error {
		defer secret.Free(lent)
		return c.InitToken(empty, lent, label)
	}); err != nil {
		return "", fmt.Errorf("initialising slot %d: %w", empty, translate(err))
	}
	// SoftHSM's slot numbers change when a token is initialised.
	created, err := m.find(uri.URI{Token: label}, DefaultTimeout)
	if err != nil {
		return "", fmt.Errorf("looking for the new token: %w", err)
	}
	if err := m.initPIN(created, soPIN, pin); err != nil {
		return "", fmt.Errorf("setting the user PIN: %w", err)
	}
	return created.info.SerialNumber, nil
}

// emptySlot returns a slot whose token is not initialised.
func (m *module) emptySlot(label string) (uint, error) {
	slots, err := m.slots(DefaultTimeout)
	if err != nil {
		return 0, err
	}
	var empty []uint
	for _, f := range slots {
		switch {
		case f.info.Flags&p11.CKF_TOKEN_INITIALIZED == 0:
			empty = append(empty, f.slot)
		case f.info.Label == label:
			return 0, fmt.Errorf("there is a token of this label already, with serial %q", f.info.SerialNumber)
		}
	}
	if len(empty) == 0 {
		return 0, fmt.Errorf("the module shows no slot with an empty token: %w", hsm.ErrNotFound)
	}
	return empty[0], nil
}

func (m *module) initPIN(f found, soPIN, pin []byte) error {
	lentSO, lent := secret.Copy(soPIN), secret.Copy(pin)
	err := tell(m, DefaultTimeout, func(c cryptoki) error {
		defer secret.Free(lentSO)
		defer secret.Free(lent)
		s, err := c.OpenSession(f.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
		if err != nil {
			return err
		}
		err = c.Login(s, p11.CKU_SO, lentSO)
		if err == nil {
			err = c.InitPIN(s, lent)
		}
		return errors.Join(err, c.CloseSession(s)) // logs out
	})
	return translate(err)
}
