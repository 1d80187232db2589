package virtual

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says what is in one reader. The zero value is a factory-new YubiKey
// with the serial number 10000001 and firmware 5.7.1.
type Config struct {
	Serial   uint32 // 0: 10000001. Two cards may share one
	Firmware string // empty: "5.7.1". Made for 4.3.5, 5.2.4, 5.4.3 and 5.7.1
	Form     string // one of Forms; empty: "usb-a-keychain"
	FIPS     bool   // marks the form factor and the attestation certificate

	// PINComplexity refuses guessable PINs, as newer firmware can be ordered to.
	PINComplexity bool

	TouchWait time.Duration // how long it blinks before it gives up; 0: 15 s, as devices do

	Reader string // the reader's name without its numbers; empty: a YubiKey's own
	Port   int    // of vpcd, for Serve; a stack chooses its own

	Empty bool // a reader with nothing in it until Replace
	Plain bool // a card that is no YubiKey, and knows no applet
}

const (
	defaultSerial    = 10000001
	defaultFirmware  = "5.7.1"
	defaultForm      = "usb-a-keychain"
	defaultTouchWait = 15 * time.Second
	// Yubico's own tools look at no reader whose name lacks "yubico" or "yubikey".
	defaultReader = "Yubico YubiKey OTP+FIDO+CCID"
)

// Forms are the names of the form factors, as their codes in an attestation.
var Forms = []string{
	1: "usb-a-keychain", 2: "usb-a-nano", 3: "usb-c-keychain", 4: "usb-c-nano", 5: "usb-c-lightning",
}

// ParseConfig reads what Config.String writes, the value of the flag -card:
//
//	serial=14470876,firmware=5.4.3,form=usb-c-nano,touch-wait=500ms
//
// The marks fips, pin-complexity, empty and plain have no value.
func ParseConfig(text string) (Config, error) {
	var c Config
	for field := range strings.SplitSeq(text, ",") {
		if field == "" {
			continue
		}
		name, value, _ := strings.Cut(field, "=")
		if err := c.set(name, value); err != nil {
			return Config{}, fmt.Errorf("reading %q of card %q: %w", field, text, err)
		}
	}
	return c, c.check()
}

func (c *Config) set(name, value string) error {
	marks := map[string]*bool{"fips": &c.FIPS, "pin-complexity": &c.PINComplexity, "empty": &c.Empty, "plain": &c.Plain}
	if mark, ok := marks[name]; ok {
		if value != "" {
			return errors.New("it takes no value")
		}
		*mark = true
		return nil
	}
	var err error
	switch name {
	case "serial":
		var n uint64
		n, err = strconv.ParseUint(value, 10, 32)
		c.Serial = uint32(n)
	case "firmware":
		c.Firmware = value
	case "form":
		c.Form = value
	case "touch-wait":
		c.TouchWait, err = time.ParseDuration(value)
	case "reader":
		c.Reader = value
	case "port":
		c.Port, err = strconv.Atoi(value)
	default:
		err = errors.New("there is no such field")
	}
	return err
}

// String writes only what differs from the zero value.
func (c Config) String() string {
	var fields []string
	add := func(set bool, format string, value any) {
		if set {
			fields = append(fields, fmt.Sprintf(format, value))
		}
	}
	add(c.Serial != 0, "serial=%d", c.Serial)
	add(c.Firmware != "", "firmware=%s", c.Firmware)
	add(c.Form != "", "form=%s", c.Form)
	add(c.TouchWait != 0, "touch-wait=%s", c.TouchWait)
	add(c.Reader != "", "reader=%s", c.Reader)
	add(c.Port != 0, "port=%d", c.Port)
	add(c.FIPS, "%s", "fips")
	add(c.PINComplexity, "%s", "pin-complexity")
	add(c.Empty, "%s", "empty")
	add(c.Plain, "%s", "plain")
	return strings.Join(fields, ",")
}

func (c Config) check() error {
	if _, err := parseFirmware(c.firmware()); err != nil {
		return err
	}
	switch {
	case c.formFactor() == 0:
		return fmt.Errorf("there is no form factor %q", c.Form)
	case c.TouchWait < 0:
		return errors.New("the touch wait is negative")
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("%d is no port", c.Port)
	case strings.ContainsAny(c.Reader, "\",\n"):
		return fmt.Errorf("the reader's name %q has a quote, a comma or a line end", c.Reader)
	case len(c.Reader) > 100:
		return errors.New("the reader's name is longer than pcscd takes")
	case c.Empty && c.Plain:
		return errors.New("a reader is either empty or holds a plain card")
	}
	return nil
}

func (c Config) serial() uint32           { return cmp.Or(c.Serial, defaultSerial) }
func (c Config) firmware() string         { return cmp.Or(c.Firmware, defaultFirmware) }
func (c Config) reader() string           { return cmp.Or(c.Reader, defaultReader) }
func (c Config) touchWait() time.Duration { return cmp.Or(c.TouchWait, defaultTouchWait) }

// formFactor is the code of the form, with the bit that FIPS devices set.
func (c Config) formFactor() byte {
	code := slices.Index(Forms, cmp.Or(c.Form, defaultForm))
	if code < 1 {
		return 0
	}
	if c.FIPS {
		code |= 0x80
	}
	return byte(code)
}

// firmware is a version in the three bytes in which cards tell it.
type firmware [3]byte

func parseFirmware(text string) (firmware, error) {
	var v firmware
	numbers := strings.Split(text, ".")
	if len(numbers) != len(v) {
		return v, fmt.Errorf("firmware %q is not three numbers", text)
	}
	for i, number := range numbers {
		n, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			return v, fmt.Errorf("firmware %q is not three numbers: %w", text, err)
		}
		v[i] = byte(n)
	}
	if !v.atLeast(4, 3) {
		return v, fmt.Errorf("firmware %q is older than 4.3, and could attest nothing", text)
	}
	return v, nil
}

func (v firmware) atLeast(major, minor byte) bool {
	return v[0] > major || v[0] == major && v[1] >= minor
}

func (v firmware) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }
