// Package attest verifies what a device says of a key that it holds, a YubiKey
// of one in its PIV application or a YubiHSM 2 of one of its objects: where the
// key was made, in which device, and what may be done with it.
//
//	evidence, err := attest.ParseEvidence(pem) // the key's attestation, then the device's certificate
//	facts, err := attest.Verify(evidence, attest.Yubico(), time.Now())
//	err = facts.Bind(planned, inMetadata) // the attested key is the key that is meant
//	err = facts.WantSerial("13078778")
//	err = facts.WantSlot("9c") // of a YubiKey
//
// An attestation is a certificate that the device signs with a key of its own,
// in slot f9 of a YubiKey and asymmetric object 0 of a YubiHSM 2. The
// certificate of that key comes from the maker's factory, and chains to a root.
// Those of YubiKeys are pinned in this package; that of YubiHSMs is not, and is
// named by a file:
//
//	evidence, err := attest.Gather(attestation, device) // DER, as yubihsm-shell writes it
//	trust, err := attest.Yubico().With(roots)           // Yubico YubiHSM Root CA and its sub-CA, as PEM
//	facts, err := attest.Verify(evidence, trust, time.Now())
//	planned, err := attest.ParsePublicKey(point)
//
// Which kind it is, the certificates say: Facts.Device. The fields are described
// in https://developers.yubico.com/PIV/Introduction/PIV_attestation.html and
// https://docs.yubico.com/hardware/oid/oid-product-arc.html.
//
// # What it proves
//
// If Verify returns no error, then a device whose certificate chains to a
// trusted root holds the key in Facts.Key. A YubiKey made it and will not give
// it away: it attests only keys that it generated, and answers 6A80 for an
// imported one. A YubiHSM 2 attests whatever it holds, so a caller must look:
// Facts.Generated says whether it made the key, and among Facts.Capabilities
// exportable-under-wrap that it may give it away. These cannot be changed
// afterwards. Serial number and policies are the device's words; the firmware
// version and the FIPS mark are in a YubiKey's certificate from the factory too,
// the serial number in a YubiHSM 2's. YubiKeys of one batch may share that
// certificate and its key, so the serial number is no more than what such a
// device says.
//
// # What it cannot prove
//
// An attestation holds no nonce. It says that the key was made at some time,
// not that the device still exists, that the key has not been replaced, or
// that whoever shows the attestation holds the device. Anyone may copy it:
// only a signature by the key shows that the device is here. It does not say
// who knows the PIN or the password of an authentication key, and it cannot say
// that the device was not opened and read out: see Facts.Advisory. A device that
// makes no attestations, as most do not, gives nothing to verify: its keys are
// unattested. Facts of a root that a file names are worth what its CA is: a
// holder may load slot f9, or another object of a YubiHSM 2, with a key of their
// own, and whoever has that key outside a device can attest anything.
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
