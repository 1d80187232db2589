package evidence_test

import (
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
)

// Firmware is what evidence proves, whatever the plan asks; all else is unknown,
// with a reason.
func TestFirmwares(t *testing.T) {
	for _, policy := range []plan.Attestation{plan.Required, plan.Recorded, plan.Off} {
		c := ceremonytest.Attested(t, false)
		maker := ceremonytest.NewMaker(t, "Example Maker Root")
		c.Plan.Policy.Attestation, c.Plan.Policy.Firmware = policy, ""
		c.Files[c.Plan.Policy.Roots] = maker.PEM()
		old := ceremonytest.YubiKey(1001)
		old.Firmware = [3]byte{5, 4, 3}
		c.Files["keys/holder-1.attestation.pem"] = maker.Evidence(t, ceremonytest.Key(t, "holder-1").Public(), old)
		for i, name := range []string{"holder-2", "holder-5"} {
			c.Files["keys/"+name+".attestation.pem"] = maker.Evidence(t, ceremonytest.Key(t, name).Public(), ceremonytest.YubiKey([]uint32{1002, 1005}[i]))
		}
		c.Files["keys/holder-3.attestation.pem"] = ceremonytest.NewMaker(t, "Another Root").Evidence(t, ceremonytest.Key(t, "holder-3").Public(), ceremonytest.YubiKey(1003))
		delete(c.Files, "keys/holder-4.attestation.pem")
		c.Payloads()
		p, _ := reread(t, c)
		p.Policy.Attestation = policy
		root, err := quorum.DraftedRoot(c.Files)
		if err != nil {
			t.Fatal(err)
		}
		have := evidence.Firmwares(p, c.Files, root)
		for name, want := range map[string]evidence.Firmware{
			"holder-1": {Device: "yubikey", Serial: "1001", Version: "5.4.3"},
			"holder-2": {Device: "yubikey", Serial: "1002", Version: "5.7.1"},
			"holder-3": {Why: "its evidence is refused, ATTEST-CHAIN"},
			"holder-4": {Why: "no evidence is there"},
		} {
			if have[name] != want {
				t.Errorf("%s: %s is %+v, want %+v", policy, name, have[name], want)
			}
		}
	}
}
