package tufmeta

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"io"

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
	for _, c := range canonical {
		switch {
		case c == '\n':
			*size++
		case c < 0x20:
			*size += jsonSize(len(`\u0000`) - 1)
		}
	}
	return len(canonical), nil
}
