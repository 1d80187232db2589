package piv

import (
	"strings"
	"testing"
)

func TestURI(t *testing.T) {
	for text, want := range map[string]URI{
		"piv:serial=14470876;slot=9c":   {14470876, 0x9c},
		"piv:serial=1;slot=82":          {1, 0x82},
		"piv:serial=4294967295;slot=95": {4294967295, 0x95},
	} {
		if u, err := Parse(text); err != nil || u != want || u.String() != text {
			t.Errorf("%s: %+v, %v", text, u, err)
		}
		if u, err := ParseDevice(text); err != nil || u != want {
			t.Errorf("%s: %+v, %v", text, u, err)
		}
	}
	if u, err := ParseDevice("piv:serial=14470876"); err != nil || u != (URI{Serial: 14470876}) || u.String() != "piv:serial=14470876" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestURIRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"":                                        `does not begin with "piv:"`,
		"pkcs11:token=a":                          `does not begin with "piv:"`,
		"PIV:serial=1;slot=9c":                    `does not begin with "piv:"`,
		"piv:":                                    "an attribute is empty",
		"piv:serial=1":                            "the slot is missing: write slot=9c",
		"piv:slot=9c":                             "the serial is missing",
		"piv:slot=9c;serial=1":                    "the serial comes first",
		"piv:serial=1;slot=9c;":                   "an attribute is empty",
		"piv:serial=1;;slot=9c":                   "an attribute is empty",
		"piv:serial=1;serial=1;slot=9c":           `"serial" stands there twice`,
		"piv:serial=1;slot=9c;slot=9c":            `"slot" stands there twice`,
		"piv:serial=;slot=9c":                     "not a decimal number",
		"piv:serial;slot=9c":                      "not a decimal number",
		"piv:serial=0;slot=9c":                    "no device has the serial 0",
		"piv:serial=007;slot=9c":                  "leave the zeros out",
		"piv:serial=+7;slot=9c":                   "not a decimal number",
		"piv:serial=0x7;slot=9c":                  "not a decimal number",
		"piv:serial=1_0;slot=9c":                  "not a decimal number",
		"piv:serial=-7;slot=9c":                   "not a decimal number",
		"piv:serial= 7;slot=9c":                   "not a decimal number",
		"piv:serial=4294967296;slot=9c":           "does not fit in 32 bits",
		"piv:serial=99999999999999999999;slot=9c": "does not fit in 32 bits",
		"piv:serial=1;slot=":                      "not two hex digits",
		"piv:serial=1;slot=9C":                    "not in lower case",
		"piv:serial=1;slot=09c":                   "not in lower case",
		"piv:serial=1;slot=9b":                    "no such slot for signing keys: write 9a, 9c, 9d, 9e, or 82 to 95",
		"piv:serial=1;slot=81":                    "no such slot",
		"piv:serial=1;slot=96":                    "no such slot",
		"piv:serial=1;slot=f9":                    "slot f9 holds the key that attests",
		"piv:serial=1;slot=100":                   "not two hex digits",
		"piv:serial=1;slot=9c;object=root":        "neither serial nor slot",
		"piv:serial=1;slot=9c;pin-value=7654321":  "a PIN does not belong in a PIV URI",
		"piv:serial=1;slot=9c?pin-source=file:/a": "no query",
		"piv:serial=1;slot=9c#a":                  "not two hex digits",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "parsing PIV URI: ") {
			t.Errorf("%s: error is %v, want %q in it", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "7654321") {
			t.Errorf("the PIN stands in the error %q", err)
		}
	}
}

func FuzzURI(f *testing.F) {
	for _, text := range []string{"piv:serial=14470876;slot=9c", "piv:serial=1", "piv:slot=82;serial=01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		device, err := ParseDevice(text)
		if err != nil {
			return
		}
		if device.String() != text {
			t.Fatalf("%q is read as %q", text, device)
		}
		if u, err := Parse(text); (err == nil) != (device.Slot != 0) || err == nil && u != device {
			t.Fatalf("%q is one URI for a device and another for a key: %v", text, err)
		}
	})
}
