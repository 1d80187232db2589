package attest

import (
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
)

// What a key in a YubiHSM 2 needs in order to sign metadata: on a curve the
// first, of RSA the second. A key of RSA that was made through PKCS#11 has the
// third besides. The last lets a wrap key carry it out of the device.
const (
	CapabilitySign       = "sign-ecdsa"
	CapabilitySignPSS    = "sign-pss"
	CapabilitySignPKCS   = "sign-pkcs"
	CapabilityExportable = "exportable-under-wrap"
)

// capabilityNames are the bits of a capability set, from the least significant
// one on, by the names of
// https://docs.yubico.com/hardware/yubihsm-2/hsm-2-user-guide/hsm2-core-concepts.html.
// An empty name is a bit that has none.
var capabilityNames = [64]string{
	0x00: "get-opaque", 0x01: "put-opaque",
	0x02: "put-authentication-key", 0x03: "put-asymmetric-key", 0x04: "generate-asymmetric-key",
	0x05: CapabilitySignPKCS, 0x06: CapabilitySignPSS, 0x07: CapabilitySign, 0x08: "sign-eddsa",
	0x09: "decrypt-pkcs", 0x0a: "decrypt-oaep", 0x0b: "derive-ecdh",
	0x0c: "export-wrapped", 0x0d: "import-wrapped", 0x0e: "put-wrap-key", 0x0f: "generate-wrap-key",
	0x10: CapabilityExportable,
	0x11: "set-option", 0x12: "get-option", 0x13: "get-pseudo-random",
	0x14: "put-mac-key", 0x15: "generate-hmac-key", 0x16: "sign-hmac", 0x17: "verify-hmac",
	0x18: "get-log-entries", 0x19: "sign-ssh-certificate",
	0x1a: "get-template", 0x1b: "put-template", 0x1c: "reset-device",
	0x1d: "decrypt-otp", 0x1e: "create-otp-aead", 0x1f: "randomize-otp-aead",
	0x20: "rewrap-from-otp-aead-key", 0x21: "rewrap-to-otp-aead-key",
	0x22: "sign-attestation-certificate",
	0x23: "put-otp-aead-key", 0x24: "generate-otp-aead-key",
	0x25: "wrap-data", 0x26: "unwrap-data",
	0x27: "delete-opaque", 0x28: "delete-authentication-key", 0x29: "delete-asymmetric-key",
	0x2a: "delete-wrap-key", 0x2b: "delete-hmac-key", 0x2c: "delete-template", 0x2d: "delete-otp-aead-key",
	0x2e: "change-authentication-key",
	0x2f: "put-symmetric-key", 0x30: "generate-symmetric-key", 0x31: "delete-symmetric-key",
	0x32: "decrypt-ecb", 0x33: "encrypt-ecb", 0x34: "decrypt-cbc", 0x35: "encrypt-cbc",
	0x36: "put-public-wrap-key", 0x37: "delete-public-wrap-key",
}

const separator = ", "

// capabilities reads eight bytes, the highest bit first. A bit without a name
// is given by its number: later firmware may have more of them, and whoever
// judges must see that it is set.
func capabilities(leaf *x509.Certificate) (Fact, error) {
	bits, err := bitString(leaf, oidCapabilities, "capabilities", 8)
	if err != nil {
		return Fact{}, err
	}
	var names []string
	for _, bit := range set(bits) {
		n := capabilityNames[bit]
		if n == "" {
			n = fmt.Sprintf("capability-%d", bit)
		}
		names = append(names, n)
	}
	if len(names) == 0 {
		return Fact{Answer: No, Why: "the key has no capability: it can do nothing"}, nil
	}
	return Fact{Answer: Yes, Value: strings.Join(names, separator)}, nil
}

// domains reads two bytes. The lowest bit is domain 1.
func domains(leaf *x509.Certificate) (Fact, error) {
	bits, err := bitString(leaf, oidDomains, "domains", 2)
	if err != nil {
		return Fact{}, err
	}
	var names []string
	for _, bit := range set(bits) {
		names = append(names, strconv.Itoa(bit+1))
	}
	if len(names) == 0 {
		return Fact{Answer: No, Why: "the key is in no domain: nobody can use it"}, nil
	}
	return Fact{Answer: Yes, Value: strings.Join(names, separator)}, nil
}

// set lists the bits that are set, the lowest first.
func set(bits []byte) []int {
	var list []int
	for i := range 8 * len(bits) {
		if bits[len(bits)-1-i/8]>>(i%8)&1 == 1 {
			list = append(list, i)
		}
	}
	return list
}

// CapabilityNames lists what the key may do, by the names of Yubico's
// documents, "capability-63" where a bit has none. It is empty where the key
// may do nothing, and for a YubiKey, which has no such thing.
func (f Facts) CapabilityNames() []string {
	if f.Capabilities.Value == "" {
		return nil
	}
	return strings.Split(f.Capabilities.Value, separator)
}
