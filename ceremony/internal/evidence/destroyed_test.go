package evidence_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
)

// once is a genesis whose targets two one-time keys sign, which are in YubiKeys.
func once(t *testing.T) *ceremonytest.Ceremony {
	t.Helper()
	c := ceremonytest.Attested(t, true)
	role := plan.Role{Threshold: 2}
	for i := range 2 {
		name, serial := fmt.Sprintf("once-%d", i+1), uint32(2001+i)
		h := &c.Plan.Roster.Holders[i]
		h.Tokens = append(h.Tokens, &roster.Token{Name: name, Holder: h.Name, URI: fmt.Sprintf("piv:serial=%d;slot=9c", serial), KeyFile: "keys/" + name + ".pem", EvidenceFile: "keys/" + name + ".attestation.pem", OneTime: true})
		c.Files["keys/"+name+".pem"] = ceremonytest.PEM(t, name)
		c.Files["keys/"+name+".attestation.pem"] = ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, name).Public(), ceremonytest.YubiKey(serial))
		role.Tokens = append(role.Tokens, name)
	}
	c.Plan.Root.Roles["targets"] = role
	return c
}

func token(c *ceremonytest.Ceremony, name string) *roster.Token {
	t, _ := c.Plan.Roster.Token(name)
	return t
}

// overwritten is what is written down when a device has made the key of another
// name over a one-time key.
func overwritten(t *testing.T, c *ceremonytest.Ceremony, token, by string, serial uint32) evidence.Destruction {
	t.Helper()
	d := evidence.Destruction{At: "2027-01-31T09:00:00Z", Device: "YubiKey 5", Event: c.Files.Event().String(), ID: "9c", Serial: fmt.Sprint(serial), Token: token,
		Fingerprint: ceremonytest.Object(t, token).Fingerprint(), Replaced: ceremonytest.Object(t, by).Fingerprint()}.Done(evidence.Overwritten)
	sum := sha256.Sum256(d.Statement())
	signature, err := ceremonytest.Key(t, by).Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	d.Signature = hex.EncodeToString(signature)
	return d
}

// Outside a rehearsal no word of a software token counts, whatever the plan names.
func TestDestroyedSoftware(t *testing.T) {
	for _, rehearsal := range []bool{true, false} {
		c := once(t)
		p, _ := reread(t, c)
		p.Rehearsal, p.Policy = rehearsal, nil
		key := token(&ceremonytest.Ceremony{Plan: p}, "once-1")
		key.URI, key.EvidenceFile = "", ""
		d := overwritten(t, c, "once-1", "over", 2001)
		d.Replaced, d.Signature = "", ""
		text, err := d.Done(evidence.Erased).Encode()
		if err != nil {
			t.Fatal(err)
		}
		c.Files["destroyed/once-1.json"] = text
		all, _ := evidence.Destroyed(p, c.Files, c.Files.Event())
		if refused := all[0].End == evidence.Alive; refused == rehearsal {
			t.Errorf("rehearsal %v: the key is %s", rehearsal, all[0].End)
		}
	}
}

// The end of a one-time key is proved by the device in which it was, and by
// nothing that could have been made before, or elsewhere.
func TestDestroyed(t *testing.T) {
	card := func(serial uint32, slot string) ceremonytest.Card {
		y := ceremonytest.YubiKey(serial)
		y.Slot = slot
		return y
	}
	for _, row := range []struct {
		name   string
		change func(c *ceremonytest.Ceremony, d *evidence.Destruction, proof *[]byte)
		end    evidence.End
		want   string
	}{
		{"as it should be", func(*ceremonytest.Ceremony, *evidence.Destruction, *[]byte) {}, evidence.Proved, ""},
		{"no attestation", func(_ *ceremonytest.Ceremony, _ *evidence.Destruction, proof *[]byte) { *proof = nil },
			evidence.Alive, `ONE-TIME-ALIVE, once-1: the folder has no file "destroyed/once-1.attestation.pem": nothing proves that the key was overwritten`},
		{"none, and it is only recorded", func(c *ceremonytest.Ceremony, d *evidence.Destruction, proof *[]byte) {
			*proof, c.Plan.Policy.Attestation = nil, plan.Recorded
		}, evidence.Stated, ""},
		{"of the one-time key itself", func(c *ceremonytest.Ceremony, _ *evidence.Destruction, proof *[]byte) {
			*proof = c.Files["keys/once-1.attestation.pem"]
		}, evidence.Alive, "attests the one-time key itself"},
		{"of another key", func(_ *ceremonytest.Ceremony, _ *evidence.Destruction, proof *[]byte) {
			*proof = ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, "stranger").Public(), card(2001, "9c"))
		}, evidence.Alive, "attests a key that the plan does not have"},
		{"of another device", func(_ *ceremonytest.Ceremony, _ *evidence.Destruction, proof *[]byte) {
			*proof = ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, "over").Public(), card(2002, "9c"))
		}, evidence.Alive, "is of another device, or of another slot, than the one-time key was in"},
		{"of another slot", func(_ *ceremonytest.Ceremony, _ *evidence.Destruction, proof *[]byte) {
			*proof = ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, "over").Public(), card(2001, "9a"))
		}, evidence.Alive, "is of another device, or of another slot, than the one-time key was in"},
		{"forged", func(_ *ceremonytest.Ceremony, _ *evidence.Destruction, proof *[]byte) {
			*proof = ceremonytest.Rehearsals(t).Forged(t, ceremonytest.Key(t, "over").Public(), card(2001, "9c"))
		}, evidence.Alive, "ONE-TIME-EVIDENCE, once-1: ATTEST-CHAIN"},
		{"garbage", func(_ *ceremonytest.Ceremony, _ *evidence.Destruction, proof *[]byte) { *proof = []byte("hello") },
			evidence.Alive, "ONE-TIME-EVIDENCE, once-1: ATTEST-EVIDENCE"},
		{"signed for another event", func(_ *ceremonytest.Ceremony, d *evidence.Destruction, _ *[]byte) {
			other := *d
			other.Event = strings.Repeat("0", 64)
			sum := sha256.Sum256(other.Statement())
			signature, err := ceremonytest.Key(t, "over").Sign(nil, sum[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			d.Signature = hex.EncodeToString(signature)
		}, evidence.Alive, "the key in its place did not sign that it is"},
		{"of another event", func(_ *ceremonytest.Ceremony, d *evidence.Destruction, _ *[]byte) { d.Event = strings.Repeat("0", 64) },
			evidence.Alive, "it is of event 0000000000000000…"},
		{"of another token", func(_ *ceremonytest.Ceremony, d *evidence.Destruction, _ *[]byte) { d.Token = "once-2" },
			evidence.Alive, `it is of token "once-2"`},
		{"of another one-time key", func(_ *ceremonytest.Ceremony, d *evidence.Destruction, _ *[]byte) {
			d.Fingerprint = ceremonytest.Object(t, "once-2").Fingerprint()
		}, evidence.Alive, "the plan has another one for the token"},
		{"through another driver", func(_ *ceremonytest.Ceremony, d *evidence.Destruction, proof *[]byte) {
			d.Replaced, d.Signature, *proof = "", "", nil
			*d = d.Done(evidence.Deleted)
		}, evidence.Alive, "the key was destroyed through driver pkcs11, and the plan has it at \"piv\""},
		{"a software token, and the plan names no device", func(c *ceremonytest.Ceremony, d *evidence.Destruction, proof *[]byte) {
			d.Replaced, d.Signature, *proof = "", "", nil
			*d = d.Done(evidence.Erased)
			token(c, "once-1").URI = ""
		}, evidence.Alive, "a YubiKey has attested the key, and by this it was destroyed through driver soft"},
		{"a module's word, and the plan names no device", func(c *ceremonytest.Ceremony, d *evidence.Destruction, proof *[]byte) {
			d.Replaced, d.Signature, *proof = "", "", nil
			*d = d.Done(evidence.Deleted)
			token(c, "once-1").URI = ""
		}, evidence.Alive, "a YubiKey has attested the key, and by this it was destroyed through driver pkcs11"},
		{"another device, and the plan names none", func(c *ceremonytest.Ceremony, d *evidence.Destruction, proof *[]byte) {
			token(c, "once-1").URI = ""
			*d = overwritten(t, c, "once-1", "over", 2002)
			*proof = ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, "over").Public(), card(2002, "9c"))
		}, evidence.Alive, "and keys/once-1.attestation.pem is of another"},
		{"another slot, and the plan names none", func(c *ceremonytest.Ceremony, d *evidence.Destruction, proof *[]byte) {
			token(c, "once-1").URI = ""
			*d = overwritten(t, c, "once-1", "over", 2001)
			d.ID = "9a"
			*proof = ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, "over").Public(), card(2001, "9a"))
		}, evidence.Alive, "and keys/once-1.attestation.pem is of another"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := once(t)
			p, _ := reread(t, c)
			d := overwritten(t, c, "once-1", "over", 2001)
			proof := ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, "over").Public(), card(2001, "9c"))
			row.change(c, &d, &proof)
			p.Policy = c.Plan.Policy
			token(&ceremonytest.Ceremony{Plan: p}, "once-1").URI = token(c, "once-1").URI
			text, err := d.Encode()
			if err != nil {
				t.Fatal(err)
			}
			c.Files["destroyed/once-1.json"] = text
			if proof != nil {
				c.Files["destroyed/once-1.attestation.pem"] = proof
			}
			all, results := evidence.Destroyed(p, c.Files, c.Files.Event())
			var said []string
			for _, r := range results {
				if r.Subject != "once-2" {
					said = append(said, r.Check+", "+r.Subject+": "+r.Detail)
				}
			}
			if have := strings.Join(said, "\n"); !strings.Contains(have, row.want) || (row.want == "") != (have == "") {
				t.Errorf("says %q, want %q", have, row.want)
			}
			if len(all) != 2 || all[0].End != row.end || all[1].End != evidence.Alive {
				t.Errorf("ends %+v, want %q", all, row.end)
			}
		})
	}
}

// What is none of this ceremony's is no evidence of it: a stray file, and one of a
// key that is to stay.
func TestDestroyedStray(t *testing.T) {
	c := once(t)
	p, _ := reread(t, c)
	for _, name := range []string{"destroyed/holder-1.json", "destroyed/notes.txt", "destroyed/once-3.begun"} {
		files := folder.Files{}
		for have, data := range c.Files {
			files[have] = data
		}
		files[name] = []byte("{}\n")
		_, results := evidence.Destroyed(p, files, files.Event())
		if last := results[len(results)-1]; last.Check != "ONE-TIME-EVIDENCE" || last.Subject != name {
			t.Errorf("%s: %+v", name, results)
		}
	}
}

// The file is read in the bytes in which it is written, and in no others.
func TestParseDestruction(t *testing.T) {
	c := once(t)
	reread(t, c)
	text, err := overwritten(t, c, "once-1", "over", 2001).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.ParseDestruction(text); err != nil {
		t.Error(err)
	}
	for name, change := range map[string][2]string{
		"another word": {`"how": "overwritten"`, `"how": "melted"`}, "a promise": {"its attestation lies beside it.", "it is proved."},
		"white space": {`"how": `, `"how":  `}, "a member more": {`"how"`, `"by": "me", "how"`}, "a time": {"2027-01-31T09:00:00Z", "2027-01-31"},
		"a control character": {`"YubiKey 5"`, `"YubiKey\u001b 5"`}, "upper case": {`"id": "9c"`, `"ID": "9c"`}, "no signature": {`"signature": "30`, `"signature": "x`},
		"another driver": {`"driver": "piv"`, `"driver": "soft"`},
	} {
		if _, err := evidence.ParseDestruction([]byte(strings.Replace(string(text), change[0], change[1], 1))); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := evidence.ParseDestruction(append(text, '\n')); err == nil {
		t.Error("a line more is accepted")
	}
}

// That a one-time key was made in the device only its own attestation shows, of
// that key, that device and that slot.
func TestDestroyedMade(t *testing.T) {
	card := func(serial uint32, slot string) ceremonytest.Card {
		y := ceremonytest.YubiKey(serial)
		y.Slot = slot
		return y
	}
	rehearsals := ceremonytest.Rehearsals(t)
	own := ceremonytest.Key(t, "once-1").Public()
	for name, row := range map[string]struct {
		evidence []byte
		made     bool
	}{
		"its own":         {rehearsals.Evidence(t, own, card(2001, "9c")), true},
		"none":            {nil, false},
		"forged":          {rehearsals.Forged(t, own, card(2001, "9c")), false},
		"of another key":  {rehearsals.Evidence(t, ceremonytest.Key(t, "stranger").Public(), card(2001, "9c")), false},
		"garbage":         {[]byte("hello"), false},
		"another's place": {rehearsals.Evidence(t, ceremonytest.Key(t, "once-2").Public(), card(2002, "9c")), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := once(t)
			c.Files["keys/once-1.attestation.pem"] = row.evidence
			if row.evidence == nil {
				delete(c.Files, "keys/once-1.attestation.pem")
			}
			p, _ := reread(t, c)
			text, err := overwritten(t, c, "once-1", "over", 2001).Encode()
			if err != nil {
				t.Fatal(err)
			}
			c.Files["destroyed/once-1.json"] = text
			c.Files["destroyed/once-1.attestation.pem"] = rehearsals.Evidence(t, ceremonytest.Key(t, "over").Public(), card(2001, "9c"))
			all, _ := evidence.Destroyed(p, c.Files, c.Files.Event())
			if all[0].End != evidence.Proved || all[0].Made != row.made {
				t.Errorf("its end is %s, and made there %t", all[0].End, all[0].Made)
			}
		})
	}
}
