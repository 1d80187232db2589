package attest

import "errors"

// Errors that callers branch on. Verify, ParseEvidence and Trust.With wrap
// them with %w and words for the screen.
var (
	// ErrEvidence: the file or the certificates in it cannot be read as
	// evidence at all: not PEM, too many, twice the same.
	ErrEvidence = errors.New("not evidence")
	// ErrNotAttestation: a certificate that attests no key: the device's own
	// (f9, opaque object 0), a CA, or one of another application or maker.
	ErrNotAttestation = errors.New("not an attestation of a key")
	// ErrChain: the chain does not lead to a trusted root, or not in the way in
	// which devices are certified.
	ErrChain = errors.New("no chain to a trusted root")
	// ErrForged: as ErrChain, which it comes with, and a certificate pretends: it
	// is self-signed, or names a known issuer that did not sign it.
	ErrForged = errors.New("forged")
	// ErrExpired: as ErrChain, which it comes with: the chain holds, but not at
	// the time asked about.
	ErrExpired = errors.New("not valid at that time")
	// ErrRehearsal: as ErrChain, which it comes with: the evidence comes from a
	// virtual card for rehearsals, and the trust is for real ones.
	ErrRehearsal = errors.New("evidence of a rehearsal")
	// ErrIncomplete: a genuine chain, and an extension is missing that firmware
	// of this version writes.
	ErrIncomplete = errors.New("incomplete attestation")
	// ErrMalformed: a genuine chain, and an extension that cannot be read, or
	// two statements that contradict each other.
	ErrMalformed = errors.New("malformed attestation")

	// ErrNotBound: the attested key is not the key that it should be.
	ErrNotBound = errors.New("the attestation is not of this key")
	// ErrWrongSlot: the attested key is in another slot.
	ErrWrongSlot = errors.New("another slot")
	// ErrWrongSerial: another device attested, or one that does not tell.
	ErrWrongSerial = errors.New("another device")

	// ErrTrust: a certificate that Trust.With does not take as one to trust.
	ErrTrust = errors.New("not to be trusted")
)
