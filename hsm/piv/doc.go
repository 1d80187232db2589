// Package piv signs with keys in the PIV application of YubiKeys, of firmware 4
// and newer.
//
//	token, err := piv.Open("piv:serial=14470876;slot=9c")
//	devices, err := piv.List()                       // what is plugged in
//	admin, err := piv.OpenAdmin(14470876, rand.Reader) // for setting a device up
//
// A device is chosen by the serial number that is printed on it, never by being
// the first: empty readers, other cards and other YubiKeys may be there too.
// The key is read before anybody is asked for a PIN, from the device's own word
// where it gives one: metadata from firmware 5.3 on, the attestation from 4.3
// on, and a certificate otherwise.
//
// Keys on P-256 sign SHA-256 digests, keys on P-384 SHA-384 digests; RSA keys of
// 2048 bits and more sign SHA-256, SHA-384 and SHA-512 digests with PKCS #1 v1.5
// or PSS; Ed25519 keys, which came with firmware 5.7, sign messages that fit
// into the card. Everything else is refused in words.
//
// # What it will not do
//
// It does not try a PIN twice, and sends none that cannot be a PIN: neither
// spends a try. It does not verify signatures or attestations: whoever asked for
// one does, with the standard library and hsm/attest. It does not sign with
// fingerprints, and reads no PIN from a file.
//
// It keeps no PIN, and wipes the slice that it was given. piv-go wants a string,
// which cannot be wiped: a PIN is as safe as the memory of the process.
//
// It cannot interrupt a card. A signature that waits for a touch ends when the
// card gives up, after 15 seconds; a process that is killed while it waits
// leaves the reader locked for as long.
//
// # Two ways to one card
//
// A signing session goes through piv-go, which many use. Finding the card,
// listing and setting up go through a binding of this package's own, since
// piv-go opens whatever card comes first in the list, cannot say whether a card
// is still the one that was opened, and has defects that matter there: where one
// is worked around, a comment says which. Both use the machine's smart card
// service, and the same C library.
//
// # Sessions
//
// A token or an Admin has its device for itself. While others only list, they
// share it, and are not kept out for longer than a few commands. Closing makes
// the device forget a PIN that was given. A device that was pulled is not used
// again when it comes back: every method then says hsm.ErrRemoved, and the
// caller opens it anew. Devices that are pulled while a command is under way may
// have executed it: whoever generates a key looks at the State first.
package piv
