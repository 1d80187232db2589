//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

// userContextSpecific is CKU_CONTEXT_SPECIFIC: the login for one operation.
const userContextSpecific = 2

// signer signs with one private key until its session ends.
type signer struct {
	token    *token
	key      hsm.Key
	private  half
	session  int
	prompter hsm.Prompter
}

// half is a private key as one session knows it.
type half struct {
	object p11.ObjectHandle
	within p11.SessionHandle
	always bool // CKA_ALWAYS_AUTHENTICATE: a PIN for every signature
}

// A caller that has the message gets signatures that a digest is not enough
// for: see SignMessage.
var _ crypto.MessageSigner = (*signer)(nil)

// single wants the key to be there, and no other one to have its ID.
func (t *token) single(key hsm.Key, remedy string) error {
	keys, err := t.keys()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(keys, func(k hsm.Key) bool { return sameKey(k, key) }) {
		return fmt.Errorf("looking for key %q: %w", key.ID, hsm.ErrNotFound)
	}
	if slices.ContainsFunc(keys, func(k hsm.Key) bool { return k.ID == key.ID && !sameKey(k, key) }) {
		return fmt.Errorf("two different public keys have ID %s: %s", key.ID, remedy)
	}
	return nil
}

func (t *token) signer(key hsm.Key, prompter hsm.Prompter) (*signer, error) {
	if err := t.single(key, "one private key cannot belong to both: remove one"); err != nil {
		return nil, err
	}
	if !t.session.loggedIn {
		if err := t.login(prompter); err != nil {
			return nil, fmt.Errorf("logging in: %w", err)
		}
	}
	s := &signer{token: t, key: key, session: t.session.number, prompter: prompter}
	return s, s.findPrivate()
}

// findPrivate finds the private key by its CKA_ID.
func (s *signer) findPrivate() error {
	id, err := hex.DecodeString(s.key.ID)
	if err != nil {
		return err
	}
	s.private, err = within(s.token, s.token.limit, func(c cryptoki, session p11.SessionHandle) (half, error) {
		return privateHalf(c, session, keyType(s.key.Public), id)
	})
	if err != nil {
		return fmt.Errorf("looking for the private half of key %q: %w", s.key.ID, err)
	}
	return nil
}

func privateHalf(c cryptoki, session p11.SessionHandle, keyType uint, id []byte) (half, error) {
	objects, err := search(c, session, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY),
		p11.NewAttribute(p11.CKA_KEY_TYPE, keyType),
		p11.NewAttribute(p11.CKA_ID, id),
	})
	switch {
	case err != nil:
		return half{}, err
	case len(objects) == 0:
		return half{}, hsm.ErrNotFound
	case len(objects) > 1:
		return half{}, fmt.Errorf("%d private keys have this ID", len(objects))
	}
	if err := isHalf(c, session, objects[0], p11.CKO_PRIVATE_KEY, id); err != nil {
		return half{}, err
	}
	always, err := read(c, session, objects[0], p11.CKA_ALWAYS_AUTHENTICATE)
	return half{objects[0], session, len(always) == 1 && always[0] != 0}, err
}

// isHalf looks again at what the module has found: one that gives the handle
// of another object signs with another key, and a TPM that is asked to sign
// with a public one fails until it is switched off and on.
func isHalf(c cryptoki, session p11.SessionHandle, object p11.ObjectHandle, class uint, id []byte) error {
	what := map[uint]string{p11.CKO_PRIVATE_KEY: "private key", p11.CKO_PUBLIC_KEY: "public key"}[class]
	is, err := read(c, session, object, p11.CKA_CLASS)
	if err != nil {
		return err
	}
	if n, ok := ulong(is); !ok || uint(n) != class {
		return errors.New("the module gave an object that is no " + what)
	}
	has, err := read(c, session, object, p11.CKA_ID)
	if err == nil && !bytes.Equal(has, id) {
		err = fmt.Errorf("the module gave a %s with ID %x instead", what, has)
	}
	return err
}

// Public returns the key that Keys listed.
func (s *signer) Public() crypto.PublicKey { return s.key.Public }

// Sign ignores the random source: the device has its own. Ed25519 takes the
// message in the digest's place, with crypto.Hash(0).
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.signed(digest, nil, opts)
}

// SignMessage hashes the message, and signs the digest. A device that signs
// with RSA-PSS only what it has hashed itself is given the message instead.
func (s *signer) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	digest := message
	if opts != nil && opts.HashFunc() != 0 {
		if !opts.HashFunc().Available() {
			return nil, fmt.Errorf("hashing the message with %v: %w", opts.HashFunc(), hsm.ErrUnsupported)
		}
		h := opts.HashFunc().New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	if message == nil {
		message = []byte{} // the empty message is one
	}
	return s.signed(digest, message, opts)
}

func (s *signer) signed(digest, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.token.mu.Lock()
	defer s.token.mu.Unlock()
	if err := s.token.alive(); err != nil {
		return nil, err
	}
	signature, err := s.sign(digest, message, opts)
	if err != nil {
		return nil, fmt.Errorf("signing with token %q: %w", s.token.name(), err)
	}
	return signature, nil
}

func (s *signer) sign(digest, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	ways, err := ways(s.key.Public, digest, message, opts)
	if err != nil {
		return nil, err
	}
	if s.session != s.token.session.number || !s.token.session.loggedIn {
		return nil, errors.New("the session ended after an error; log in again")
	}
	what := learned{s.key.ID, ways[0].mechanism, opts.HashFunc()}
	for i := s.token.session.ways[what]; ; i++ {
		if ways[i].unknown {
			return nil, fmt.Errorf("the device signs so only what it hashes itself, and was given a digest: %w", hsm.ErrUnsupported)
		}
		raw, refused, err := s.goWay(ways[i])
		switch {
		case err != nil:
			return nil, err
		case refused == nil:
			s.token.session.ways[what] = i
			return finish(s.key.Public, raw)
		case !refusesWay(refused) || i+1 == len(ways):
			return nil, s.token.fail(refused)
		}
		if err := s.token.renew(); err != nil {
			return nil, fmt.Errorf("beginning anew after a refusal: %w", err)
		}
	}
}

// goWay tries one way. refused is what the device said to it; the session then
// has an operation half done.
func (s *signer) goWay(w way) (raw []byte, refused, err error) {
	if s.private.within != s.token.session.handle {
		if err := s.findPrivate(); err != nil {
			return nil, nil, err
		}
	}
	mechanism, object := p11.NewMechanism(w.mechanism, w.parameter), s.private.object
	if !s.private.always {
		return s.ask(func(c cryptoki, session p11.SessionHandle) ([]byte, error) {
			return c.SignOnce(session, mechanism, object, w.input)
		})
	}
	// The login for a signature belongs to the operation that has begun.
	_, refused, err = s.ask(func(c cryptoki, session p11.SessionHandle) ([]byte, error) {
		return nil, c.SignInit(session, []*p11.Mechanism{mechanism}, object)
	})
	if refused != nil || err != nil {
		return nil, refused, err
	}
	if err := s.token.authenticate(s.prompter); err != nil {
		return nil, nil, fmt.Errorf("logging in for this signature: %w", err)
	}
	return s.ask(func(c cryptoki, session p11.SessionHandle) ([]byte, error) { return c.Sign(session, w.input) })
}

// ask makes one call into the module, of which a refusal may leave another way.
// The whole input is given at once: in several parts, tpm2-pkcs11 signs the
// empty message, since the binding asks for the length first and that ends its
// hashing.
func (s *signer) ask(f func(cryptoki, p11.SessionHandle) ([]byte, error)) (raw []byte, refused, err error) {
	type answer struct {
		raw     []byte
		refused error
	}
	a, err := within(s.token, s.token.limit, func(c cryptoki, session p11.SessionHandle) (a answer, _ error) {
		a.raw, a.refused = f(c, session)
		return a, nil
	})
	return a.raw, a.refused, err
}
