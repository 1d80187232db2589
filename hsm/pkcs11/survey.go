//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

// Look says what a module and its slots are, also those whose token is not
// initialised. Of the URI only the module and its argument are looked at;
// nothing is changed.
func Look(text string, o Options) (Survey, error) { return look(&process, text, o) }

func look(r *registry, text string, o Options) (_ Survey, err error) {
	u, err := uri.Parse(text)
	if err != nil {
		return Survey{}, err
	}
	if u.ModulePath == "" {
		return Survey{}, errNoModule
	}
	m, err := r.acquire(source{u.ModulePath, u.InitReserved}, o.limit())
	if err != nil {
		return Survey{}, err
	}
	defer func() { err = errors.Join(err, m.release(o.limit())) }()
	s := Survey{}
	if s.Library, err = m.describeLibrary(o.limit()); err != nil {
		return Survey{}, err
	}
	all, err := m.slots(o.limit())
	for _, f := range all {
		s.Slots = append(s.Slots, describeSlot(f, u))
	}
	return s, err
}

// describeLibrary asks a module what it is.
func (m *module) describeLibrary(limit time.Duration) (Library, error) {
	info, err := ask(m, limit, cryptoki.GetInfo)
	if err != nil {
		return Library{}, fmt.Errorf("asking module %q what it is: %w", m.source.path, translate(err))
	}
	return Library{trim(info.ManufacturerID), trim(info.LibraryDescription), versionText(info.LibraryVersion)}, nil
}

func describeSlot(f found, module uri.URI) Slot {
	flags := f.info.Flags
	u := uri.URI{Token: f.info.Label, Serial: f.info.SerialNumber, ModulePath: module.ModulePath, InitReserved: module.InitReserved}
	return Slot{
		Info:        (&token{uri: u}).describe(f.info),
		Number:      f.slot,
		Initialised: flags&p11.CKF_TOKEN_INITIALIZED != 0,
		HasPIN:      flags&p11.CKF_USER_PIN_INITIALIZED != 0,
		PINPad:      flags&p11.CKF_PROTECTED_AUTHENTICATION_PATH != 0,
		SOTriesLeft: soTriesLeft(flags),
		MinPIN:      pinLength(f.info.MinPinLen),
		MaxPIN:      pinLength(f.info.MaxPinLen),
	}
}

// pinLength is a length that a person could type. Modules that have no bound
// say 0, or the largest number there is.
func pinLength(n uint) int {
	if n > 255 {
		return 0
	}
	return int(n)
}

// soTriesLeft is triesLeft of the SO PIN.
func soTriesLeft(flags uint) int {
	switch {
	case flags&p11.CKF_SO_PIN_LOCKED != 0:
		return 0
	case flags&p11.CKF_SO_PIN_FINAL_TRY != 0:
		return 1
	default:
		return hsm.Unknown
	}
}
