package soft

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"tufceremony/hsm"
)

// touchSeconds is how long a YubiKey waits for a finger. A soft token only
// says so.
const touchSeconds = 15

type signer struct {
	token    *Token
	public   *ecdsa.PublicKey
	prompter hsm.Prompter
}

// Public returns the key that Keys listed.
func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign ignores the random source: signatures are deterministic.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := s.token.alive(); err != nil {
		return nil, err
	}
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, fmt.Errorf("signing with soft token %q: only SHA-256 digests are signed: %w",
			s.token.name, hsm.ErrUnsupported)
	}
	signature, err := s.token.sign(digest, s.prompter)
	if err != nil {
		return nil, fmt.Errorf("signing with soft token %q: %w", s.token.name, err)
	}
	return signature, nil
}

func (t *Token) sign(digest []byte, prompter hsm.Prompter) ([]byte, error) {
	fault, err := t.nextFault()
	if err != nil {
		return nil, err
	}
	if fault == Removed {
		return nil, t.remove()
	}
	if err := t.touch(prompter); err != nil {
		return nil, err
	}
	switch fault {
	case TouchMissed:
		return nil, hsm.ErrTouchMissed
	case WrongSignature:
		other := sha256.Sum256(digest)
		digest = other[:]
	}
	// A nil random source makes crypto/ecdsa sign as RFC 6979 says.
	return t.private.Sign(nil, digest, crypto.SHA256)
}

func (t *Token) touch(prompter hsm.Prompter) error {
	if !t.contents.TouchRequired {
		return nil
	}
	if prompter == nil {
		return errors.New("a touch is needed, and there is nobody to ask")
	}
	answered := prompter.Touch(hsm.TouchRequest{Device: t.info(), Seconds: touchSeconds})
	defer answered()
	return nil
}
