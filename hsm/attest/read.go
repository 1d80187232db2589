package attest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Extensions of attestations and device certificates, below Yubico's arc for
// PIV (https://docs.yubico.com/hardware/oid/oid-piv-arc.html). Firmware,
// policies and form factor are raw bytes; the serial number is a DER INTEGER.
var (
	oidPIV              = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3}
	oidFirmware         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 3}  // 3 bytes: major, minor, patch
	oidSerial           = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 7}  // attestations only
	oidPolicy           = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}  // 2 bytes: PIN, touch; attestations only
	oidFormFactor       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 9}  // 1 byte; attestations only
	oidFIPS             = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 10} // device certificates only
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidCommonName       = asn1.ObjectIdentifier{2, 5, 4, 3}
)

// subject is what the device writes before the slot.
const subject = "YubiKey PIV Attestation "

func checkSlot(c *x509.Certificate) error {
	switch {
	case c.IsCA || onlyName(c.Subject, deviceName):
		return errors.New("it is the device's own certificate (slot f9) or a CA's")
	case !attestsSlot(c):
		return fmt.Errorf("its subject %q names no slot", name(c))
	}
	slot := strings.TrimPrefix(c.Subject.CommonName, subject)
	if slot == "f9" {
		return errors.New("it attests slot f9, the device's own key, which signs nothing but attestations")
	}
	if !validSlot(slot) {
		return fmt.Errorf("its subject names %q, which is no slot for keys", clean(slot))
	}
	return nil
}

// validSlot knows the slots of SP 800-73-4, part 1, table 4b, that hold keys.
func validSlot(slot string) bool {
	switch slot {
	case "9a", "9c", "9d", "9e":
		return true
	}
	n, err := strconv.ParseUint(slot, 16, 8)
	return err == nil && n >= 0x82 && n <= 0x95 && slot == fmt.Sprintf("%02x", n)
}

// attestsSlot goes by the subject, since attestations of old firmware have few
// extensions.
func attestsSlot(c *x509.Certificate) bool {
	return strings.HasPrefix(c.Subject.CommonName, subject) && onlyName(c.Subject, c.Subject.CommonName)
}

// isYubiKey says whether a certificate is of a YubiKey's slot f9.
func isYubiKey(c *x509.Certificate) bool {
	return !isAttestation(c) && (onlyName(c.Subject, deviceName) || slices.ContainsFunc(c.Extensions, below(oidPIV)))
}

// readFacts reads a verified chain.
func readFacts(chain []*x509.Certificate, trust *Trust) (Facts, error) {
	leaf, device, root := chain[0], chain[1], chain[len(chain)-1]
	if _, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok {
		return Facts{}, fmt.Errorf("%w: the attested key is of a kind that is not known", ErrMalformed)
	}
	facts := Facts{
		Chain:     Fact{Answer: Yes, Value: name(root)},
		Key:       leaf.PublicKey,
		Rehearsal: trust.rehearsal,
	}
	if anchor, _ := trust.root(root); anchor.origin == OriginFile {
		facts.Chain.Why = "trusted because a file names it; SHA-256 " + fingerprint(root)
	}
	if kindOf(leaf) == YubiHSM {
		return readObject(facts, leaf, device)
	}
	return readSlot(facts, leaf, device)
}

// readSlot reads what a YubiKey says of a key in its PIV application.
func readSlot(facts Facts, leaf, device *x509.Certificate) (Facts, error) {
	facts.Device = YubiKey
	facts.Slot = Fact{Answer: Yes, Value: strings.TrimPrefix(leaf.Subject.CommonName, subject)}
	facts.Generated = Fact{Answer: Yes}
	facts.FIPS = fips(device)
	var err error
	if facts.Firmware, err = firmware(leaf, device, oidFirmware); err != nil {
		return Facts{}, err
	}
	if facts.Serial, err = serial(leaf, facts.Firmware.Value); err != nil {
		return Facts{}, err
	}
	if facts.PINPolicy, facts.TouchPolicy, err = policies(leaf); err != nil {
		return Facts{}, err
	}
	if facts.FormFactor, err = formFactor(leaf); err != nil {
		return Facts{}, err
	}
	facts.Advisory = advisory(leaf.PublicKey, facts.Firmware.Value)
	return facts, nil
}

func is(oid asn1.ObjectIdentifier) func(pkix.Extension) bool {
	return func(e pkix.Extension) bool { return e.Id.Equal(oid) }
}

func below(arc asn1.ObjectIdentifier) func(pkix.Extension) bool {
	return func(e pkix.Extension) bool { return len(e.Id) > len(arc) && e.Id[:len(arc)].Equal(arc) }
}

// extension gives the value of an extension. RFC 5280 allows each once, and
// package x509 refuses certificates in which one stands twice.
func extension(c *x509.Certificate, oid asn1.ObjectIdentifier) (value []byte, ok bool) {
	i := slices.IndexFunc(c.Extensions, is(oid))
	if i < 0 {
		return nil, false
	}
	return c.Extensions[i].Value, true
}

// onlyName says whether a subject is this common name and nothing more.
func onlyName(n pkix.Name, commonName string) bool {
	return len(n.Names) == 1 && n.Names[0].Type.Equal(oidCommonName) && n.CommonName == commonName
}
