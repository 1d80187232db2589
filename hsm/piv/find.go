package piv

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/pcsc"
)

// find returns the one device of that serial number.
func find(serial uint32) (found, error) {
	readers, err := survey()
	if err != nil {
		return found{}, inWords(err, hsm.ErrNotFound)
	}
	all := identifyAll(readers)
	fits := slices.DeleteFunc(slices.Clone(all), func(f found) bool { return f.err != nil || f.serial != serial })
	switch len(fits) {
	case 0:
		return found{}, whyNot(all, len(readers))
	case 1:
		return fits[0], nil
	default:
		return found{}, fmt.Errorf("%d devices say that they have this serial number, in readers %s: "+
			"no two have the same, so pull out all but yours, and find out what the others are", len(fits), names(fits))
	}
}

// whyNot says why no device fits. One that cannot be asked may be the one that
// is meant: it is then not said that there is none.
func whyNot(all []found, readers int) error {
	var serials []string
	var silent error
	removed := false
	for _, f := range all {
		switch {
		case errors.Is(f.err, pcsc.ErrGone):
			removed = true
		case f.err != nil && !errors.Is(f.err, hsm.ErrUnsupported):
			silent = errors.Join(silent, fmt.Errorf("the YubiKey in reader %q cannot be asked for its serial number: %w",
				f.name, inWords(f.err, hsm.ErrNotFound)))
		case f.err == nil && f.serial == 0:
			serials = append(serials, "one that does not tell its serial number")
		case f.err == nil:
			serials = append(serials, strconv.FormatUint(uint64(f.serial), 10))
		}
	}
	switch {
	case silent != nil:
		return silent
	case removed:
		return fmt.Errorf("a YubiKey was pulled while it was asked for its serial number: insert it again: %w", hsm.ErrRemoved)
	case len(serials) > 0:
		return fmt.Errorf("no YubiKey of this serial number is here, but %s: %w", strings.Join(serials, ", "), hsm.ErrNotFound)
	case readers == 0:
		return fmt.Errorf("no smart card reader and no YubiKey is here: insert it: %w", hsm.ErrNotFound)
	default:
		return fmt.Errorf("no YubiKey is in any of the %d smart card readers: insert it: %w", readers, hsm.ErrNotFound)
	}
}

func names(all []found) string {
	quoted := make([]string, len(all))
	for i, f := range all {
		quoted[i] = strconv.Quote(f.name)
	}
	return strings.Join(quoted, ", ")
}
