package piv

import (
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

const (
	driver       = "piv"
	manufacturer = "Yubico"
)

// identity is what a device says of itself. It does not change while the device
// is plugged in.
type identity struct {
	firmware   card.Firmware
	serial     uint32 // 0: the device tells none
	formFactor byte
	tries      int // PIN tries of a PIN that was given right, or hsm.Unknown
}

// identify asks a card what it is, and leaves PIV selected. It selects other
// applications on the way, so that a PIN that was given before is forgotten.
func identify(c *card.Card) (identity, error) {
	id := identity{tries: hsm.Unknown}
	if err := id.askManagement(c); err != nil {
		return identity{}, err
	}
	if err := c.Select(card.PIV); err != nil {
		return identity{}, fmt.Errorf("selecting PIV: %w", translate(err))
	}
	firmware, err := c.Version()
	if err != nil {
		return identity{}, fmt.Errorf("asking for the firmware: %w", translate(err))
	}
	if id.firmware = firmware; !firmware.AtLeast(4, 0, 0) {
		return identity{}, fmt.Errorf("its PIV has version %s, of a device before the YubiKey 4: %w", firmware, hsm.ErrUnsupported)
	}
	if err := id.askSerial(c); err != nil {
		return identity{}, err
	}
	if pin, err := c.Metadata(card.RefPIN); err == nil && pin.HasTries {
		id.tries = pin.Tries
	}
	return id, nil
}

// askManagement reads what only the management application knows. A device
// that lacks it, or tells less, is no error.
func (id *identity) askManagement(c *card.Card) error {
	err := c.Select(card.Management)
	if err == nil {
		var config card.Config
		config, err = c.Config()
		id.serial, id.formFactor = config.Serial, config.FormFactor
	}
	if _, refused := statusOf(err); err != nil && !refused {
		return fmt.Errorf("asking what it is: %w", err)
	}
	return nil
}

// askSerial asks PIV, which knows the serial from firmware 5 on. Before, the
// OTP application does, where it is switched on.
func (id *identity) askSerial(c *card.Card) (err error) {
	var serial uint32
	switch {
	case id.firmware.AtLeast(5, 0, 0):
		serial, err = c.Serial()
	case id.serial == 0:
		serial, err = serialFromOTP(c)
	default:
		return nil
	}
	if _, refused := statusOf(err); err != nil && !refused {
		return fmt.Errorf("asking for the serial number: %w", err)
	}
	if err == nil {
		id.serial = serial
	}
	return nil
}

func serialFromOTP(c *card.Card) (uint32, error) {
	var serial uint32
	err := c.Select(card.OTP)
	if err == nil {
		serial, err = c.SerialOTP()
	}
	if back := c.Select(card.PIV); back != nil {
		return 0, fmt.Errorf("selecting PIV again: %w", back)
	}
	return serial, err
}

// info is what identity tells, in hsm's words.
func (id identity) info(triesLeft int) hsm.Info {
	info := hsm.Info{
		Driver:       driver,
		Manufacturer: manufacturer,
		Model:        id.model(),
		Firmware:     id.firmware.String(),
		FormFactor:   formFactors[id.formFactor&formFactorMask],
		TriesLeft:    triesLeft,
	}
	if id.serial != 0 {
		u := URI{Serial: id.serial}
		info.URI, info.Serial = u.String(), u.SerialText()
	}
	return info
}

const (
	formFactorMask = 0x0F
	formFactorFIPS = 0x80
)

// formFactors are called what hsm/attest calls them.
var formFactors = map[byte]string{
	1: "usb-a-keychain", 2: "usb-a-nano", 3: "usb-c-keychain", 4: "usb-c-nano",
	5: "usb-c-lightning", 6: "usb-a-bio", 7: "usb-c-bio",
}

// model says no more than the device does: which of the names in the shop it
// was sold under, it does not tell.
func (id identity) model() string {
	name := fmt.Sprintf("YubiKey %d", id.firmware.Major)
	if form := id.formFactor & formFactorMask; form == 6 || form == 7 {
		name = "YubiKey Bio"
	}
	if id.formFactor&formFactorFIPS != 0 {
		name += " FIPS"
	}
	return name
}
