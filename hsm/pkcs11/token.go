//go:build cgo

package pkcs11

import (
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

const driver = "pkcs11"

// token is an open session with one token. Its methods and its signers wait
// for each other.
type token struct {
	mu      sync.Mutex
	module  *module
	id      identity
	uri     uri.URI
	flags   uint          // of its sessions: read-only unless something is provisioned
	limit   time.Duration // of a call
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
	ways     map[learned]int // of signing, that have worked
}

var _ hsm.Token = (*token)(nil)

// Open opens the one token that the URI describes.
func Open(text string) (hsm.Token, error) { return OpenWith(text, Options{}) }

// OpenWith is Open with what a plan says besides.
func OpenWith(text string, o Options) (hsm.Token, error) {
	t, err := open(&process, text, o)
	if err != nil {
		return nil, err // not a nil *token in an interface
	}
	return t, nil
}

func open(r *registry, text string, o Options) (*token, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return nil, err
	}
	t, err := openURI(r, u, p11.CKF_SERIAL_SESSION, o.limit())
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", u.WithoutQuery(), err)
	}
	return t, nil
}

func openURI(r *registry, u uri.URI, flags uint, limit time.Duration) (_ *token, err error) {
	if err := checkOpenable(u); err != nil {
		return nil, err
	}
	m, err := r.acquire(source{u.ModulePath, u.InitReserved}, limit)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.release(limit))
		}
	}()
	f, err := m.find(u, limit)
	if err != nil {
		return nil, err
	}
	if err := m.claim(f.identity()); err != nil {
		return nil, err
	}
	return &token{module: m, id: f.identity(), uri: u, flags: flags, limit: limit}, nil
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
	t.mu.Lock()
	defer t.mu.Unlock()
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
	info, err := ask(t.module, t.limit, func(c cryptoki) (p11.TokenInfo, error) { return c.GetTokenInfo(t.id.slot) })
	if err != nil {
		return p11.TokenInfo{}, t.fail(err)
	}
	info = trimInfo(info)
	if (found{t.id.slot, info}).identity() != t.id {
		return info, t.fail(fmt.Errorf("its slot holds another token, %q: %w", info.Label, hsm.ErrRemoved))
	}
	return info, nil
}

// within runs f with a session, and opens one if there is none.
func within[T any](t *token, limit time.Duration, f func(c cryptoki, s p11.SessionHandle) (T, error)) (T, error) {
	var nothing T
	if !t.session.open {
		handle, err := t.openSession()
		if err != nil {
			return nothing, t.fail(err)
		}
		t.session = session{handle: handle, number: t.session.number + 1, open: true, ways: make(map[learned]int)}
	}
	handle := t.session.handle
	value, err := ask(t.module, limit, func(c cryptoki) (T, error) { return f(c, handle) })
	if err != nil {
		return nothing, t.fail(err)
	}
	return value, nil
}

func (t *token) openSession() (p11.SessionHandle, error) {
	return ask(t.module, t.limit, func(c cryptoki) (p11.SessionHandle, error) { return c.OpenSession(t.id.slot, t.flags) })
}

// renew puts a new session in the place of one in which a call has failed, and
// stays logged in: there is no moment without a session.
func (t *token) renew() error {
	handle, err := t.openSession()
	if err != nil {
		return t.fail(err)
	}
	old := t.session.handle
	t.session.handle = handle
	_ = tell(t.module, t.limit, func(c cryptoki) error { return c.CloseSession(old) })
	return nil
}

// fail translates an error and closes the session: after a failed call some
// modules refuse everything that follows.
func (t *token) fail(err error) error {
	err = t.explain(err)
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
	_ = tell(t.module, t.limit, func(c cryptoki) error { return c.CloseSession(handle) })
}

// Signer implements hsm.Token.
func (t *token) Signer(key hsm.Key, prompter hsm.Prompter) (crypto.Signer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
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
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.module == nil {
		return nil
	}
	t.closeSession()
	m := t.module
	m.unclaim(t.id)
	t.module = nil
	t.ended = errors.New("it was closed")
	if err := m.release(t.limit); err != nil {
		return fmt.Errorf("closing token %q: %w", t.name(), err)
	}
	return nil
}
