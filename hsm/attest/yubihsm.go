package attest

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Extensions of what a YubiHSM 2 attests, and of its own certificate
// (https://docs.yubico.com/hardware/oid/oid-product-arc.html). All are DER: the
// firmware an OCTET STRING, numbers INTEGERs, sets BIT STRINGs of whole bytes.
var (
	oidHSM          = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4}
	oidHSMFirmware  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 1}
	oidHSMSerial    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 2} // in the device's certificate too
	oidOrigin       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 3}
	oidDomains      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 4}
	oidCapabilities = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 5}
	oidObject       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 6}
	oidLabel        = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 9}
	oidHSMFIPS      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, 10}
)

// hsmSubject begins the subject of the device's certificate, with its serial
// number in brackets behind, and of what it attests, with the object's ID.
const hsmSubject = "YubiHSM Attestation "

// Firmware 2.1 writes a colon where Yubico's documents have a space.
var objectSubjects = []string{hsmSubject + "id:", hsmSubject + "id "}

// objectOf is the object ID in the subject of an attestation, "0x0003".
func objectOf(c *x509.Certificate) (id string, ok bool) {
	for _, prefix := range objectSubjects {
		if id, ok := strings.CutPrefix(c.Subject.CommonName, prefix); ok && onlyName(c.Subject, c.Subject.CommonName) {
			return id, true
		}
	}
	return "", false
}

func attestsObject(c *x509.Certificate) bool {
	_, ok := objectOf(c)
	return ok
}

// isYubiHSM says whether a certificate is the one that the factory puts into a
// YubiHSM 2, as opaque object 0.
func isYubiHSM(c *x509.Certificate) bool {
	return !isAttestation(c) && (strings.HasPrefix(c.Subject.CommonName, hsmSubject) || slices.ContainsFunc(c.Extensions, below(oidHSM)))
}

func checkObject(c *x509.Certificate) error {
	id, ok := objectOf(c)
	switch number, valid := parseObject(id); {
	case c.IsCA || strings.HasPrefix(c.Subject.CommonName, hsmSubject+"("):
		return errors.New("it is the certificate of a YubiHSM 2 itself (its opaque object 0) or a CA's")
	case !ok:
		return fmt.Errorf("its subject %q names no object", name(c))
	case !valid:
		return fmt.Errorf("its subject names %q, which is no object ID", clean(id))
	case number == 0:
		return errors.New("it attests object 0x0000, the device's own key, which signs nothing but attestations")
	}
	return nil
}

// parseObject reads "0x0003".
func parseObject(id string) (uint16, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, "0x"), 16, 16)
	return uint16(n), err == nil && strings.EqualFold(id, object(uint16(n)))
}

func object(id uint16) string { return fmt.Sprintf("0x%04x", id) }

// readObject reads what a YubiHSM 2 says of a key. What it does not have is
// Unknown: no rule that asks for it is met.
func readObject(facts Facts, leaf, device *x509.Certificate) (Facts, error) {
	facts.Device = YubiHSM
	facts.Slot = Fact{Why: "a YubiHSM 2 keeps keys as objects, not in slots"}
	facts.FormFactor = Fact{Why: "a YubiHSM 2 attests no form factor"}
	facts.PINPolicy = Fact{Why: "a YubiHSM 2 has no PIN: any program with the password of one of its authentication keys can sign"}
	facts.TouchPolicy = Fact{Why: "a YubiHSM 2 does not wait for a finger"}
	facts.FIPS = hsmFIPS(leaf, device)
	var err error
	if facts.Firmware, err = firmware(leaf, device, oidHSMFirmware); err != nil {
		return Facts{}, err
	}
	if facts.Serial, err = hsmSerial(leaf, device); err != nil {
		return Facts{}, err
	}
	if facts.Origin, facts.Generated, err = origin(leaf); err != nil {
		return Facts{}, err
	}
	if facts.Domains, err = domains(leaf); err != nil {
		return Facts{}, err
	}
	if facts.Capabilities, err = capabilities(leaf); err != nil {
		return Facts{}, err
	}
	if facts.Object, err = objectID(leaf); err != nil {
		return Facts{}, err
	}
	if facts.Label, err = label(leaf); err != nil {
		return Facts{}, err
	}
	facts.Advisory = hsmAdvisory(leaf.PublicKey, facts.Firmware.Value)
	return facts, nil
}

// hsmSerial reads the serial number. The factory has certified it for each
// device, in an extension and in the subject: if they differ, someone else signs
// with the device's key.
func hsmSerial(leaf, device *x509.Certificate) (Fact, error) {
	value, ok := extension(leaf, oidHSMSerial)
	if !ok {
		return Fact{}, missing("serial number", oidHSMSerial)
	}
	fact, err := serialNumber(value)
	if err != nil {
		return Fact{}, err
	}
	if value, ok := extension(device, oidHSMSerial); ok {
		factory, err := serialNumber(value)
		if err != nil {
			return Fact{}, fmt.Errorf("the device's certificate: %w", err)
		}
		if factory.Value != fact.Value {
			return Fact{}, fmt.Errorf("%w: the attestation says serial number %q, and the device's certificate %q", ErrMalformed, fact.Value, factory.Value)
		}
	}
	if named, ok := strings.CutPrefix(device.Subject.CommonName, hsmSubject+"("); ok && strings.TrimLeft(strings.TrimSuffix(named, ")"), "0") != fact.Value {
		return Fact{}, fmt.Errorf("%w: the attestation says serial number %q, and the device's certificate is of %q", ErrMalformed, fact.Value, name(device))
	}
	return fact, nil
}

// Bits of the origin. The third comes with one of the others, which is how the
// key came to be in the device that it was exported from.
const (
	originGenerated = 0x01
	originImported  = 0x02
	originWrapped   = 0x10
)

// origin reads one byte. A device attests whatever it has, so this decides
// whether there is another copy. The names are those that yubihsm-shell prints.
func origin(leaf *x509.Certificate) (from, generated Fact, err error) {
	value, err := bitString(leaf, oidOrigin, "origin", 1)
	if err != nil {
		return Fact{}, Fact{}, err
	}
	switch value[0] {
	case originGenerated:
		return Fact{Answer: Yes, Value: "generated"}, Fact{Answer: Yes}, nil
	case originImported:
		return Fact{Answer: Yes, Value: "imported"}, Fact{Answer: No, Why: "the key was imported: it was made elsewhere, and there may be copies"}, nil
	case originGenerated | originWrapped:
		return Fact{Answer: Yes, Value: "generated:imported_wrapped"}, Fact{Answer: No, Why: "the key was made in another device and imported under wrap: there may be copies"}, nil
	case originImported | originWrapped:
		return Fact{Answer: Yes, Value: "imported:imported_wrapped"}, Fact{Answer: No, Why: "the key was imported into another device, and from there into this one: there may be copies"}, nil
	}
	why := fmt.Sprintf("the origin 0x%02x is not known to this version", value[0])
	return Fact{Why: why}, Fact{Why: why}, nil
}

// objectID must be the one in the subject, too.
func objectID(leaf *x509.Certificate) (Fact, error) {
	value, ok := extension(leaf, oidObject)
	if !ok {
		return Fact{}, missing("object ID", oidObject)
	}
	id, ok := derUint32(value)
	if !ok || id > 0xffff {
		return Fact{}, fmt.Errorf("%w: the object ID is no INTEGER of 16 bits", ErrMalformed)
	}
	named, _ := objectOf(leaf)
	if !strings.EqualFold(named, object(uint16(id))) {
		return Fact{}, fmt.Errorf("%w: the extensions say object %s, and the subject %q", ErrMalformed, object(uint16(id)), clean(named))
	}
	return Fact{Answer: Yes, Value: object(uint16(id))}, nil
}

// maxLabel is the longest label that a device keeps, in bytes.
const maxLabel = 40

// label reads what somebody typed when the key was made. It proves nothing and
// may hold any bytes, so it may be missing, and is never compared.
func label(leaf *x509.Certificate) (Fact, error) {
	value, ok := extension(leaf, oidLabel)
	if !ok {
		return Fact{Why: "the attestation does not give a label"}, nil
	}
	if len(value) < 2 || len(value) > maxLabel+2 || value[0] != asn1.TagUTF8String || int(value[1]) != len(value)-2 {
		return Fact{}, fmt.Errorf("%w: the label is no UTF8String of at most %d bytes", ErrMalformed, maxLabel)
	}
	text := strings.TrimRight(string(value[2:]), "\x00")
	if text == "" {
		return Fact{Answer: No, Why: "the key has no label"}, nil
	}
	return Fact{Answer: Yes, Value: clean(text)}, nil
}

// hsmFIPS looks for the mark where the factory writes, as for YubiKeys. Yubico
// documents the number for the arc and not in which certificate it stands: in
// the attestation alone it is the device's word, and settles nothing.
func hsmFIPS(leaf, device *x509.Certificate) Fact {
	if _, ok := extension(device, oidHSMFIPS); ok {
		return Fact{Answer: Yes}
	}
	if _, ok := extension(leaf, oidHSMFIPS); ok {
		return Fact{Why: "the attestation bears a FIPS mark (" + oidHSMFIPS.String() + "), and the device's certificate does not"}
	}
	return Fact{Answer: No, Why: "the device's certificate bears no FIPS mark (" + oidHSMFIPS.String() + ")"}
}

// bitString reads a BIT STRING of so many whole bytes.
func bitString(c *x509.Certificate, oid asn1.ObjectIdentifier, what string, length int) ([]byte, error) {
	value, ok := extension(c, oid)
	if !ok {
		return nil, missing(what, oid)
	}
	if len(value) != length+3 || value[0] != asn1.TagBitString || int(value[1]) != length+1 || value[2] != 0 {
		return nil, fmt.Errorf("%w: the %s: it is no BIT STRING of %d bytes", ErrMalformed, what, length)
	}
	return value[3:], nil
}
