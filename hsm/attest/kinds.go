package attest

import (
	"crypto/x509"
	"errors"
	"slices"
)

// Device is a kind of device that attests keys. Which kind evidence is of is
// read from the certificates, never told. The zero value is none.
type Device string

// The kinds that this package knows.
const (
	YubiKey Device = "yubikey"  // the PIV application of one
	YubiHSM Device = "yubihsm2" // a YubiHSM 2
)

// Name is the kind in words for the screen, "YubiHSM 2".
func (d Device) Name() string {
	switch d {
	case YubiKey:
		return "YubiKey"
	case YubiHSM:
		return "YubiHSM 2"
	default:
		return "device of an unknown kind"
	}
}

// Device is the kind of device that the evidence says it is of. Nothing of it
// has been verified: Facts.Device is what has.
func (e Evidence) Device() Device {
	if e.Leaf == nil {
		return ""
	}
	return kindOf(e.Leaf)
}

// kindOf goes by the arc of the extensions. Old firmware writes few of them,
// but always one.
func kindOf(c *x509.Certificate) Device {
	piv, hsm := slices.ContainsFunc(c.Extensions, below(oidPIV)), slices.ContainsFunc(c.Extensions, below(oidHSM))
	switch {
	case piv && !hsm:
		return YubiKey
	case hsm && !piv:
		return YubiHSM
	}
	return ""
}

// checkLeaf says whether this is an attestation of a key at all, before anyone
// asks who signed it.
func checkLeaf(c *x509.Certificate) error {
	switch kindOf(c) {
	case YubiKey:
		return checkSlot(c)
	case YubiHSM:
		return checkObject(c)
	}
	if slices.ContainsFunc(c.Extensions, below(oidPIV)) {
		return errors.New("it has extensions of a YubiKey's PIV application and of a YubiHSM 2, and no device is both")
	}
	return errors.New("it has no extensions of a YubiKey's PIV application or of a YubiHSM 2")
}

// isAttestation says whether a certificate attests a key of either kind.
func isAttestation(c *x509.Certificate) bool { return attestsSlot(c) || attestsObject(c) }

// isDevice says whether a certificate is the one of a device of either kind.
func isDevice(c *x509.Certificate) bool { return isYubiKey(c) || isYubiHSM(c) }
