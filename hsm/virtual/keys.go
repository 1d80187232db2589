package virtual

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
)

// key is a key pair in a slot.
type key struct {
	algorithm  byte
	private    crypto.PrivateKey
	pin, touch byte // policies
	imported   bool
}

// Algorithms, and the firmware that brought those that were not always there.
const (
	algorithmRSA1024 = 0x06
	algorithmRSA2048 = 0x07
	algorithmRSA3072 = 0x05 // 5.7
	algorithmRSA4096 = 0x16 // 5.7
	algorithmP256    = 0x11
	algorithmP384    = 0x14
	algorithmEd25519 = 0xe0 // 5.7
	algorithmX25519  = 0xe1 // 5.7
)

var rsaBits = map[byte]int{
	algorithmRSA1024: 1024, algorithmRSA2048: 2048, algorithmRSA3072: 3072, algorithmRSA4096: 4096,
}

func (v firmware) knows(algorithm byte) bool {
	switch algorithm {
	case algorithmRSA1024, algorithmRSA2048, algorithmP256, algorithmP384:
		return true
	case algorithmRSA3072, algorithmRSA4096, algorithmEd25519, algorithmX25519:
		return v.atLeast(5, 7)
	}
	return false
}

const (
	pinNever    = 1
	pinOnce     = 2
	pinAlways   = 3
	touchNever  = 1
	touchAlways = 2
	touchCached = 3

	tagPINPolicy   = 0xaa
	tagTouchPolicy = 0xab
)

// policies reads both policies; 0 and no field mean the slot's default.
func policies(slot byte, fields []tlv) (pin, touch byte, sw status) {
	pin, touch = pinOnce, touchNever
	switch slot {
	case slotSignature:
		pin = pinAlways
	case slotCardAuth:
		pin = pinNever
	}
	for _, f := range fields {
		if f.tag != tagPINPolicy && f.tag != tagTouchPolicy {
			continue
		}
		if len(f.value) != 1 || f.value[0] > 3 {
			return 0, 0, wrongData
		}
		switch {
		case f.value[0] == 0:
		case f.tag == tagPINPolicy:
			pin = f.value[0]
		default:
			touch = f.value[0]
		}
	}
	return pin, touch, ok
}

// generate is GENERATE ASYMMETRIC KEY PAIR. It replaces what was in the slot.
func (p *pivApplet) generate(c command) ([]byte, status) {
	if c.p1 != 0 || !isKeySlot(c.p2) {
		return nil, wrongParameters
	}
	template, whole := parseTLV(c.data)
	control := field(template, 0xac)
	fields, inside := parseTLV(control)
	algorithm := field(fields, 0x80)
	if !whole || !inside || len(algorithm) != 1 || !p.version.knows(algorithm[0]) {
		return nil, wrongData
	}
	pin, touch, sw := policies(c.p2, fields)
	if sw != ok {
		return nil, sw
	}
	private, err := generateKey(algorithm[0])
	if err != nil {
		return nil, noDiagnosis
	}
	k := &key{algorithm: algorithm[0], private: private, pin: pin, touch: touch}
	p.keys[c.p2] = k
	return encodeTLV(0x7f49, k.public()), ok
}

func generateKey(algorithm byte) (crypto.PrivateKey, error) {
	switch algorithm {
	case algorithmP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algorithmP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case algorithmEd25519:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case algorithmX25519:
		return ecdh.X25519().GenerateKey(rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, rsaBits[algorithm])
}

// public is the public half as GENERATE and METADATA give it.
func (k *key) public() []byte {
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		point, err := private.PublicKey.Bytes()
		if err != nil {
			return nil
		}
		return encodeTLV(0x86, point)
	case ed25519.PrivateKey:
		return encodeTLV(0x86, private.Public().(ed25519.PublicKey))
	case *ecdh.PrivateKey:
		return encodeTLV(0x86, private.PublicKey().Bytes())
	case *rsa.PrivateKey:
		exponent := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, uint32(private.E)), "\x00")
		return append(encodeTLV(0x81, private.N.Bytes()), encodeTLV(0x82, exponent)...)
	}
	return nil
}

// publicKey is the public half as package crypto knows it.
func (k *key) publicKey() crypto.PublicKey {
	if private, isECDH := k.private.(*ecdh.PrivateKey); isECDH {
		return private.PublicKey()
	}
	return k.private.(crypto.Signer).Public()
}

// importKey is IMPORT ASYMMETRIC KEY.
func (p *pivApplet) importKey(c command) ([]byte, status) {
	if !isKeySlot(c.p2) {
		return nil, wrongParameters
	}
	fields, whole := parseTLV(c.data)
	if !whole || !p.version.knows(c.p1) {
		return nil, wrongData
	}
	pin, touch, sw := policies(c.p2, fields)
	if sw != ok {
		return nil, sw
	}
	private, err := parsePrivate(c.p1, fields)
	if err != nil || private == nil {
		return nil, wrongData
	}
	p.keys[c.p2] = &key{algorithm: c.p1, private: private, pin: pin, touch: touch, imported: true}
	return nil, ok
}

func parsePrivate(algorithm byte, fields []tlv) (crypto.PrivateKey, error) {
	switch algorithm {
	case algorithmP256:
		return ecdsa.ParseRawPrivateKey(elliptic.P256(), field(fields, 0x06))
	case algorithmP384:
		return ecdsa.ParseRawPrivateKey(elliptic.P384(), field(fields, 0x06))
	case algorithmEd25519:
		seed := field(fields, 0x07)
		if len(seed) != ed25519.SeedSize {
			return nil, errLength
		}
		return ed25519.NewKeyFromSeed(seed), nil
	case algorithmX25519:
		return ecdh.X25519().NewPrivateKey(field(fields, 0x08))
	}
	return parseRSA(rsaBits[algorithm], field(fields, 0x01), field(fields, 0x02))
}

// parseRSA takes the primes and leaves out dP, dQ and qInv, which follow from
// them: the public exponent is always 65537.
func parseRSA(bits int, p, q []byte) (*rsa.PrivateKey, error) {
	one := big.NewInt(1)
	primes := []*big.Int{new(big.Int).SetBytes(p), new(big.Int).SetBytes(q)}
	n := new(big.Int).Mul(primes[0], primes[1])
	totient := new(big.Int).Mul(new(big.Int).Sub(primes[0], one), new(big.Int).Sub(primes[1], one))
	private := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, Primes: primes}
	if n.BitLen() != bits {
		return nil, errLength
	}
	private.D = new(big.Int).ModInverse(big.NewInt(65537), totient)
	if private.D == nil {
		return nil, errLength
	}
	private.Precompute()
	return private, private.Validate()
}

// moveKey is MOVE KEY, from slot P2 to P1, where FF deletes.
func (p *pivApplet) moveKey(c command) ([]byte, status) {
	k, found := p.keys[c.p2]
	switch {
	case c.p1 != 0xff && (!isKeySlot(c.p1) || c.p1 == c.p2), c.p2 == slotAttestation:
		return nil, wrongParameters
	case !found:
		return nil, referenceNotFound
	case c.p1 != 0xff && p.keys[c.p1] != nil:
		return nil, wrongParameters
	}
	delete(p.keys, c.p2)
	if c.p1 != 0xff {
		p.keys[c.p1] = k
	}
	return nil, ok
}
