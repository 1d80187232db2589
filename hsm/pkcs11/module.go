//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	p11 "github.com/miekg/pkcs11"
)

// cryptoki is the part of the binding that the driver uses. Tests put a module
// in its place that fails as hardware does.
type cryptoki interface {
	Initialize(...p11.InitializeOption) error
	Finalize() error
	GetInfo() (p11.Info, error)
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetSlotInfo(slot uint) (p11.SlotInfo, error)
	GetTokenInfo(slot uint) (p11.TokenInfo, error)
	OpenSession(slot uint, flags uint) (p11.SessionHandle, error)
	CloseSession(p11.SessionHandle) error
	Login(session p11.SessionHandle, user uint, pin []byte) error
	FindObjectsInit(p11.SessionHandle, []*p11.Attribute) error
	FindObjects(p11.SessionHandle, int) ([]p11.ObjectHandle, bool, error)
	FindObjectsFinal(p11.SessionHandle) error
	GetAttributeValue(p11.SessionHandle, p11.ObjectHandle, []*p11.Attribute) ([]*p11.Attribute, error)
	SignInit(p11.SessionHandle, []*p11.Mechanism, p11.ObjectHandle) error
	Sign(p11.SessionHandle, []byte) ([]byte, error)
	SignOnce(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle, []byte) ([]byte, error) // both of these
	InitToken(slot uint, pin []byte, label string) error
	InitPIN(session p11.SessionHandle, pin []byte) error
	DestroyObject(p11.SessionHandle, p11.ObjectHandle) error
	GenerateKeyPair(p11.SessionHandle, []*p11.Mechanism, []*p11.Attribute, []*p11.Attribute) (p11.ObjectHandle, p11.ObjectHandle, error)
}

var _ cryptoki = (*library)(nil)

// source is where a module comes from, and what it is initialised with.
type source struct {
	path     string
	reserved string // the reserved argument of C_Initialize; empty: NULL
}

// module is one loaded PKCS#11 library. There is one a process: the library
// keeps one state, whoever loads it.
type module struct {
	registry *registry
	source   source
	library  cryptoki
	users    int               // tokens and provisioning steps that use it; under registry.mu
	open     map[identity]bool // tokens with a session; under registry.mu

	mu    sync.Mutex // held during each call into the library
	lost  error      // why nothing is asked of it any more
	watch watch
}

// identity tells one token of a module from another.
type identity struct {
	slot          uint
	label, serial string
}

// registry holds the modules of this process.
type registry struct {
	mu       sync.Mutex
	modules  map[string]*module // by path, without links
	stopping atomic.Bool        // the process ends
	try      func(source, time.Duration) error
	load     func(source) (cryptoki, error)
}

var process = registry{try: try, load: load}

var (
	errRefused = errors.New("the system's loader refused it: it is no PKCS#11 module, " +
		"was built for another machine, or lacks a library that it needs")
	errStopped = errors.New("the program is ending")
)

// acquire loads and initialises a module, or counts one more user of it.
func (r *registry) acquire(s source, limit time.Duration) (*module, error) {
	resolved, err := checkModule(s.path)
	if err != nil {
		return nil, fmt.Errorf("loading PKCS#11 module %q: %w", s.path, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping.Load() {
		return nil, fmt.Errorf("loading PKCS#11 module %q: %w", s.path, errStopped)
	}
	m := r.modules[resolved]
	if m == nil {
		if m, err = r.newModule(source{resolved, s.reserved}, limit); err != nil {
			return nil, fmt.Errorf("loading PKCS#11 module %q: %w", s.path, err)
		}
	}
	if m.users > 0 && m.source.reserved != s.reserved {
		return nil, fmt.Errorf("using PKCS#11 module %q: this process uses it already, with another x-init-reserved", s.path)
	}
	if m.users == 0 {
		m.source.reserved = s.reserved
		if err := m.initialise(limit); err != nil {
			return nil, fmt.Errorf("initialising PKCS#11 module %q: %w", s.path, translate(err))
		}
	}
	m.users++
	return m, nil
}

func (r *registry) newModule(s source, limit time.Duration) (*module, error) {
	if err := r.try(s, limit); err != nil {
		return nil, err
	}
	library, err := r.load(s)
	if err != nil {
		return nil, err
	}
	if r.modules == nil {
		r.modules = make(map[string]*module)
	}
	m := &module{registry: r, source: s, library: library, open: make(map[identity]bool)}
	r.modules[s.path] = m
	return m, nil
}

// initialise gives the reserved argument only where there is one: openCryptoki
// refuses any. A module may keep it, so it is not freed.
func (m *module) initialise(limit time.Duration) error {
	var options []p11.InitializeOption
	if argument := m.source.argument(); argument != nil {
		options = append(options, p11.InitializeWithReserved(argument))
	}
	return tell(m, limit, func(c cryptoki) error { return c.Initialize(options...) })
}

// release undoes acquire. The last user finalises the module, unless it was
// given up: that has been reported, and nothing can be asked of it.
func (m *module) release(limit time.Duration) error {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	if m.users--; m.users > 0 || m.givenUp() {
		return nil
	}
	if err := m.finalize(limit); err != nil {
		return fmt.Errorf("finalising PKCS#11 module %q: %w", m.source.path, translate(err))
	}
	return nil
}

// claim makes a token this process's only session with it: a login counts for
// all of a process's sessions, so a second one would sign without a PIN.
func (m *module) claim(id identity) error {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	if m.open[id] {
		return errors.New("it is already open in this process; close that one first")
	}
	m.open[id] = true
	return nil
}

func (m *module) unclaim(id identity) {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	delete(m.open, id)
}

// checkModule looks at the file before the loader does, whose words for a file
// that is not there are many. It returns the path without links, so that a
// module with two names is loaded once.
func checkModule(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", pathless(err)
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return "", pathless(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	return resolved, nil
}

func pathless(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
