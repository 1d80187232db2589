package piv

import (
	"fmt"
	"slices"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

// List reads all YubiKeys that the machine sees, one after the other. It asks for
// no PIN, and changes nothing, but that another program which had given its PIN
// must give it again. A device that cannot be read is in the list, with the
// reason.
func List() ([]Device, error) {
	readers, err := survey()
	if err != nil {
		return nil, fmt.Errorf("listing the YubiKeys: %w", inWords(err, hsm.ErrNotFound))
	}
	readers = slices.DeleteFunc(readers, func(r reader) bool { return r.holds() != YubiKey })
	devices := make([]Device, len(readers))
	for i, r := range readers {
		d, err := visit(r, readDevice)
		if err != nil {
			d.Info = hsm.Info{Driver: driver, Manufacturer: manufacturer, TriesLeft: hsm.Unknown}
			d.Err = fmt.Errorf("reading the YubiKey in reader %q: %w", r.name, inWords(err, hsm.ErrRemoved))
		}
		d.Reader = r.name
		devices[i] = d
	}
	return devices, nil
}

func readDevice(c *card.Card) (Device, error) {
	id, err := identify(c)
	if err != nil {
		return Device{}, err
	}
	left, known, err := c.Tries()
	if err != nil {
		return Device{}, fmt.Errorf("asking how many PIN tries are left: %w", err)
	}
	if !known {
		left = hsm.Unknown
	}
	used, err := readSlots(c, id.firmware)
	if err != nil {
		return Device{}, err
	}
	return Device{Info: id.info(left), Slots: used}, nil
}
