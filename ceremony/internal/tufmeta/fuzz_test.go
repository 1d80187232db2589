package tufmeta_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/tufmeta"
)

// What is accepted means what the standard library reads, and its canonical
// form is a fixed point.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2,null,true,"\u00e9\n\"\\"],"b":{}}`, ` [ ] `, `{"a":1,"A":2}`, `"\ud83d\ude00"`, `9007199254740991`, `{"x":1e5}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := tufmeta.Parse(data)
		if err != nil {
			return
		}
		canonical, err := tufmeta.Encode(v)
		if err != nil {
			t.Fatalf("read, and cannot be written: %v", err)
		}
		back, err := tufmeta.ParseCanonical(canonical)
		if err != nil || !reflect.DeepEqual(back, v) {
			t.Fatalf("%q is read back as %v, %v", canonical, back, err)
		}
		if again, err := tufmeta.Encode(back); err != nil || !bytes.Equal(again, canonical) {
			t.Fatalf("%q became %q, %v", canonical, again, err)
		}
		var theirs any
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&theirs); err != nil {
			t.Fatalf("accepted, and encoding/json says: %v", err)
		}
		if ours := numbers(t, theirs); !reflect.DeepEqual(ours, v) {
			t.Fatalf("read as %#v, and encoding/json reads %#v", v, ours)
		}
	})
}

// numbers turns json.Number into int64.
func numbers(t *testing.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			t.Fatalf("accepted the number %s", v)
		}
		return n
	case []any:
		for i := range v {
			v[i] = numbers(t, v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numbers(t, v[name])
		}
	}
	return v
}

// What is accepted as canonical is the canonical form of what it says, byte
// for byte.
func FuzzParseCanonical(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2,null,true,"é` + "\n" + `\"\\"],"b":{}}`, `{"b":1,"a":2}`, ` {}`, `"\n"`, `-0`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := tufmeta.ParseCanonical(data)
		if err != nil {
			return
		}
		if again, err := tufmeta.Encode(v); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%q is accepted, and encodes to %q, %v", data, again, err)
		}
		if read, err := tufmeta.Parse(tufmeta.JSON(data)); err != nil || !reflect.DeepEqual(read, v) {
			t.Fatalf("%q as JSON reads %v, %v; want %v", data, read, err, v)
		}
	})
}

// An envelope that is accepted keeps its canonical bytes when it is written
// anew, and no role's reader panics on it.
func FuzzParseEnvelope(f *testing.F) {
	for _, data := range ceremonytest.Trusted(f) {
		f.Add(data)
	}
	f.Add([]byte(`{"signatures":[{"keyid":"a","sig":""}],"signed":{"_type":"snapshot","meta":{"targets.json":{"version":1}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := tufmeta.ParseEnvelope(data)
		if err != nil {
			return
		}
		again, err := tufmeta.ParseEnvelope([]byte(`{"signatures":[],"signed":` + string(tufmeta.JSON(env.Canonical)) + `}`))
		if err != nil || !bytes.Equal(again.Canonical, env.Canonical) {
			t.Fatalf("the canonical bytes %q became %v, %v", env.Canonical, again, err)
		}
		if root, err := tufmeta.ParseRoot(env.Signed); err == nil {
			tally := tufmeta.Count(env.Canonical, env.Signatures, root.Keys, root.Roles["root"])
			if tally.Reached() && (tally.Threshold < 1 || len(tally.Signers) > len(env.Signatures)) {
				t.Fatalf("reached %d with %d signatures: %v", tally.Threshold, len(env.Signatures), tally.Signers)
			}
		}
		tufmeta.ParseTargets(env.Signed)
		tufmeta.ParseSnapshot(env.Signed, "snapshot")
	})
}

// A key object that can be used has a fingerprint, and one that cannot verifies
// nothing. (Some points that pass for ed25519 keys verify what nobody signed.)
func FuzzKey(f *testing.F) {
	f.Add("ecdsa", "ecdsa-sha2-nistp256", string(ceremonytest.PEM(f, "holder-1")), []byte("sig"))
	f.Add("ed25519", "ed25519", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", []byte("sig"))
	f.Add("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "04cbc5cab2684160323c25cd06c3307178a6b1d1c9b949328453ae473c5ba7527e35b13f298b41633382241f3fd8526c262d43b45adee5c618fa0642c82b8a9803", []byte{})
	f.Add("rsa", "rsassa-pss-sha256", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", []byte{0x30})
	f.Fuzz(func(t *testing.T, keytype, scheme, public string, sig []byte) {
		key := tufmeta.ParseKey("id", map[string]any{"keytype": keytype, "scheme": scheme, "keyval": map[string]any{"public": public}})
		if (key.Err == nil) != (key.Public != nil && key.Fingerprint() != "") {
			t.Fatalf("error %v, fingerprint %q", key.Err, key.Fingerprint())
		}
		if scheme != "ed25519" && key.Verify([]byte("payload"), sig) == nil {
			t.Fatalf("%q is a signature", sig)
		}
		if key.Err == nil && !key.Portable() && scheme != "ecdsa-sha2-nistp384" || key.Err != nil && (key.Portable() || key.Standard()) {
			t.Fatalf("portable: %t, standard: %t, error: %v", key.Portable(), key.Standard(), key.Err)
		}
	})
}
