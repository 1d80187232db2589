package verify_test

import (
	"maps"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/verify"
)

// A stranger sees what the devices attest, judged by the plan in the bundle.
func TestDevices(t *testing.T) {
	c := ceremonytest.Attested(t, false)
	c.Draft()
	c.Sign("holder-1", "holder-2", "holder-3")
	sealed := c.Seal()
	verified, err := verify.Files(sealed, sealed["metadata/1.root.json"], ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	facts, _ := verified.Facts()
	for _, d := range facts.Report.Devices {
		if d.State != evidence.Attested || d.Facts.Slot.Value != "9c" {
			t.Errorf("%s: %s, %+v", d.Token.Name, d.State, d.Facts)
		}
	}
	for _, name := range []string{"keys/holder-4.attestation.pem", "keys/makers.pem"} {
		without := maps.Clone(sealed)
		delete(without, name)
		if _, err := verify.Files(without, sealed["metadata/1.root.json"], ceremonytest.Now); err == nil {
			t.Errorf("a bundle without %s is verified", name)
		}
	}
}

// Evidence that lies is refused though all holders have signed, and however the
// folder was packed.
func TestDevicesConspiracy(t *testing.T) {
	for name, change := range map[string]func(c *ceremonytest.Ceremony){
		"ATTEST-BOUND, holder-2": func(c *ceremonytest.Ceremony) {
			c.Files["keys/holder-2.attestation.pem"] = c.Files["keys/holder-3.attestation.pem"]
		},
		"ATTEST-CHAIN, holder-2": func(c *ceremonytest.Ceremony) {
			c.Files["keys/holder-2.attestation.pem"] = ceremonytest.Rehearsals(t).Forged(t, ceremonytest.Key(t, "holder-2").Public(), ceremonytest.YubiKey(1002))
		},
		"ATTEST-MISSING, holder-2": func(c *ceremonytest.Ceremony) { delete(c.Files, "keys/holder-2.attestation.pem") },
		"ATTEST-POLICY, policy":    func(c *ceremonytest.Ceremony) { delete(c.Files, "keys/makers.pem") },
	} {
		c := ceremonytest.Attested(t, false)
		change(c)
		c.Draft()
		root, targets := folder.Version{Role: "root", Version: 1}, folder.Version{Role: "targets", Version: 1}
		for _, token := range []string{"holder-1", "holder-2", "holder-3"} {
			c.Force(root, token, ceremonytest.Object(t, token).ID)
			c.Force(targets, token, ceremonytest.Object(t, token).ID)
		}
		sealed := c.Seal()
		if _, err := verify.Files(sealed, sealed["metadata/1.root.json"], ceremonytest.Now); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Keys on P-384 and RSA keys sign a root and targets that go-tuf verifies as
// well.
func TestKinds(t *testing.T) {
	for _, row := range []struct {
		c             *ceremonytest.Ceremony
		second, third string
		scheme        string
	}{
		{ceremonytest.P384(t), "holder-2-p384", "holder-3-p384", "ecdsa-sha2-nistp384"},
		{ceremonytest.RSA(t), "holder-2-rsa2048", "holder-3-rsa4096", "rsassa-pss-sha256"},
	} {
		row.c.Draft()
		row.c.Sign("holder-1", row.second, row.third)
		sealed := row.c.Seal()
		verified, err := verify.Files(sealed, sealed["metadata/1.root.json"], ceremonytest.Now)
		if err != nil {
			t.Fatal(err)
		}
		facts, _ := verified.Facts()
		for _, r := range facts.Roles {
			if len(r.Counts[0].Signers) != 3 {
				t.Errorf("%s: %d signers", r.Version, len(r.Counts[0].Signers))
			}
		}
		if !strings.Contains(string(sealed["metadata/1.root.json"]), row.scheme) {
			t.Errorf("no key has the scheme %s", row.scheme)
		}
	}
}
