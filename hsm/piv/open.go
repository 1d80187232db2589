//go:build cgo && (linux || darwin)

package piv

import (
	"errors"
	"fmt"
	"time"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
	"tufceremony/hsm/piv/internal/pcsc"
)

// token is an exclusive session with one YubiKey. What it is and which keys it
// holds was read before, through this package's own binding: nobody else can
// change it while the session lasts.
type token struct {
	uri       URI
	device    found
	slots     []SlotInfo
	yubikey   *pivgo.YubiKey
	service   *pcsc.Service // says whether the device is still there
	login     login
	touchedAt time.Time // the earliest time at which the last touch can have been
	ended     error     // why nothing works any more: closed, removed
}

var _ hsm.Attester = (*token)(nil)

// Open opens the YubiKey and slot that a URI names, for signing. The device is
// chosen by its serial number, and no other one is opened. The errors wrap
// ErrNoService, ErrInUse, hsm.ErrNotFound and hsm.ErrUnsupported.
func Open(text string) (hsm.Token, error) {
	u, err := Parse(text)
	if err != nil {
		return nil, err
	}
	t, err := open(u)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", u, err)
	}
	return t, nil
}

func open(u URI) (*token, error) {
	device, err := find(u.Serial)
	if err != nil {
		return nil, err
	}
	used, err := visit(device.reader, func(c *card.Card) ([]SlotInfo, error) {
		if err := c.Select(card.PIV); err != nil {
			return nil, err
		}
		return readSlots(c, device.firmware)
	})
	if err != nil {
		return nil, inWords(err, hsm.ErrRemoved)
	}
	if err := readable(used, u.Slot); err != nil {
		return nil, err
	}
	service, err := pcsc.Connect()
	if err != nil {
		return nil, inWords(err, hsm.ErrRemoved)
	}
	t := &token{uri: u, device: device, slots: used, service: service}
	if err := t.openExclusively(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// readable wants the slot that is meant to be readable; that others are not is
// no matter.
func readable(used []SlotInfo, slot Slot) error {
	for _, s := range used {
		if s.Slot == slot && s.Err != nil {
			return s.Err
		}
	}
	return nil
}

// openExclusively has piv-go take the card, and makes sure that it is the one
// that was read: the service counts insertions, and the device knows its serial
// number.
func (t *token) openExclusively() error {
	err := pcsc.EndOrphans(func() error {
		return protect(func() (err error) {
			t.yubikey, err = pivgo.Open(t.device.name)
			return err
		})
	})
	if err != nil {
		return t.judge(err)
	}
	err = t.call(t.checkSerial)
	if err == nil && t.device.changed(t.service) {
		err = hsm.ErrRemoved
	}
	return err
}

// checkSerial asks only devices that tell it in PIV: to ask an older one is to
// select another application.
func (t *token) checkSerial() error {
	if !t.device.firmware.AtLeast(5, 0, 0) {
		return nil
	}
	serial, err := t.yubikey.Serial()
	if err == nil && serial != t.uri.Serial {
		err = fmt.Errorf("the device in reader %q was exchanged for one with serial number %d: %w", t.device.name, serial, hsm.ErrRemoved)
	}
	return err
}

// Info implements hsm.Token.
func (t *token) Info() (hsm.Info, error) {
	if err := t.alive(); err != nil {
		return hsm.Info{}, err
	}
	left, err := t.triesLeft()
	if err != nil {
		return hsm.Info{}, fmt.Errorf("asking %s how many PIN tries are left: %w", t, err)
	}
	return t.info(left), nil
}

func (t *token) info(triesLeft int) hsm.Info {
	info := t.device.info(triesLeft)
	info.URI = t.uri.String()
	// A device of firmware 4 may keep its serial to itself in PIV, and was
	// found by what another of its applications told.
	info.Serial = t.uri.SerialText()
	return info
}

// Keys implements hsm.Token: all slots whose key can sign, also other ones than
// the URI names.
func (t *token) Keys() ([]hsm.Key, error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	keys := []hsm.Key{}
	for _, s := range t.slots {
		if s.Public != nil {
			keys = append(keys, hsm.Key{ID: s.Slot.String(), Public: s.Public})
		}
	}
	return keys, nil
}

// Close implements hsm.Token. The PIN that was given does not count for whoever
// opens the device next.
func (t *token) Close() error {
	if t.service == nil {
		return nil
	}
	if t.ended == nil {
		t.ended = errors.New("it was closed")
	}
	err := t.release()
	if ended := t.service.Close(); err == nil {
		err = ended // says nothing that the first error did not
	}
	t.service = nil
	if err != nil {
		return fmt.Errorf("closing %s: %w", t, inWords(fromPIVGo(err), hsm.ErrRemoved))
	}
	return nil
}

// release frees the reader, whatever else fails.
func (t *token) release() error {
	if t.yubikey == nil {
		return nil
	}
	forgotten := t.forgetPIN()
	closed := protect(t.yubikey.Close)
	t.yubikey = nil
	switch {
	case forgotten == nil && closed == nil:
		return nil
	case (closed != nil || isPIVGoTransport(forgotten)) && t.device.vanished(t.service):
		return nil // without power it has forgotten
	case closed != nil:
		return closed
	}
	return t.resetCard()
}

// forgetPIN drops the PIN that was given, without another program getting in
// between. A card keeps it for about a second after it was closed, and longer
// if somebody connects: it forgets when another application is selected.
// piv-go does that to learn the form factor.
func (t *token) forgetPIN() error {
	t.login = login{}
	return protect(func() error {
		_, err := t.yubikey.FormFactor()
		return err
	})
}

// resetCard makes the card forget where selecting another application failed.
func (t *token) resetCard() error {
	connection, err := t.service.Open(t.device.name, pcsc.Exclusive)
	if err != nil {
		return err
	}
	return connection.Close(pcsc.Reset)
}

// String is how errors call the device.
func (t *token) String() string { return "YubiKey " + t.uri.SerialText() }
