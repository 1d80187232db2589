//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

var _ Examiner = (*token)(nil)

// examined are the attributes of a private key that are read, in the order in
// which they are shown, and the value that this package asks for when it makes a
// key. The first three a module sets by itself, and modules differ in how: NSS
// says of a key that it has made that it has not. They are never judged.
var examined = []struct {
	attribute uint
	name      string
	want      string // empty: whatever it is
}{
	{p11.CKA_LOCAL, "CKA_LOCAL", ""},
	{p11.CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", ""},
	{p11.CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", ""},
	{p11.CKA_SENSITIVE, "CKA_SENSITIVE", True},
	{p11.CKA_EXTRACTABLE, "CKA_EXTRACTABLE", False},
	{p11.CKA_SIGN, "CKA_SIGN", True},
	{p11.CKA_DECRYPT, "CKA_DECRYPT", False},
	{p11.CKA_UNWRAP, "CKA_UNWRAP", False},
	{p11.CKA_SIGN_RECOVER, "CKA_SIGN_RECOVER", ""},
	{p11.CKA_DERIVE, "CKA_DERIVE", ""},
	{p11.CKA_ALWAYS_AUTHENTICATE, "CKA_ALWAYS_AUTHENTICATE", ""},
}

// Examine implements Examiner.
func (t *token) Examine(key hsm.Key) (Examination, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.alive(); err != nil {
		return Examination{}, err
	}
	e, err := t.examination(key)
	if err != nil {
		return Examination{}, fmt.Errorf("reading the attributes of key %q of token %q: %w", key.ID, t.name(), err)
	}
	return e, nil
}

func (t *token) examination(key hsm.Key) (e Examination, err error) {
	if !t.session.loggedIn {
		return e, errors.New("nobody is logged in, and private keys are not seen then")
	}
	if e.Library, err = t.module.describeLibrary(t.limit); err != nil {
		return e, t.fail(err)
	}
	if e.Attributes, err = t.examine(key); err != nil {
		return e, err
	}
	return e, checkKept(e.Attributes)
}

// examine reads what the private half of a key is said to be.
func (t *token) examine(key hsm.Key) ([]Attribute, error) {
	s := &signer{token: t, key: key}
	if err := s.findPrivate(); err != nil {
		return nil, err
	}
	return within(t, t.limit, func(c cryptoki, session p11.SessionHandle) (all []Attribute, err error) {
		for _, e := range examined {
			value, err := readRaw(c, session, s.private.object, e.attribute)
			if err != nil {
				return nil, err
			}
			all = append(all, Attribute{e.name, value})
		}
		return all, nil
	})
}

// readRaw keeps what is absent apart from what is false.
func readRaw(c cryptoki, s p11.SessionHandle, object p11.ObjectHandle, attribute uint) (string, error) {
	values, err := c.GetAttributeValue(s, object, []*p11.Attribute{p11.NewAttribute(attribute, nil)})
	switch {
	case isCode(err, p11.CKR_ATTRIBUTE_TYPE_INVALID):
		return Absent, nil
	case isCode(err, p11.CKR_ATTRIBUTE_SENSITIVE):
		return Secret, nil
	case err != nil:
		return "", err
	case len(values) != 1 || len(values[0].Value) == 0:
		return Absent, nil
	}
	switch value := values[0].Value; {
	case len(value) == 1 && value[0] == 1:
		return True, nil
	case len(value) == 1 && value[0] == 0:
		return False, nil
	default:
		return fmt.Sprintf("0x%x", value[:min(len(value), maxOdd)]), nil
	}
}

// maxOdd is how many bytes are kept of a value that ought to have one.
const maxOdd = 8

// checkKept refuses a key of which the module did not keep what it was told.
func checkKept(attributes []Attribute) error {
	for i, a := range attributes {
		if want := examined[i].want; want != "" && a.Value != want {
			return fmt.Errorf("the module has %s as %s instead of %s", a.Name, a.Value, want)
		}
	}
	return nil
}
