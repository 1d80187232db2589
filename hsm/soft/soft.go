// Package soft has software tokens for rehearsals: files that behave like
// devices.
//
//	err := soft.Create(dir, "holder-1", pin, private, soft.Options{})
//	token, err := soft.Open(dir, "holder-1") // or soft.OpenURI(dir, "soft:holder-1")
//
// A token is one file, NAME.json, with one P-256 key. It counts wrong PINs as
// a card does: the try is written to the file and synced before the PIN is
// looked at, so that pulling the plug does not win a guess. It locks, wants a
// touch if made so, and can be told to fail in the ways that devices fail.
// Signatures are deterministic (RFC 6979), so that rehearsals can be repeated
// byte by byte. One process at a time has a token open.
//
// It will not protect a key that matters. Whoever copies the file can guess
// PINs offline, at the price of 20 000 rounds of PBKDF2 each, with a fresh
// counter on every copy. Destroy overwrites and removes the one file: a copy, or
// what a flash medium keeps of it, stays. There is no way to unlock a token or
// change a PIN: make another one.
package soft

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options of a new token. The zero value is a token with three PIN tries that
// wants no touch.
type Options struct {
	Serial        string    // empty: derived from the public key
	Model         string    // empty: "soft token"
	TouchRequired bool      // a touch for every signature
	Tries         int       // wrong PINs until it locks; 0: three
	Random        io.Reader // salt and nonce; nil: crypto/rand. Rehearsals pass their own, to repeat themselves
}

const (
	defaultTries = 3
	maxTries     = 15 // as many as a smart card's status word can tell
	defaultModel = "soft token"
	maxPIN       = 64
)

// Create writes a new token. It never replaces a file.
func Create(dir, name string, pin []byte, private *ecdsa.PrivateKey, opts Options) error {
	if err := create(dir, name, pin, private, opts); err != nil {
		return fmt.Errorf("creating soft token %q: %w", name, err)
	}
	return nil
}

func create(dir, name string, pin []byte, private *ecdsa.PrivateKey, opts Options) error {
	path, err := tokenPath(dir, name)
	if err != nil {
		return err
	}
	contents, err := newContents(pin, private, opts)
	if err != nil {
		return err
	}
	encoded, err := contents.encode()
	if err != nil {
		return err
	}
	if err := writeNew(path, encoded); err != nil {
		return err
	}
	return syncDir(dir)
}

func newContents(pin []byte, private *ecdsa.PrivateKey, opts Options) (*contents, error) {
	switch {
	case private == nil || private.Curve != elliptic.P256():
		return nil, errors.New("the key must be a P-256 key")
	case len(pin) == 0 || len(pin) > maxPIN:
		return nil, fmt.Errorf("the PIN must have 1 to %d bytes", maxPIN)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	c := &contents{
		Format:        format,
		Serial:        opts.Serial,
		Model:         opts.Model,
		PublicKey:     public,
		TouchRequired: opts.TouchRequired,
		Tries:         opts.Tries,
		Faults:        []Fault{},
	}
	c.setDefaults()
	if err := c.seal(pin, private, opts.Random); err != nil {
		return nil, err
	}
	return c, c.check()
}

func (c *contents) setDefaults() {
	if c.Serial == "" {
		sum := sha256.Sum256(c.PublicKey)
		c.Serial = "soft-" + hex.EncodeToString(sum[:4])
	}
	if c.Model == "" {
		c.Model = defaultModel
	}
	if c.Tries == 0 {
		c.Tries = defaultTries
	}
	c.TriesLeft = c.Tries
}

// writeNew writes a file that must not exist yet. It is written in place, not
// renamed over its name: FAT has no links, and a rename there may replace what
// somebody else has just made. What a crash leaves half-written is refused by
// Open.
func writeNew(path string, encoded []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, bytes.NewReader(encoded))
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// List returns the names of the tokens in a directory, sorted. It looks at
// names only.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing soft tokens: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name, isJSON := strings.CutSuffix(entry.Name(), extension)
		if isJSON && checkName(name) == nil && entry.Type().IsRegular() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

const extension = ".json"

func tokenPath(dir, name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return filepath.Join(dir, name+extension), nil
}

// checkName takes names that are safe on every file system, FAT included, and
// that need no encoding in a URI.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > 64:
		return errors.New("the name is longer than 64 characters")
	case name[0] == '.':
		return errors.New("the name begins with a full stop")
	case strings.ContainsFunc(name, notNameCharacter):
		return errors.New("the name may hold only letters, digits, full stop, underscore and hyphen")
	}
	return nil
}

const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

func notNameCharacter(r rune) bool { return !strings.ContainsRune(nameCharacters, r) }

func randomOr(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}
