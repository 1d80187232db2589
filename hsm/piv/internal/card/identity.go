package card

import (
	"encoding/binary"
	"fmt"
)

// Application is an application identifier (AID), or enough of its beginning.
type Application string

// Applications of a YubiKey.
const (
	PIV        Application = "\xA0\x00\x00\x03\x08"
	Management Application = "\xA0\x00\x00\x05\x27\x47\x11\x17"
	OTP        Application = "\xA0\x00\x00\x05\x27\x20\x01\x01"
)

// Select makes an application the one that is spoken to. Selecting another one
// than before makes the card forget a PIN and a management key that were given.
func (c *Card) Select(application Application) error {
	_, err := c.command(insSelect, 0x04, 0, []byte(application))
	return err
}

// Firmware is a version. From 4 on it is that of the device; before, that of
// its PIV application.
type Firmware struct{ Major, Minor, Patch byte }

func (f Firmware) String() string { return fmt.Sprintf("%d.%d.%d", f.Major, f.Minor, f.Patch) }

// AtLeast compares.
func (f Firmware) AtLeast(major, minor, patch byte) bool {
	a := [3]byte{f.Major, f.Minor, f.Patch}
	b := [3]byte{major, minor, patch}
	for i := range a {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return true
}

// Version asks the PIV application.
func (c *Card) Version() (Firmware, error) {
	reply, err := c.command(insVersion, 0, 0, nil)
	if err != nil {
		return Firmware{}, err
	}
	if len(reply) != 3 {
		return Firmware{}, malformed("the version has %d bytes instead of 3", len(reply))
	}
	return Firmware{reply[0], reply[1], reply[2]}, nil
}

// Serial asks the PIV application, which knows it from firmware 5 on.
func (c *Card) Serial() (uint32, error) {
	return serial(c.command(insSerial, 0, 0, nil))
}

// SerialOTP asks the OTP application, which must be selected.
func (c *Card) SerialOTP() (uint32, error) {
	return serial(c.command(insOTP, otpSerial, 0, nil))
}

func serial(reply []byte, err error) (uint32, error) {
	if err != nil {
		return 0, err
	}
	if len(reply) != 4 {
		return 0, malformed("the serial number has %d bytes instead of 4", len(reply))
	}
	return binary.BigEndian.Uint32(reply), nil
}

// Config is what the management application tells. Zero fields were not told.
type Config struct {
	Serial     uint32
	FormFactor byte // 1 is USB-A keychain; bit 7 says FIPS, bit 6 "Security Key"
}

const (
	tagConfigSerial     = 0x02
	tagConfigFormFactor = 0x04
)

// Config asks the management application, which must be selected. Firmware 4
// tells no form factor.
func (c *Card) Config() (Config, error) {
	reply, err := c.command(insReadConfig, 0, 0, nil)
	if err != nil {
		return Config{}, err
	}
	if len(reply) == 0 || int(reply[0]) > len(reply)-1 {
		return Config{}, errCutShort
	}
	elements, err := readAll(reply[1 : 1+int(reply[0])])
	if err != nil {
		return Config{}, err
	}
	var config Config
	if value := find(elements, tagConfigSerial); value != nil {
		if len(value) != 4 {
			return Config{}, malformed("the serial number has %d bytes instead of 4", len(value))
		}
		config.Serial = binary.BigEndian.Uint32(value)
	}
	if value := find(elements, tagConfigFormFactor); len(value) == 1 {
		config.FormFactor = value[0]
	}
	return config, nil
}
