//go:build cgo && linux

package piv

import (
	"crypto/rand"
	"errors"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/virtual"
)

// A card that is pulled while it is set up can be put back: the service takes
// it, and it is as far as it was.
func TestAdminPulledAndPutBack(t *testing.T) {
	for name, ins := range map[string]byte{"changing the PIN": 0x24, "reading its state": 0xCB} {
		t.Run(name, func(t *testing.T) {
			b := fresh(t, "5.7.1")
			admin, err := OpenAdmin(b.serial, rand.Reader)
			must(t, err)
			must(t, b.PullAtINS(ins, virtual.Before))
			if ins == 0x24 {
				err = admin.ChangePIN(FactoryPIN(), []byte("703918"))
			} else {
				_, err = admin.State()
			}
			if !errors.Is(err, hsm.ErrRemoved) {
				t.Errorf("error is %v, want %q", err, hsm.ErrRemoved)
			}
			must(t, admin.Close())
			must(t, b.Plug())
			admin, err = OpenAdmin(b.serial, rand.Reader)
			must(t, err)
			defer admin.Close()
			if state, err := admin.State(); err != nil || state.PIN.Factory != Yes {
				t.Errorf("the PIN is the factory's: %v, %v", state.PIN.Factory, err)
			}
		})
	}
}
