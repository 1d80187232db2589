//go:build cgo

package pkcs11

import (
	"crypto"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

const driver = "pkcs11"

// token is an open session with one token.
type token struct {
	module  *module
	id      identity
	uri     uri.URI
	flags   uint // of its sessions: read-only unless something is provisioned
	session session
	ended   error // why nothing works any more: closed, removed
}

// session is what one C_OpenSession gave. A signer remembers its number, and
// refuses once that session is over.
type session struct {
	handle   p11.SessionHandle
	number   int // 0: none yet
	open     bool
	loggedIn bool
}

var _ hsm.Token = (*token)(nil)

// Open opens the one token that the URI describes.
func Open(text string) (hsm.Token, error) {
	t, err := open(&process, text)
	if err != nil {
		return nil, err // not a nil *token in an interface
	}
	return t, nil
}

func open(r *registry, text string) (*token, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return nil, err
	}
	t, err := openURI(r, u, p11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", u.WithoutQuery(), err)
	}
	return t, nil
}

func openURI(r *registry, u uri.URI, flags uint) (_ *token, err error) {
	if err := checkOpenable(u); err != nil {
		return nil, err
	}
	m, err := r.acquire(u.ModulePath)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.release())
		}
	}()
	f, err := m.find(u)
	if err != nil {
		return nil, err
	}
	if err := m.claim(f.identity()); err != nil {
		return nil, err
	}
	return &token{module: m, id: f.identity(), uri: u, flags: flags}, nil
}

// name is how errors call the token.
func (t *token) name() string {
	if t.id.label != "" {
		return t.id.label
	}
	return t.id.serial
}

func (t *token) alive() error {
	if t.ended != nil {
		return fmt.Errorf("using token %q: %w", t.name(), t.ended)
	}
	return nil
}

// Info implements hsm.Token.
func (t *token) Info() (hsm.Info, error) {
	if err := t.alive(); err != nil {
		return hsm.Info{}, err
	}
	info, err := t.tokenInfo()
	if err != nil {
		return hsm.Info{}, fmt.Errorf("asking token %q what it is: %w", t.name(), err)
	}
	return t.describe(info), nil
}

func (t *token) describe(info p11.TokenInfo) hsm.Info {
	return hsm.Info{
		URI:          t.uri.String(),
		Driver:       driver,
		Label:        info.Label,
		Manufacturer: info.ManufacturerID,
		Model:        info.Model,
		Serial:       info.SerialNumber,
		Firmware:     versionText(info.FirmwareVersion),
		TriesLeft:    triesLeft(info.Flags),
		PINSource:    t.uri.PINSource,
	}
}

// tokenInfo reads the token's state, and makes sure that the slot still holds
// the token that was opened: no PIN goes to one that took its place.
func (t *token) tokenInfo() (p11.TokenInfo, error) {
	var info p11.TokenInfo
	err := t.module.call(func(c cryptoki) (err error) {
		info, err = c.GetTokenInfo(t.id.slot)
		return err
	})
	if err != nil {
		return info, t.fail(err)
	}
	info = trimInfo(info)
	if (found{t.id.slot, info}).identity() != t.id {
		return info, t.fail(fmt.Errorf("its slot holds another token, %q: %w", info.Label, hsm.ErrRemoved))
	}
	return info, nil
}

// call runs f with a session, and opens one if there is none.
func (t *token) call(f func(c cryptoki, s p11.SessionHandle) error) error {
	err := t.module.call(func(c cryptoki) error {
		if !t.session.open {
			handle, err := c.OpenSession(t.id.slot, t.flags)
			if err != nil {
				return err
			}
			t.session = session{handle: handle, number: t.session.number + 1, open: true}
		}
		return f(c, t.session.handle)
	})
	if err != nil {
		return t.fail(err)
	}
	return nil
}

// fail translates an error and closes the session: after a failed call some
// modules refuse everything that follows.
func (t *token) fail(err error) error {
	err = translate(err)
	t.closeSession()
	if errors.Is(err, hsm.ErrRemoved) {
		t.ended = hsm.ErrRemoved
	}
	return err
}

// closeSession logs out too, as the last session of this process with the
// token. Its error says nothing that the first one did not.
func (t *token) closeSession() {
	if !t.session.open {
		return
	}
	handle := t.session.handle
	t.session = session{number: t.session.number}
	_ = t.module.call(func(c cryptoki) error { return c.CloseSession(handle) })
}

// Signer implements hsm.Token.
func (t *token) Signer(key hsm.Key, prompter hsm.Prompter) (crypto.Signer, error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	s, err := t.signer(key, prompter)
	if err != nil {
		return nil, fmt.Errorf("preparing to sign with token %q: %w", t.name(), err)
	}
	return s, nil
}

// Close implements hsm.Token. Closing twice is no error.
func (t *token) Close() error {
	if t.module == nil {
		return nil
	}
	t.closeSession()
	m := t.module
	m.unclaim(t.id)
	t.module = nil
	t.ended = errors.New("it was closed")
	if err := m.release(); err != nil {
		return fmt.Errorf("closing token %q: %w", t.name(), err)
	}
	return nil
}

// List says which initialised tokens a module shows. It opens none of them.
func List(modulePath string) ([]hsm.Info, error) { return list(&process, modulePath) }

func list(r *registry, modulePath string) (_ []hsm.Info, err error) {
	m, err := r.acquire(modulePath)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.release()) }()
	present, err := m.tokens()
	if err != nil {
		return nil, err
	}
	infos := make([]hsm.Info, 0, len(present))
	for _, f := range present {
		u := uri.URI{Token: f.info.Label, Serial: f.info.SerialNumber, ModulePath: modulePath}
		infos = append(infos, (&token{uri: u}).describe(f.info))
	}
	return infos, nil
}
