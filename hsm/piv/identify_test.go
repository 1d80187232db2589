package piv

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
	"tufceremony/hsm/virtual"
)

// odd is a virtual card without a reader, of which some answers are others.
type odd struct {
	card   *virtual.Card
	answer func(command []byte) (reply []byte)
}

func (o odd) Transmit(command []byte) ([]byte, error) {
	if reply := o.answer(command); reply != nil {
		return reply, nil
	}
	return o.card.Transmit(command), nil
}

func newOdd(t *testing.T, firmware string, answer func(command []byte) []byte) *card.Card {
	t.Helper()
	v, err := virtual.New(virtual.Config{Serial: 14470876, Firmware: firmware, Form: "usb-c-nano"})
	if err != nil {
		t.Fatal(err)
	}
	return card.New(odd{v, answer})
}

var refused = []byte{0x6A, 0x82}

// withoutApplications refuses to select them.
func withoutApplications(names ...card.Application) func([]byte) []byte {
	return func(command []byte) []byte {
		for _, name := range names {
			if command[1] == 0xA4 && bytes.HasSuffix(command, []byte(name)) {
				return refused
			}
		}
		return nil
	}
}

func TestIdentify(t *testing.T) {
	for name, test := range map[string]struct {
		firmware string
		answer   func([]byte) []byte
		want     hsm.Info
	}{
		"new":                     {"5.7.1", withoutApplications(), hsm.Info{URI: "piv:serial=14470876", Model: "YubiKey 5", Serial: "14470876", Firmware: "5.7.1", FormFactor: "usb-c-nano"}},
		"new, without management": {"5.7.1", withoutApplications(card.Management), hsm.Info{URI: "piv:serial=14470876", Model: "YubiKey 5", Serial: "14470876", Firmware: "5.7.1"}},
		"old, without management": {"4.3.5", withoutApplications(card.Management), hsm.Info{URI: "piv:serial=14470876", Model: "YubiKey 4", Serial: "14470876", Firmware: "4.3.5"}},
		"old, without both":       {"4.3.5", withoutApplications(card.Management, card.OTP), hsm.Info{Model: "YubiKey 4", Firmware: "4.3.5"}},
	} {
		id, err := identify(newOdd(t, test.firmware, test.answer))
		test.want.Driver, test.want.Manufacturer, test.want.TriesLeft = "piv", "Yubico", 3
		if got := id.info(3); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
	}
	version := func(major, minor, patch byte) func([]byte) []byte {
		return func(command []byte) []byte {
			if command[1] == 0xFD {
				return []byte{major, minor, patch, 0x90, 0}
			}
			return nil
		}
	}
	if _, err := identify(newOdd(t, "4.3.5", version(1, 0, 4))); !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), "before the YubiKey 4") {
		t.Errorf("error is %v", err)
	}
	if _, err := identify(newOdd(t, "5.7.1", withoutApplications(card.PIV))); err == nil || !strings.Contains(err.Error(), "selecting PIV: there is no such object or application") {
		t.Errorf("error is %v", err)
	}
	for form, want := range map[byte]string{0x07: "YubiKey Bio", 0x83: "YubiKey 5 FIPS", 0x00: "YubiKey 5"} {
		id := identity{firmware: card.Firmware{Major: 5}, formFactor: form}
		if id.model() != want {
			t.Errorf("form factor %02x is model %q, want %q", form, id.model(), want)
		}
	}
}

// Before firmware 4.3, certificates are all that there is. A compressed one is
// read as well, and other programs' data is no key.
func TestSlotsByCertificate(t *testing.T) {
	c := newOdd(t, "4.3.5", func(command []byte) []byte {
		if command[1] == 0xF9 {
			return []byte{0x6D, 0x00}
		}
		return nil
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Select(card.PIV))
	must(c.Authenticate(card.TripleDES, FactoryManagementKey(), rand.Reader))
	encoded, err := c.Generate(0x9C, card.P256, 2, 1)
	must(err)
	public, err := card.PublicKey(card.P256, encoded)
	must(err)
	der, err := PlaceholderCertificate(public, "holder", rand.Reader)
	must(err)
	must(c.PutCertificate(0x9A, der))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(der)
	must(w.Close())
	object := append([]byte{0x70, 0x82, byte(packed.Len() >> 8), byte(packed.Len())}, packed.Bytes()...)
	must(c.Put(card.CertificateObject(0x9C), append(object, 0x71, 1, 1, 0xFE, 0)))
	must(c.Put(card.CertificateObject(0x9D), []byte("data of another program")))

	used, err := readSlots(c, card.Firmware{Major: 4, Minor: 2, Patch: 8})
	must(err)
	var found []string
	for _, s := range used {
		if s.Err != nil || s.From != FromCertificate || s.Algorithm != P256 || s.PINPolicy != 0 || s.Public == nil {
			t.Errorf("%+v", s)
		}
		found = append(found, s.Slot.String())
	}
	if strings.Join(found, " ") != "9a 9c" {
		t.Errorf("found %v", found)
	}
	if certificates, err := readCertificates(c); err != nil || len(certificates) != 3 {
		t.Errorf("%v, %v", certificates, err)
	}
	// The same device with attestation names what it does not know by an error.
	used, err = readSlots(c, card.Firmware{Major: 4, Minor: 3, Patch: 5})
	must(err)
	if len(used) != 24 || used[0].Err == nil || !strings.Contains(used[0].Err.Error(), "reading slot 9a: the card does not know this command") {
		t.Errorf("%+v", used)
	}
}

// What newer firmware may tell is shown, and not taken for what it is not.
func TestSlotsOfTheFuture(t *testing.T) {
	replies := map[byte][]byte{
		0x9A: {0x01, 1, 0x77, 0x02, 2, 9, 9, 0x03, 1, 9, 0x04, 2, 0x86, 0, 0x99, 1, 0, 0x90, 0},
		0x9C: {0x01, 1, card.X25519, 0x02, 2, 2, 1, 0x03, 1, 1, 0x90, 0},
		0x9D: {0x01, 2, 1, 1, 0x90, 0},
	}
	c := newOdd(t, "5.7.1", func(command []byte) []byte {
		if command[1] != 0xF7 {
			return nil
		}
		return replies[command[3]]
	})
	if err := c.Select(card.PIV); err != nil {
		t.Fatal(err)
	}
	used, err := readSlots(c, card.Firmware{Major: 6})
	if err != nil || len(used) != 3 {
		t.Fatalf("%+v, %v", used, err)
	}
	if s := used[0]; s.Algorithm.String() != "unknown (code 77)" || s.PINPolicy.String() != "unknown (code 09)" || s.Public != nil || s.Err != nil {
		t.Errorf("%+v", s)
	}
	if s := used[1]; s.Algorithm.String() != "X25519" || s.Public != nil || s.Err != nil {
		t.Errorf("%+v", s)
	}
	if s := used[2]; s.Slot != KeyManagement || !errors.Is(s.Err, card.ErrMalformed) {
		t.Errorf("%+v", s)
	}
}

func TestCanGenerate(t *testing.T) {
	firmware := func(major, minor, patch byte) *Admin {
		return &Admin{identity: identity{firmware: card.Firmware{Major: major, Minor: minor, Patch: patch}}}
	}
	for _, test := range []struct {
		admin     *Admin
		slot      Slot
		algorithm Algorithm
		pin       PINPolicy
		touch     TouchPolicy
		want      string // empty: it can
	}{
		{firmware(4, 3, 5), Signature, RSA2048, PINAlways, TouchCached, ""},
		{firmware(5, 7, 0), 0x82, Ed25519, PINNever, TouchNever, ""},
		{firmware(4, 2, 5), Signature, RSA2048, PINOnce, TouchNever, ""},
		{firmware(4, 3, 4), Signature, P384, PINOnce, TouchAlways, ""},
		{firmware(4, 3, 4), Signature, RSA2048, PINOnce, TouchNever, "can be broken"},
		{firmware(4, 2, 6), Signature, RSA2048, PINOnce, TouchNever, "can be broken"},
		{firmware(5, 4, 3), Signature, Ed25519, PINOnce, TouchNever, "came with firmware 5.7"},
		{firmware(5, 4, 3), Signature, RSA4096, PINOnce, TouchNever, "came with firmware 5.7"},
		{firmware(5, 7, 1), Signature, Algorithm(card.RSA1024), PINOnce, TouchNever, "RSA-1024 are not generated"},
		{firmware(5, 7, 1), Signature, Algorithm(card.X25519), PINOnce, TouchNever, "X25519 are not generated"},
		{firmware(5, 7, 1), Signature, 0, PINOnce, TouchNever, "unknown are not generated"},
		{firmware(5, 7, 1), 0xF9, P256, PINOnce, TouchNever, "no such slot"},
		{firmware(5, 7, 1), Signature, P256, 0, TouchNever, "PIN policy unknown"},
		{firmware(5, 7, 1), Signature, P256, PINMatchOnce, TouchNever, "PIN policy match-once"},
		{firmware(5, 7, 1), Signature, P256, PINOnce, 0, "touch policy unknown"},
	} {
		err := test.admin.canGenerate(test.slot, test.algorithm, test.pin, test.touch)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error is %v", test, err)
		}
	}
}

// A device that does not count, or takes what cannot be right, is not asked for
// ever.
func TestBlock(t *testing.T) {
	asked := 0
	miss := func(status card.Status) func() error {
		asked = 0
		return func() error { asked++; return status }
	}
	if err := block(miss(0x63C7)); err == nil || asked != maxTries+1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if err := block(miss(0x63C0)); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if err := block(miss(0x6F00)); err == nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if err := block(func() error { return nil }); err == nil {
		t.Error("a wrong PIN was taken")
	}
}
