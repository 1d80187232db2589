//go:build !cgo || !(linux || darwin)

package pcsc

import (
	"errors"
	"testing"
)

func TestWithoutCgo(t *testing.T) {
	_, connect := Connect()
	var s Service
	_, readers := s.Readers()
	_, state := s.State("a")
	_, open := s.Open("a", Shared)
	_, transmit := new(Card).Transmit(nil)
	for _, err := range []error{connect, readers, state, open, transmit} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("error is %v, want %q", err, ErrUnsupported)
		}
	}
	if err := errors.Join(s.Close(), new(Card).Close(Reset)); err != nil {
		t.Error(err)
	}
}
