package review_test

import (
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/hsm/attest"
)

// drafted drafts a ceremony as it stands, and reviews it.
func drafted(t *testing.T, c *ceremonytest.Ceremony) *review.Report {
	t.Helper()
	c.Files["plan.yaml"] = c.Plan.Text()
	c.Draft()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// attested lists what the checks of devices say, weighed, as "refusal ID subject".
func attested(report *review.Report) []string {
	said := []string{}
	for _, r := range report.Results {
		if strings.HasPrefix(r.Check, "ATTEST-") {
			said = append(said, string(r.Level)+" "+r.Check+" "+r.Subject)
		}
	}
	return said
}

func wantSaid(t *testing.T, report *review.Report, want ...string) {
	t.Helper()
	have := attested(report)
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("said\n  %s\nwant\n  %s", strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
	refused := slices.ContainsFunc(want, func(s string) bool { return strings.HasPrefix(s, "refusal") })
	if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); (err != nil) != refused {
		t.Errorf("approving: %v", err)
	}
}

// The devices of three holders of a real ceremony, in a plan of one's own: what
// is said of them is what is known of them.
func TestSigstoreDevices(t *testing.T) {
	report := drafted(t, ceremonytest.Real(t, plan.Policy{Attestation: plan.Required, PIN: "always", Touch: "always"}, ceremonytest.Sigstore...))
	wantSaid(t, report, "finding ATTEST-ADVISORY yubikey-10550341", "finding ATTEST-ADVISORY yubikey-13078778", "finding ATTEST-ADVISORY yubikey-15938791")
	for _, d := range report.Devices {
		f := d.Facts
		serial := strings.TrimPrefix(d.Token.Name, "yubikey-")
		if d.State != evidence.Attested || !d.Asked || f.Serial.Value != serial || f.Slot.Value != "9c" || f.PINPolicy.Value != "always" || f.TouchPolicy.Value != "always" ||
			f.Chain.Value != "Yubico PIV Root CA Serial 263751" || f.Generated.Answer != attest.Yes || f.Rehearsal {
			t.Errorf("%s: %+v", d.Token.Name, f)
		}
		old := serial == "10550341" // of the FIPS series, as its maker has certified
		below, err := attest.FirmwareBelow(f.Firmware.Value, "5.0.0")
		if err != nil || below != old || old && f.Firmware.Value != "4.4.5" || (f.FormFactor.Answer == attest.Unknown) != old || (f.FIPS.Answer == attest.Yes) != old {
			t.Errorf("%s: firmware %+v, form factor %+v, FIPS %+v", d.Token.Name, f.Firmware, f.FormFactor, f.FIPS)
		}
	}
}

// What firmware 4 does not tell is refused only where it is asked.
func TestSigstoreFormFactor(t *testing.T) {
	c := ceremonytest.Real(t, plan.Policy{Attestation: plan.Required, FormFactors: plan.FormFactors}, ceremonytest.Sigstore...)
	wantSaid(t, drafted(t, c), "refusal ATTEST-FORM yubikey-10550341",
		"finding ATTEST-ADVISORY yubikey-10550341", "finding ATTEST-ADVISORY yubikey-13078778", "finding ATTEST-ADVISORY yubikey-15938791")
}

func TestSigstoreFirmware(t *testing.T) {
	c := ceremonytest.Real(t, plan.Policy{Attestation: plan.Recorded, Firmware: "5.7.0"}, ceremonytest.Sigstore...)
	wantSaid(t, drafted(t, c), "note ATTEST-RECORDED yubikey-10550341", "note ATTEST-RECORDED yubikey-13078778", "note ATTEST-RECORDED yubikey-15938791",
		"finding ATTEST-ADVISORY yubikey-10550341", "finding ATTEST-ADVISORY yubikey-13078778", "finding ATTEST-ADVISORY yubikey-15938791")
}

// The evidence of two devices exchanged: each is true, and of another key.
func TestSigstoreSwapped(t *testing.T) {
	c := ceremonytest.Real(t, plan.Policy{Attestation: plan.Recorded}, ceremonytest.Sigstore[1:]...)
	const a, b = "keys/yubikey-13078778.attestation.pem", "keys/yubikey-15938791.attestation.pem"
	c.Files[a], c.Files[b] = c.Files[b], c.Files[a]
	wantSaid(t, drafted(t, c), "refusal ATTEST-BOUND yubikey-13078778", "refusal ATTEST-BOUND yubikey-15938791")
}

// P-384 keys that sign without a finger: refused one by one, and waived one by
// one.
func TestDockerDevices(t *testing.T) {
	c := ceremonytest.Real(t, plan.Policy{Attestation: plan.Required, PIN: "always", Touch: "always"}, ceremonytest.Docker...)
	advisories := []string{"finding ATTEST-ADVISORY yubikey-25515003", "finding ATTEST-ADVISORY yubikey-25515137"}
	report := drafted(t, c)
	wantSaid(t, report, append(advisories, "refusal ATTEST-TOUCH yubikey-25515003", "refusal ATTEST-TOUCH yubikey-25515137")...)
	portable := 0
	for _, r := range report.Results {
		if r.Check == "KEY-PORTABLE" && r.Level == check.Finding {
			portable++
		}
	}
	if portable != 2 {
		t.Errorf("%d keys on P-384 are found", portable)
	}
	waiver := func(serial string) check.Waiver {
		return check.Waiver{Check: "ATTEST-TOUCH", Subject: "yubikey-" + serial, Reason: "it is locked into the signing machine"}
	}
	c = ceremonytest.Real(t, *c.Plan.Policy, ceremonytest.Docker...)
	c.Plan.Waivers = []check.Waiver{waiver("25515003")}
	wantSaid(t, drafted(t, c), append(advisories, "finding ATTEST-TOUCH yubikey-25515003", "refusal ATTEST-TOUCH yubikey-25515137")...)
	c = ceremonytest.Real(t, *c.Plan.Policy, ceremonytest.Docker...)
	c.Plan.Waivers = []check.Waiver{waiver("25515003"), waiver("25515137")}
	report = drafted(t, c)
	wantSaid(t, report, append(advisories, "finding ATTEST-TOUCH yubikey-25515003", "finding ATTEST-TOUCH yubikey-25515137")...)
	for _, d := range report.Devices {
		if f := d.Facts; f.Firmware.Value != "5.4.3" || f.TouchPolicy.Value != "never" || f.PINPolicy.Value != "always" || f.FIPS.Answer != attest.Yes {
			t.Errorf("%s: %+v", d.Token.Name, f)
		}
	}
}

// A waiver is for one token, and one of what cannot be waived is no plan.
func TestWaiverOfLies(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	c.Plan.Waivers = []check.Waiver{{Check: "ATTEST-BOUND", Subject: "holder-2", Reason: "it will be all right"}}
	if _, err := plan.Parse(c.Plan.Text()); err == nil || !strings.Contains(err.Error(), "cannot be waived") {
		t.Errorf("%v", err)
	}
}

// Two keys that the plan calls two devices, and that one device has made: what
// is attested counts.
func TestOneDeviceAttested(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	m := ceremonytest.Rehearsals(t)
	card := ceremonytest.YubiKey(1001)
	card.Slot = "82"
	second := c.Plan.Roster.Holders[1].Tokens[0]
	second.URI, second.Serial = "pkcs11:token=b", "" // nobody says which device it is
	c.Files[second.EvidenceFile] = m.Evidence(t, ceremonytest.Key(t, "holder-2").Public(), card)
	found := false
	for _, r := range drafted(t, c).Results {
		found = found || r.Check == "DEVICE-DUPLICATE" && r.Subject == "root holder-2" && r.Level == check.Refusal
	}
	if !found {
		t.Error("one device counts twice")
	}
}

// The serial of a PIV URI is that of the device, as one planned by itself.
func TestOneDevicePlanned(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	c.Plan.Policy = &plan.Policy{Attestation: plan.Off}
	for i, uri := range []string{"piv:serial=1001;slot=9c", "piv:serial=1001;slot=82"} {
		token := c.Plan.Roster.Holders[i].Tokens[0]
		token.URI, token.Serial = uri, ""
	}
	report := drafted(t, c)
	found := false
	for _, r := range report.Results {
		found = found || r.Check == "DEVICE-DUPLICATE" && r.Subject == "root holder-2"
		if r.Check == "DEVICE-UNKNOWN" {
			t.Errorf("%+v", r)
		}
	}
	if !found {
		t.Error("one device counts twice")
	}
}

// Evidence is part of the event: nobody exchanges it after people have agreed.
func TestEvidenceIsPartOfTheEvent(t *testing.T) {
	c := ceremonytest.Attested(t, true)
	before := drafted(t, c)
	wantSaid(t, before)
	const name = "keys/holder-2.attestation.pem"
	c.Files[name] = ceremonytest.Rehearsals(t).Evidence(t, ceremonytest.Key(t, "holder-2").Public(), ceremonytest.Card{Serial: 1002, Slot: "9c", Firmware: [3]byte{5, 7, 4}, PIN: 3, Touch: 2, Form: 3})
	after, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.Approve(after.Event.Words(), ceremonytest.Now); err == nil || !strings.Contains(err.Error(), "EVENT-MISMATCH") || after.Event == before.Event {
		t.Errorf("evidence exchanged after drafting: %v", err)
	}
}
