//go:build !cgo

package pkcs11

import (
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

var errNoCgo = fmt.Errorf("this build of ceremony has no PKCS#11: build it with cgo: %w", hsm.ErrUnsupported)

// Open checks the URI, and refuses: a PKCS#11 module cannot be loaded without
// cgo.
func Open(text string) (hsm.Token, error) {
	if _, err := uri.Parse(text); err != nil {
		return nil, err
	}
	return nil, errNoCgo
}

// OpenWith refuses: see Open.
func OpenWith(text string, o Options) (hsm.Token, error) { return Open(text) }

// FinalizeAll has nothing to finalise.
func FinalizeAll() error { return nil }

// ListAt refuses: see Open.
func ListAt(text string, o Options) ([]hsm.Info, error) { return nil, errNoCgo }

// List refuses: see Open.
func List(modulePath string) ([]hsm.Info, error) { return nil, errNoCgo }

// Look refuses: see Open.
func Look(text string, o Options) (Survey, error) { return Survey{}, errNoCgo }

// CreateToken refuses: see Open.
func CreateToken(text string, soPIN, pin []byte, o Options) (serial string, err error) {
	return "", errNoCgo
}

// SetPIN refuses: see Open.
func SetPIN(text string, soPIN, pin []byte, o Options) error { return errNoCgo }

// GenerateKey refuses: see Open.
func GenerateKey(text string, pin []byte, o Options) (hsm.Key, error) {
	return hsm.Key{}, errNoCgo
}
