//go:build cgo

package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/secret"
)

var _ hsm.Destroyer = (*token)(nil)

// Destroy implements hsm.Destroyer: C_DestroyObject of both halves of the key,
// which are found by CKA_ID, the private one first. Certificates stay. It then
// looks for both in a new session, logged in, since a module has been seen to
// report what was not so; that is the module's word all the same. No key takes
// the place of the one that is gone.
func (t *token) Destroy(key hsm.Key, prompter hsm.Prompter) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.alive(); err != nil {
		return err
	}
	err := t.destroy(key, prompter)
	if err == nil {
		t.ended = errors.New("its key was destroyed")
	}
	if err != nil {
		return fmt.Errorf("destroying key %q of token %q: %w", key.ID, t.name(), err)
	}
	return nil
}

func (t *token) destroy(key hsm.Key, prompter hsm.Prompter) error {
	id, err := t.only(key)
	if err != nil {
		return err
	}
	pin, err := t.askPIN(prompter)
	if err != nil {
		return err
	}
	defer secret.Free(pin)
	remove := func(c cryptoki, s p11.SessionHandle) (int, error) { return destroyHalves(c, s, id) }
	if _, err := t.inSession(p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION, pin, remove); err != nil {
		return err
	}
	left, err := t.inSession(p11.CKF_SERIAL_SESSION, pin, func(c cryptoki, s p11.SessionHandle) (int, error) {
		found, err := halves(c, s, id)
		return len(found), err
	})
	t.closeSession()
	if err == nil && left > 0 {
		err = fmt.Errorf("the module reported success, and a new session still shows %d of its halves", left)
	}
	return err
}

// only wants the key to be there, and no other one to have its ID: both would go.
func (t *token) only(key hsm.Key) (id []byte, err error) {
	if err := t.single(key, "destroy it with the tools of the device"); err != nil {
		return nil, err
	}
	return hex.DecodeString(key.ID)
}

// inSession runs f in a new session with these flags, logged in. The session
// before is closed: no module is relied on to change one.
func (t *token) inSession(flags uint, pin []byte, f func(c cryptoki, s p11.SessionHandle) (int, error)) (int, error) {
	t.closeSession()
	t.flags = flags
	if err := t.loginWith(p11.CKU_USER, pin); err != nil {
		return 0, fmt.Errorf("logging in: %w", err)
	}
	return within(t, generationFactor*t.limit, f)
}

// destroyHalves destroys the private half before the public one: stopped in
// between, the key is still listed, and the rest can be done again.
func destroyHalves(c cryptoki, s p11.SessionHandle, id []byte) (int, error) {
	found, err := halves(c, s, id)
	if err != nil {
		return 0, err
	}
	for _, object := range found {
		if err := c.DestroyObject(s, object); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// halves lists the objects of a key pair, private ones first. Each is asked
// again what it is: a module that gives other handles than it was asked for
// would have others destroyed.
func halves(c cryptoki, s p11.SessionHandle, id []byte) (all []p11.ObjectHandle, err error) {
	for _, class := range []uint{p11.CKO_PRIVATE_KEY, p11.CKO_PUBLIC_KEY} {
		objects, err := search(c, s, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, class), p11.NewAttribute(p11.CKA_ID, id)})
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if err := isHalf(c, s, object, class, id); err != nil {
				return nil, err
			}
		}
		all = append(all, objects...)
	}
	return all, nil
}
