package attest

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"strconv"
)

// firmware reads the version from the attestation. The factory wrote it into
// the device's certificate too, and firmware cannot be changed afterwards: if
// they differ, someone else signs with the device's key.
func firmware(leaf, device *x509.Certificate, oid asn1.ObjectIdentifier) (Fact, error) {
	version, err := bytesOf(leaf, oid, "firmware version", 3)
	if err != nil {
		return Fact{}, err
	}
	if version == nil {
		return Fact{}, missing("firmware version", oid)
	}
	factory, err := bytesOf(device, oid, "firmware version of the device's certificate", 3)
	if err != nil {
		return Fact{}, err
	}
	if factory != nil && string(factory) != string(version) {
		return Fact{}, fmt.Errorf("%w: the attestation says firmware %s, and the device's certificate %s", ErrMalformed, dotted(version), dotted(factory))
	}
	return Fact{Answer: Yes, Value: dotted(version)}, nil
}

func dotted(version []byte) string {
	return fmt.Sprintf("%d.%d.%d", version[0], version[1], version[2])
}

// serial reads the serial number. Firmware 4 leaves it out where the device is
// configured not to show it; later firmware always writes it.
func serial(leaf *x509.Certificate, firmware string) (Fact, error) {
	value, ok := extension(leaf, oidSerial)
	if !ok {
		if before5, err := FirmwareBelow(firmware, "5.0.0"); err != nil || !before5 {
			return Fact{}, missing("serial number", oidSerial)
		}
		return Fact{Why: "the attestation does not name its device, as firmware 4 may do"}, nil
	}
	return serialNumber(value)
}

func serialNumber(value []byte) (Fact, error) {
	number, ok := derUint32(value)
	if !ok {
		return Fact{}, fmt.Errorf("%w: the serial number is no INTEGER of 32 bits", ErrMalformed)
	}
	if number == 0 {
		return Fact{Why: "the attestation gives 0, which is no serial number"}, nil
	}
	return Fact{Answer: Yes, Value: strconv.FormatUint(uint64(number), 10)}, nil
}

// derUint32 reads an INTEGER that fills the value. Zeros in front are taken,
// although DER forbids them: firmware may write four bytes for every number.
func derUint32(value []byte) (uint32, bool) {
	if len(value) < 3 || len(value) > 7 || value[0] != asn1.TagInteger || int(value[1]) != len(value)-2 {
		return 0, false
	}
	digits := value[2:]
	if digits[0]&0x80 != 0 || len(digits) == 5 && digits[0] != 0 {
		return 0, false
	}
	var padded [8]byte
	copy(padded[8-len(digits):], digits)
	return uint32(binary.BigEndian.Uint64(padded[:])), true
}

var pinPolicies = map[byte]string{1: "never", 2: "once", 3: "always", 4: "match-once", 5: "match-always"}

var touchPolicies = map[byte]string{1: "never", 2: "always", 3: "cached"}

func policies(leaf *x509.Certificate) (pin, touch Fact, err error) {
	value, err := bytesOf(leaf, oidPolicy, "PIN and touch policy", 2)
	if err != nil {
		return Fact{}, Fact{}, err
	}
	if value == nil {
		return Fact{}, Fact{}, missing("PIN and touch policy", oidPolicy)
	}
	return lookUp(pinPolicies, value[0], "PIN policy"), lookUp(touchPolicies, value[1], "touch policy"), nil
}

// The bit that firmware sets in the form factor of devices of the FIPS series.
// It is not the mark: see fips.
const fipsBit = 0x80

var formFactors = map[byte]string{
	1: "usb-a-keychain", 2: "usb-a-nano", 3: "usb-c-keychain", 4: "usb-c-nano", 5: "usb-c-lightning",
	6: "usb-a-bio", 7: "usb-c-bio",
}

// formFactor is not written by firmware 4.
func formFactor(leaf *x509.Certificate) (Fact, error) {
	value, err := bytesOf(leaf, oidFormFactor, "form factor", 1)
	if err != nil {
		return Fact{}, err
	}
	if value == nil {
		return Fact{Why: "the attestation does not give the form factor, as firmware 4 does not"}, nil
	}
	return lookUp(formFactors, value[0]&^fipsBit, "form factor"), nil
}

// fips looks for the mark in the certificate that the factory wrote, where
// Yubico documents it. The device does not sign it and cannot add it.
func fips(device *x509.Certificate) Fact {
	if _, ok := extension(device, oidFIPS); ok {
		return Fact{Answer: Yes}
	}
	return Fact{Answer: No, Why: "the device's certificate bears no FIPS mark (" + oidFIPS.String() + ")"}
}

// lookUp looks a byte up. A value that is not known is not an error: later
// firmware may have more of them. It is not an answer either.
func lookUp(names map[byte]string, value byte, what string) Fact {
	if n, ok := names[value]; ok {
		return Fact{Answer: Yes, Value: n}
	}
	return Fact{Why: fmt.Sprintf("the %s 0x%02x is not known to this version", what, value)}
}

func missing(what string, oid asn1.ObjectIdentifier) error {
	return fmt.Errorf("%w: it does not give the %s (%s)", ErrIncomplete, what, oid)
}

// bytesOf reads an extension of so many bytes; nil if it is not there. Devices
// write the bytes as they are, where RFC 5280 wants DER. An OCTET STRING around
// them is taken too: the lengths tell the two apart.
func bytesOf(c *x509.Certificate, oid asn1.ObjectIdentifier, what string, length int) ([]byte, error) {
	value, ok := extension(c, oid)
	if !ok {
		return nil, nil
	}
	if len(value) == length+2 && value[0] == asn1.TagOctetString && int(value[1]) == length {
		value = value[2:]
	}
	if len(value) != length {
		return nil, fmt.Errorf("%w: the %s has %d bytes, not %d", ErrMalformed, what, len(value), length)
	}
	return value, nil
}
