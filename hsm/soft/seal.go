package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

const (
	// iterations of PBKDF2 are rehearsal grade: they keep a key out of plain
	// sight, and cost a few milliseconds, so that tests stay quick. A PIN of
	// six digits falls to anyone who has the file.
	iterations = 20_000

	saltSize   = 16
	nonceSize  = 12
	scalarSize = 32
	sealedSize = scalarSize + 16 // with the GCM tag
)

// errWrongPIN is an authentication tag that does not match: the wrong PIN, or
// a file that was tampered with. The two cannot be told apart.
var errWrongPIN = errors.New("wrong PIN")

// seal encrypts the private key under the PIN: PBKDF2-SHA256, AES-256-GCM.
func (c *contents) seal(pin []byte, private *ecdsa.PrivateKey, random io.Reader) error {
	scalar, err := private.Bytes()
	if err != nil {
		return fmt.Errorf("encoding the private key: %w", err)
	}
	defer clear(scalar)
	both := make([]byte, saltSize+nonceSize)
	if _, err := io.ReadFull(randomOr(random), both); err != nil {
		return fmt.Errorf("reading random bytes: %w", err)
	}
	c.Salt, c.Nonce = both[:saltSize:saltSize], both[saltSize:]
	gcm, err := c.cipher(pin)
	if err != nil {
		return err
	}
	c.Sealed = gcm.Seal(nil, c.Nonce, scalar, c.bound())
	return nil
}

// open decrypts the private key and checks that it is the public key's.
func (c *contents) open(pin []byte) (*ecdsa.PrivateKey, error) {
	gcm, err := c.cipher(pin)
	if err != nil {
		return nil, err
	}
	scalar, err := gcm.Open(nil, c.Nonce, c.Sealed, c.bound())
	if err != nil {
		return nil, errWrongPIN
	}
	defer clear(scalar)
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		return nil, fmt.Errorf("decoding the private key: %w", err)
	}
	public, err := c.public()
	if err != nil {
		return nil, err
	}
	if !private.PublicKey.Equal(public) {
		return nil, errors.New("the private key is not the public key's")
	}
	return private, nil
}

func (c *contents) cipher(pin []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, string(pin), c.Salt, iterations, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a key from the PIN: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// bound is what the encryption vouches for beside the key itself: a file whose
// serial or public key was edited does not open.
func (c *contents) bound() []byte {
	return append([]byte(format+"\x00"+c.Serial+"\x00"), c.PublicKey...)
}
