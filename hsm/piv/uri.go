package piv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const scheme = "piv:"

// URI names a YubiKey by the serial number that is printed on it, and one of
// its slots. It holds no PIN, and no place where one could be found.
type URI struct {
	Serial uint32
	Slot   Slot // zero: the device as a whole
}

// Parse reads "piv:serial=14470876;slot=9c". There is one way to write each
// URI, so that two texts that differ name two keys: decimal without leading
// zeros, lower case, serial first. The error says what to write instead. It
// does not repeat what was written, which may be a PIN in the wrong place.
func Parse(text string) (URI, error) {
	u, err := parse(text)
	if err == nil && u.Slot == 0 {
		err = errors.New("the slot is missing: write slot=9c behind the serial, or where the key is")
	}
	if err != nil {
		return URI{}, fmt.Errorf("parsing PIV URI: %w", err)
	}
	return u, nil
}

// ParseDevice is Parse for where a device as a whole is meant: the slot may be
// left out.
func ParseDevice(text string) (URI, error) {
	u, err := parse(text)
	if err != nil {
		return URI{}, fmt.Errorf("parsing PIV URI: %w", err)
	}
	return u, nil
}

// String is what Parse and ParseDevice read.
func (u URI) String() string {
	text := scheme + "serial=" + u.SerialText()
	if u.Slot != 0 {
		text += ";slot=" + u.Slot.String()
	}
	return text
}

// SerialText is the serial number in decimal, as hsm.Info has it.
func (u URI) SerialText() string { return strconv.FormatUint(uint64(u.Serial), 10) }

func parse(text string) (URI, error) {
	path, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return URI{}, errors.New(`it does not begin with "piv:": write piv:serial=14470876;slot=9c, with the number that is printed on the device`)
	}
	if strings.Contains(path, "?") {
		return URI{}, errors.New("a PIV URI has no query, and so no place for a PIN: leave out what begins with the question mark, and the PIN is asked for")
	}
	var u URI
	seen := make(map[string]bool)
	for attribute := range strings.SplitSeq(path, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		if seen[name] {
			return URI{}, fmt.Errorf("%q stands there twice: write it once", name)
		}
		if err := u.set(name, value); err != nil {
			return URI{}, err
		}
		seen[name] = true
	}
	switch {
	case !seen["serial"]:
		return URI{}, errors.New("the serial is missing: write serial= and the number that is printed on the device")
	case u.String() != text:
		return URI{}, errors.New("the serial comes first: write piv:serial=…;slot=…")
	}
	return u, nil
}

// set takes one attribute. A name that it does not know is not repeated:
// anything may stand there.
func (u *URI) set(name, value string) (err error) {
	switch name {
	case "serial":
		u.Serial, err = parseSerial(value)
	case "slot":
		u.Slot, err = ParseSlot(value)
	case "":
		return errors.New("an attribute is empty: write piv:serial=14470876;slot=9c, without a semicolon at the end")
	case "pin", "pin-value", "pin-source":
		return errors.New("a PIN does not belong in a PIV URI, nor does the place where one is: leave it out, and it is asked for")
	default:
		return errors.New("an attribute is neither serial nor slot: write piv:serial=14470876;slot=9c")
	}
	return err
}

func parseSerial(value string) (uint32, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("the serial does not fit in 32 bits: write the number that is printed on the device")
	case err != nil:
		return 0, errors.New("the serial is not a decimal number: write the number that is printed on the device")
	case n == 0:
		return 0, errors.New("no device has the serial 0: write the number that is printed on the device")
	case strconv.FormatUint(n, 10) != value:
		return 0, errors.New("the serial begins with a zero: leave the zeros out")
	}
	return uint32(n), nil
}
