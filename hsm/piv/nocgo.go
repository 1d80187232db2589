//go:build !cgo || !(linux || darwin)

package piv

import (
	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/pcsc"
)

// Open checks the URI, and refuses: the smart card service is reached through a
// C library.
func Open(text string) (hsm.Token, error) {
	if _, err := Parse(text); err != nil {
		return nil, err
	}
	return nil, inWords(pcsc.ErrUnsupported, nil)
}
