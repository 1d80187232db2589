//go:build cgo && (linux || darwin)

package piv

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"tufceremony/hsm"
)

type signer struct {
	token    *token
	slot     SlotInfo
	private  crypto.Signer // piv-go's, which sends no PIN
	prompter hsm.Prompter
}

// Signer implements hsm.Token. Slot and public key are compared before anybody
// is asked for a PIN; a key that wants none has nobody asked.
func (t *token) Signer(key hsm.Key, prompter hsm.Prompter) (crypto.Signer, error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	s, err := t.signer(key, prompter)
	if err != nil {
		return nil, fmt.Errorf("preparing to sign with %s: %w", t, err)
	}
	return s, nil
}

func (t *token) signer(key hsm.Key, prompter hsm.Prompter) (*signer, error) {
	slot, err := t.slotOf(key)
	if err != nil {
		return nil, err
	}
	if err := t.signable(slot); err != nil {
		return nil, err
	}
	s := &signer{token: t, slot: slot, prompter: prompter}
	if err := s.takePrivate(); err != nil {
		return nil, err
	}
	if slot.PINPolicy != PINNever && !t.login.in {
		if err := t.logIn(prompter); err != nil {
			return nil, fmt.Errorf("logging in: %w", err)
		}
	}
	return s, nil
}

// slotOf finds the slot that holds a key.
func (t *token) slotOf(key hsm.Key) (SlotInfo, error) {
	i := slices.IndexFunc(t.slots, func(s SlotInfo) bool {
		public, ok := s.Public.(interface{ Equal(crypto.PublicKey) bool })
		return s.Slot.String() == key.ID && ok && key.Public != nil && public.Equal(key.Public)
	})
	if i < 0 {
		return SlotInfo{}, fmt.Errorf("looking for key %q: %w", key.ID, hsm.ErrNotFound)
	}
	return t.slots[i], nil
}

// signable refuses keys that this driver does not sign with, and those in
// another slot than the URI names.
func (t *token) signable(s SlotInfo) error {
	switch {
	case s.Slot != t.uri.Slot:
		return fmt.Errorf("the key is in slot %s, and the URI names slot %s: write slot=%s: %w", s.Slot, t.uri.Slot, s.Slot, hsm.ErrNotFound)
	case !slices.Contains(signing, s.Algorithm):
		return fmt.Errorf("keys of type %s are not signed with: %w", s.Algorithm, hsm.ErrUnsupported)
	case s.PINPolicy == PINMatchOnce || s.PINPolicy == PINMatchAlways:
		return fmt.Errorf("the key in slot %s wants a fingerprint, which is not supported: generate it with a PIN policy: %w", s.Slot, hsm.ErrUnsupported)
	}
	return nil
}

// takePrivate has piv-go make a signer that leaves PINs to this package: piv-go
// would keep the PIN for as long as the signer lives.
func (s *signer) takePrivate() error {
	slot := pivgo.Slot{Key: uint32(s.slot.Slot)}
	private, err := s.token.yubikey.PrivateKey(slot, s.slot.Public, pivgo.KeyAuth{PINPolicy: pivgo.PINPolicyNever})
	if err != nil {
		return err
	}
	var ok bool
	if s.private, ok = private.(crypto.Signer); !ok {
		return fmt.Errorf("keys of type %s do not sign: %w", s.slot.Algorithm, hsm.ErrUnsupported)
	}
	return nil
}

// Public returns the key that Keys listed.
func (s *signer) Public() crypto.PublicKey { return s.slot.Public }

// Sign takes the random source for the salt of RSA-PSS only, where nil is
// crypto/rand: the device has its own.
func (s *signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := s.token.alive(); err != nil {
		return nil, err
	}
	signature, err := s.sign(random, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("signing with %s: %w", s.token, err)
	}
	return signature, nil
}

func (s *signer) sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	if err := checkDigest(s.slot.Public, digest, opts); err != nil {
		return nil, err
	}
	if err := s.authenticate(); err != nil {
		return nil, err
	}
	signature, err := s.withTouch(func() (signature []byte, err error) {
		s.token.login.fresh = false
		err = s.token.call(func() (err error) {
			signature, err = s.private.Sign(random, digest, opts)
			return err
		})
		return signature, err
	})
	if err != nil {
		return nil, err
	}
	if err := checkSignature(s.slot.Public, signature); err != nil {
		return nil, err
	}
	return signature, nil
}

// authenticate sees to it that the PIN counts. A key whose policy the device
// does not tell is taken for one that always wants it.
func (s *signer) authenticate() error {
	t := s.token
	switch s.slot.PINPolicy {
	case PINNever:
		return nil
	case PINOnce:
		if !t.login.in {
			return errors.New("the PIN no longer counts, after an error or a wrong one: log in again")
		}
		return nil
	}
	if t.login.fresh {
		return nil
	}
	if err := t.logIn(s.prompter); err != nil {
		return fmt.Errorf("logging in for this signature: %w", err)
	}
	return nil
}
