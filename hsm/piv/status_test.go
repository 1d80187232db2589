package piv

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
)

// codes of every entry in StatusWords, with a digit for each x.
func example(code string) uint16 {
	n, err := strconv.ParseUint(strings.ReplaceAll(code, "x", "2"), 16, 16)
	if err != nil {
		panic(err)
	}
	return uint16(n)
}

func TestStatusWords(t *testing.T) {
	var codes []string
	for _, word := range StatusWords {
		codes = append(codes, word.Code)
		if word.Words == "" || word.Do == "" {
			t.Errorf("%s has no words, or says nothing to do", word.Code)
		}
		code := example(word.Code)
		if !word.match(code) {
			t.Errorf("%s is not %04X", word.Code, code)
		}
		for _, other := range StatusWords {
			if other.Code != word.Code && other.match(code) {
				t.Errorf("%04X is %s and %s", code, word.Code, other.Code)
			}
		}
		err := translate(fmt.Errorf("context: %w", card.Status(code)))
		if want := fmt.Sprintf("%s (status word %04X)", word.Words, code); err.Error() != want {
			t.Errorf("error is %q, want %q", err, want)
		}
		if word.is != nil && !errors.Is(err, word.is) {
			t.Errorf("%s: error is %v, want %q", word.Code, err, word.is)
		}
		if again := translate(fmt.Errorf("context: %w", err)); again.Error() != "context: "+err.Error() {
			t.Errorf("translated twice, it is %q", again)
		}
	}
	if !slices.IsSorted(codes) {
		t.Errorf("the codes are not in order: %v", codes)
	}
	for _, code := range strings.Fields("61xx 63Cx 6700 6881 6882 6982 6983 6985 6A80 6A81 6A82 6A84 6A86 6A88 6B00 6D00 6F00") {
		if !slices.Contains(codes, code) {
			t.Errorf("%s is missing", code)
		}
	}
	unusual := translate(card.Status(0x6FAB))
	var status *StatusError
	if !errors.As(unusual, &status) || status.Do() == "" || !strings.Contains(unusual.Error(), "unusual reason (status word 6FAB)") {
		t.Errorf("error is %v", unusual)
	}
}

func TestRefusedPINs(t *testing.T) {
	for code, want := range map[uint16]int{0x63C2: 2, 0x63CF: 15, 0x6302: 2, 0x6300: hsm.Unknown, 0x63C0: 0, 0x6983: 0} {
		pin, puk := pinError(card.Status(code)), pukError(card.Status(code))
		var wrongPIN *hsm.PINError
		var wrongPUK *PUKError
		if want == 0 {
			if !errors.Is(pin, hsm.ErrPINLocked) || !errors.Is(puk, ErrPUKLocked) {
				t.Errorf("%04X: %v, %v", code, pin, puk)
			}
			continue
		}
		if !errors.As(pin, &wrongPIN) || wrongPIN.TriesLeft != want || !errors.As(puk, &wrongPUK) || wrongPUK.TriesLeft != want {
			t.Errorf("%04X: %v, %v", code, pin, puk)
		}
		if strings.Contains(puk.Error(), "PIN") {
			t.Errorf("a wrong PUK is called %q", puk)
		}
	}
	for _, err := range []error{nil, errors.New("other"), card.Status(0x6982), card.Status(0x6FC2)} {
		if pinError(err) != nil || pukError(err) != nil {
			t.Errorf("%v is taken for a refused PIN", err)
		}
	}
}

// Codes that newer firmware may have are shown by their number.
func TestNames(t *testing.T) {
	for name, got := range map[string]fmt.Stringer{
		"P-256": P256, "unknown (code 77)": Algorithm(0x77), "AES-192": AES192, "unknown": Algorithm(0),
		"always": PINAlways, "unknown (code 09)": PINPolicy(9), "cached": TouchCached, "never": TouchNever,
		"imported": Imported, "metadata": FromMetadata, "another card": OtherCard, "yes": Yes, "9c": Signature,
		"82": Slot(0x82),
	} {
		if got.String() != name {
			t.Errorf("%v is not called %q", got, name)
		}
	}
	if n := len(Slots()); n != 24 {
		t.Errorf("there are %d slots", n)
	}
}

func TestAttestable(t *testing.T) {
	old := attestable(SlotInfo{}, card.Firmware{Major: 4, Minor: 2, Patch: 8})
	imported := attestable(SlotInfo{Origin: Imported}, card.Firmware{Major: 5, Minor: 7})
	if !errors.Is(old, hsm.ErrUnsupported) || !strings.Contains(old.Error(), "came with 4.3") {
		t.Errorf("error is %v", old)
	}
	if !errors.Is(imported, hsm.ErrUnsupported) || !strings.Contains(imported.Error(), "the key was imported") {
		t.Errorf("error is %v", imported)
	}
	if err := attestable(SlotInfo{Origin: Generated}, card.Firmware{Major: 4, Minor: 3}); err != nil {
		t.Error(err)
	}
}
