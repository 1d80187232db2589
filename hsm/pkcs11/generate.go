//go:build cgo

package pkcs11

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

// GenerateKey generates a P-256 key pair on the token that the URI describes:
// sensitive, not extractable, good for signing and nothing else. The key that
// it returns was read back in a new session, since a module has been seen to
// report success for a key that it lost. A label that a key on the token has
// already is refused; the URI's object and id are not looked at.
func GenerateKey(text string, pin []byte, label string) (hsm.Key, error) {
	return generateKey(&process, text, pin, label)
}

func generateKey(r *registry, text string, pin []byte, label string) (hsm.Key, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return hsm.Key{}, err
	}
	u.Object, u.ID, u.Type = "", nil, ""
	key, err := generateAndReadBack(r, u, pin, label)
	if err != nil {
		return hsm.Key{}, fmt.Errorf("generating key %q on %q: %w", label, u.WithoutQuery(), err)
	}
	return key, nil
}

func generateAndReadBack(r *registry, u uri.URI, pin []byte, label string) (key hsm.Key, err error) {
	switch {
	case label == "" || trim(label) != label:
		return hsm.Key{}, errors.New("the key's label must not be empty or end in a blank")
	case len(pin) == 0:
		return hsm.Key{}, errors.New("the PIN must be given")
	}
	var id []byte
	err = withLogin(r, u, pin, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION, func(t *token) (err error) {
		id, err = t.generate(label)
		return err
	})
	if err != nil {
		return hsm.Key{}, err
	}
	u.ID = id
	err = withLogin(r, u, pin, p11.CKF_SERIAL_SESSION, func(t *token) (err error) {
		key, err = t.readBack()
		return err
	})
	if err != nil {
		return hsm.Key{}, fmt.Errorf("reading it back: %w", err)
	}
	return key, nil
}

// withLogin runs f with a token that is open and logged in.
func withLogin(r *registry, u uri.URI, pin []byte, flags uint, f func(*token) error) (err error) {
	t, err := openURI(r, u, flags, DefaultTimeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	info, err := t.tokenInfo()
	if err != nil {
		return err
	}
	if info.Flags&p11.CKF_USER_PIN_LOCKED != 0 {
		return hsm.ErrPINLocked
	}
	if err := t.loginWith(p11.CKU_USER, pin); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	return f(t)
}

func (t *token) generate(label string) (id []byte, err error) {
	id = make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	_, err = within(t, generationFactor*t.limit, func(c cryptoki, s p11.SessionHandle) (private p11.ObjectHandle, err error) {
		if err := checkAbsent(c, s, id, label); err != nil {
			return 0, err
		}
		_, private, err = c.GenerateKeyPair(s,
			[]*p11.Mechanism{p11.NewMechanism(p11.CKM_EC_KEY_PAIR_GEN, nil)},
			publicTemplate(id, label), privateTemplate(id, label))
		return private, err
	})
	return id, err
}

// checkAbsent looks first: NSS overwrites a key pair whose CKA_ID is given to a
// new one, without a word.
func checkAbsent(c cryptoki, s p11.SessionHandle, id []byte, label string) error {
	same, err := search(c, s, []*p11.Attribute{p11.NewAttribute(p11.CKA_ID, id)})
	if err != nil {
		return err
	}
	if len(same) > 0 {
		return errors.New("an object with the random ID that was drawn is there already; try again")
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
			return errors.New("there is a key of this label already")
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
// the module kept the attributes that matter. They are the module's word, no
// proof.
func (t *token) readBack() (hsm.Key, error) {
	keys, err := t.keys()
	if err != nil {
		return hsm.Key{}, err
	}
	if len(keys) != 1 {
		return hsm.Key{}, fmt.Errorf("%d public keys have ID %s instead of one", len(keys), hex.EncodeToString(t.uri.ID))
	}
	s := &signer{token: t, key: keys[0]}
	if err := s.findPrivate(); err != nil {
		return hsm.Key{}, err
	}
	_, err = within(t, t.limit, func(c cryptoki, session p11.SessionHandle) (struct{}, error) {
		return struct{}{}, checkKept(c, session, s.private.object)
	})
	return keys[0], err
}

func checkKept(c cryptoki, session p11.SessionHandle, private p11.ObjectHandle) error {
	for _, want := range []struct {
		attribute uint
		name      string
		value     byte
	}{
		{p11.CKA_SENSITIVE, "CKA_SENSITIVE", 1},
		{p11.CKA_EXTRACTABLE, "CKA_EXTRACTABLE", 0},
		{p11.CKA_SIGN, "CKA_SIGN", 1},
		{p11.CKA_DECRYPT, "CKA_DECRYPT", 0},
		{p11.CKA_UNWRAP, "CKA_UNWRAP", 0},
	} {
		value, err := read(c, session, private, want.attribute)
		if err != nil {
			return err
		}
		if len(value) != 1 || value[0] != want.value {
			return fmt.Errorf("the module set %s to %x instead of %x", want.name, value, want.value)
		}
	}
	return nil
}
