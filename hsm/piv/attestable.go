package piv

import (
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

var (
	errImported = fmt.Errorf("the key was imported; a YubiKey attests only what it has generated: %w", hsm.ErrUnsupported)

	errNotGenerated = fmt.Errorf("the slot is empty, or its key was imported; a YubiKey attests only what it has generated: %w", hsm.ErrUnsupported)

	errNoFactoryCertificate = fmt.Errorf("slot f9 holds no certificate, which the factory puts there: somebody removed it: %w", hsm.ErrUnsupported)
)

// attestable says why a device makes no statement about a key, before it is
// asked.
func attestable(s SlotInfo, firmware card.Firmware) error {
	switch {
	case !firmware.AtLeast(4, 3, 0):
		return fmt.Errorf("firmware %s makes no attestations, which came with 4.3: %w", firmware, hsm.ErrUnsupported)
	case s.Origin == Imported:
		return errImported
	}
	return nil
}
