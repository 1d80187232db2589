//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/secret"
)

// login asks for the PIN once, and spends one try at most.
func (t *token) login(prompter hsm.Prompter) error {
	pin, err := t.askPIN(prompter)
	if err != nil {
		return err
	}
	defer secret.Free(pin)
	return t.loginWith(p11.CKU_USER, pin)
}

// authenticate is the login for one signature that keys with
// CKA_ALWAYS_AUTHENTICATE want, as those in PIV slot 9c do. Some modules keep
// that attribute and do not act on it: they answer that they know no such login
// (openCryptoki) or that the user is in already (NSS). Signing goes on then; a
// device that does want the PIN refuses by itself.
func (t *token) authenticate(prompter hsm.Prompter) error {
	pin, err := t.askPIN(prompter)
	if err != nil {
		t.closeSession() // with the operation that is under way
		return err
	}
	defer secret.Free(pin)
	return t.loginWith(userContextSpecific, pin)
}

// loginWith gives the PIN to the device. The call has a copy of its own: should
// it be given up, nothing else is put under the module's hands where it still
// may read, which would spend a try that nobody typed.
func (t *token) loginWith(user uint, pin []byte) error {
	lent := secret.Copy(pin)
	refused, err := within(t, t.limit, func(c cryptoki, s p11.SessionHandle) (refused, err error) {
		defer secret.Free(lent)
		return c.Login(s, user, lent), nil
	})
	switch {
	case err != nil:
		return err
	case refused == nil:
		t.session.loggedIn = true
		return nil
	case user == userContextSpecific && isCode(refused, p11.CKR_USER_TYPE_INVALID, p11.CKR_USER_ALREADY_LOGGED_IN):
		return nil
	}
	return t.refusedLogin(refused)
}

// refusedLogin says what a refused login has cost, by the flags of now. If they
// cannot be read, that is not known.
func (t *token) refusedLogin(refused error) error {
	if !isCode(refused, pinCodes...) {
		return t.fail(refused)
	}
	var flags uint
	if info, err := t.tokenInfo(); err == nil {
		flags = info.Flags
	}
	return t.fail(translateLogin(refused, flags))
}

// askPIN gets the PIN from the file that the URI names, or from the person. It
// asks for none that would be wasted.
func (t *token) askPIN(prompter hsm.Prompter) ([]byte, error) {
	info, err := t.tokenInfo()
	if err != nil {
		return nil, err
	}
	switch {
	case info.Flags&p11.CKF_USER_PIN_LOCKED != 0:
		return nil, hsm.ErrPINLocked
	case info.Flags&p11.CKF_PROTECTED_AUTHENTICATION_PATH != 0:
		return nil, fmt.Errorf("the token wants its PIN on a PIN pad: %w", hsm.ErrUnsupported)
	case t.uri.PINSource != "" && triesLeft(info.Flags) == 1:
		return nil, hsm.ErrLastTry
	case t.uri.PINSource != "":
		return hsm.ReadPIN(t.uri.PINSource)
	case prompter == nil:
		return nil, errors.New("a PIN is needed, and there is nobody to ask")
	}
	pin, err := prompter.PIN(hsm.PINRequest{Device: t.describe(info), TriesLeft: triesLeft(info.Flags)})
	if err != nil {
		secret.Free(pin)
		return nil, fmt.Errorf("asking for the PIN: %w", err)
	}
	if len(pin) == 0 {
		return nil, errors.New("no PIN was given; no try was spent")
	}
	return pin, nil
}
