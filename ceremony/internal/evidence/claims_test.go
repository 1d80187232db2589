package evidence_test

import (
	"bytes"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// claimed is what a module said of a holder's key.
func claimed(t testing.TB, holder string) evidence.Claims {
	t.Helper()
	fingerprint, err := tufmeta.Fingerprint(ceremonytest.Key(t, holder).Public())
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Claims{
		Attributes:  map[string]string{"CKA_LOCAL": "false", "CKA_NEVER_EXTRACTABLE": "true", "CKA_ALWAYS_SENSITIVE": "absent", "CKA_SIGN": "true"},
		Fingerprint: fingerprint,
		ID:          "0102", Label: "root", Says: evidence.NoAttestation,
		Module: evidence.ClaimedModule{File: "m.so", Manufacturer: "maker", Version: "1.0"},
		Token:  evidence.ClaimedToken{Label: "holder-1", Model: "HSM", Serial: "1001"},
	}
}

func encode(t testing.TB, c evidence.Claims) []byte {
	t.Helper()
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestClaimsReadBack(t *testing.T) {
	data := encode(t, claimed(t, "holder-1"))
	c, err := evidence.ParseClaims(data)
	if err != nil || !bytes.Equal(encode(t, c), data) {
		t.Fatalf("%+v, %v", c, err)
	}
	if want := "made in the token no, never extractable yes, always sensitive not told"; c.Words() != want {
		t.Errorf("in words: %q, want %q", c.Words(), want)
	}
	if !c.Doubtful() {
		t.Error("nobody asks why")
	}
	c.Attributes["CKA_LOCAL"], c.Attributes["CKA_ALWAYS_SENSITIVE"] = "0x02", "secret"
	if want := "made in the token an odd 0x02, never extractable yes, always sensitive not told"; c.Words() != want || c.Doubtful() {
		t.Errorf("in words: %q, want %q", c.Words(), want)
	}
}

// What anybody could have written is read strictly, and nothing of it reaches a
// terminal that a screen does not show.
func TestClaimsRefuse(t *testing.T) {
	good := string(encode(t, claimed(t, "holder-1")))
	for name, c := range map[string]struct{ old, new, want string }{
		"another member":      {`"id": `, `"proof": "yes", "id": `, "no list of attributes"},
		"a member twice":      {`"id": "0102"`, `"id": "0102", "id": "0102"`, "not written as"},
		"more after it":       {"}\n", "}\n}\n", "not written as"},
		"other white space":   {`"id": `, `"id":`, "not written as"},
		"an attestation":      {"It is no attestation", "It is an attestation", "does not say that it is no attestation"},
		"a word for a value":  {`"CKA_LOCAL": "false"`, `"CKA_LOCAL": "yes"`, "none that can be read"},
		"a number":            {`"CKA_LOCAL": "false"`, `"CKA_LOCAL": 1`, "no list of attributes"},
		"another name":        {`"CKA_SIGN"`, `"CKA_sign"`, "none that can be read"},
		"nothing of LOCAL":    {`"CKA_LOCAL"`, `"CKA_LOCALE"`, "says nothing of CKA_LOCAL"},
		"an escape":           {`"label": "root"`, `"label": "\u001b[2J"`, "characters that a screen does not show"},
		"a bidi override":     {`"model": "HSM"`, `"model": "` + "\u202e" + `"`, "characters that a screen does not show"},
		"a long text":         {`"model": "HSM"`, `"model": "` + strings.Repeat("x", 257) + `"`, "too long"},
		"a short fingerprint": {`"id": "0102"`, `"id": "01020"`, "lower-case hex"},
		"a long file":         {"}\n", "}" + strings.Repeat(" ", 1<<14) + "\n", "more than 16384 bytes"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if name == "more after it" || name == "a long file" {
			text = strings.TrimSuffix(good, c.old) + c.new
		}
		if text == good {
			t.Fatalf("%s: nothing is changed", name)
		}
		if _, err := evidence.ParseClaims([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParseClaims(f *testing.F) {
	f.Add(encode(f, claimed(f, "holder-1")))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := evidence.ParseClaims(data)
		if err != nil {
			return
		}
		if again := encode(t, c); !bytes.Equal(again, data) {
			t.Errorf("%q is written as %q", data, again)
		}
	})
}

// What a module said changes no verdict: a device is unattested with it as
// without, under every policy. A file that lies about which key it is about is
// refused.
func TestClaimsJudgeNothing(t *testing.T) {
	for _, attestation := range []plan.Attestation{plan.Required, plan.Recorded, plan.Off} {
		without, with := ceremonytest.Attested(t, false), ceremonytest.Attested(t, false)
		for _, c := range []*ceremonytest.Ceremony{without, with} {
			c.Plan.Policy.Attestation = attestation
			c.Plan.Roster.Holders[0].Tokens[0].EvidenceFile = ""
		}
		claims := claimed(t, "holder-1")
		claims.Attributes["CKA_LOCAL"], claims.Attributes["CKA_ALWAYS_SENSITIVE"] = "true", "true"
		with.Files["keys/holder-1.attributes.json"] = encode(t, claims)
		before, saidBefore := judged(t, without)
		after, saidAfter := judged(t, with)
		if strings.Join(saidBefore, "\n") != strings.Join(saidAfter, "\n") || before[0].State != after[0].State || after[0].State == evidence.Attested {
			t.Errorf("%s: %s %q, and with the module's word %s %q", attestation, before[0].State, saidBefore, after[0].State, saidAfter)
		}
		if shown := after[0].Claims != nil; shown != (attestation != plan.Off) {
			t.Errorf("%s: shown %t", attestation, shown)
		}
	}
	c := ceremonytest.Attested(t, false)
	c.Files["keys/holder-1.attributes.json"] = encode(t, claimed(t, "holder-2"))
	devices, said := judged(t, c)
	if devices[0].Claims != nil || !strings.Contains(strings.Join(said, "\n"), "ATTEST-BOUND, holder-1: keys/holder-1.attributes.json is about the key with SHA-256") {
		t.Errorf("%+v %q", devices[0].Claims, said)
	}
}
