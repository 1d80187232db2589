//go:build cgo

package pkcs11

import (
	"errors"
	"slices"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

// What a module does not know, keeps to itself, calls false, and answers oddly
// are four answers, and one that fails is none.
func TestRawAttributes(t *testing.T) {
	f, r, text := newFake(t)
	private := f.objects[1].attributes
	private[p11.CKA_SIGN] = []byte{1}
	private[p11.CKA_EXTRACTABLE] = []byte{0}
	private[p11.CKA_DERIVE] = []byte{}
	private[p11.CKA_UNWRAP] = []byte{2}
	private[p11.CKA_DECRYPT] = []byte{1, 0, 0, 0, 0, 0, 0, 0, 7}
	token := mustOpen(t, r, text)
	read := func(attribute uint) (string, error) {
		return within(token, DefaultTimeout, func(c cryptoki, s p11.SessionHandle) (string, error) { return readRaw(c, s, 2, attribute) })
	}
	for attribute, want := range map[uint]string{
		p11.CKA_SIGN: True, p11.CKA_EXTRACTABLE: False, p11.CKA_LOCAL: Absent, p11.CKA_DERIVE: Absent,
		p11.CKA_UNWRAP: "0x02", p11.CKA_DECRYPT: "0x0100000000000000",
	} {
		if got, err := read(attribute); err != nil || got != want {
			t.Errorf("attribute %#x is %q, %v; want %q", attribute, got, err, want)
		}
	}
	f.fail["GetAttributeValue"] = p11.CKR_ATTRIBUTE_SENSITIVE
	if got, err := read(p11.CKA_SIGN); err != nil || got != Secret {
		t.Errorf("a secret one is %q, %v", got, err)
	}
	f.fail["GetAttributeValue"] = p11.CKR_DEVICE_ERROR
	if got, err := read(p11.CKA_SIGN); err == nil {
		t.Errorf("one that fails is %q", got)
	}
}

// A key is examined by who is logged in, and one that is not as it was asked for
// is refused: so is one of which the module does not know whether it is.
func TestExamine(t *testing.T) {
	f, r, text := newFake(t)
	private := f.objects[1].attributes
	for attribute, value := range map[uint]byte{p11.CKA_SENSITIVE: 1, p11.CKA_EXTRACTABLE: 0, p11.CKA_SIGN: 1, p11.CKA_DECRYPT: 0, p11.CKA_UNWRAP: 0, p11.CKA_LOCAL: 0} {
		private[attribute] = []byte{value}
	}
	token := mustOpen(t, r, text)
	keys, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	_, err = token.Examine(keys[0])
	wantError(t, err, "nobody is logged in")
	if _, err := token.Signer(keys[0], &typist{pin: fakePIN}); err != nil {
		t.Fatal(err)
	}
	e, err := token.Examine(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if e.Library.Manufacturer != "nobody" {
		t.Errorf("the module is %+v", e.Library)
	}
	for _, want := range []Attribute{{"CKA_LOCAL", False}, {"CKA_NEVER_EXTRACTABLE", Absent}, {"CKA_SENSITIVE", True}} {
		if !slices.Contains(e.Attributes, want) {
			t.Errorf("%+v lacks %+v", e.Attributes, want)
		}
	}
	private[p11.CKA_EXTRACTABLE] = []byte{1}
	_, err = token.Examine(keys[0])
	wantError(t, err, "the module has CKA_EXTRACTABLE as true instead of false")
	if _, err := token.Signer(keys[0], &typist{pin: fakePIN}); err != nil {
		t.Fatal(err)
	}
	delete(private, p11.CKA_EXTRACTABLE)
	_, err = token.Examine(keys[0])
	wantError(t, err, "the module has CKA_EXTRACTABLE as absent instead of false")
}

func (f *fakeModule) GetInfo() (p11.Info, error) {
	return p11.Info{ManufacturerID: "nobody  "}, f.answer("GetInfo")
}

func TestWeakPIN(t *testing.T) {
	slot := Slot{Info: hsm.Info{Label: "rehearsal-7", Serial: "0f31a2"}, MinPIN: 4, MaxPIN: 8}
	for pin, want := range map[string]string{
		"70391":     "it is shorter than 6 characters",
		"703918265": "it is longer than the 8 characters that the token takes",
		"12345678":  "it is one that tokens are delivered with",
		"345678":    "a run of neighbours",
		"000000":    "one character over and over",
		"hearsal":   "what the token is called, or its number",
		"x0f31a2":   "what the token is called, or its number",
		"70\x0091a": "not every keyboard",
		"703918":    "",
	} {
		err := slot.WeakPIN([]byte(pin))
		if want == "" && err != nil {
			t.Errorf("%q: %v", pin, err)
		} else if want != "" {
			wantError(t, err, want)
		}
	}
	for _, c := range []struct{ least, most, want int }{{0, 0, 6}, {4, 255, 6}, {8, 0, 8}, {4, 4, 4}} {
		if got := (Slot{MinPIN: c.least, MaxPIN: c.most}).ShortestPIN(); got != c.want {
			t.Errorf("%d to %d: the shortest has %d", c.least, c.most, got)
		}
	}
}

func TestNewID(t *testing.T) {
	if _, err := NewID(short{}); err == nil {
		t.Error("an ID was drawn from nothing")
	}
}

type short struct{}

func (short) Read([]byte) (int, error) { return 0, errors.New("no randomness") }
