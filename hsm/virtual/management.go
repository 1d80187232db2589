package virtual

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
)

// managementKey is the symmetric key that whoever provisions a card proves.
type managementKey struct {
	algorithm byte
	value     []byte
	touch     byte
}

const (
	algorithm3DES   = 0x03
	algorithmAES128 = 0x08
	algorithmAES192 = 0x0a
	algorithmAES256 = 0x0c
)

var managementKeyLengths = map[byte]int{
	algorithm3DES: 24, algorithmAES128: 16, algorithmAES192: 24, algorithmAES256: 32,
}

var factoryManagementKey = bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 3)

// defaultManagementKey has the same bytes in all firmware, and is an AES key
// from 5.7 on.
func defaultManagementKey(version firmware) managementKey {
	k := managementKey{algorithm: algorithm3DES, value: factoryManagementKey, touch: touchNever}
	if version.atLeast(5, 7) {
		k.algorithm = algorithmAES192
	}
	return k
}

func (k managementKey) cipher() (cipher.Block, error) {
	if k.algorithm == algorithm3DES {
		return des.NewTripleDESCipher(k.value)
	}
	return aes.NewCipher(k.value)
}

const (
	tagWitness   = 0x80
	tagChallenge = 0x81
	tagResponse  = 0x82
	tagExponent  = 0x85
	tagDynamic   = 0x7c // the template around them
)

// authenticateManager is GENERAL AUTHENTICATE with the management key, both
// ways that the standard knows.
//
//	mutual:   7C{80 ''} -> 7C{80 Enc(W)},  7C{80 W, 81 C} -> 7C{82 Enc(C)}
//	one-way:  7C{81 ''} -> 7C{81 C},       7C{82 Enc(C)}  -> nothing
func (p *pivApplet) authenticateManager(c command, fields []tlv) ([]byte, status) {
	asked := c.p1
	if asked == 0 { // the standard's other name for it
		asked = algorithm3DES
	}
	if asked != p.management.algorithm {
		return nil, wrongParameters
	}
	block, err := p.management.cipher()
	if err != nil {
		return nil, noDiagnosis
	}
	witness, challenge, response := field(fields, tagWitness), field(fields, tagChallenge), field(fields, tagResponse)
	switch {
	case len(fields) == 1 && witness != nil && len(witness) == 0:
		return p.sendWitness(block)
	case len(fields) == 1 && challenge != nil && len(challenge) == 0:
		p.witness, p.challenge = nil, randomBytes(block.BlockSize())
		return encodeTLV(tagDynamic, encodeTLV(tagChallenge, p.challenge)), ok
	case len(witness) > 0 && len(challenge) == block.BlockSize():
		return p.checkWitness(block, witness, challenge)
	case len(response) > 0:
		return nil, p.checkResponse(block, response)
	}
	return nil, wrongData
}

func (p *pivApplet) sendWitness(block cipher.Block) ([]byte, status) {
	p.challenge, p.witness = nil, randomBytes(block.BlockSize())
	sealed := make([]byte, block.BlockSize())
	block.Encrypt(sealed, p.witness)
	return encodeTLV(tagDynamic, encodeTLV(tagWitness, sealed)), ok
}

func (p *pivApplet) checkWitness(block cipher.Block, witness, challenge []byte) ([]byte, status) {
	expected := p.witness
	p.witness, p.manager = nil, false
	if expected == nil || subtle.ConstantTimeCompare(expected, witness) != 1 {
		return nil, securityStatus
	}
	if !p.touched(p.management.touch) {
		return nil, securityStatus
	}
	sealed := make([]byte, block.BlockSize())
	block.Encrypt(sealed, challenge)
	p.manager = true
	return encodeTLV(tagDynamic, encodeTLV(tagResponse, sealed)), ok
}

func (p *pivApplet) checkResponse(block cipher.Block, response []byte) status {
	if p.challenge == nil {
		return wrongData
	}
	sealed := make([]byte, block.BlockSize())
	block.Encrypt(sealed, p.challenge)
	p.challenge, p.manager = nil, false
	if subtle.ConstantTimeCompare(sealed, response) != 1 || !p.touched(p.management.touch) {
		return securityStatus
	}
	p.manager = true
	return ok
}

// setManagementKey is SET MANAGEMENT KEY: algorithm, 9B, length, key.
func (p *pivApplet) setManagementKey(c command) ([]byte, status) {
	touch := map[byte]byte{0xff: touchNever, 0xfe: touchAlways, 0xfd: touchCached}[c.p2]
	if c.p1 != 0xff || touch == 0 {
		return nil, wrongParameters
	}
	if len(c.data) < 3 || c.data[1] != slotManagement {
		return nil, wrongData
	}
	algorithm, value := c.data[0], c.data[3:]
	length, known := managementKeyLengths[algorithm]
	switch {
	case !known, length != len(value), int(c.data[2]) != length:
		return nil, wrongData
	case algorithm != algorithm3DES && !p.version.atLeast(5, 4):
		return nil, wrongData
	}
	p.management = managementKey{algorithm: algorithm, value: bytes.Clone(value), touch: touch}
	return nil, ok
}
