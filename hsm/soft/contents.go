package soft

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	format = "ceremony soft token 1"
	// blockSize is the size of every token file, padded with spaces. A PIN
	// try changes one digit within one block that is written at once, so a
	// crash cannot leave a file that is half old and half new, and the file
	// need not be replaced while it is locked.
	blockSize = 4096
)

// contents is what a token file holds.
type contents struct {
	Format        string  `json:"format"`
	Serial        string  `json:"serial"`
	Model         string  `json:"model"`
	PublicKey     []byte  `json:"public_key"` // SubjectPublicKeyInfo
	TouchRequired bool    `json:"touch_required"`
	Tries         int     `json:"tries"`
	TriesLeft     int     `json:"tries_left"`
	Salt          []byte  `json:"salt"`
	Nonce         []byte  `json:"nonce"`
	Sealed        []byte  `json:"sealed"` // the private key, see seal.go
	Faults        []Fault `json:"faults"`
}

// encode gives the one form that decode takes.
func (c *contents) encode() ([]byte, error) {
	encoded, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the token file: %w", err)
	}
	padding := blockSize - len(encoded) - 1
	if padding < 0 {
		return nil, fmt.Errorf("the token file would be larger than %d bytes", blockSize)
	}
	encoded = append(encoded, bytes.Repeat([]byte(" "), padding)...)
	return append(encoded, '\n'), nil
}

// decode reads a token file. Only what encode writes is taken, byte by byte:
// that refuses unknown, repeated and misspelt fields, and anything behind.
func decode(encoded []byte) (*contents, error) {
	if len(encoded) != blockSize {
		return nil, fmt.Errorf("the token file is not %d bytes long", blockSize)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	c := new(contents)
	if err := decoder.Decode(c); err != nil {
		return nil, fmt.Errorf("decoding the token file: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("the token file is wrong: %w", err)
	}
	again, err := c.encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, encoded) {
		return nil, errors.New("the token file is not in the form in which it was written")
	}
	return c, nil
}

func (c *contents) check() error {
	switch {
	case c.Format != format:
		return fmt.Errorf("format must be %q", format)
	case !isPlain(c.Serial):
		return errors.New("serial must be 1 to 64 printable ASCII characters")
	case !isPlain(c.Model):
		return errors.New("model must be 1 to 64 printable ASCII characters")
	case c.Tries < 1 || c.Tries > maxTries:
		return fmt.Errorf("tries must be 1 to %d", maxTries)
	case c.TriesLeft < 0 || c.TriesLeft > c.Tries:
		return fmt.Errorf("tries_left must be 0 to %d", c.Tries)
	case len(c.Salt) != saltSize:
		return fmt.Errorf("salt must have %d bytes", saltSize)
	case len(c.Nonce) != nonceSize:
		return fmt.Errorf("nonce must have %d bytes", nonceSize)
	case len(c.Sealed) != sealedSize:
		return fmt.Errorf("sealed must have %d bytes", sealedSize)
	}
	if _, err := c.public(); err != nil {
		return fmt.Errorf("public_key: %w", err)
	}
	return checkFaults(c.Faults, c.TouchRequired)
}

func (c *contents) public() (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(c.PublicKey)
	if err != nil {
		return nil, err
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("it is not a P-256 key")
	}
	return public, nil
}

// isPlain says whether a text may be shown as it is.
func isPlain(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
