package soft

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tufceremony/hsm"
)

const (
	driver       = "soft"
	manufacturer = "ceremony"
	firmware     = "1"
	keyID        = "1" // a token has one key
)

// Token is an exclusive open session with one soft token.
type Token struct {
	name      string
	pinSource string
	file      *os.File
	contents  *contents
	private   *ecdsa.PrivateKey // nil until logged in
	ended     error             // why nothing works any more: closed, removed
}

var (
	_ hsm.Token     = (*Token)(nil)
	_ hsm.Destroyer = (*Token)(nil)
)

// Open opens a token. It is refused while somebody else has the token open;
// the lock belongs to the open file, so a process that is killed leaves none.
func Open(dir, name string) (*Token, error) {
	return open(dir, name, "")
}

// OpenURI opens the token of a soft: URI, with its PIN file if it names one.
func OpenURI(dir, uri string) (*Token, error) {
	name, pinSource, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	return open(dir, name, pinSource)
}

func open(dir, name, pinSource string) (*Token, error) {
	token := &Token{name: name, pinSource: pinSource}
	if err := token.openFile(dir); err != nil {
		return nil, fmt.Errorf("opening soft token %q: %w", name, err)
	}
	return token, nil
}

func (t *Token) openFile(dir string) error {
	path, err := tokenPath(dir, t.name)
	if err != nil {
		return err
	}
	file, err := openLocked(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no such file in %q: %w", dir, hsm.ErrNotFound)
	case errors.Is(err, errLocked):
		return errors.New("it is already open, here or in another process; close that one first")
	case err != nil:
		return err
	}
	t.file = file
	err = t.load()
	if err != nil && t.isErased() {
		err = fmt.Errorf("its key was destroyed: %w", hsm.ErrNotFound)
	}
	if err != nil {
		file.Close()
		return err
	}
	return nil
}

// load reads the state anew, as asking a device does.
func (t *Token) load() error {
	encoded, err := io.ReadAll(io.NewSectionReader(t.file, 0, blockSize+1))
	if err != nil {
		return fmt.Errorf("reading the token file: %w", err)
	}
	read, err := decode(encoded)
	if err != nil {
		return err
	}
	t.contents = read
	return nil
}

// store writes a new state in place and returns when the disk has it.
func (t *Token) store(changed *contents) error {
	encoded, err := changed.encode()
	if err != nil {
		return err
	}
	if _, err := t.file.WriteAt(encoded, 0); err != nil {
		return fmt.Errorf("writing the token file: %w", err)
	}
	if err := t.file.Sync(); err != nil {
		return fmt.Errorf("syncing the token file: %w", err)
	}
	t.contents = changed
	return nil
}

// alive refuses what comes after Close or after the device is gone.
func (t *Token) alive() error {
	if t.ended != nil {
		return fmt.Errorf("using soft token %q: %w", t.name, t.ended)
	}
	return nil
}

// Info implements hsm.Token.
func (t *Token) Info() (hsm.Info, error) {
	if err := t.alive(); err != nil {
		return hsm.Info{}, err
	}
	if err := t.load(); err != nil {
		return hsm.Info{}, fmt.Errorf("asking soft token %q what it is: %w", t.name, err)
	}
	return t.info(), nil
}

func (t *Token) info() hsm.Info {
	return hsm.Info{
		URI:          formatURI(t.name, t.pinSource),
		Driver:       driver,
		Label:        t.name,
		Manufacturer: manufacturer,
		Model:        t.contents.Model,
		Serial:       t.contents.Serial,
		Firmware:     firmware,
		TriesLeft:    t.contents.TriesLeft,
		PINSource:    t.pinSource,
	}
}

// Keys implements hsm.Token.
func (t *Token) Keys() ([]hsm.Key, error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	public, err := t.contents.public()
	if err != nil {
		return nil, fmt.Errorf("reading the key of soft token %q: %w", t.name, err)
	}
	return []hsm.Key{{ID: keyID, Label: t.name, Public: public}}, nil
}

// Signer implements hsm.Token.
func (t *Token) Signer(key hsm.Key, prompter hsm.Prompter) (crypto.Signer, error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	public, err := t.contents.public()
	if err != nil {
		return nil, err
	}
	if key.ID != keyID || !public.Equal(key.Public) {
		return nil, fmt.Errorf("looking for key %q on soft token %q: %w", key.ID, t.name, hsm.ErrNotFound)
	}
	if t.private == nil {
		if err := t.login(prompter); err != nil {
			return nil, fmt.Errorf("logging in to soft token %q: %w", t.name, err)
		}
	}
	return &signer{token: t, public: public, prompter: prompter}, nil
}

// Close implements hsm.Token. Closing twice is no error.
func (t *Token) Close() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file, t.private = nil, nil
	t.ended = errors.New("it was closed")
	if err != nil {
		return fmt.Errorf("closing soft token %q: %w", t.name, err)
	}
	return nil
}

// remove is what pulling the device does.
func (t *Token) remove() error {
	t.private = nil
	t.ended = hsm.ErrRemoved
	return hsm.ErrRemoved
}
