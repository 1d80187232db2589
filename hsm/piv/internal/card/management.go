package card

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// ErrKeyLength: a management key is not as long as keys of its type are.
var ErrKeyLength = errors.New("the management key does not have the length of its type")

// ManagementKeyLength is the length of a management key in bytes, or 0 for an
// algorithm that is none of them.
func ManagementKeyLength(algorithm byte) int {
	switch algorithm {
	case TripleDES, AES192:
		return 24
	case AES128:
		return 16
	case AES256:
		return 32
	}
	return 0
}

// Authenticate gives the management key, and has the card show that it knows
// the key too (SP 800-73-4, part 1, appendix A.1). 6982 says that it is wrong:
// the card does not count.
func (c *Card) Authenticate(algorithm byte, key []byte, random io.Reader) error {
	block, err := newCipher(algorithm, key)
	if err != nil {
		return err
	}
	size := block.BlockSize()
	witness, err := c.template(algorithm, wrap(tagWitness), tagWitness, size)
	if err != nil {
		return fmt.Errorf("asking for a witness: %w", err)
	}
	challenge := make([]byte, size)
	if _, err := io.ReadFull(random, challenge); err != nil {
		return fmt.Errorf("drawing a challenge: %w", err)
	}
	block.Decrypt(witness, witness)
	request := append(wrap(tagWitness, witness...), wrap(tagChallenge, challenge...)...)
	answer, err := c.template(algorithm, request, tagResponse, size)
	if err != nil {
		return fmt.Errorf("giving the key: %w", err)
	}
	block.Encrypt(challenge, challenge)
	if subtle.ConstantTimeCompare(answer, challenge) != 1 {
		return errors.New("the card does not know the management key that it accepted")
	}
	return nil
}

const (
	tagTemplate  = 0x7C
	tagWitness   = 0x80
	tagChallenge = 0x81
	tagResponse  = 0x82
)

// template exchanges dynamic authentication templates: it returns the field
// that the card answers with, in a slice of its own.
func (c *Card) template(algorithm byte, fields []byte, want uint16, size int) ([]byte, error) {
	reply, err := c.command(insAuthenticate, algorithm, RefManagementKey, wrap(tagTemplate, fields...))
	if err != nil {
		return nil, err
	}
	value, err := unwrap(reply, tagTemplate)
	if err != nil {
		return nil, err
	}
	if value, err = unwrap(value, want); err != nil {
		return nil, err
	}
	if len(value) != size {
		return nil, malformed("it has %d bytes instead of %d", len(value), size)
	}
	return append([]byte(nil), value...), nil
}

func newCipher(algorithm byte, key []byte) (cipher.Block, error) {
	want := ManagementKeyLength(algorithm)
	switch {
	case want == 0:
		return nil, fmt.Errorf("management keys of type %02X are not known", algorithm)
	case len(key) != want:
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrKeyLength, len(key), want)
	case algorithm == TripleDES:
		return des.NewTripleDESCipher(key)
	default:
		return aes.NewCipher(key)
	}
}

// SetManagementKey replaces the management key; the one before must have been
// given. No touch will be wanted for it.
func (c *Card) SetManagementKey(algorithm byte, key []byte) error {
	if want := ManagementKeyLength(algorithm); want == 0 || len(key) != want {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrKeyLength, len(key), want)
	}
	data := append([]byte{algorithm, RefManagementKey, byte(len(key))}, key...)
	defer clear(data)
	_, err := c.command(insSetManagementKey, 0xFF, 0xFF, data)
	return err
}

// Generate makes a key in a slot, and returns its public half as PublicKey
// reads it. What was in the slot is gone. The management key must have been
// given.
func (c *Card) Generate(slot, algorithm, pinPolicy, touchPolicy byte) ([]byte, error) {
	fields := wrap(0x80, algorithm)
	fields = append(fields, wrap(0xAA, pinPolicy)...)
	fields = append(fields, wrap(0xAB, touchPolicy)...)
	reply, err := c.command(insGenerate, 0, slot, wrap(0xAC, fields...))
	if err != nil {
		return nil, err
	}
	return unwrap(reply, 0x7F49)
}
