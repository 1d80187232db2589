package piv

import (
	"errors"
	"fmt"

	"tufceremony/hsm"
)

// StatusWord is what a card's two-byte answer means to a person.
type StatusWord struct {
	Code  string // hex, with x for a digit that counts: "63Cx"
	Words string // what it means here
	Do    string // what to do
	is    error  // what callers branch on, or nil
	match func(code uint16) bool
}

// StatusWords are the answers of a card that a session can meet, in ascending
// order. Every error that comes from a card says these words, with the code in
// parentheses for whoever searches for it.
var StatusWords = []StatusWord{
	{"61xx", "the card has more to say, and was not asked for it", "pull the device, insert it again, and repeat", nil, high(0x61)},
	{"6300", "the card did not accept the PIN, and does not say how many tries are left", "look at the tries left before the next one", nil, exactly(0x6300)},
	{"63Cx", "wrong PIN or PUK, with x tries left", "think before the next try: at 0 it is blocked", nil, tries},
	{"6581", "the card could not write to its memory", "put the device aside: it wears out", nil, exactly(0x6581)},
	{"6700", "the card does not take a command of that length", "pull the device, insert it again, and repeat; then report it as a fault of this program", nil, exactly(0x6700)},
	{"6881", "the card does not have logical channels", "end other programs that use the device, and repeat", hsm.ErrUnsupported, exactly(0x6881)},
	{"6882", "the card does not have secure messaging here", "end other programs that use the device, and repeat", hsm.ErrUnsupported, exactly(0x6882)},
	{"6982", "the card refuses: the PIN, the management key or a touch is missing", "give what is missing: nothing was done", nil, exactly(0x6982)},
	{"6983", "the PIN or PUK is blocked: too many wrong ones were given", "a blocked PIN is set anew with the PUK; if both are blocked, only a reset is left, which destroys the keys", hsm.ErrPINLocked, exactly(0x6983)},
	{"6985", "the card's conditions are not met: a new PIN or PUK is too simple for it, or a reset was asked for before PIN and PUK are blocked", "choose another PIN or PUK: no sequence, no repetition", nil, exactly(0x6985)},
	{"6A80", "the card does not take this data, or has no such key", "see whether the slot holds the key, and the firmware knows its kind", nil, exactly(0x6A80)},
	{"6A81", "the card does not have this function", "see which firmware the device has: `ceremony token list`", hsm.ErrUnsupported, exactly(0x6A81)},
	{"6A82", "there is no such object or application on the card", "see whether PIV is switched on: `ykman config usb`", hsm.ErrNotFound, exactly(0x6A82)},
	{"6A84", "the card's memory is full", "remove certificates that nobody needs, or use another device", nil, exactly(0x6A84)},
	{"6A86", "the card does not know this slot or kind of key", "see which firmware the device has: `ceremony token list`", hsm.ErrUnsupported, exactly(0x6A86)},
	{"6A88", "there is no such key on the card", "see which slots hold keys: `ceremony token list`", hsm.ErrNotFound, exactly(0x6A88)},
	{"6B00", "the card does not take these parameters", "see which firmware the device has: `ceremony token list`", nil, exactly(0x6B00)},
	{"6D00", "the card does not know this command: its firmware is too old, or another application is selected", "see which firmware the device has: `ceremony token list`", hsm.ErrUnsupported, exactly(0x6D00)},
	{"6E00", "the card does not know this class of commands", "end other programs that use the device, and repeat", hsm.ErrUnsupported, exactly(0x6E00)},
	{"6F00", "the card failed and does not say why", "pull the device, insert it again, and repeat; if it happens again put it aside", nil, exactly(0x6F00)},
}

func exactly(code uint16) func(uint16) bool { return func(c uint16) bool { return c == code } }
func high(first uint16) func(uint16) bool   { return func(c uint16) bool { return c>>8 == first } }

// tries is 63Cx, and 630x of cards before 4.3.
func tries(code uint16) bool { return code&0xFFF0 == 0x63C0 || code&0xFFF0 == 0x6300 && code != 0x6300 }

// StatusError is a card's answer in words.
type StatusError struct {
	Code uint16 // as the card sent it
}

// Status returns the code.
func (e *StatusError) Status() uint16 { return e.Code }

func (e *StatusError) Error() string {
	if word, known := e.word(); known {
		return fmt.Sprintf("%s (status word %04X)", word.Words, e.Code)
	}
	return fmt.Sprintf("the card refuses for an unusual reason (status word %04X)", e.Code)
}

// Do says what to do about it.
func (e *StatusError) Do() string {
	if word, known := e.word(); known {
		return word.Do
	}
	return "pull the device, insert it again, and repeat"
}

// Unwrap returns hsm's error for it, where there is one.
func (e *StatusError) Unwrap() error {
	word, _ := e.word()
	return word.is
}

func (e *StatusError) word() (StatusWord, bool) {
	for _, word := range StatusWords {
		if word.match(e.Code) {
			return word, true
		}
	}
	return StatusWord{}, false
}

// translate turns the status word in an error, this package's own or piv-go's,
// into words. Other errors come as they are.
func translate(err error) error {
	var already *StatusError
	if code, ok := statusOf(err); ok && !errors.As(err, &already) {
		return &StatusError{Code: code}
	}
	return err
}

// statusOf finds the status word in an error. piv-go's error type has no name
// outside of it, but a method that tells.
func statusOf(err error) (uint16, bool) {
	var status interface{ Status() uint16 }
	if errors.As(err, &status) {
		return status.Status(), true
	}
	return 0, false
}
