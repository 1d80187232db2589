package virtual

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
)

// authenticate is GENERAL AUTHENTICATE: with 9B the proof of the management
// key, with a key slot everything that a private key does.
func (p *pivApplet) authenticate(c command) ([]byte, status) {
	outer, whole := parseTLV(c.data)
	fields, inside := parseTLV(field(outer, tagDynamic))
	if !whole || !inside || len(fields) == 0 {
		return nil, wrongData
	}
	if c.p2 == slotManagement {
		return p.authenticateManager(c, fields)
	}
	if !isKeySlot(c.p2) || c.p2 == slotAttestation {
		return nil, wrongParameters
	}
	k, found := p.keys[c.p2]
	if !found || k.algorithm != c.p1 {
		return nil, wrongData
	}
	return p.usePrivate(k, fields)
}

// usePrivate looks at the PIN, waits to be touched, and then computes.
func (p *pivApplet) usePrivate(k *key, fields []tlv) ([]byte, status) {
	allowed := k.pin == pinNever || k.pin == pinOnce && p.pinVerified || k.pin == pinAlways && p.pinFresh
	p.pinFresh = false
	if !allowed || !p.touched(k.touch) {
		return nil, securityStatus
	}
	out, err := k.compute(field(fields, tagChallenge), field(fields, tagExponent))
	if err != nil {
		return nil, wrongData
	}
	return encodeTLV(tagDynamic, encodeTLV(tagResponse, out)), ok
}

func (p *pivApplet) touched(policy byte) bool { return p.bench.touch(policy) }

// compute signs, or decrypts, or agrees on a secret with another's point.
func (k *key) compute(challenge, point []byte) ([]byte, error) {
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		if point != nil {
			return agree(private, point)
		}
		if len(challenge) == 0 || len(challenge) > (private.Curve.Params().BitSize+7)/8 {
			return nil, errLength
		}
		return ecdsa.SignASN1(rand.Reader, private, challenge)
	case ed25519.PrivateKey:
		return private.Sign(nil, challenge, crypto.Hash(0))
	case *ecdh.PrivateKey:
		return agreeOn(private, point)
	case *rsa.PrivateKey:
		return rsaRaw(private, challenge)
	}
	return nil, errLength
}

func agree(private *ecdsa.PrivateKey, point []byte) ([]byte, error) {
	own, err := private.ECDH()
	if err != nil {
		return nil, err
	}
	return agreeOn(own, point)
}

func agreeOn(own *ecdh.PrivateKey, point []byte) ([]byte, error) {
	other, err := own.Curve().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return own.ECDH(other)
}

// rsaRaw is the bare operation: the host has done the padding.
func rsaRaw(private *rsa.PrivateKey, data []byte) ([]byte, error) {
	m := new(big.Int).SetBytes(data)
	if len(data) != private.Size() || m.Cmp(private.N) >= 0 {
		return nil, errLength
	}
	return m.Exp(m, private.D, private.N).FillBytes(make([]byte, private.Size())), nil
}
