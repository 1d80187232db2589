package attest

import (
	"crypto"
	"fmt"
)

// Answer is a graded answer. The zero value is Unknown.
type Answer int

// What is not known is neither No nor Yes, and a policy that asks for Yes is
// not met by it.
const (
	Unknown Answer = iota
	No
	Yes
)

// String gives "unknown", "no" or "yes".
func (a Answer) String() string {
	switch a {
	case No:
		return "no"
	case Yes:
		return "yes"
	default:
		return "unknown"
	}
}

// MarshalText gives what String gives, for JSON.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Fact is one thing that the evidence says, or does not. Its strings hold no
// control characters.
type Fact struct {
	Answer Answer `json:"answer"`          // Yes: stated by a device that chains to a trusted root
	Value  string `json:"value,omitempty"` // "13078778", "9c", "5.4.3", "always", "usb-c-keychain"; empty where there is none
	Why    string `json:"why,omitempty"`   // why it is No or Unknown, in words for the screen; beside Yes a remark, or empty
}

// Facts is what a verified attestation says of a key. The zero value knows
// nothing, and Bind, WantSlot and WantSerial refuse it.
type Facts struct {
	// Chain names the root. It is Yes in all facts that Verify returns.
	Chain Fact `json:"chain"`
	// Serial is decimal, as printed on the device. Firmware 4 may hide it.
	Serial Fact `json:"serial"`
	// Slot is "9a", "9c", "9d", "9e", or "82" to "95".
	Slot Fact `json:"slot"`
	// Firmware is "5.4.3".
	Firmware Fact `json:"firmware"`
	// FormFactor is "usb-a-keychain", "usb-a-nano", "usb-c-keychain",
	// "usb-c-nano", "usb-c-lightning", "usb-a-bio" or "usb-c-bio".
	FormFactor Fact `json:"form_factor"`
	// PINPolicy is "never", "once" (a session), "always", or "match-once" and
	// "match-always", where a finger is as good as the PIN.
	PINPolicy Fact `json:"pin"`
	// TouchPolicy is "never", "always" or "cached", which is for 15 seconds.
	TouchPolicy Fact `json:"touch"`
	// Generated is Yes: a device does not attest what was imported.
	Generated Fact `json:"generated"`
	// FIPS is Yes if the factory's certificate bears the mark
	// 1.3.6.1.4.1.41482.3.10, and No if it does not.
	FIPS Fact `json:"fips"`
	// Advisory is Yes if one of Yubico's applies to such a key on such
	// firmware; Value is its name, "YSA-2024-03".
	Advisory Fact `json:"advisory"`

	// Key is the attested public key: *ecdsa.PublicKey, *rsa.PublicKey,
	// ed25519.PublicKey or *ecdh.PublicKey (X25519).
	Key crypto.PublicKey `json:"-"`
	// Rehearsal: the chain ends in the rehearsals' root. The device is a
	// virtual card, which protects nothing.
	Rehearsal bool `json:"rehearsal"`
}

// Bind holds the attested key against the keys that should be it: the plan's,
// the metadata's, the one that made a signature. All must be equal to it. A
// call without keys is refused, since it would compare nothing. The error
// wraps ErrNotBound.
func (f Facts) Bind(keys ...crypto.PublicKey) error {
	attested, ok := f.Key.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || f.Chain.Answer != Yes {
		return fmt.Errorf("comparing the attested key: %w: no key was verified", ErrNotBound)
	}
	if len(keys) == 0 {
		return fmt.Errorf("comparing the attested key: %w: no key was given to compare with", ErrNotBound)
	}
	for i, key := range keys {
		if !equal(attested, key) {
			return fmt.Errorf("comparing the attested key: %w: key %d of %d is another one", ErrNotBound, i+1, len(keys))
		}
	}
	return nil
}

// equal compares public keys. Equal of package ecdsa panics on a key without
// coordinates, which is equal to none.
func equal(attested interface{ Equal(crypto.PublicKey) bool }, key crypto.PublicKey) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return attested.Equal(key)
}

// WantSlot refuses an attestation of another slot than the one wanted, which
// is written as in Facts.Slot. The error wraps ErrWrongSlot.
func (f Facts) WantSlot(slot string) error {
	return want(f.Slot, "slot", slot, ErrWrongSlot)
}

// WantSerial refuses an attestation by another device than the one wanted,
// whose serial number is written in decimal without leading zeros, and one
// that does not name its device. The error wraps ErrWrongSerial.
func (f Facts) WantSerial(serial string) error {
	return want(f.Serial, "serial number", serial, ErrWrongSerial)
}

func want(fact Fact, name, wanted string, sentinel error) error {
	switch {
	case fact.Answer != Yes || fact.Value == "":
		return fmt.Errorf("%w: %s %q is wanted, and the attestation does not give one", sentinel, name, wanted)
	case fact.Value != wanted:
		return fmt.Errorf("%w: %s %q is wanted, and the attestation says %q", sentinel, name, wanted, fact.Value)
	}
	return nil
}
