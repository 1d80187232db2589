//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

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
	Login(session p11.SessionHandle, user uint, pin string) error
	FindObjectsInit(p11.SessionHandle, []*p11.Attribute) error
	FindObjects(p11.SessionHandle, int) ([]p11.ObjectHandle, bool, error)
	FindObjectsFinal(p11.SessionHandle) error
	GetAttributeValue(p11.SessionHandle, p11.ObjectHandle, []*p11.Attribute) ([]*p11.Attribute, error)
	SignInit(p11.SessionHandle, []*p11.Mechanism, p11.ObjectHandle) error
	Sign(p11.SessionHandle, []byte) ([]byte, error)
	InitToken(slot uint, pin, label string) error
	InitPIN(session p11.SessionHandle, pin string) error
	GenerateKeyPair(p11.SessionHandle, []*p11.Mechanism, []*p11.Attribute, []*p11.Attribute) (p11.ObjectHandle, p11.ObjectHandle, error)
}

var _ cryptoki = (*p11.Ctx)(nil)

// module is one loaded PKCS#11 library. There is one a process: the library
// keeps one state, whoever loads it.
type module struct {
	registry *registry
	path     string
	library  cryptoki
	users    int               // tokens and provisioning steps that use it; under registry.mu
	open     map[identity]bool // tokens with a session; under registry.mu
	mu       sync.Mutex        // held during each call into the library
}

// identity tells one token of a module from another.
type identity struct {
	slot          uint
	label, serial string
}

// registry holds the modules of this process.
type registry struct {
	mu      sync.Mutex
	modules map[string]*module
	load    func(path string) (cryptoki, error)
}

var process = registry{load: load}

// acquire loads and initialises a module, or counts one more user of it.
func (r *registry) acquire(path string) (*module, error) {
	resolved, err := checkModule(path)
	if err != nil {
		return nil, fmt.Errorf("loading PKCS#11 module %q: %w", path, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.modules[resolved]
	if m == nil {
		if m, err = r.newModule(resolved); err != nil {
			return nil, fmt.Errorf("loading PKCS#11 module %q: %w", path, err)
		}
	}
	if m.users == 0 {
		if err := m.call(func(c cryptoki) error { return c.Initialize() }); err != nil {
			return nil, fmt.Errorf("initialising PKCS#11 module %q: %w", path, translate(err))
		}
	}
	m.users++
	return m, nil
}

func (r *registry) newModule(path string) (*module, error) {
	library, err := r.load(path)
	if err != nil {
		return nil, err
	}
	if r.modules == nil {
		r.modules = make(map[string]*module)
	}
	m := &module{registry: r, path: path, library: library, open: make(map[identity]bool)}
	r.modules[path] = m
	return m, nil
}

// release undoes acquire. The last user finalises the module.
func (m *module) release() error {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	if m.users--; m.users > 0 {
		return nil
	}
	if err := m.call(cryptoki.Finalize); err != nil {
		return fmt.Errorf("finalising PKCS#11 module %q: %w", m.path, translate(err))
	}
	return nil
}

// call is the only way into the library.
func (m *module) call(f func(cryptoki) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(m.library)
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

// checkModule looks at the file before the loader does: the binding loses the
// loader's message. It returns the path without links, so that a module with
// two names is loaded once.
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

func load(path string) (cryptoki, error) {
	library := p11.New(path)
	if library == nil {
		return nil, errors.New("the system's loader refused it: it is no PKCS#11 module, " +
			"was built for another machine, or lacks a library that it needs")
	}
	return library, nil
}

func pathless(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
