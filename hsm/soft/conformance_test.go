package soft_test

import (
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/hsmtest"
	"tufceremony/hsm/soft"
)

func TestConformance(t *testing.T) {
	hsmtest.Run(t, hsmtest.Device{New: newDevice})
}

func newDevice(t *testing.T) hsmtest.Instance {
	dir, name := t.TempDir(), "holder-1"
	create(t, dir, name, soft.Options{})
	return hsmtest.Instance{
		Open: func() (hsm.Token, error) {
			token, err := soft.Open(dir, name)
			if err != nil {
				return nil, err
			}
			return token, nil
		},
		PIN:      []byte("123456"),
		WrongPIN: []byte("654321"),
		Tries:    3,
		Remove: func(t *testing.T) {
			setFault(t, dir, name, soft.Fault{Kind: soft.Removed, Signature: 1})
		},
		WantTouch: func(t *testing.T) {
			name = "touched"
			create(t, dir, name, soft.Options{TouchRequired: true})
		},
		MissTouch: func(t *testing.T) {
			name = "touched"
			create(t, dir, name, soft.Options{TouchRequired: true})
			setFault(t, dir, name, soft.Fault{Kind: soft.TouchMissed, Signature: 1})
		},
	}
}
