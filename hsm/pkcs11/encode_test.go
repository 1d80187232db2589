//go:build cgo

package pkcs11

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

func TestEncodeSignature(t *testing.T) {
	pad := func(short string) string { return strings.Repeat("00", 32-len(short)/2) + short }
	high := "ff" + strings.Repeat("11", 31)
	low := "7f" + strings.Repeat("22", 31)
	for _, c := range []struct{ name, raw, want string }{
		{"full width", low + low, "3044" + "0220" + low + "0220" + low},
		{"high bits", high + high, "3046" + "022100" + high + "022100" + high},
		{"one byte each", pad("01") + pad("02"), "3006" + "020101" + "020102"},
		{"high bit after zeros", pad("80") + pad("ff"), "3008" + "02020080" + "020200ff"},
		{"odd and short", pad("010203") + low, "3027" + "0203010203" + "0220" + low},
	} {
		raw, err := hex.DecodeString(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := encodeSignature(raw, p256Size)
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%s: got %x, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestEncodeSignatureRefuses(t *testing.T) {
	for _, length := range []int{0, 1, 32, 62, 63, 65, 66, 70, 72, 96, 128} {
		_, err := encodeSignature(bytes.Repeat([]byte{1}, length), p256Size)
		wantError(t, err, fmt.Sprintf("%d bytes instead of 64", length))
	}
	one, zero := bytes.Repeat([]byte{1}, 32), make([]byte, 32)
	for _, raw := range [][]byte{append(zero, one...), append(one, zero...), make([]byte, 64)} {
		_, err := encodeSignature(raw, p256Size)
		wantError(t, err, "zero")
	}
}

func TestTranslate(t *testing.T) {
	for code, value := range returnValues {
		err := translate(fmt.Errorf("wrapped: %w", code))
		wantError(t, err, "("+value.name+")")
		// The binding has no names for some.
		if name := code.Error(); strings.Contains(name, "CKR_") && !strings.HasSuffix(name, ": "+value.name) {
			t.Errorf("%s: the binding calls it %s", value.name, name)
		}
		for _, is := range []error{hsm.ErrRemoved, hsm.ErrPINLocked, hsm.ErrUnsupported, hsm.ErrNotFound} {
			if errors.Is(err, is) != (value.is == is) {
				t.Errorf("%s: is %q: %v", value.name, is, errors.Is(err, is))
			}
		}
	}
	wantError(t, translate(p11.Error(0xCE534352)), "only its maker knows (vendor-defined CKR 0xCE534352)")
	wantError(t, translate(p11.Error(0x7777)), "unusual reason (CKR 0x7777)")
	if plain := errors.New("plain"); translate(plain) != plain || translate(nil) != nil {
		t.Error("an error that is no return value was changed")
	}
}

func TestTranslateLogin(t *testing.T) {
	const low, final, locked = p11.CKF_USER_PIN_COUNT_LOW, p11.CKF_USER_PIN_FINAL_TRY, p11.CKF_USER_PIN_LOCKED
	for _, c := range []struct {
		code   p11.Error
		flags  uint
		tries  int // of a *PINError
		locked bool
	}{
		{p11.CKR_PIN_INCORRECT, 0, hsm.Unknown, false},
		{p11.CKR_PIN_INCORRECT, low, hsm.Unknown, false},
		{p11.CKR_PIN_INCORRECT, low | final, 1, false},
		{p11.CKR_PIN_INCORRECT, low | final | locked, 0, true},
		{p11.CKR_PIN_INVALID, 0, hsm.Unknown, false},
		{p11.CKR_PIN_LEN_RANGE, final, 1, false},
		{p11.CKR_PIN_LOCKED, 0, 0, true},
	} {
		err := translateLogin(c.code, c.flags)
		var pinError *hsm.PINError
		if isWrong := errors.As(err, &pinError); isWrong == c.locked || isWrong && pinError.TriesLeft != c.tries {
			t.Errorf("%v with flags %x: %v", c.code, c.flags, err)
		}
		if errors.Is(err, hsm.ErrPINLocked) != c.locked {
			t.Errorf("%v with flags %x: %v", c.code, c.flags, err)
		}
	}
	if err := translateLogin(p11.Error(p11.CKR_DEVICE_REMOVED), 0); !errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("removal became %v", err)
	}
}
