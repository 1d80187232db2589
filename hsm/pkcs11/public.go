//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"math/big"

	p11 "github.com/miekg/pkcs11"
)

// The binding has no name for keys on Edwards curves.
const keyTypeEdwards = 0x40 // CKK_EC_EDWARDS

// curve is one of ECDSA's that is signed with.
type curve struct {
	curve  elliptic.Curve
	params []byte // CKA_EC_PARAMS: the curve's OID in DER
	size   int    // bytes of a coordinate, and of each half of a signature
}

var curves = []curve{
	{elliptic.P256(), []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}, 32}, // 1.2.840.10045.3.1.7
	{elliptic.P384(), []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}, 48},                   // 1.3.132.0.34
}

// edwardsParams are the two ways to say Ed25519: a PrintableString and the OID
// 1.3.101.112. The OID that GNU gave it is not among them: NSS makes a key of
// another curve for it.
var edwardsParams = [][]byte{
	append([]byte{0x13, 12}, "edwards25519"...),
	{0x06, 0x03, 0x2B, 0x65, 0x70},
}

// Sizes of RSA keys that are listed, in bits. Smaller ones are broken or nearly
// so, and larger ones are no device's.
const (
	minRSA = 2048
	maxRSA = 8192
)

// maxSignature is the longest signature of a key that is listed, in bytes.
const maxSignature = maxRSA / 8

// publicAttributes are those that describe the public half of any key.
var publicAttributes = []uint{p11.CKA_KEY_TYPE, p11.CKA_EC_PARAMS, p11.CKA_EC_POINT, p11.CKA_MODULUS, p11.CKA_PUBLIC_EXPONENT}

// decodePublic reads a public key from its attributes, if it is of a kind that
// is signed with.
func decodePublic(values map[uint][]byte) (crypto.PublicKey, bool) {
	keyType, ok := ulong(values[p11.CKA_KEY_TYPE])
	if !ok {
		return nil, false
	}
	switch keyType {
	case p11.CKK_EC:
		for _, c := range curves {
			if bytes.Equal(values[p11.CKA_EC_PARAMS], c.params) {
				return c.decode(values[p11.CKA_EC_POINT])
			}
		}
	case keyTypeEdwards:
		return decodeEdwards(values[p11.CKA_EC_PARAMS], values[p11.CKA_EC_POINT])
	case p11.CKK_RSA:
		return decodeRSA(values[p11.CKA_MODULUS], values[p11.CKA_PUBLIC_EXPONENT])
	}
	return nil, false
}

// decode reads an uncompressed point.
func (c curve) decode(point []byte) (crypto.PublicKey, bool) {
	raw, ok := unwrap(point, 1+2*c.size)
	if !ok {
		return nil, false
	}
	public, err := ecdsa.ParseUncompressedPublicKey(c.curve, raw)
	return public, err == nil
}

// unwrap takes a point of a known size, by the standard within a DER OCTET
// STRING, from some modules without. The length tells which: both forms of a
// point begin with 04.
func unwrap(point []byte, size int) ([]byte, bool) {
	if len(point) == size+2 {
		raw, ok := bytes.CutPrefix(point, []byte{0x04, byte(size)})
		return raw, ok
	}
	return point, len(point) == size
}

func decodeEdwards(params, point []byte) (crypto.PublicKey, bool) {
	for _, p := range edwardsParams {
		if bytes.Equal(params, p) {
			raw, ok := unwrap(point, ed25519.PublicKeySize)
			return ed25519.PublicKey(raw), ok
		}
	}
	return nil, false
}

func decodeRSA(modulus, exponent []byte) (crypto.PublicKey, bool) {
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	if n.BitLen() < minRSA || n.BitLen() > maxRSA || n.Bit(0) == 0 || e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 {
		return nil, false
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, true
}

// ulong reads a CK_ULONG, which is as wide as the machine's long.
func ulong(value []byte) (uint64, bool) {
	switch len(value) {
	case 8:
		return binary.NativeEndian.Uint64(value), true
	case 4:
		return uint64(binary.NativeEndian.Uint32(value)), true
	}
	return 0, false
}

// samePublic compares two public keys of any kind.
func samePublic(a, b crypto.PublicKey) bool {
	public, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && public.Equal(b)
}

// keyType is CKA_KEY_TYPE of a key's private half.
func keyType(public crypto.PublicKey) uint {
	switch public.(type) {
	case *rsa.PublicKey:
		return p11.CKK_RSA
	case ed25519.PublicKey:
		return keyTypeEdwards
	}
	return p11.CKK_EC
}
