//go:build cgo

package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/secret"
)

var (
	_ hsm.Destroyer = (*token)(nil)
	_ hsm.Seeker    = (*token)(nil)
)

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
		return untouched(err)
	}
	pin, err := t.askPIN(prompter)
	if err != nil {
		return untouched(err)
	}
	defer secret.Free(pin)
	check := func(c cryptoki, s p11.SessionHandle) (int, error) { return 0, alone(c, s, id, key) }
	if _, err := t.inSession(p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION, pin, check); err != nil {
		return untouched(err)
	}
	remove := func(c cryptoki, s p11.SessionHandle) (error, error) { return destroyHalves(c, s, id) }
	if refusal, err := within(t, generationFactor*t.limit, remove); err != nil || refusal != nil {
		return errors.Join(err, refusal)
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

// untouchedError is one that came before the device was told to destroy anything.
type untouchedError struct{ error }

func untouched(err error) error { return untouchedError{err} }

func (e untouchedError) Unwrap() []error { return []error{e.error, hsm.ErrUntouched} }

// Holds implements hsm.Seeker. It looks past the URI's object and id, for the
// public key under any ID, and for objects that have the key's ID, whatever their
// label is.
func (t *token) Holds(key hsm.Key, prompter hsm.Prompter) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.alive(); err != nil {
		return false, err
	}
	held, err := t.holds(key, prompter)
	if err != nil {
		return false, fmt.Errorf("looking for key %q in token %q: %w", key.ID, t.name(), err)
	}
	return held, nil
}

func (t *token) holds(key hsm.Key, prompter hsm.Prompter) (bool, error) {
	id, err := hex.DecodeString(key.ID)
	if err != nil || len(id) == 0 {
		return false, errors.New("its ID is no CKA_ID in hex")
	}
	if prompter != nil && !t.session.loggedIn {
		if err := t.login(prompter); err != nil {
			return false, fmt.Errorf("logging in: %w", err)
		}
	}
	return within(t, t.limit, func(c cryptoki, s p11.SessionHandle) (bool, error) {
		found, err := halves(c, s, id)
		if err != nil || len(found) > 0 {
			return true, err
		}
		keys, err := readKeys(c, s, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PUBLIC_KEY)})
		return slices.ContainsFunc(keys, func(k hsm.Key) bool { return samePublic(k.Public, key.Public) }), err
	})
}

// alone counts what has the key's ID, whatever its label is, as only somebody who
// is logged in can: what a token keeps private the list of keys does not show, and
// the URI's object narrows it. One private half is left in doubt: nothing in it
// says to which public one it belongs.
func alone(c cryptoki, s p11.SessionHandle, id []byte, key hsm.Key) error {
	private, err := ofClass(c, s, p11.CKO_PRIVATE_KEY, id)
	if err != nil {
		return err
	}
	public, err := ofClass(c, s, p11.CKO_PUBLIC_KEY, id)
	if err != nil {
		return err
	}
	if len(private) > 1 || len(public) > 1 {
		return fmt.Errorf("%d private and %d public keys have ID %x, and all would go: give the others another ID, or destroy it with the tools of the device", len(private), len(public), id)
	}
	for _, object := range public {
		if is, ok, err := readKey(c, s, object); err != nil || !ok || !samePublic(is.Public, key.Public) {
			return errors.Join(err, fmt.Errorf("the public key with ID %x is another one", id))
		}
	}
	return nil
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

// refusals are what modules answer that destroy no keys, or none for a user:
// OpenSC the first of a YubiKey's, and Yubico's module the second, which wants the
// management key for its own commands and overwrites nothing by this one.
var refusals = []p11.Error{p11.CKR_FUNCTION_NOT_SUPPORTED, p11.CKR_USER_TYPE_INVALID, p11.CKR_ACTION_PROHIBITED}

// hindrances are what modules answer that do destroy keys, and not in the state in
// which the token is.
var hindrances = []p11.Error{p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_SESSION_READ_ONLY, p11.CKR_TOKEN_WRITE_PROTECTED}

// hinderedError is such an answer, after which both halves are there as before.
type hinderedError struct{ error }

func (e hinderedError) Error() string {
	return "the module does not destroy it as things are, and still shows both halves: " + e.error.Error()
}

func (e hinderedError) Unwrap() []error { return []error{e.error, hsm.ErrUntouched} }

// Hint says what to do.
func (e hinderedError) Hint() string {
	return "nothing was destroyed, and the key still signs. Unlock the token, and make it writable, with the tools of the device, and run the command again"
}

// refusedError is a module's refusal, after which both halves are there as before.
type refusedError struct{ error }

func (e refusedError) Error() string {
	return "the module refuses to destroy it, and still shows both halves: " + e.error.Error()
}

func (e refusedError) Unwrap() []error {
	return []error{e.error, hsm.ErrUntouched, hsm.ErrUnsupported}
}

// destroyHalves destroys the private half before the public one: stopped in
// between, the key is still listed, and the rest can be done again. It gives the
// refusal of a module that has destroyed neither.
func destroyHalves(c cryptoki, s p11.SessionHandle, id []byte) (refusal, err error) {
	found, err := halves(c, s, id)
	if err != nil {
		return nil, err
	}
	for i, object := range found {
		if err := c.DestroyObject(s, object); err != nil {
			if left, again := halves(c, s, id); i > 0 || again != nil || len(left) != len(found) {
				return nil, err
			}
			switch {
			case isCode(err, refusals...):
				return refusedError{translate(err)}, nil
			case isCode(err, hindrances...):
				return hinderedError{translate(err)}, nil
			}
			return nil, err
		}
	}
	return nil, nil
}

// halves lists the objects of a key pair, private ones first.
func halves(c cryptoki, s p11.SessionHandle, id []byte) (all []p11.ObjectHandle, err error) {
	for _, class := range []uint{p11.CKO_PRIVATE_KEY, p11.CKO_PUBLIC_KEY} {
		objects, err := ofClass(c, s, class, id)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// ofClass lists the halves of one kind. Each is asked again what it is: a module
// that gives other handles than it was asked for would have others destroyed.
func ofClass(c cryptoki, s p11.SessionHandle, class uint, id []byte) ([]p11.ObjectHandle, error) {
	objects, err := search(c, s, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, class), p11.NewAttribute(p11.CKA_ID, id)})
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if err := isHalf(c, s, object, class, id); err != nil {
			return nil, err
		}
	}
	return objects, nil
}
