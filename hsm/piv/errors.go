package piv

import (
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/pcsc"
)

// Errors that callers branch on, beside those of hsm.
var (
	// ErrNoService: the machine's smart card service does not run.
	ErrNoService = pcsc.ErrNoService
	// ErrInUse: another program has the device.
	ErrInUse = errors.New("another program is using it")
)

const likelyUsers = "gpg-agent's scdaemon, yubikey-agent or a browser: end it (`gpgconf --kill scdaemon`), or pull the device and insert it again"

// inWords says what an error of the service or of the card means here. before
// is what a card that is gone means: hsm.ErrNotFound while it is looked for,
// hsm.ErrRemoved once it was open.
func inWords(err, before error) error {
	switch {
	case errors.Is(err, pcsc.ErrInUse):
		return fmt.Errorf("%w, such as %s", ErrInUse, likelyUsers)
	case errors.Is(err, pcsc.ErrGone):
		return before
	case errors.Is(err, pcsc.ErrUnsupported):
		return fmt.Errorf("%w: %w", pcsc.ErrUnsupported, hsm.ErrUnsupported)
	}
	return translate(err)
}

// isTransport says whether the service could not do what it was asked, for a
// reason that may be that the card was pulled.
func isTransport(err error) bool {
	var service *pcsc.ServiceError
	return errors.As(err, &service)
}
