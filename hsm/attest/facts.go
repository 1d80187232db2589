package attest

import (
	"crypto"
	"fmt"
	"strings"
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
//
// What a kind of device does not have is Unknown, so that a rule which asks for
// it is not met.
type Facts struct {
	// Device is the kind of device, read from the certificates. The fields below
	// are of both kinds unless they say otherwise.
	Device Device `json:"device"`
	// Chain names the root. It is Yes in all facts that Verify returns.
	Chain Fact `json:"chain"`
	// Serial is decimal, as printed on the device. Firmware 4 may hide it.
	Serial Fact `json:"serial"`
	// Slot is "9a", "9c", "9d", "9e", or "82" to "95". A YubiKey's.
	Slot Fact `json:"slot"`
	// Firmware is "5.4.3".
	Firmware Fact `json:"firmware"`
	// FormFactor is "usb-a-keychain", "usb-a-nano", "usb-c-keychain",
	// "usb-c-nano", "usb-c-lightning", "usb-a-bio" or "usb-c-bio". A YubiKey's.
	FormFactor Fact `json:"form_factor"`
	// PINPolicy is "never", "once" (a session), "always", or "match-once" and
	// "match-always", where a finger is as good as the PIN. A YubiKey's.
	PINPolicy Fact `json:"pin"`
	// TouchPolicy is "never", "always" or "cached", which is for 15 seconds. A
	// YubiKey's.
	TouchPolicy Fact `json:"touch"`
	// Generated is Yes if the key was made in this very device. A YubiKey does
	// not attest what was imported; a YubiHSM 2 does, and then it is No.
	Generated Fact `json:"generated"`
	// FIPS is Yes if the factory's certificate bears the mark
	// 1.3.6.1.4.1.41482.3.10, of a YubiHSM 2 1.3.6.1.4.1.41482.4.10, and No if it
	// does not.
	FIPS Fact `json:"fips"`
	// Advisory is Yes if one of Yubico's applies to such a key on such
	// firmware; Value is its name, "YSA-2024-03".
	Advisory Fact `json:"advisory"`

	// Origin is "generated", "imported", "generated:imported_wrapped" or
	// "imported:imported_wrapped". This and what follows is a YubiHSM 2's.
	Origin Fact `json:"origin,omitzero"`
	// Capabilities are what the key may do: "sign-ecdsa", and more after commas.
	// CapabilityNames gives them one by one.
	Capabilities Fact `json:"capabilities,omitzero"`
	// Domains are those that the key is in: "1", or "1, 2, 16".
	Domains Fact `json:"domains,omitzero"`
	// Object is the object ID, "0x0003".
	Object Fact `json:"object,omitzero"`
	// Label is what somebody has called the key. It proves nothing.
	Label Fact `json:"label,omitzero"`

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
// that does not name its device. Of a YubiHSM 2 zeros may lead, since labels
// and Yubico's PKCS #11 module have them. The error wraps ErrWrongSerial.
func (f Facts) WantSerial(serial string) error {
	if short := strings.TrimLeft(serial, "0"); f.Device == YubiHSM && short != "" {
		serial = short
	}
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
