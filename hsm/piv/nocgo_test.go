//go:build !cgo || !(linux || darwin)

package piv

import (
	"errors"
	"strings"
	"testing"

	"tufceremony/hsm"
)

func TestWithoutCgoRefusesInWords(t *testing.T) {
	_, open := Open("piv:serial=1;slot=9c")
	_, list := List()
	_, readers := Readers()
	_, admin := OpenAdmin(1, nil)
	for _, err := range []error{open, list, readers, admin} {
		if !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), "build it with cgo") {
			t.Errorf("error is %v", err)
		}
	}
	if _, err := Open("piv:serial=1"); err == nil || errors.Is(err, hsm.ErrUnsupported) {
		t.Errorf("error is %v, want the URI refused", err)
	}
}
