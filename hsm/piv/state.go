package piv

import (
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

// State is how far a device has been set up, in its own words.
type State struct {
	Info         hsm.Info
	Slots        []SlotInfo // those with a key
	Certificates []Slot     // those with a certificate, with or without a key
	PIN, PUK     SecretState
	Management   ManagementState
}

// SecretState is what a device tells of its PIN or PUK.
type SecretState struct {
	Factory   Answer // still the one that it left the factory with; Unknown before firmware 5.3
	Tries     int    // wrong ones until it is blocked, or hsm.Unknown
	TriesLeft int    // or hsm.Unknown; the PIN's is known for all firmware
}

// ManagementState is what a device tells of its management key, which is
// wanted for all that changes slots.
type ManagementState struct {
	Algorithm Algorithm // before firmware 5.3 always 3DES
	Factory   Answer    // Unknown before firmware 5.3
	Touch     TouchPolicy
	// PINProtected: the device says that the PIN gives the management key, as
	// ProtectedManagementKey reads it and ykman stores it.
	PINProtected bool
}

// Occupied says whether a slot holds a key or a certificate, and so is not for
// a new one.
func (s State) Occupied(slot Slot) bool {
	for _, used := range s.Slots {
		if used.Slot == slot {
			return true
		}
	}
	for _, used := range s.Certificates {
		if used == slot {
			return true
		}
	}
	return false
}

// Info says which device it is, and how many PIN tries are left.
func (a *Admin) Info() (info hsm.Info, err error) {
	err = a.do("asking", func(c *card.Card) error {
		pin, err := a.pinState(c)
		info = a.identity.info(pin.TriesLeft)
		return err
	})
	return info, err
}

// State reads how far the device has been set up. It changes nothing and wants
// no PIN.
func (a *Admin) State() (state State, err error) {
	err = a.do("reading the state of", func(c *card.Card) error {
		state, err = a.state(c)
		return err
	})
	return state, err
}

func (a *Admin) state(c *card.Card) (s State, err error) {
	if s.PIN, err = a.pinState(c); err != nil {
		return State{}, err
	}
	if s.PUK, err = a.secretState(c, card.RefPUK); err != nil {
		return State{}, err
	}
	if s.Management, err = a.managementState(c); err != nil {
		return State{}, err
	}
	if s.Slots, err = readSlots(c, a.identity.firmware); err != nil {
		return State{}, err
	}
	if s.Certificates, err = readCertificates(c); err != nil {
		return State{}, err
	}
	s.Info = a.identity.info(s.PIN.TriesLeft)
	return s, nil
}

// pinState asks with VERIFY where metadata does not tell. Cards before 5.3 do
// not tell while a PIN counts as given: they are made to forget it.
func (a *Admin) pinState(c *card.Card) (SecretState, error) {
	s, err := a.secretState(c, card.RefPIN)
	if err != nil || s.TriesLeft != hsm.Unknown {
		return s, err
	}
	for _, application := range []card.Application{card.Management, card.PIV} {
		if err := c.Select(application); err != nil {
			return s, fmt.Errorf("selecting another application: %w", err)
		}
	}
	left, known, err := c.Tries()
	if err != nil {
		return s, fmt.Errorf("asking how many PIN tries are left: %w", err)
	}
	if known {
		s.TriesLeft = left
	}
	return s, nil
}

func (a *Admin) secretState(c *card.Card, reference byte) (SecretState, error) {
	s := SecretState{Tries: hsm.Unknown, TriesLeft: hsm.Unknown}
	metadata, err := a.metadata(c, reference)
	if err != nil {
		return s, err
	}
	s.Factory = Answer(metadata.Default)
	if metadata.HasTries {
		s.Tries, s.TriesLeft = metadata.Tries, metadata.TriesLeft
	}
	return s, nil
}

// metadata is empty before firmware 5.3.
func (a *Admin) metadata(c *card.Card, reference byte) (card.Metadata, error) {
	if !a.identity.firmware.AtLeast(5, 3, 0) {
		return card.Metadata{}, nil
	}
	metadata, err := c.Metadata(reference)
	if err != nil {
		return card.Metadata{}, fmt.Errorf("asking for metadata: %w", err)
	}
	return metadata, nil
}

func (a *Admin) managementState(c *card.Card) (ManagementState, error) {
	metadata, err := a.metadata(c, card.RefManagementKey)
	if err != nil {
		return ManagementState{}, err
	}
	s := ManagementState{
		Algorithm: Algorithm(metadata.Algorithm),
		Factory:   Answer(metadata.Default),
		Touch:     TouchPolicy(metadata.TouchPolicy),
	}
	if s.Algorithm == 0 {
		s.Algorithm = TripleDES
	}
	s.PINProtected, err = isPINProtected(c)
	return s, err
}

// readCertificates says which slots have a certificate, or what stands in its
// place.
func readCertificates(c *card.Card) ([]Slot, error) {
	var used []Slot
	for _, slot := range slots {
		found, err := hasCertificate(c, slot)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate of slot %s: %w", slot, err)
		}
		if found {
			used = append(used, slot)
		}
	}
	return used, nil
}

func hasCertificate(c *card.Card, slot Slot) (bool, error) {
	_, err := c.Certificate(byte(slot))
	switch {
	case absent(err):
		return false, nil
	case errors.Is(err, card.ErrMalformed):
		return true, nil
	}
	return err == nil, err
}
