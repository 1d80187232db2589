//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm/pkcs11/uri"
)

// fakeModule is a module with one token, that counts PINs, locks, and fails on
// demand, as no module at hand does.
type fakeModule struct {
	cryptoki // nil: provisioning is tested on SoftHSM

	slot        uint
	info        p11.TokenInfo
	pin         string
	tries, left int
	objects     []fakeObject

	initialised        bool
	inits, finals      int
	sessions           map[p11.SessionHandle]*fakeSession
	opened             int
	loggedIn           bool
	contextLogins      int
	contextLoginAnswer p11.Error
	gone               bool
	fail               map[string]p11.Error // what the next call of a function answers
	shorten            bool                 // signatures lack a byte
	keeps              bool                 // what is destroyed stays, and success is reported
}

type fakeObject struct {
	attributes map[uint][]byte
	private    *ecdsa.PrivateKey
}

type fakeSession struct {
	found   []p11.ObjectHandle
	signing *fakeObject
	context bool
}

const p256Size = 32

const (
	fakePIN   = "123456"
	fakeTries = 3
)

// newFake returns a module with one key, and how to open its token.
func newFake(t *testing.T) (*fakeModule, *registry, string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeModule{
		slot: 7, pin: fakePIN, tries: fakeTries, left: fakeTries,
		info: p11.TokenInfo{Label: "holder-1\x00 ", SerialNumber: "0001  ", Model: "fake",
			Flags: p11.CKF_TOKEN_INITIALIZED | p11.CKF_LOGIN_REQUIRED},
		sessions: make(map[p11.SessionHandle]*fakeSession),
		fail:     make(map[string]p11.Error),
	}
	f.addKey(t, private, []byte{1, 2}, "root")
	path := filepath.Join(t.TempDir(), "fake.so")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := &registry{try: func(source, time.Duration) error { return nil }, load: func(source) (cryptoki, error) { return f, nil }}
	return f, r, uri.URI{Token: "holder-1", ModulePath: path}.String()
}

func (f *fakeModule) addKey(t *testing.T, private *ecdsa.PrivateKey, id []byte, label string) {
	t.Helper()
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	attributes := func(class uint) map[uint][]byte {
		a := make(map[uint][]byte)
		for _, v := range []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, class), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_EC),
			p11.NewAttribute(p11.CKA_ID, id), p11.NewAttribute(p11.CKA_LABEL, label),
		} {
			a[v.Type] = v.Value
		}
		return a
	}
	public := attributes(p11.CKO_PUBLIC_KEY)
	public[p11.CKA_EC_PARAMS], public[p11.CKA_EC_POINT] = curves[0].params, append([]byte{4, 65}, point...)
	f.objects = append(f.objects, fakeObject{public, nil}, fakeObject{attributes(p11.CKO_PRIVATE_KEY), private})
}

// answer is how every function begins: with the failure that was ordered.
func (f *fakeModule) answer(function string) error {
	switch code, ordered := f.fail[function]; {
	case ordered:
		delete(f.fail, function)
		return code
	case !f.initialised:
		return p11.Error(p11.CKR_CRYPTOKI_NOT_INITIALIZED)
	case f.gone:
		return p11.Error(p11.CKR_DEVICE_REMOVED)
	}
	return nil
}

func (f *fakeModule) session(function string, s p11.SessionHandle) (*fakeSession, error) {
	if err := f.answer(function); err != nil {
		return nil, err
	}
	if f.sessions[s] == nil {
		return nil, p11.Error(p11.CKR_SESSION_HANDLE_INVALID)
	}
	return f.sessions[s], nil
}

func (f *fakeModule) Initialize(...p11.InitializeOption) error {
	if f.initialised {
		return p11.Error(p11.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	}
	f.initialised = true
	f.inits++
	return nil
}

func (f *fakeModule) Finalize() error {
	f.initialised, f.loggedIn = false, false
	f.finals++
	clear(f.sessions)
	return nil
}

func (f *fakeModule) GetSlotList(bool) ([]uint, error) {
	return []uint{f.slot}, f.answer("GetSlotList")
}

func (f *fakeModule) GetTokenInfo(uint) (p11.TokenInfo, error) {
	info := f.info
	if f.left < f.tries {
		info.Flags |= p11.CKF_USER_PIN_COUNT_LOW
	}
	if f.left == 1 {
		info.Flags |= p11.CKF_USER_PIN_FINAL_TRY
	}
	if f.left == 0 {
		info.Flags |= p11.CKF_USER_PIN_LOCKED
	}
	return info, f.answer("GetTokenInfo")
}

func (f *fakeModule) GetSlotInfo(uint) (p11.SlotInfo, error) {
	return p11.SlotInfo{}, f.answer("GetSlotInfo")
}

func (f *fakeModule) OpenSession(uint, uint) (p11.SessionHandle, error) {
	if err := f.answer("OpenSession"); err != nil {
		return 0, err
	}
	f.opened++
	f.sessions[p11.SessionHandle(f.opened)] = new(fakeSession)
	return p11.SessionHandle(f.opened), nil
}

func (f *fakeModule) CloseSession(s p11.SessionHandle) error {
	delete(f.sessions, s)
	f.loggedIn = f.loggedIn && len(f.sessions) > 0
	return nil
}

func (f *fakeModule) Login(handle p11.SessionHandle, user uint, pin []byte) error {
	s, err := f.session("Login", handle)
	if err != nil {
		return err
	}
	if user == userContextSpecific {
		f.contextLogins++
		if f.contextLoginAnswer != 0 {
			return f.contextLoginAnswer
		}
	}
	if f.left == 0 {
		return p11.Error(p11.CKR_PIN_LOCKED)
	}
	if string(pin) != f.pin {
		f.left--
		return p11.Error(p11.CKR_PIN_INCORRECT)
	}
	f.left, f.loggedIn, s.context = f.tries, true, user == userContextSpecific
	return nil
}

func (f *fakeModule) FindObjectsInit(handle p11.SessionHandle, template []*p11.Attribute) error {
	s, err := f.session("FindObjectsInit", handle)
	if err != nil {
		return err
	}
	s.found = nil
	for i, object := range f.objects {
		fits := object.private == nil || f.loggedIn
		for _, want := range template {
			fits = fits && bytes.Equal(object.attributes[want.Type], want.Value)
		}
		if fits {
			s.found = append(s.found, p11.ObjectHandle(i+1))
		}
	}
	return nil
}

// FindObjects gives one object a time, as a module may.
func (f *fakeModule) FindObjects(handle p11.SessionHandle, _ int) ([]p11.ObjectHandle, bool, error) {
	s, err := f.session("FindObjects", handle)
	if err != nil || len(s.found) == 0 {
		return nil, false, err
	}
	next := s.found[:1]
	s.found = s.found[1:]
	return next, false, nil
}

func (f *fakeModule) FindObjectsFinal(handle p11.SessionHandle) error {
	_, err := f.session("FindObjectsFinal", handle)
	return err
}

func (f *fakeModule) GetAttributeValue(handle p11.SessionHandle, object p11.ObjectHandle, want []*p11.Attribute) ([]*p11.Attribute, error) {
	if _, err := f.session("GetAttributeValue", handle); err != nil {
		return nil, err
	}
	value, ok := f.objects[object-1].attributes[want[0].Type]
	if !ok || len(want) != 1 {
		return nil, p11.Error(p11.CKR_ATTRIBUTE_TYPE_INVALID)
	}
	return []*p11.Attribute{{Type: want[0].Type, Value: slices.Clone(value)}}, nil
}

func (f *fakeModule) DestroyObject(handle p11.SessionHandle, object p11.ObjectHandle) error {
	if _, err := f.session("DestroyObject", handle); err != nil {
		return err
	}
	if !f.loggedIn {
		return p11.Error(p11.CKR_USER_NOT_LOGGED_IN)
	}
	if !f.keeps {
		f.objects[object-1].attributes = nil // handles of the others stay
	}
	return nil
}

func (f *fakeModule) SignInit(handle p11.SessionHandle, m []*p11.Mechanism, object p11.ObjectHandle) error {
	s, err := f.session("SignInit", handle)
	if err != nil {
		return err
	}
	if s.signing != nil || m[0].Mechanism != p11.CKM_ECDSA {
		return p11.Error(p11.CKR_OPERATION_ACTIVE)
	}
	s.signing, s.context = &f.objects[object-1], false
	return nil
}

func (f *fakeModule) Sign(handle p11.SessionHandle, digest []byte) ([]byte, error) {
	s, err := f.session("Sign", handle)
	if err != nil {
		return nil, err
	}
	key := s.signing
	s.signing = nil
	always := bytes.Equal(key.attributes[p11.CKA_ALWAYS_AUTHENTICATE], []byte{1})
	if !f.loggedIn || always && !s.context && f.contextLoginAnswer == 0 {
		return nil, p11.Error(p11.CKR_USER_NOT_LOGGED_IN)
	}
	r, v, err := ecdsa.Sign(rand.Reader, key.private, digest)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 2*p256Size)
	r.FillBytes(raw[:p256Size])
	v.FillBytes(raw[p256Size:])
	if f.shorten {
		raw = raw[1:]
	}
	return raw, nil
}

func (f *fakeModule) SignOnce(handle p11.SessionHandle, m *p11.Mechanism, object p11.ObjectHandle, digest []byte) ([]byte, error) {
	if err := f.SignInit(handle, []*p11.Mechanism{m}, object); err != nil {
		return nil, err
	}
	return f.Sign(handle, digest)
}
