// Package attest verifies what a YubiKey says of a key in its PIV applet: that
// the key was made on the device, on which device, and under which policies.
//
//	evidence, err := attest.ParseEvidence(pem) // the slot's attestation, then the device's certificate
//	facts, err := attest.Verify(evidence, attest.Yubico(), time.Now())
//	err = facts.Bind(planned, inMetadata) // the attested key is the key that is meant
//	err = facts.WantSerial("13078778")
//	err = facts.WantSlot("9c")
//
// An attestation is a certificate that the device signs with the key of its
// slot f9. The certificate of that key comes from the maker's factory, and
// chains to a root that this package pins. The fields are described in
// https://developers.yubico.com/PIV/Introduction/PIV_attestation.html.
//
// # What it proves
//
// If Verify returns no error, then a device whose certificate chains to a
// trusted root made the key in Facts.Key and will not give it away: a device
// attests only keys that it generated, and answers 6A80 for an imported one.
// Serial number and policies are that device's words; the firmware version and
// the FIPS mark are in the factory's certificate too. Devices of one batch may
// share that certificate and its key, so the serial number is no more than
// what such a device says.
//
// # What it cannot prove
//
// An attestation holds no nonce. It says that the key was made at some time,
// not that the device still exists, that the key has not been replaced, or
// that whoever shows the attestation holds the device. Anyone may copy it:
// only a signature by the key shows that the device is here. It does not say
// who knows the PIN, and it cannot say that the device was not opened and read
// out: see Facts.Advisory. Facts of a root that a file names are worth what its
// CA is: a holder may load slot f9 with a key of their own, and whoever has that
// key outside a device can attest anything.
//
// # What it will not do
//
// The package reads no network and no clock: the caller says at which time the
// certificates must be valid. There is no revocation, since Yubico publishes
// none for these certificates. Every certificate in the evidence is taken as
// an intermediate, never as a root, whatever it says of itself. A root is
// either pinned here or named by a file that the caller takes responsibility
// for. Facts that the evidence does not hold are Unknown, never assumed.
package attest
