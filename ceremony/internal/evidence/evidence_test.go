package evidence_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// judged drafts what a ceremony has, and judges its evidence.
func judged(t *testing.T, c *ceremonytest.Ceremony) ([]evidence.Device, []string) {
	t.Helper()
	p, root := reread(t, c)
	devices, results := evidence.Judge(p, c.Files, root)
	said := []string{}
	for _, r := range results {
		if tufmeta.Unsafe(r.Detail) {
			t.Errorf("unsafe to show: %q", r.Detail)
		}
		said = append(said, r.Check+", "+r.Subject+": "+r.Detail)
	}
	return devices, said
}

func reread(t *testing.T, c *ceremonytest.Ceremony) (*plan.Plan, *tufmeta.Root) {
	t.Helper()
	c.Files[folder.Plan] = c.Plan.Text()
	p, err := plan.Parse(c.Files[folder.Plan])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Roster.LoadKeys(c.Files); err != nil {
		t.Fatal(err)
	}
	c.Payloads()
	root, err := quorum.DraftedRoot(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if root == nil {
		root, err = quorum.TrustedRoot(c.Files)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p, root
}

// Good evidence says what it proves, in a rehearsal and on the real day.
func TestJudge(t *testing.T) {
	for _, rehearsal := range []bool{true, false} {
		devices, said := judged(t, ceremonytest.Attested(t, rehearsal))
		want := []string{}
		if !rehearsal {
			want = append(want, `ATTEST-ROOTS, policy: keys/makers.pem has the root "Example Maker Root", SHA-256 `)
		}
		if len(said) != len(want) || len(said) > 0 && !strings.HasPrefix(said[0], want[0]) {
			t.Errorf("rehearsal %t: %q", rehearsal, said)
		}
		for i, d := range devices {
			f := d.Facts
			if d.State != evidence.Attested || !d.Asked || f.Serial.Value != "100"+string(rune('1'+i)) || f.Slot.Value != "9c" || f.TouchPolicy.Value != "always" || f.FIPS.Answer != attest.No || f.Rehearsal != rehearsal {
				t.Errorf("%s: %+v", d.Token.Name, d)
			}
		}
		if len(devices) != 5 {
			t.Errorf("%d devices", len(devices))
		}
	}
}

// fault changes one thing of an attested genesis. The check that finds it says
// so of holder-2, in these words, and of nobody else.
type fault struct {
	name   string
	change func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker)
	want   string
	lies   bool // refused under any policy that reads evidence
}

// reissue gives holder-2 evidence from a card that differs.
func reissue(change func(c *ceremonytest.Card)) func(*testing.T, *ceremonytest.Ceremony, ceremonytest.Maker) {
	return func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker) {
		card := ceremonytest.YubiKey(1002)
		change(&card)
		c.Files["keys/holder-2.attestation.pem"] = m.Evidence(t, ceremonytest.Key(t, "holder-2").Public(), card)
	}
}

func file(change func(t *testing.T, good []byte, m ceremonytest.Maker) []byte) func(*testing.T, *ceremonytest.Ceremony, ceremonytest.Maker) {
	return func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker) {
		const name = "keys/holder-2.attestation.pem"
		c.Files[name] = change(t, c.Files[name], m)
	}
}

var faults = []fault{
	{"no evidence", func(_ *testing.T, c *ceremonytest.Ceremony, _ ceremonytest.Maker) {
		c.Plan.Roster.Holders[1].Tokens[0].EvidenceFile = ""
	}, "ATTEST-MISSING, holder-2: the plan names no evidence: nothing proves that the key was made in a device", false},
	{"evidence that is not there", func(_ *testing.T, c *ceremonytest.Ceremony, _ ceremonytest.Maker) {
		delete(c.Files, "keys/holder-2.attestation.pem")
	}, `ATTEST-MISSING, holder-2: the folder has no file "keys/holder-2.attestation.pem"`, false},
	{"no certificate", file(func(*testing.T, []byte, ceremonytest.Maker) []byte { return []byte("hello") }), "ATTEST-EVIDENCE, holder-2: keys/holder-2.attestation.pem: ", true},
	{"the device's own certificate first", file(func(_ *testing.T, good []byte, _ ceremonytest.Maker) []byte {
		return append(ceremonytest.Rest(good), ceremonytest.Leaf(good)...)
	}), "it is the device's own certificate (slot f9)", true},
	{"the device's own certificate alone", file(func(_ *testing.T, good []byte, _ ceremonytest.Maker) []byte { return ceremonytest.Rest(good) }), "ATTEST-EVIDENCE, holder-2", true},
	{"the slot's certificate alone", file(func(_ *testing.T, good []byte, _ ceremonytest.Maker) []byte { return ceremonytest.Leaf(good) }),
		"ATTEST-CHAIN, holder-2: keys/holder-2.attestation.pem: verifying attestation: no chain to a trusted root: the device's certificate (slot f9) is missing", true},
	{"text behind the certificates", file(func(_ *testing.T, good []byte, _ ceremonytest.Maker) []byte {
		return append(slices.Clone(good), "x"...)
	}), "ATTEST-EVIDENCE, holder-2", true},
	{"a device that certified itself", file(func(t *testing.T, _ []byte, m ceremonytest.Maker) []byte {
		return m.Forged(t, ceremonytest.Key(t, "holder-2").Public(), ceremonytest.YubiKey(1002))
	}), "ATTEST-CHAIN, holder-2: keys/holder-2.attestation.pem: verifying attestation: no chain to a trusted root: forged", true},
	{"a maker whom nobody trusts", file(func(t *testing.T, _ []byte, _ ceremonytest.Maker) []byte {
		return ceremonytest.NewMaker(t, "Another Root").Evidence(t, ceremonytest.Key(t, "holder-2").Public(), ceremonytest.YubiKey(1002))
	}), "ATTEST-CHAIN, holder-2", true},
	{"no policies", reissue(func(c *ceremonytest.Card) { c.Without = []int{8} }), "ATTEST-EVIDENCE, holder-2: keys/holder-2.attestation.pem: verifying attestation: incomplete attestation: it does not give the PIN and touch policy", true},
	{"the evidence of another token", func(_ *testing.T, c *ceremonytest.Ceremony, _ ceremonytest.Maker) {
		c.Files["keys/holder-2.attestation.pem"] = c.Files["keys/holder-3.attestation.pem"]
	}, "ATTEST-BOUND, holder-2: keys/holder-2.attestation.pem attests the key of token holder-3, and keys/holder-2.pem is another key", true},
	{"the evidence of a stranger's key", file(func(t *testing.T, _ []byte, m ceremonytest.Maker) []byte {
		return m.Evidence(t, ceremonytest.Key(t, "stranger").Public(), ceremonytest.YubiKey(1002))
	}), "attests a key that the plan does not have, ", true},
	{"another device", reissue(func(c *ceremonytest.Card) { c.Serial = 9 }), `ATTEST-DEVICE, holder-2: keys/holder-2.attestation.pem: another device: serial number "1002" is wanted, and the attestation says "9"`, true},
	{"another slot", reissue(func(c *ceremonytest.Card) { c.Slot = "9a" }), `ATTEST-DEVICE, holder-2: keys/holder-2.attestation.pem: another slot: slot "9c" is wanted, and the attestation says "9a"`, true},
	{"a device that keeps its serial to itself", func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker) {
		c.Plan.Policy.Firmware = ""
		reissue(func(c *ceremonytest.Card) { c.Firmware, c.Without = [3]byte{4, 4, 5}, []int{7} })(t, c, m)
	}, `ATTEST-DEVICE, holder-2: keys/holder-2.attestation.pem: another device: serial number "1002" is wanted, and the attestation does not give one`, false},
	{"old firmware", reissue(func(c *ceremonytest.Card) { c.Firmware = [3]byte{5, 4, 3} }), "ATTEST-FIRMWARE, holder-2: firmware is 5.4.3, and the plan asks for 5.7.0 or newer", false},
	{"a PIN that is asked once", reissue(func(c *ceremonytest.Card) { c.PIN = 2 }), "ATTEST-PIN, holder-2: PIN is once, and the plan asks for always", false},
	{"a PIN policy that nobody knows", reissue(func(c *ceremonytest.Card) { c.PIN = 99 }), "ATTEST-PIN, holder-2: PIN is unknown (the PIN policy 0x63 is not known to this version), and", false},
	{"no touch", reissue(func(c *ceremonytest.Card) { c.Touch = 1 }), "ATTEST-TOUCH, holder-2: touch is never, and the plan asks for always", false},
	{"a touch that holds", reissue(func(c *ceremonytest.Card) { c.Touch = 3 }), "ATTEST-TOUCH, holder-2: touch is cached, and the plan asks for always", false},
	{"another form", func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker) {
		c.Plan.Policy.FormFactors = []string{"usb-a-keychain", "usb-c-keychain"}
		reissue(func(c *ceremonytest.Card) { c.Form = 4 })(t, c, m)
	}, "ATTEST-FORM, holder-2: form factor is usb-c-nano, and the plan asks for usb-a-keychain or usb-c-keychain", false},
	{"a form that it does not tell", func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker) {
		c.Plan.Policy.FormFactors = []string{"usb-a-keychain"}
		reissue(func(c *ceremonytest.Card) { c.Without = []int{9} })(t, c, m)
	}, "ATTEST-FORM, holder-2: form factor is unknown (", false},
}

// Where evidence is required, everything is refused, in words of its own; where
// it is recorded, only lies are, and the rest is noted; where it is off, nothing
// is read.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		for _, policy := range []plan.Attestation{plan.Required, plan.Recorded, plan.Off} {
			t.Run(f.name+", "+string(policy), func(t *testing.T) {
				c := ceremonytest.Attested(t, true)
				c.Plan.Policy.Attestation = policy
				f.change(t, c, ceremonytest.Rehearsals(t))
				devices, said := judged(t, c)
				said = slices.DeleteFunc(said, func(s string) bool { return strings.HasPrefix(s, "ATTEST-ADVISORY, holder-2: YSA-2024-03 ") })
				check, words, _ := strings.Cut(f.want, ", holder-2: ")
				want := f.want
				switch {
				case policy == plan.Off:
					want = "ATTEST-NONE, policy: the plan says `attestation: off`: what devices attest is not read"
				case policy == plan.Recorded && !f.lies:
					want = "ATTEST-RECORDED, holder-2: " + check + ": " + words
				}
				if len(said) != 1 || !strings.Contains(said[0], want) {
					t.Errorf("%q, want %q", said, want)
				}
				for _, d := range devices {
					if d.State == evidence.Attested && policy == plan.Off || d.Token.Name == "holder-2" && f.lies && d.State == evidence.Attested {
						t.Errorf("%s is %s", d.Token.Name, d.State)
					}
				}
			})
		}
	}
}

// What is stricter than the policy asks is enough.
func TestStricterIsEnough(t *testing.T) {
	for _, row := range []struct {
		pin, touch string
		card       func(c *ceremonytest.Card)
		enough     bool
	}{
		{"always", "always", func(c *ceremonytest.Card) { c.PIN = 5 }, true},  // match-always
		{"always", "", func(c *ceremonytest.Card) { c.PIN = 4 }, false},       // match-once
		{"once", "cached", func(c *ceremonytest.Card) { c.PIN = 4 }, true},    // match-once
		{"once", "cached", func(c *ceremonytest.Card) { c.Touch = 3 }, true},  // cached
		{"once", "cached", func(c *ceremonytest.Card) {}, true},               // always, both
		{"once", "", func(c *ceremonytest.Card) { c.PIN = 1 }, false},         // never
		{"", "cached", func(c *ceremonytest.Card) { c.Touch = 1 }, false},     // never
		{"", "", func(c *ceremonytest.Card) { c.PIN, c.Touch = 1, 1 }, true},  // nothing is asked
		{"", "", func(c *ceremonytest.Card) { c.PIN, c.Touch = 9, 99 }, true}, // nor this
	} {
		c := ceremonytest.Attested(t, true)
		c.Plan.Policy.PIN, c.Plan.Policy.Touch = row.pin, row.touch
		reissue(row.card)(t, c, ceremonytest.Rehearsals(t))
		if _, said := judged(t, c); (len(said) == 0) != row.enough {
			t.Errorf("%+v: %q", row, said)
		}
	}
}

func TestFIPS(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	c.Plan.Policy.FIPS = true
	if _, said := judged(t, c); len(said) != 5 || !strings.HasPrefix(said[0], "ATTEST-FIPS, holder-1: FIPS is no (") {
		t.Errorf("%q", said)
	}
	reissue(func(c *ceremonytest.Card) { c.FIPS = true })(t, c, ceremonytest.Rehearsals(t))
	if _, said := judged(t, c); len(said) != 4 || strings.Contains(strings.Join(said, "\n"), "holder-2") {
		t.Errorf("%q", said)
	}
}

// The two worlds stay apart: a card that anybody can make proves nothing on the
// real day, and a rehearsal does not go on with real devices.
func TestWorldsApart(t *testing.T) {
	c := ceremonytest.Attested(t, false)
	reissue(func(*ceremonytest.Card) {})(t, c, ceremonytest.Rehearsals(t))
	_, said := judged(t, c)
	if len(said) != 2 || !strings.HasPrefix(said[1], "ATTEST-CHAIN, holder-2: keys/holder-2.attestation.pem is of a card made for rehearsals") {
		t.Errorf("a rehearsal's card on the real day: %q", said)
	}
	c = ceremonytest.Attested(t, false)
	c.Files[c.Plan.Policy.Roots] = ceremonytest.Rehearsals(t).PEM()
	_, said = judged(t, c)
	if len(said) != 1 || !strings.HasPrefix(said[0], "ATTEST-POLICY, policy: keys/makers.pem: ") || !strings.Contains(said[0], "it is the rehearsals' root") {
		t.Errorf("the rehearsals' root on the real day: %q", said)
	}
	c = ceremonytest.Attested(t, true)
	c.Plan.Policy.Roots = "keys/makers.pem"
	c.Files["keys/makers.pem"] = ceremonytest.NewMaker(t, "Example Maker Root").PEM()
	if _, said := judged(t, c); len(said) != 1 || !strings.Contains(said[0], "a rehearsal trusts the rehearsals' root and no other") {
		t.Errorf("a maker's root in a rehearsal: %q", said)
	}
}

// A file of certificates that cannot be used refuses the policy, not a token.
func TestRoots(t *testing.T) {
	for name, change := range map[string]func(c *ceremonytest.Ceremony){
		`the folder has no file "keys/makers.pem"`: func(c *ceremonytest.Ceremony) { delete(c.Files, "keys/makers.pem") },
		"not to be trusted":                        func(c *ceremonytest.Ceremony) { c.Files["keys/makers.pem"] = []byte("hello") },
		"it is a device's": func(c *ceremonytest.Ceremony) {
			c.Files["keys/makers.pem"] = ceremonytest.Rest(c.Files["keys/holder-1.attestation.pem"])
		},
	} {
		c := ceremonytest.Attested(t, false)
		change(c)
		_, said := judged(t, c)
		if len(said) != 1 || !strings.HasPrefix(said[0], "ATTEST-POLICY, policy: ") || !strings.Contains(said[0], name) {
			t.Errorf("%s: %q", name, said)
		}
	}
}

// A plan without a policy says so.
func TestNone(t *testing.T) {
	devices, said := judged(t, ceremonytest.Genesis(t))
	if len(said) != 1 || said[0] != "ATTEST-NONE, policy: the plan asks nothing of the holders' devices" || devices[0].State != evidence.NotRead {
		t.Errorf("%q, %+v", said, devices[0])
	}
}

// Who leaves is not asked for what an old device cannot have; who is in the new
// root is asked, though lost; and whatever evidence is there must not lie.
func TestAsked(t *testing.T) {
	c := ceremonytest.Rotation(t)
	p := c.Plan
	p.Policy = &plan.Policy{Attestation: plan.Required}
	maker := ceremonytest.NewMaker(t, "Example Maker Root")
	p.Policy.Roots = "keys/makers.pem"
	c.Files["keys/makers.pem"] = maker.PEM()
	p.Roster.Holders[3].Tokens[0].Lost = true // holder-4, whom the new root lists
	_, said := judged(t, c)
	missing := []string{}
	for _, s := range said[1:] {
		missing = append(missing, strings.Fields(strings.Split(s, ":")[0])[1])
	}
	if strings.Join(missing, " ") != "holder-1 holder-2-new holder-3 holder-4 holder-6" {
		t.Errorf("asked: %q", missing)
	}
	old := p.Roster.Holders[1].Tokens[0]
	old.EvidenceFile = "keys/old.pem"
	c.Files["keys/old.pem"] = maker.Evidence(t, ceremonytest.Key(t, "holder-2").Public(), ceremonytest.Card{Serial: 1002, Slot: "9c", Firmware: [3]byte{4, 3, 5}, PIN: 1, Touch: 1})
	p.Policy.Touch, p.Policy.Firmware = "always", "5.7.0"
	devices, said := judged(t, c)
	if len(said) != 6 || devices[1].State != evidence.Attested || devices[1].Asked {
		t.Errorf("an old device that falls short: %q, %+v", said, devices[1])
	}
	c.Files["keys/old.pem"] = maker.Evidence(t, ceremonytest.Key(t, "holder-3").Public(), ceremonytest.YubiKey(1002))
	if _, said := judged(t, c); len(said) != 7 || !strings.Contains(strings.Join(said, "\n"), "ATTEST-BOUND, holder-2: ") {
		t.Errorf("an old device that lies: %q", said)
	}
}

// Where targets alone is signed, those who sign it are asked.
func TestAskedForTargets(t *testing.T) {
	p := ceremonytest.RotationPlan()
	p.Kind, p.Root = plan.Targets, nil
	p.Policy = &plan.Policy{Attestation: plan.Required}
	p.Roster.Holders[2].Tokens[0].Lost = true
	c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
	_, said := judged(t, c)
	if len(said) != 2 || !strings.HasPrefix(said[0], "ATTEST-MISSING, holder-1: ") || !strings.HasPrefix(said[1], "ATTEST-MISSING, holder-2: ") {
		t.Errorf("asked: %q", said)
	}
}

// The attested key must be one that the metadata lists, not the plan alone.
func TestBoundToMetadata(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	p, _ := reread(t, c)
	c.Edit("1.root.json", func(signed map[string]any) {
		stranger := ceremonytest.Object(t, "stranger")
		own := ceremonytest.Object(t, "holder-2").ID
		keys := signed["keys"].(map[string]any)
		keys[stranger.ID] = stranger.Object
		delete(keys, own)
		for _, role := range signed["roles"].(map[string]any) {
			ids := role.(map[string]any)["keyids"].([]any)
			if i := slices.Index(ids, any(own)); i >= 0 {
				ids[i] = stranger.ID
			}
		}
	})
	root, err := quorum.DraftedRoot(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	_, results := evidence.Judge(p, c.Files, root)
	if len(results) != 1 || results[0].Check != "ATTEST-BOUND" || results[0].Subject != "holder-2" || !strings.Contains(results[0].Detail, "root 1 does not list the key") {
		t.Errorf("%+v", results)
	}
}

// Chains are judged at the opening of the window.
func TestExpired(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	shift := time.Date(2053, 1, 1, 9, 0, 0, 0, time.UTC).Sub(c.Plan.Opens)
	c.Plan.Opens, c.Plan.Closes = c.Plan.Opens.Add(shift), c.Plan.Closes.Add(shift)
	_, said := judged(t, c)
	if len(said) != 5 || !strings.Contains(said[0], "ATTEST-CHAIN, holder-1: keys/holder-1.attestation.pem: ") || !strings.Contains(said[0], "not valid at that time") {
		t.Errorf("%q", said)
	}
}

// The plan's list of form factors is the one that devices attest.
func TestFormFactors(t *testing.T) {
	for i, want := range plan.FormFactors {
		c := ceremonytest.Attested(t, true)
		reissue(func(c *ceremonytest.Card) { c.Form = byte(i + 1) })(t, c, ceremonytest.Rehearsals(t))
		devices, _ := judged(t, c)
		if have := devices[1].Facts.FormFactor.Value; have != want {
			t.Errorf("form %d is %q, and the plan calls it %q", i+1, have, want)
		}
	}
}

// Each check here is in the table, and those that say that evidence lies cannot
// be waived.
func TestTable(t *testing.T) {
	for _, f := range faults {
		if !f.lies && !strings.Contains(f.want, "ATTEST-DEVICE") {
			row, ok := check.Lookup(strings.Split(f.want, ",")[0])
			if !ok || row.Draft != check.Refusal || row.Waiver != "the token" {
				t.Errorf("%s: %+v", f.name, row)
			}
		}
	}
}
