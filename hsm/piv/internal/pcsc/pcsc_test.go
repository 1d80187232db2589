package pcsc

import (
	"errors"
	"strings"
	"testing"
)

func TestCodes(t *testing.T) {
	for code, want := range map[uint32]error{
		0x00000000: nil,
		0x8010001D: ErrNoService,
		0x8010001E: ErrNoService,
		0x8010000B: ErrInUse,
		0x80100069: ErrGone,
		0x80100068: ErrGone,
		0x80100009: ErrGone,
		0x80100003: ErrGone,
	} {
		if err := check(code); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%08X: error is %v, want %v", code, err, want)
		}
	}
	for code, want := range map[uint32]string{
		0x80100016: "the connection to the card failed; pull it and insert it again (PC/SC error 80100016)",
		0x801000FF: "for an unusual reason (PC/SC error 801000FF)",
	} {
		var service *ServiceError
		if err := check(code); !errors.As(err, &service) || !strings.Contains(err.Error(), want) {
			t.Errorf("%08X: error is %v, want %q in it", code, err, want)
		}
	}
}
