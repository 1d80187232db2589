//go:build !cgo

package pkcs11

import (
	"errors"
	"strings"
	"testing"

	"tufceremony/hsm"
)

func TestWithoutCgoRefusesInWords(t *testing.T) {
	_, err := Open("pkcs11:token=a?module-path=/m")
	if !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), "build it with cgo") {
		t.Errorf("error is %v", err)
	}
	if _, err := Open("pkcs11:?pin-value=1"); err == nil || errors.Is(err, hsm.ErrUnsupported) {
		t.Errorf("error is %v, want the URI refused", err)
	}
	_, list := List("/m")
	_, look := Look("pkcs11:?module-path=/m", Options{})
	_, create := CreateToken("pkcs11:token=a", nil, nil, Options{})
	set := SetPIN("pkcs11:token=a", nil, nil, Options{})
	_, generate := GenerateKey("pkcs11:token=a", nil, Options{})
	for _, err := range []error{list, look, create, set, generate} {
		if !errors.Is(err, hsm.ErrUnsupported) {
			t.Errorf("error is %v, want %q", err, hsm.ErrUnsupported)
		}
	}
}
