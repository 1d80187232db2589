package pkcs11

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"tufceremony/hsm"
	"tufceremony/hsm/internal/guess"
	"tufceremony/hsm/pkcs11/uri"
)

// Survey is what a module says of itself and of its slots.
type Survey struct {
	Library Library
	Slots   []Slot
}

// Library is what a module says of itself.
type Library struct{ Manufacturer, Description, Version string }

// Slot is a token in a slot. One that is not initialised has no label, and may
// have no serial.
type Slot struct {
	hsm.Info
	Number         uint
	Initialised    bool
	HasPIN         bool // a user PIN has been set
	PINPad         bool // PINs are typed at the device, which this package does not do
	SOTriesLeft    int  // as TriesLeft, of the SO PIN
	MinPIN, MaxPIN int  // in bytes; 0 where the token does not tell
}

// Examination is what a module answers when it is asked about a private key. It
// is the module's word: whoever can set the attributes of an imported key, or
// has written the module, has it answer the same.
type Examination struct {
	Library    Library
	Attributes []Attribute
}

// Attribute is one answer, raw.
type Attribute struct {
	Name  string // "CKA_LOCAL"
	Value string // True, False, Absent, Secret, or another value in hex, "0x02"
}

// What attributes are, besides odd values in hex. A module that lacks one has
// not said that it is false.
const (
	True   = "true"
	False  = "false"
	Absent = "absent" // CKR_ATTRIBUTE_TYPE_INVALID, or an empty value
	Secret = "secret" // CKR_ATTRIBUTE_SENSITIVE
)

// Examiner is a token that can be asked about a key.
type Examiner interface {
	hsm.Token
	// Examine reads the attributes of a key's private half, and refuses one that
	// is not as GenerateKey makes them. Somebody must be logged in.
	Examine(key hsm.Key) (Examination, error)
}

// The token refused the SO PIN. It counts wrong ones apart from those of the user
// PIN, and one that is locked is opened by nobody.
var (
	ErrSOPIN    = errors.New("wrong SO PIN")
	ErrSOLocked = errors.New("the SO PIN is locked")
)

// ErrOwnSOPIN: an empty token is initialised only with the SO PIN that it has
// been delivered with, as openCryptoki's are.
var ErrOwnSOPIN = errors.New("the token has an SO PIN already, though it is empty")

// A key was to be made under a label, or with an ID, that an object on the token
// has.
var (
	ErrTaken   = errors.New("nothing was made")
	ErrIDTaken = errors.New("nothing more was made")
)

// IDSize is that of a CKA_ID, in bytes, that no other key has.
const IDSize = 16

// NewID draws a CKA_ID.
func NewID(random io.Reader) ([]byte, error) {
	id := make([]byte, IDSize)
	if _, err := io.ReadFull(random, id); err != nil {
		return nil, fmt.Errorf("drawing an ID for a key: %w", err)
	}
	return id, nil
}

// leastPIN is the shortest PIN, in bytes, where the token takes one as long.
const leastPIN = 6

// ShortestPIN is the length of the shortest PIN that WeakPIN takes.
func (s Slot) ShortestPIN() int {
	least := max(leastPIN, s.MinPIN)
	if s.MaxPIN > 0 {
		least = min(least, s.MaxPIN)
	}
	return least
}

// WeakPIN says why a PIN or SO PIN is not fit for a token, or nil. Many tokens
// take wrong ones for ever. The error does not hold the PIN.
func (s Slot) WeakPIN(pin []byte) error {
	least := s.ShortestPIN()
	switch {
	case len(pin) < least:
		return fmt.Errorf("it is shorter than %d characters", least)
	case s.MaxPIN > 0 && len(pin) > s.MaxPIN:
		return fmt.Errorf("it is longer than the %d characters that the token takes", s.MaxPIN)
	case contained(pin, s.Label), contained(pin, s.Serial):
		return errors.New("it is what the token is called, or its number")
	}
	for _, first := range []string{"12345678", "87654321", "123456"} {
		if string(pin) == first {
			return errors.New("it is one that tokens are delivered with")
		}
	}
	if err := guess.Easy(pin); err != nil {
		return fmt.Errorf("it %w", err)
	}
	return nil
}

func contained(pin []byte, name string) bool {
	return name != "" && (bytes.Contains([]byte(name), pin) || len(name) >= 4 && bytes.Contains(pin, []byte(name)))
}

// Filter gives the slots whose token a URI describes, initialised or not. It
// does not look at what a URI says of the slot and of the library.
func (s Survey) Filter(u uri.URI, initialised bool) []Slot {
	var fits []Slot
	for _, slot := range s.Slots {
		label := u.Token
		if !initialised {
			label = "" // it has none yet
		}
		if slot.Initialised == initialised && fitting(label, slot.Label) && fitting(u.Serial, slot.Serial) &&
			fitting(u.Model, slot.Model) && fitting(u.Manufacturer, slot.Manufacturer) && (u.SlotID == nil || *u.SlotID == uint64(slot.Number)) {
			fits = append(fits, slot)
		}
	}
	return fits
}

// fitting says whether a value fits what a URI wants, which may be nothing.
func fitting(want, is string) bool { return want == "" || want == is }
