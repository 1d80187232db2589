package piv

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Slot is a place for one key and its certificate: 0x9a, 0x9c, 0x9d, 0x9e, or
// 0x82 to 0x95. The zero value is no slot.
type Slot byte

// The four slots that NIST SP 800-73-4 gives a purpose. A YubiKey signs with
// any of them; other programs look for signing keys in 9c first.
const (
	Authentication     Slot = 0x9a
	Signature          Slot = 0x9c // PIN policy "always", unless another one is chosen
	KeyManagement      Slot = 0x9d
	CardAuthentication Slot = 0x9e // PIN policy "never", unless another one is chosen
)

var slots = func() []Slot {
	all := []Slot{Authentication, Signature, KeyManagement, CardAuthentication}
	for s := Slot(0x82); s <= 0x95; s++ {
		all = append(all, s)
	}
	return all
}()

// Slots lists all slots that can hold a signing key, in the order in which
// they are shown.
func Slots() []Slot { return slices.Clone(slots) }

// ParseSlot reads two lower-case hex digits.
func ParseSlot(text string) (Slot, error) {
	const remedy = "write 9a, 9c, 9d, 9e, or 82 to 95"
	n, err := strconv.ParseUint(text, 16, 8)
	switch {
	case err != nil:
		return 0, errors.New("the slot is not two hex digits: " + remedy)
	case n == 0xf9:
		return 0, errors.New("slot f9 holds the key that attests, which signs nothing else: " + remedy)
	case !slices.Contains(slots, Slot(n)):
		return 0, errors.New("there is no such slot for signing keys: " + remedy)
	case Slot(n).String() != text:
		return 0, errors.New("the slot is not in lower case: " + remedy)
	}
	return Slot(n), nil
}

// String gives two lower-case hex digits, as hsm.Key.ID has them.
func (s Slot) String() string { return fmt.Sprintf("%02x", byte(s)) }
