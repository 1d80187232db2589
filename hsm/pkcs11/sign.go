//go:build cgo

package pkcs11

import (
	"crypto"
	"crypto/sha256"
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
	private  p11.ObjectHandle
	always   bool // CKA_ALWAYS_AUTHENTICATE: a PIN for every signature
	session  int
	prompter hsm.Prompter
}

func (t *token) signer(key hsm.Key, prompter hsm.Prompter) (*signer, error) {
	keys, err := t.keys()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(keys, func(k hsm.Key) bool { return sameKey(k, key) }) {
		return nil, fmt.Errorf("looking for key %q: %w", key.ID, hsm.ErrNotFound)
	}
	if !t.session.loggedIn {
		if err := t.login(prompter); err != nil {
			return nil, fmt.Errorf("logging in: %w", err)
		}
	}
	s := &signer{token: t, key: key, session: t.session.number, prompter: prompter}
	if err := s.findPrivate(); err != nil {
		return nil, fmt.Errorf("looking for the private half of key %q: %w", key.ID, err)
	}
	return s, nil
}

// findPrivate finds the private key by its CKA_ID.
func (s *signer) findPrivate() error {
	id, err := hex.DecodeString(s.key.ID)
	if err != nil {
		return err
	}
	return s.token.call(func(c cryptoki, session p11.SessionHandle) error {
		objects, err := search(c, session, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY),
			p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_EC),
			p11.NewAttribute(p11.CKA_ID, id),
		})
		switch {
		case err != nil:
			return err
		case len(objects) == 0:
			return hsm.ErrNotFound
		case len(objects) > 1:
			return fmt.Errorf("%d private keys have this ID", len(objects))
		}
		s.private = objects[0]
		always, err := read(c, session, s.private, p11.CKA_ALWAYS_AUTHENTICATE)
		s.always = len(always) == 1 && always[0] != 0
		return err
	})
}

// Public returns the key that Keys listed.
func (s *signer) Public() crypto.PublicKey { return s.key.Public }

// Sign ignores the random source: the device has its own.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := s.token.alive(); err != nil {
		return nil, err
	}
	signature, err := s.sign(digest, opts)
	if err != nil {
		return nil, fmt.Errorf("signing with token %q: %w", s.token.name(), err)
	}
	return signature, nil
}

func (s *signer) sign(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, fmt.Errorf("only SHA-256 digests are signed: %w", hsm.ErrUnsupported)
	}
	if s.session != s.token.session.number || !s.token.session.loggedIn {
		return nil, errors.New("the session ended after an error; log in again")
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	if s.always {
		if err := s.token.authenticate(s.prompter); err != nil {
			return nil, fmt.Errorf("logging in for this signature: %w", err)
		}
	}
	var raw []byte
	err := s.token.call(func(c cryptoki, session p11.SessionHandle) (err error) {
		raw, err = c.Sign(session, digest)
		return err
	})
	if err != nil {
		return nil, err
	}
	return encodeSignature(raw, p256Size)
}

// start begins the operation that a login for one signature then belongs to.
func (s *signer) start() error {
	return s.token.call(func(c cryptoki, session p11.SessionHandle) error {
		return c.SignInit(session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_ECDSA, nil)}, s.private)
	})
}
