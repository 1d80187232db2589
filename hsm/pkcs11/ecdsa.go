//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

const p256Size = 32 // bytes of a coordinate, and of each half of a signature

// p256Params is CKA_EC_PARAMS of P-256: the OID 1.2.840.10045.3.1.7 in DER.
var p256Params = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}

// decodeP256Point decodes CKA_EC_POINT: an uncompressed point, by the standard
// within a DER OCTET STRING, from some modules without. The length tells which:
// both forms begin with 04.
func decodeP256Point(point []byte) (*ecdsa.PublicKey, bool) {
	const rawSize = 1 + 2*p256Size
	if len(point) == rawSize+2 {
		unwrapped, ok := bytes.CutPrefix(point, []byte{0x04, rawSize})
		if !ok {
			return nil, false
		}
		point = unwrapped
	}
	if len(point) != rawSize {
		return nil, false
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	return public, err == nil
}

// encodeSignature turns r‖s, as PKCS#11 has it, into the DER that TUF wants.
// Each half must have its full width: a shorter signature cannot be split
// without guessing.
func encodeSignature(raw []byte, size int) ([]byte, error) {
	if len(raw) != 2*size {
		return nil, fmt.Errorf("the device returned a signature of %d bytes instead of %d", len(raw), 2*size)
	}
	r, s := new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])
	if r.Sign() == 0 || s.Sign() == 0 {
		return nil, errors.New("the device returned a signature with a zero in it")
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}
