package piv

import (
	"errors"
	"fmt"
	"io"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
	"tufceremony/hsm/piv/internal/pcsc"
)

// Admin is an exclusive session with one YubiKey, for setting it up. Each
// method is one step that can be looked at and repeated: State says how far a
// device is. Nothing is done that a method does not name; but for Reset and
// Overwrite, nothing that holds a key is overwritten. Methods are not safe for concurrent
// use.
//
// PINs, PUKs and keys are the caller's slices: the methods neither keep nor
// wipe them.
type Admin struct {
	identity identity
	reader   reader
	service  *pcsc.Service
	channel  *pcsc.Card
	card     *card.Card
	random   io.Reader
	ended    error
}

// OpenAdmin opens the YubiKey of that serial number. random is for challenges
// and new secrets. The errors are Open's.
func OpenAdmin(serial uint32, random io.Reader) (*Admin, error) {
	a, err := openAdmin(serial, random)
	if err != nil {
		return nil, fmt.Errorf("opening YubiKey %d: %w", serial, err)
	}
	return a, nil
}

func openAdmin(serial uint32, random io.Reader) (*Admin, error) {
	device, err := find(serial)
	if err != nil {
		return nil, err
	}
	a := &Admin{reader: device.reader, random: random}
	if a.service, err = pcsc.Connect(); err != nil {
		return nil, inWords(err, hsm.ErrRemoved)
	}
	if a.channel, err = a.service.Open(device.name, pcsc.Exclusive); err != nil {
		return nil, errors.Join(inWords(err, hsm.ErrRemoved), a.service.Close())
	}
	a.card = card.New(a.channel)
	a.identity, err = identify(a.card)
	if err == nil && a.identity.serial != serial {
		err = fmt.Errorf("the device was exchanged for one with serial number %d: %w", a.identity.serial, hsm.ErrRemoved)
	}
	if err != nil {
		return nil, errors.Join(inWords(err, hsm.ErrRemoved), a.Close())
	}
	return a, nil
}

// Close ends the session. The device forgets PINs and keys that were given, and
// is free for others. Closing twice is no error.
func (a *Admin) Close() error {
	if a.channel == nil {
		return nil
	}
	if a.ended == nil {
		a.ended = errors.New("it was closed")
	}
	err := a.channel.Close(a.leaving())
	a.channel = nil
	if errors.Is(err, pcsc.ErrGone) {
		err = nil // nothing is left to be closed
	}
	if err := errors.Join(err, a.service.Close()); err != nil {
		return fmt.Errorf("closing %s: %w", a, err)
	}
	return nil
}

// leaving makes the device forget what was given to it, by selecting another
// application. It is reset only where it refuses that: a pcscd (1.9.9) that is
// told to reset a card which has gone does not switch on the next one in that
// reader.
func (a *Admin) leaving() pcsc.Leaving {
	if errors.Is(a.ended, hsm.ErrRemoved) {
		return pcsc.Leave
	}
	if _, refused := statusOf(a.card.Select(card.Management)); refused {
		return pcsc.Reset
	}
	return pcsc.Leave
}

// String is how errors call the device.
func (a *Admin) String() string { return fmt.Sprintf("YubiKey %d", a.identity.serial) }

// do runs one step, and says in words what went wrong.
func (a *Admin) do(doing string, step func(c *card.Card) error) error {
	if a.ended != nil {
		return fmt.Errorf("%s %s: %w", doing, a, a.ended)
	}
	err := step(a.card)
	if err == nil {
		return nil
	}
	if isTransport(err) && a.reader.vanished(a.service) {
		err = pcsc.ErrGone
	}
	if errors.Is(err, pcsc.ErrGone) {
		a.ended = hsm.ErrRemoved
	}
	return fmt.Errorf("%s %s: %w", doing, a, inWords(err, hsm.ErrRemoved))
}
