package evidence_test

import (
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/hsm/attest"
)

// reissueHSM gives holder-2 evidence from a YubiHSM 2 that differs.
func reissueHSM(change func(h *ceremonytest.HSM)) func(*testing.T, *ceremonytest.Ceremony, ceremonytest.Maker) {
	return func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker) {
		h := ceremonytest.YubiHSM(1002)
		change(&h)
		c.Files["keys/holder-2.attestation.pem"] = m.HSMEvidence(t, ceremonytest.Key(t, "holder-2").Public(), h)
	}
}

func asks(change func(*plan.Policy)) func(*testing.T, *ceremonytest.Ceremony, ceremonytest.Maker) {
	return func(t *testing.T, c *ceremonytest.Ceremony, m ceremonytest.Maker) {
		change(c.Plan.Policy)
		// The others have YubiKeys, which lack nothing.
		for i, h := range c.Plan.Roster.Holders {
			if h.Name != "holder-2" {
				card := ceremonytest.YubiKey(uint32(1001 + i))
				card.FIPS = true
				c.Files[h.Tokens[0].EvidenceFile] = m.Evidence(t, ceremonytest.Key(t, h.Name).Public(), card)
			}
		}
	}
}

var hsmFaults = []fault{
	{"imported", reissueHSM(func(h *ceremonytest.HSM) { h.Origin = 2 }),
		"ATTEST-ORIGIN, holder-2: whether the device has made the key: no (the key was imported: it was made elsewhere, and there may be copies)", false},
	{"imported under wrap", reissueHSM(func(h *ceremonytest.HSM) { h.Origin = 0x11 }),
		"ATTEST-ORIGIN, holder-2: whether the device has made the key: no (the key was made in another device and imported under wrap", false},
	{"an origin that nobody knows", reissueHSM(func(h *ceremonytest.HSM) { h.Origin = 0x40 }),
		"ATTEST-ORIGIN, holder-2: whether the device has made the key: unknown (the origin 0x40 is not known to this version)", false},
	{"exportable", reissueHSM(func(h *ceremonytest.HSM) { h.Capabilities |= ceremonytest.ExportableUnderWrap }),
		"ATTEST-CAPABILITY, holder-2: the key can leave the device, under wrap (exportable-under-wrap)", false},
	{"more than signing", reissueHSM(func(h *ceremonytest.HSM) { h.Capabilities |= 1<<0x0b | 1<<0x22 | 1<<63 }),
		"ATTEST-CAPABILITY, holder-2: the key can do more than sign (derive-ecdh, sign-attestation-certificate, capability-63)", false},
	{"exportable, and no signing", reissueHSM(func(h *ceremonytest.HSM) { h.Capabilities = ceremonytest.ExportableUnderWrap }),
		"ATTEST-CAPABILITY, holder-2: the key can leave the device, under wrap (exportable-under-wrap); the key cannot sign metadata (it lacks sign-ecdsa)", false},
	{"no capability", reissueHSM(func(h *ceremonytest.HSM) { h.Capabilities = 0 }), "ATTEST-CAPABILITY, holder-2: the key cannot sign metadata (it lacks sign-ecdsa)", false},
	{"old firmware", reissueHSM(func(h *ceremonytest.HSM) { h.Firmware = [3]byte{2, 1, 2} }),
		"ATTEST-FIRMWARE, holder-2: firmware is 2.1.2, and the plan asks for 2.4.0 or newer; YubiHSMs are numbered apart from YubiKeys", false},
	{"firmware of a YubiKey", asks(func(p *plan.Policy) { p.Firmware = "5.7.0" }),
		"ATTEST-FIRMWARE, holder-2: firmware is 2.4.1, and the plan asks for 5.7.0 or newer; YubiHSMs are numbered apart", false},
	{"a PIN", asks(func(p *plan.Policy) { p.PIN = "once" }), "ATTEST-PIN, holder-2: PIN is unknown (a YubiHSM 2 has no PIN: any program with the password ", false},
	{"a touch", asks(func(p *plan.Policy) { p.Touch = "always" }), "ATTEST-TOUCH, holder-2: touch is unknown (a YubiHSM 2 does not wait for a finger), and the plan asks for always", false},
	{"a form", asks(func(p *plan.Policy) { p.FormFactors = []string{"usb-a-keychain"} }), "ATTEST-FORM, holder-2: form factor is unknown (a YubiHSM 2 attests no form factor), and", false},
	{"FIPS", asks(func(p *plan.Policy) { p.FIPS = true }), "ATTEST-FIPS, holder-2: FIPS is no (the device's certificate bears no FIPS mark (1.3.6.1.4.1.41482.4.10))", false},

	{"another device", reissueHSM(func(h *ceremonytest.HSM) { h.Serial = 9 }), `ATTEST-DEVICE, holder-2: keys/holder-2.attestation.pem: another device: serial number "1002" is wanted, and the attestation says "9"`, true},
	{"planned as a YubiKey", func(_ *testing.T, c *ceremonytest.Ceremony, _ ceremonytest.Maker) {
		c.Plan.Roster.Holders[1].Tokens[0].URI = "piv:serial=1002"
	}, "ATTEST-DEVICE, holder-2: keys/holder-2.attestation.pem is of a YubiHSM 2, and the plan has the key in a YubiKey", true},
	{"the evidence of another token", func(_ *testing.T, c *ceremonytest.Ceremony, _ ceremonytest.Maker) {
		c.Files["keys/holder-2.attestation.pem"] = c.Files["keys/holder-3.attestation.pem"]
	}, "ATTEST-BOUND, holder-2: keys/holder-2.attestation.pem attests the key of token holder-3, and keys/holder-2.pem is another key", true},
	{"a device that certified itself", file(func(t *testing.T, _ []byte, m ceremonytest.Maker) []byte {
		return m.HSMForged(t, ceremonytest.Key(t, "holder-2").Public(), ceremonytest.YubiHSM(1002))
	}), "ATTEST-CHAIN, holder-2: keys/holder-2.attestation.pem: verifying attestation: no chain to a trusted root: forged", true},
	{"a maker whom nobody trusts", file(func(t *testing.T, _ []byte, _ ceremonytest.Maker) []byte {
		return ceremonytest.NewMaker(t, "Another Root").HSMEvidence(t, ceremonytest.Key(t, "holder-2").Public(), ceremonytest.YubiHSM(1002))
	}), "ATTEST-CHAIN, holder-2", true},
	{"no capabilities said", reissueHSM(func(h *ceremonytest.HSM) { h.Without = []int{5} }), "incomplete attestation: it does not give the capabilities (1.3.6.1.4.1.41482.4.5)", true},
	{"the device's own certificate alone", file(func(_ *testing.T, good []byte, _ ceremonytest.Maker) []byte { return ceremonytest.Rest(good) }),
		"it is the certificate of a YubiHSM 2 itself", true},
	{"the object's certificate alone", file(func(_ *testing.T, good []byte, _ ceremonytest.Maker) []byte { return ceremonytest.Leaf(good) }),
		"the device's certificate (opaque object 0) is missing", true},
}

// HSMs are judged by the same policy as YubiKeys, and what they do not have
// they do not meet.
func TestHSMFaults(t *testing.T) {
	for _, f := range hsmFaults {
		for _, policy := range []plan.Attestation{plan.Required, plan.Recorded, plan.Off} {
			t.Run(f.name+", "+string(policy), func(t *testing.T) {
				c := ceremonytest.HSMs(t)
				c.Plan.Policy.Attestation = policy
				f.change(t, c, ceremonytest.NewMaker(t, "Example Maker Root"))
				devices, said := judged(t, c)
				said = slices.DeleteFunc(said, func(s string) bool {
					return strings.HasPrefix(s, "ATTEST-ADVISORY, holder-2: ") || strings.HasPrefix(s, "ATTEST-ROOTS, ")
				})
				id, words, _ := strings.Cut(f.want, ", holder-2: ")
				want := f.want
				switch {
				case policy == plan.Off:
					want = "ATTEST-NONE, policy: the plan says `attestation: off`"
				case policy == plan.Recorded && !f.lies:
					want = "ATTEST-RECORDED, holder-2: " + id + ": " + words
				}
				if len(said) != 1 || !strings.Contains(said[0], want) {
					t.Errorf("%q, want %q", said, want)
				}
				if d := devices[1]; (d.State == evidence.Attested) != (policy != plan.Off && !f.lies) {
					t.Errorf("it is %s", d.State)
				}
			})
		}
	}
}

func TestHSMs(t *testing.T) {
	devices, said := judged(t, ceremonytest.HSMs(t))
	if len(said) != 1 || !strings.HasPrefix(said[0], "ATTEST-ROOTS, policy: ") {
		t.Errorf("%q", said)
	}
	for _, d := range devices {
		if d.State != evidence.Attested || d.Facts.Device != attest.YubiHSM || d.Facts.Capabilities.Value != "sign-ecdsa" || d.Facts.Serial.Value != d.Token.Serial {
			t.Errorf("%s: %s, %+v", d.Token.Name, d.State, d.Facts)
		}
	}
}

// A key in a YubiKey may be reached through a PKCS #11 module.
func TestYubiKeyOverPKCS11(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	token := c.Plan.Roster.Holders[1].Tokens[0]
	token.URI, token.Serial = "pkcs11:token=YubiKey%20PIV;id=%02", "1002"
	if devices, said := judged(t, c); len(said) != 0 || devices[1].State != evidence.Attested {
		t.Errorf("%q, %s", said, devices[1].State)
	}
}

func TestNoHSMInARehearsal(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	c.Plan.Roster.Holders[1].Tokens[0].URI = ""
	reissueHSM(func(*ceremonytest.HSM) {})(t, c, ceremonytest.NewMaker(t, "Example Maker Root"))
	if _, said := judged(t, c); len(said) != 1 || !strings.Contains(said[0], "ATTEST-CHAIN, holder-2: ") || !strings.Contains(said[0], "it is of a YubiHSM 2, and a rehearsal knows none") {
		t.Errorf("%q", said)
	}
}

// The three HSMs of a real ceremony: two attest their keys, and the third is
// unattested whatever the policy says.
func TestPublishedHSMs(t *testing.T) {
	for policy, want := range map[plan.Attestation]string{
		plan.Required: "ATTEST-MISSING, holder-3-root: the plan names no evidence",
		plan.Recorded: "ATTEST-RECORDED, holder-3-root: ATTEST-MISSING: the plan names no evidence",
		plan.Off:      "ATTEST-NONE, policy: ",
	} {
		devices, said := judged(t, ceremonytest.PSF(t, plan.Policy{Attestation: policy}))
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%s: %q", policy, said)
		}
		for _, d := range devices {
			state := evidence.NotRead
			switch {
			case policy == plan.Off:
			case d.Token.Holder == "holder-3":
				state = evidence.Unattested
			default:
				state = evidence.Attested
			}
			if d.State != state || state == evidence.Attested && (d.Facts.Serial.Value != d.Token.Serial || d.Facts.Generated.Answer != attest.Yes || d.Facts.Capabilities.Value != "sign-ecdsa") {
				t.Errorf("%s, %s: %s, %+v", policy, d.Token.Name, d.State, d.Facts)
			}
		}
	}
}

// A Nitrokey that shows a YubiHSM's evidence is not attested by it.
func TestBorrowedEvidence(t *testing.T) {
	c := ceremonytest.PSF(t, plan.Policy{Attestation: plan.Recorded})
	nitrokey := c.Plan.Roster.Holders[2].Tokens[0]
	nitrokey.EvidenceFile = "keys/borrowed.pem"
	c.Files[nitrokey.EvidenceFile] = c.Files["keys/holder-1-root.attestation.pem"]
	devices, said := judged(t, c)
	if d := devices[4]; d.State != evidence.Refused || !slices.ContainsFunc(said, func(s string) bool {
		return strings.HasPrefix(s, "ATTEST-BOUND, holder-3-root: keys/borrowed.pem attests the key of token holder-1-root, and keys/holder-3-root.pem is another key")
	}) {
		t.Errorf("%s, %q", d.State, said)
	}
}

func TestHSMTable(t *testing.T) {
	for _, id := range []string{"ATTEST-ORIGIN", "ATTEST-CAPABILITY"} {
		if row, ok := check.Lookup(id); !ok || row.Draft != check.Refusal || row.Published != check.Finding || row.Waiver != "the token" {
			t.Errorf("%s: %+v", id, row)
		}
	}
}
