//go:build cgo

package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

// GenerateKey generates a P-256 key pair on the token that the URI describes,
// with the URI's object as its label and the URI's id as its CKA_ID (NewID):
// sensitive, not extractable, good for signing and nothing else. A label or an ID
// that an object on the token has already is refused.
//
// The key that it returns was read back in a new session, since a module has
// been seen to report success for a key that it lost. That is this process's
// word: only what another process finds is on the token.
func GenerateKey(text string, pin []byte, o Options) (hsm.Key, error) {
	return generateKey(&process, text, pin, o)
}

func generateKey(r *registry, text string, pin []byte, o Options) (hsm.Key, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return hsm.Key{}, err
	}
	key, err := generateAndReadBack(r, u, pin, o)
	if err != nil {
		label := u.Object
		u.Object, u.ID = "", nil
		return hsm.Key{}, fmt.Errorf("generating key %q on %q: %w", label, u.WithoutQuery(), err)
	}
	return key, nil
}

func generateAndReadBack(r *registry, u uri.URI, pin []byte, o Options) (key hsm.Key, err error) {
	switch {
	case u.Object == "" || trim(u.Object) != u.Object:
		return hsm.Key{}, errors.New("the key's label must not be empty or end in a blank")
	case len(u.ID) != IDSize:
		return hsm.Key{}, fmt.Errorf("the key's ID has %d bytes, and random ones have %d", len(u.ID), IDSize)
	case len(pin) == 0:
		return hsm.Key{}, errors.New("the PIN must be given")
	}
	err = withLogin(r, u, pin, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION, o, (*token).generate)
	if err != nil {
		return hsm.Key{}, err
	}
	err = withLogin(r, u, pin, p11.CKF_SERIAL_SESSION, o, func(t *token) (err error) {
		key, err = t.readBack()
		return err
	})
	if err != nil {
		return hsm.Key{}, fmt.Errorf("reading it back: %w", err)
	}
	return key, nil
}

// withLogin runs f with a token that is open and logged in.
func withLogin(r *registry, u uri.URI, pin []byte, flags uint, o Options, f func(*token) error) (err error) {
	t, err := openURI(r, u, flags, o.limit())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	info, err := t.tokenInfo()
	switch {
	case err != nil:
		return err
	case info.Flags&p11.CKF_USER_PIN_LOCKED != 0:
		return hsm.ErrPINLocked
	case info.Flags&p11.CKF_PROTECTED_AUTHENTICATION_PATH != 0:
		return fmt.Errorf("the token wants its PIN on a PIN pad: %w", hsm.ErrUnsupported)
	}
	if err := t.loginWith(p11.CKU_USER, pin); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	return f(t)
}

func (t *token) generate() error {
	id, label := t.uri.ID, t.uri.Object
	_, err := within(t, generationFactor*t.limit, func(c cryptoki, s p11.SessionHandle) (private p11.ObjectHandle, err error) {
		if err := checkAbsent(c, s, id, label); err != nil {
			return 0, err
		}
		_, private, err = c.GenerateKeyPair(s,
			[]*p11.Mechanism{p11.NewMechanism(p11.CKM_EC_KEY_PAIR_GEN, nil)},
			publicTemplate(id, label), privateTemplate(id, label))
		return private, err
	})
	return err
}

// checkAbsent looks first: NSS overwrites a key pair whose CKA_ID is given to a
// new one, without a word.
func checkAbsent(c cryptoki, s p11.SessionHandle, id []byte, label string) error {
	same, err := search(c, s, []*p11.Attribute{p11.NewAttribute(p11.CKA_ID, id)})
	if err != nil {
		return err
	}
	if len(same) > 0 {
		return fmt.Errorf("an object with the ID %x is on the token already: %w", id, ErrIDTaken)
	}
	for _, class := range []uint{p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY} {
		same, err := search(c, s, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, class),
			p11.NewAttribute(p11.CKA_LABEL, label),
		})
		if err != nil {
			return err
		}
		if len(same) > 0 {
			return fmt.Errorf("there is a key of this label already: %w", ErrTaken)
		}
	}
	return nil
}

// publicTemplate says nothing of CKA_VERIFY and CKA_ENCRYPT, which restrain
// nobody: tpm2-pkcs11 makes no key that signs alone when one of them is there.
func publicTemplate(id []byte, label string) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_PRIVATE, false), // readable without a PIN
		p11.NewAttribute(p11.CKA_LABEL, label),
		p11.NewAttribute(p11.CKA_ID, id),
		p11.NewAttribute(p11.CKA_EC_PARAMS, curves[0].params),
		p11.NewAttribute(p11.CKA_WRAP, false),
	}
}

// privateTemplate says what the key may not do as well: SoftHSM and
// openCryptoki allow decryption and unwrapping unless told otherwise.
func privateTemplate(id []byte, label string) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_LABEL, label),
		p11.NewAttribute(p11.CKA_ID, id),
		p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_SIGN_RECOVER, false),
		p11.NewAttribute(p11.CKA_DECRYPT, false),
		p11.NewAttribute(p11.CKA_UNWRAP, false),
		p11.NewAttribute(p11.CKA_DERIVE, false),
	}
}

// readBack finds the one key that the token's URI describes, and checks that
// the module kept the attributes that matter.
func (t *token) readBack() (hsm.Key, error) {
	keys, err := t.keys()
	if err != nil {
		return hsm.Key{}, err
	}
	if len(keys) != 1 {
		return hsm.Key{}, fmt.Errorf("%d public keys have ID %s instead of one", len(keys), hex.EncodeToString(t.uri.ID))
	}
	attributes, err := t.examine(keys[0])
	if err == nil {
		err = checkKept(attributes)
	}
	return keys[0], err
}
