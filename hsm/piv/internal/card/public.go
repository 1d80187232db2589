package card

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
)

// Algorithms of keys: SP 800-78-4, and Yubico's extensions of firmware 5.7.
const (
	RSA3072   byte = 0x05
	RSA1024   byte = 0x06
	RSA2048   byte = 0x07
	P256      byte = 0x11
	P384      byte = 0x14
	RSA4096   byte = 0x16
	Ed25519   byte = 0xE0
	X25519    byte = 0xE1
	TripleDES byte = 0x03
	AES128    byte = 0x08
	AES192    byte = 0x0A
	AES256    byte = 0x0C
)

// ErrNoSigningKey: the key is of a kind that does not sign.
var ErrNoSigningKey = errors.New("the key is of a kind that does not sign")

var errPublicKey = malformed("it holds no public key of that kind")

const (
	tagModulus  = 0x81
	tagExponent = 0x82
	tagPoint    = 0x86
)

// PublicKey reads the public key that metadata and generation give: a modulus
// and an exponent, or a point.
func PublicKey(algorithm byte, encoded []byte) (crypto.PublicKey, error) {
	elements, err := readAll(encoded)
	if err != nil {
		return nil, err
	}
	switch algorithm {
	case P256:
		return ecPublicKey(elliptic.P256(), find(elements, tagPoint))
	case P384:
		return ecPublicKey(elliptic.P384(), find(elements, tagPoint))
	case Ed25519:
		if point := find(elements, tagPoint); len(point) == ed25519.PublicKeySize {
			return ed25519.PublicKey(point), nil
		}
		return nil, errPublicKey
	case RSA1024, RSA2048, RSA3072, RSA4096:
		return rsaPublicKey(algorithm, find(elements, tagModulus), find(elements, tagExponent))
	}
	return nil, ErrNoSigningKey
}

func ecPublicKey(curve elliptic.Curve, point []byte) (crypto.PublicKey, error) {
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, errPublicKey // a point that is not on the curve, too
	}
	return public, nil
}

func rsaPublicKey(algorithm byte, modulus, exponent []byte) (crypto.PublicKey, error) {
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	if n.BitLen() != rsaBits[algorithm] || !e.IsInt64() || e.Int64() < 3 || e.Int64() >= 1<<31 || e.Bit(0) == 0 {
		return nil, errPublicKey
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

var rsaBits = map[byte]int{RSA1024: 1024, RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}

// AlgorithmOf is the algorithm of a public key, or 0.
func AlgorithmOf(public crypto.PublicKey) byte {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return P256
		case elliptic.P384():
			return P384
		}
	case ed25519.PublicKey:
		return Ed25519
	case *rsa.PublicKey:
		for algorithm, bits := range rsaBits {
			if key.N.BitLen() == bits {
				return algorithm
			}
		}
	}
	return 0
}
