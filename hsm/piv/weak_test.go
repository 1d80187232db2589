package piv

import (
	"strings"
	"testing"
)

func TestWeak(t *testing.T) {
	for pin, want := range map[string]string{
		"":          "shorter than 6",
		"82461":     "shorter than 6",
		"824617391": "longer than 8",
		"123456":    "factory",
		"1234567":   "factory",
		"12345678":  "factory",
		"000000":    "over and over",
		"aaaaaaa":   "over and over",
		"234567":    "run of neighbours",
		"567890":    "run of neighbours",
		"654321":    "run of neighbours",
		"321098":    "run of neighbours",
		"abcdef":    "run of neighbours",
		"12345ü":    "keyboard",
		"8246 17":   "keyboard",
		"82461\xff": "keyboard",
		"824617":    "",
		"12345678a": "longer than 8",
		"112233":    "",
		"Xk7#pQ2!":  "",
	} {
		err := WeakPIN([]byte(pin))
		wantWeak(t, pin, "the PIN ", want, err)
	}
	for puk, want := range map[string]string{
		"12345678": "factory",
		"824617":   "is shorter than 8 characters",
		"87654321": "run of neighbours",
		"50917384": "",
	} {
		wantWeak(t, puk, "the PUK ", want, WeakPUK([]byte(puk)))
	}
}

func wantWeak(t *testing.T, secret, begin, want string, err error) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%q: %v", secret, err)
	case want != "" && (err == nil || !strings.HasPrefix(err.Error(), begin) || !strings.Contains(err.Error(), want)):
		t.Errorf("%q: error is %v, want %q in it", secret, err, want)
	case err != nil && len(secret) > 1 && strings.Contains(err.Error(), secret):
		t.Errorf("%q stands in the error %q", secret, err)
	}
}
