package piv

import (
	"fmt"

	"tufceremony/hsm/attest"
	"tufceremony/hsm/piv/internal/card"
)

// Answer is an answer that a device may not give, as hsm/attest has it.
type Answer = attest.Answer

// Answers.
const (
	Unknown = attest.Unknown
	No      = attest.No
	Yes     = attest.Yes
)

// Algorithm is the kind of a key: the byte that SP 800-78-4 and Yubico give it.
// Zero is not known.
type Algorithm byte

// Algorithms that keys can be generated for. Other keys are shown, and not
// signed with.
const (
	P256    = Algorithm(card.P256)
	P384    = Algorithm(card.P384)
	RSA2048 = Algorithm(card.RSA2048)
	RSA3072 = Algorithm(card.RSA3072) // firmware 5.7 and newer
	RSA4096 = Algorithm(card.RSA4096) // firmware 5.7 and newer
	Ed25519 = Algorithm(card.Ed25519) // firmware 5.7 and newer
)

// signing are the algorithms that keys are generated for and signed with.
var signing = []Algorithm{P256, P384, RSA2048, RSA3072, RSA4096, Ed25519}

// Algorithms of management keys.
const (
	TripleDES = Algorithm(card.TripleDES)
	AES128    = Algorithm(card.AES128)
	AES192    = Algorithm(card.AES192)
	AES256    = Algorithm(card.AES256)
)

var algorithmNames = map[Algorithm]string{
	0: "unknown", P256: "P-256", P384: "P-384", Ed25519: "Ed25519", Algorithm(card.X25519): "X25519",
	Algorithm(card.RSA1024): "RSA-1024", RSA2048: "RSA-2048", RSA3072: "RSA-3072", RSA4096: "RSA-4096",
	TripleDES: "3DES", AES128: "AES-128", AES192: "AES-192", AES256: "AES-256",
}

// String gives "P-256", "RSA-2048", "AES-192".
func (a Algorithm) String() string { return named(algorithmNames, a) }

// PINPolicy says when a key wants the PIN. Zero is not known: the device does
// not tell.
type PINPolicy byte

// PIN policies, by the byte that Yubico gives them.
const (
	PINNever       PINPolicy = 1 // whoever holds the device signs
	PINOnce        PINPolicy = 2 // once in each session
	PINAlways      PINPolicy = 3 // for every signature
	PINMatchOnce   PINPolicy = 4 // a fingerprint; this driver does not sign with it
	PINMatchAlways PINPolicy = 5
)

var pinPolicyNames = map[PINPolicy]string{
	0: "unknown", PINNever: "never", PINOnce: "once", PINAlways: "always",
	PINMatchOnce: "match-once", PINMatchAlways: "match-always",
}

// String gives "always".
func (p PINPolicy) String() string { return named(pinPolicyNames, p) }

// TouchPolicy says when a key wants a finger on the device. Zero is not known.
type TouchPolicy byte

// Touch policies, by the byte that Yubico gives them.
const (
	TouchNever  TouchPolicy = 1
	TouchAlways TouchPolicy = 2
	TouchCached TouchPolicy = 3 // one touch is good for 15 seconds
)

var touchPolicyNames = map[TouchPolicy]string{
	0: "unknown", TouchNever: "never", TouchAlways: "always", TouchCached: "cached",
}

// String gives "cached".
func (p TouchPolicy) String() string { return named(touchPolicyNames, p) }

// Origin says where a key was made, in the device's words. Only an attestation
// proves it. Zero is not known.
type Origin byte

// Origins, by the byte that Yubico gives them.
const (
	Generated Origin = 1 // on the device
	Imported  Origin = 2 // elsewhere: there may be copies
)

var originNames = map[Origin]string{0: "unknown", Generated: "generated", Imported: "imported"}

// String gives "generated".
func (o Origin) String() string { return named(originNames, o) }

// named gives a code its name, or a name with its number: newer firmware has
// codes that this driver does not know.
func named[C ~byte](names map[C]string, code C) string {
	if name, ok := names[code]; ok {
		return name
	}
	return fmt.Sprintf("unknown (code %02x)", byte(code))
}
