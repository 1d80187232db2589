package attest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestBind(t *testing.T) {
	h := newHierarchy(t)
	e := h.attest(t, leafTemplate())
	facts, err := Verify(e, h.trust, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := facts.Bind(e.Leaf.PublicKey, e.Leaf.PublicKey); err != nil {
		t.Error(err)
	}
	key := e.Leaf.PublicKey.(*ecdsa.PublicKey)
	for name, keys := range map[string][]crypto.PublicKey{
		"none":             {},
		"nil":              {nil},
		"nil pointer":      {(*ecdsa.PublicKey)(nil)},
		"nil RSA pointer":  {(*rsa.PublicKey)(nil)},
		"no coordinates":   {&ecdsa.PublicKey{Curve: elliptic.P256()}},
		"zero":             {&ecdsa.PublicKey{}},
		"not a pointer":    {*key},
		"another":          {&newKey(t).PublicKey},
		"another among":    {key, &newKey(t).PublicKey, key},
		"no key at all":    {"a key"},
		"the device's own": {h.device.certificate.PublicKey},
	} {
		if err := facts.Bind(keys...); !errors.Is(err, ErrNotBound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestZeroFacts: what was not verified is refused, whatever is asked.
func TestZeroFacts(t *testing.T) {
	key := &newKey(t).PublicKey
	for _, facts := range []Facts{{}, {Key: key}} {
		if err := facts.Bind(key); !errors.Is(err, ErrNotBound) {
			t.Errorf("bound: %v", err)
		}
		if err := facts.WantSlot(""); !errors.Is(err, ErrWrongSlot) {
			t.Errorf("slot: %v", err)
		}
		if err := facts.WantSerial(""); !errors.Is(err, ErrWrongSerial) {
			t.Errorf("serial number: %v", err)
		}
	}
	if facts := (Facts{}); facts.Chain.Answer.String() != "unknown" || Answer(7).String() != "unknown" {
		t.Error("what is not known is not called unknown")
	}
}

func TestWantSerial(t *testing.T) {
	facts := Facts{Serial: Fact{Answer: Yes, Value: "13078778"}}
	for _, serial := range []string{"", "013078778", "1307877", "13078778 ", "0xc790fa"} {
		if err := facts.WantSerial(serial); !errors.Is(err, ErrWrongSerial) || !strings.Contains(err.Error(), `the attestation says "13078778"`) {
			t.Errorf("%q: %v", serial, err)
		}
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(Facts{Serial: Fact{Answer: Yes, Value: "7"}, FIPS: Fact{Answer: No, Why: "no mark"}, Key: &newKey(t).PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"serial":{"answer":"yes","value":"7"}`, `"fips":{"answer":"no","why":"no mark"}`, `"slot":{"answer":"unknown"}`, `"rehearsal":false`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if strings.Contains(string(text), "Curve") {
		t.Errorf("the key is in %s", text)
	}
}

func TestFirmwareBelow(t *testing.T) {
	for _, c := range []struct {
		have, want string
		below      bool
	}{
		{"5.4.3", "5.7.0", true},
		{"5.7.0", "5.7.0", false},
		{"5.7.1", "5.7.0", false},
		{"5.10.0", "5.7.0", false},
		{"4.255.255", "5.0.0", true},
		{"10.0.0", "9.9.9", false},
	} {
		below, err := FirmwareBelow(c.have, c.want)
		if err != nil || below != c.below {
			t.Errorf("%s below %s: %v, %v", c.have, c.want, below, err)
		}
	}
	for _, bad := range []string{"", "5", "5.7", "5.7.0.0", "5.7.", "5..0", "05.7.0", "5.7.-1", "5.7.+1", "5.7.256", "v5.7.0", "5.7.0 ", "5.7.x"} {
		for _, pair := range [][2]string{{bad, "5.7.0"}, {"5.7.0", bad}} {
			if _, err := FirmwareBelow(pair[0], pair[1]); err == nil || !strings.Contains(err.Error(), "three numbers such as 5.4.3") {
				t.Errorf("%q below %q: %v", pair[0], pair[1], err)
			}
		}
	}
}
