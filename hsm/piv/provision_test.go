//go:build cgo && linux

package piv

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"

	"tufceremony/hsm"
)

func mustAdmin(t testing.TB, serial uint32) *Admin {
	t.Helper()
	a, err := OpenAdmin(serial, rand.Reader)
	must(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

func mustState(t testing.TB, a *Admin) State {
	t.Helper()
	state, err := a.State()
	must(t, err)
	return state
}

const (
	newPIN = "824617"
	newPUK = "50917384"
)

// holder remembers what devices before 5.3 do not tell.
type holder struct{ pin, puk string }

func newHolder() *holder { return &holder{factoryPIN, factoryPUK} }

// provision takes a device from the factory to a key in slot 9c, looking at the
// state before each step: it can be run again wherever it was stopped.
func (h *holder) provision(a *Admin) error {
	for _, step := range []func(*Admin, State) error{h.setPIN, h.setPUK, h.setManagementKey, h.makeKey} {
		state, err := a.State()
		if err != nil {
			return err
		}
		if err := step(a, state); err != nil {
			return err
		}
	}
	return nil
}

func (h *holder) setPIN(a *Admin, state State) error {
	if state.PIN.Factory == No || h.pin == newPIN {
		return nil
	}
	err := a.ChangePIN([]byte(h.pin), []byte(newPIN))
	if err == nil {
		h.pin = newPIN
	}
	return err
}

func (h *holder) setPUK(a *Admin, state State) error {
	if state.PUK.Factory == No || h.puk == newPUK {
		return nil
	}
	err := a.ChangePUK([]byte(h.puk), []byte(newPUK))
	if err == nil {
		h.puk = newPUK
	}
	return err
}

// setManagementKey stores the key first. A device that has it stored and not
// set still has the factory's.
func (h *holder) setManagementKey(a *Admin, state State) error {
	key, err := a.NewManagementKey()
	if err != nil {
		return err
	}
	if state.Management.PINProtected {
		if key, err = a.ProtectedManagementKey([]byte(h.pin)); err != nil {
			return err
		}
	} else if err := a.StoreManagementKey([]byte(h.pin), FactoryManagementKey(), key); err != nil {
		return err
	}
	if state.Management.Factory == No {
		return nil
	}
	err = a.SetManagementKey(FactoryManagementKey(), key)
	if errors.Is(err, ErrManagementKey) && state.Management.Factory == Unknown {
		return nil // it was set before
	}
	return err
}

func (h *holder) makeKey(a *Admin, state State) error {
	key, err := a.ProtectedManagementKey([]byte(h.pin))
	if err != nil {
		return err
	}
	if len(state.Slots) == 0 {
		if _, err := a.Generate(Signature, P256, PINAlways, TouchAlways, key); err != nil {
			return err
		}
		if state, err = a.State(); err != nil {
			return err
		}
	}
	if len(state.Certificates) > 0 {
		return nil
	}
	der, err := PlaceholderCertificate(state.Slots[0].Public, "holder-1", rand.Reader)
	if err != nil {
		return err
	}
	return a.StoreCertificate(Signature, key, der)
}

// wantProvisioned looks at the device as its holder does.
func wantProvisioned(t *testing.T, b bench, a *Admin) {
	t.Helper()
	state := mustState(t, a)
	must(t, a.Close())
	if !state.Occupied(Signature) || state.Occupied(Authentication) || len(state.Slots) != 1 || len(state.Certificates) != 1 || !state.Management.PINProtected || state.PIN.TriesLeft != testTries {
		t.Errorf("the state is %+v", state)
	}
	p := &person{pin: newPIN}
	must(t, b.session(p))
	if p.typed != 1 || len(p.touches) != 1 {
		t.Errorf("%d PINs and %d touches", p.typed, len(p.touches))
	}
}

func TestProvision(t *testing.T) {
	for _, firmware := range firmwares {
		t.Run(firmware, func(t *testing.T) {
			b := fresh(t, firmware)
			h := newHolder()
			a := mustAdmin(t, serial)
			must(t, h.provision(a))
			key := mustState(t, a).Slots[0].Public
			must(t, h.provision(a))
			if again := mustState(t, a).Slots[0].Public; !samePublic(key, again) {
				t.Error("run again, it made another key")
			}
			wantProvisioned(t, b, a)
		})
	}
}

// Stopped at any command, it goes on from there.
func TestProvisionStopped(t *testing.T) {
	for firmware, each := range map[string]int{"5.2.4": 8, "5.7.1": 1} {
		t.Run(firmware, func(t *testing.T) {
			b := fresh(t, firmware)
			a := mustAdmin(t, serial)
			must(t, b.ForgetLog())
			must(t, newHolder().provision(a))
			log, err := b.Log()
			must(t, err)
			must(t, a.Close())
			for n := 0; n < len(log); n += each {
				if !isReading(log, n) {
					stopAt(t, firmware, n+1)
				}
			}
		})
	}
}

func stopAt(t *testing.T, firmware string, n int) {
	t.Helper()
	b := fresh(t, firmware)
	h := newHolder()
	a := mustAdmin(t, serial)
	must(t, b.AnswerAt(n, 0x6F00))
	if err := h.provision(a); err == nil {
		t.Errorf("stopped at command %d, it says nothing", n)
	}
	must(t, a.Close())
	must(t, b.Heal())
	a = mustAdmin(t, serial)
	if err := h.provision(a); err != nil {
		t.Errorf("stopped at command %d, it does not go on: %v", n, err)
		return
	}
	wantProvisioned(t, b, a)
}

func samePublic(a, b any) bool {
	return bytes.Equal(marshalPublic(a), marshalPublic(b))
}

func marshalPublic(public any) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil
	}
	return der
}

func TestProvisionRefusals(t *testing.T) {
	for _, firmware := range firmwares {
		t.Run(firmware, func(t *testing.T) {
			fresh(t, firmware)
			a := mustAdmin(t, serial)
			factory := FactoryManagementKey()
			_, err := a.Generate(Signature, P256, PINOnce, TouchNever, factory)
			must(t, err)
			other, err := a.Generate(Authentication, P384, PINOnce, TouchNever, factory)
			must(t, err)
			otherDER, err := PlaceholderCertificate(other, "other", rand.Reader)
			must(t, err)
			wrongKey := bytes.Repeat([]byte{7}, 24)
			_, occupied := a.Generate(Signature, P256, PINOnce, TouchNever, factory)
			_, wrongManagement := a.Generate(KeyManagement, P256, PINOnce, TouchNever, wrongKey)
			_, shortManagement := a.Generate(KeyManagement, P256, PINOnce, TouchNever, wrongKey[:23])
			var pin *hsm.PINError
			var puk *PUKError
			for name, refused := range map[string]struct {
				err  error
				want func(error) bool
			}{
				"occupied":             {occupied, is(ErrOccupied)},
				"wrong management key": {wrongManagement, is(ErrManagementKey)},
				"short management key": {shortManagement, is(ErrManagementKey)},
				"wrong PIN":            {a.ChangePIN([]byte(testWrongPIN), []byte(newPIN)), func(err error) bool { return errors.As(err, &pin) && pin.TriesLeft == 2 }},
				"wrong PUK":            {a.ChangePUK([]byte(testWrongPIN), []byte(newPUK)), func(err error) bool { return errors.As(err, &puk) && puk.TriesLeft == 2 }},
				"other's certificate":  {a.StoreCertificate(Signature, factory, otherDER), isNot(nil)},
				"factory's key again":  {a.SetManagementKey(factory, factory), isNot(nil)},
			} {
				if !refused.want(refused.err) {
					t.Errorf("%s: error is %v", name, refused.err)
				} else {
					t.Logf("%s: %v", name, refused.err)
				}
			}
		})
	}
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
func isNot(target error) func(error) bool {
	return func(err error) bool { return !errors.Is(err, target) }
}
