package piv

import (
	"crypto"

	"tufceremony/hsm"
)

// Device is one YubiKey as List sees it.
type Device struct {
	Reader string     // the smart card reader that it shows as
	Info   hsm.Info   // as far as it could be read; Serial is empty where the device tells none
	Slots  []SlotInfo // those in use
	Err    error      // why it could not be read, or not completely
}

// SlotInfo is what a device tells about a slot that holds a key, in its own
// words: nothing here is proved.
type SlotInfo struct {
	Slot        Slot
	Algorithm   Algorithm
	Public      crypto.PublicKey // nil for kinds of key that do not sign
	PINPolicy   PINPolicy        // zero: not told, as for imported keys before firmware 5.3
	TouchPolicy TouchPolicy
	Origin      Origin
	From        Source
	Err         error // why the slot could not be read; only Slot is told then
}

// Source says how a slot's public key was learnt. The device's own word comes
// before a certificate, which anybody with the management key may have put
// there.
type Source int

// Sources.
const (
	FromMetadata    Source = iota + 1 // firmware 5.3 and newer
	FromAttestation                   // firmware 4.3 and newer, generated keys
	FromCertificate                   // the certificate in the slot
)

// String gives "metadata", "attestation" or "certificate".
func (s Source) String() string {
	return map[Source]string{FromMetadata: "metadata", FromAttestation: "attestation", FromCertificate: "certificate"}[s]
}

// Reader is a smart card reader, and what is in it.
type Reader struct {
	Name  string
	Holds Content
}

// Content is what a reader holds, as far as can be told without speaking to the
// card.
type Content int

// Contents.
const (
	Nothing   Content = iota + 1
	YubiKey           // a card that calls itself one
	OtherCard         // a card of another make
)

// String gives "nothing", "a YubiKey" or "another card".
func (c Content) String() string {
	return map[Content]string{Nothing: "nothing", YubiKey: "a YubiKey", OtherCard: "another card"}[c]
}
