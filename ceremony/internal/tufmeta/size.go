package tufmeta

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/binary"
	"io"
	"math/bits"

	"tufceremony/ceremony/internal/spool"
)

// asn1Around is what DER puts around the two numbers of an ECDSA signature on
// the curves that TUF has: a sequence, two integers, and a sign byte for each.
const asn1Around = 8

// SignatureLength is the most bytes that a signature of the key can have; 0
// where the key cannot be used.
func (k *Key) SignatureLength() int {
	switch public := k.Public.(type) {
	case *ecdsa.PublicKey:
		return asn1Around + 2*((public.Curve.Params().BitSize+7)/8)
	case *rsa.PublicKey:
		return public.Size()
	case ed25519.PublicKey:
		return ed25519.SignatureSize
	}
	return 0
}

// JSONLength is the length of what JSON makes of canonical bytes.
func JSONLength(canonical []byte) int64 {
	size := jsonSize(len(canonical))
	_, _ = io.Copy(&size, spool.NewReader(canonical))
	return int64(size)
}

// jsonSize counts the bytes with the escapes of control characters.
type jsonSize int64

func (size *jsonSize) Write(canonical []byte) (int, error) {
	for rest := canonical; ; {
		i := Control(rest)
		if i == len(rest) {
			return len(canonical), nil
		}
		*size += jsonSize(len(`\u0000`) - 1)
		if rest[i] == '\n' {
			*size += jsonSize(len(`\n`) - len(`\u0000`))
		}
		rest = rest[i+1:]
	}
}

// Control finds the first control character, and the length where there is none.
// It looks at eight bytes at once: the highest bit of (x-n)&^x is set in each byte
// of x that is less than n, and perhaps in some that stand after such a byte, so the
// first one is always right.
func Control(b []byte) int {
	const each = 0x0101010101010101 // times a byte: that byte in all eight places
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		if found := (x - ' '*each) &^ x & (0x80 * each); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(b) && b[i] >= ' '; i++ {
	}
	return i
}
