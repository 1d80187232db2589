//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"strings"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

// found is a token in a slot.
type found struct {
	slot uint
	info p11.TokenInfo
}

func (f found) identity() identity {
	return identity{f.slot, f.info.Label, f.info.SerialNumber}
}

var errNoModule = errors.New("module-path is missing: give module-path=/absolute/path")

// checkOpenable refuses URIs that are well formed and do not describe a token
// with a signing key.
func checkOpenable(u uri.URI) error {
	switch {
	case u.ModulePath == "" && u.ModuleName != "":
		return errors.New("module-name is not searched for: give module-path=/absolute/path")
	case u.ModulePath == "":
		return errNoModule
	case u.Token == "" && u.Serial == "" && u.Model == "" && u.Manufacturer == "":
		return errors.New("it must name the token: give token or serial")
	case u.Type != "" && u.Type != "private" && u.Type != "public":
		return fmt.Errorf("objects of type %q do not sign", u.Type)
	}
	return nil
}

// tokens lists the initialised tokens of a module.
func (m *module) tokens(limit time.Duration) ([]found, error) {
	all, err := m.slots(limit)
	if err != nil {
		return nil, err
	}
	var initialised []found
	for _, f := range all {
		if f.info.Flags&p11.CKF_TOKEN_INITIALIZED != 0 {
			initialised = append(initialised, f)
		}
	}
	return initialised, nil
}

// slots lists all tokens, also those that are not initialised. The list is
// read anew each time, since numbers move.
func (m *module) slots(limit time.Duration) ([]found, error) {
	all, err := ask(m, limit, tokensIn)
	if err != nil {
		return nil, fmt.Errorf("listing the tokens of module %q: %w", m.source.path, translate(err))
	}
	return all, nil
}

func tokensIn(c cryptoki) (all []found, err error) {
	slots, err := c.GetSlotList(true)
	if err != nil {
		return nil, err
	}
	for _, slot := range slots {
		info, err := c.GetTokenInfo(slot)
		// A reader without a card may be listed all the same, and a card of
		// another kind is not ours to complain of.
		if isCode(err, p11.CKR_TOKEN_NOT_PRESENT, p11.CKR_TOKEN_NOT_RECOGNIZED) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found{slot, trimInfo(info)})
	}
	return all, nil
}

// find returns the one token that a URI describes.
func (m *module) find(u uri.URI, limit time.Duration) (found, error) {
	if err := m.matchLibrary(u, limit); err != nil {
		return found{}, err
	}
	present, err := m.tokens(limit)
	if err != nil {
		return found{}, err
	}
	var fits []found
	for _, f := range present {
		fit, err := m.matches(f, u, limit)
		if err != nil {
			return found{}, err
		}
		if fit {
			fits = append(fits, f)
		}
	}
	switch len(fits) {
	case 0:
		return found{}, fmt.Errorf("no token fits, %s: %w", describe(present), hsm.ErrNotFound)
	case 1:
		return fits[0], nil
	default:
		return found{}, fmt.Errorf("%d tokens fit, with serials %s: add serial=… to the URI", len(fits), serials(fits))
	}
}

func (m *module) matches(f found, u uri.URI, limit time.Duration) (bool, error) {
	if !same(u.Token, f.info.Label) || !same(u.Serial, f.info.SerialNumber) ||
		!same(u.Model, f.info.Model) || !same(u.Manufacturer, f.info.ManufacturerID) ||
		u.SlotID != nil && *u.SlotID != uint64(f.slot) {
		return false, nil
	}
	if u.SlotDescription == "" && u.SlotManufacturer == "" {
		return true, nil
	}
	slot, err := ask(m, limit, func(c cryptoki) (p11.SlotInfo, error) { return c.GetSlotInfo(f.slot) })
	if err != nil {
		return false, fmt.Errorf("reading slot %d: %w", f.slot, translate(err))
	}
	return same(u.SlotDescription, trim(slot.SlotDescription)) &&
		same(u.SlotManufacturer, trim(slot.ManufacturerID)), nil
}

// matchLibrary refuses a module that is not the one that the URI describes.
func (m *module) matchLibrary(u uri.URI, limit time.Duration) error {
	if u.LibraryManufacturer == "" && u.LibraryDescription == "" && u.LibraryVersion == "" {
		return nil
	}
	info, err := ask(m, limit, cryptoki.GetInfo)
	if err != nil {
		return fmt.Errorf("asking module %q what it is: %w", m.source.path, translate(err))
	}
	manufacturer, description := trim(info.ManufacturerID), trim(info.LibraryDescription)
	version := versionText(info.LibraryVersion)
	if !same(u.LibraryManufacturer, manufacturer) || !same(u.LibraryDescription, description) ||
		u.LibraryVersion != "" && withMinor(u.LibraryVersion) != version {
		return fmt.Errorf("the module is %q by %q, version %s: %w", description, manufacturer, version, hsm.ErrNotFound)
	}
	return nil
}

// same says whether a value fits what the URI wants: everything does if it
// wants nothing.
func same(want, is string) bool { return want == "" || want == is }

func versionText(v p11.Version) string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

func withMinor(version string) string {
	if strings.Contains(version, ".") {
		return version
	}
	return version + ".0"
}

// trimInfo removes the padding of PKCS#11's fixed fields: blanks by the
// standard, and NUL bytes from modules that think in C.
func trimInfo(info p11.TokenInfo) p11.TokenInfo {
	info.Label = trim(info.Label)
	info.ManufacturerID = trim(info.ManufacturerID)
	info.Model = trim(info.Model)
	info.SerialNumber = trim(info.SerialNumber)
	return info
}

func trim(s string) string { return strings.TrimRight(s, " \x00") }

func describe(present []found) string {
	if len(present) == 0 {
		return "and the module shows no token"
	}
	labels := make([]string, len(present))
	for i, f := range present {
		labels[i] = fmt.Sprintf("%q", f.info.Label)
	}
	return "the module shows " + strings.Join(labels, ", ")
}

func serials(fits []found) string {
	quoted := make([]string, len(fits))
	for i, f := range fits {
		quoted[i] = fmt.Sprintf("%q", f.info.SerialNumber)
	}
	return strings.Join(quoted, ", ")
}
