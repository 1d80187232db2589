package ceremonytest

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
)

// YubiKeys of holders of real ceremonies, whose attestations are in
// ../shared/data: folder and files of slot and device.
var (
	Sigstore = []RealDevice{
		{"10550341", "sigstore/attestation/10550341/10550341_key_cert.pem", "sigstore/attestation/10550341/10550341_device_cert.pem"},
		{"13078778", "sigstore/attestation/13078778/13078778_key_cert.pem", "sigstore/attestation/13078778/13078778_device_cert.pem"},
		{"15938791", "sigstore/attestation/15938791/15938791_key_cert.pem", "sigstore/attestation/15938791/15938791_device_cert.pem"},
	}
	Docker = []RealDevice{
		{"25515003", "docker/attestation/25515003/Slot9CAttestation.pem", "docker/attestation/25515003/SlotF9Intermediate.pem"},
		{"25515137", "docker/attestation/25515137/Slot9CAttestation.pem", "docker/attestation/25515137/SlotF9Intermediate.pem"},
	}
)

// RealDevice is a device by its serial, and where its certificates are.
type RealDevice struct{ Serial, slot, device string }

// Evidence is what the device attests.
func (d RealDevice) Evidence(t testing.TB) []byte {
	t.Helper()
	return slices.Concat(Read(t, d.slot), Read(t, d.device))
}

// Real begins a repository with real devices: root and targets want two of them. Nobody here can sign with their keys.
func Real(t testing.TB, policy plan.Policy, devices ...RealDevice) *Ceremony {
	t.Helper()
	p := newPlan(plan.Genesis)
	p.Policy = &policy
	var names []string
	for _, d := range devices {
		name := "yubikey-" + d.Serial
		names = append(names, name)
		p.Roster.Holders = append(p.Roster.Holders, roster.Holder{Name: "holder of " + d.Serial, Tokens: []*roster.Token{{Name: name, Holder: "holder of " + d.Serial,
			URI: "piv:serial=" + d.Serial + ";slot=9c", Serial: d.Serial, KeyFile: "keys/" + name + ".pem", EvidenceFile: "keys/" + name + ".attestation.pem"}}})
	}
	p.Root = &plan.Root{Version: 1, Expires: day(2028, 1, 10), Roles: roles(names, names)}
	for _, role := range []string{"root", "targets"} {
		p.Root.Roles[role] = plan.Role{Threshold: 2, Tokens: names}
	}
	p.Targets = &plan.TargetsPlan{Version: 1, Expires: day(2028, 1, 10)}
	c := Start(t, p, nil)
	for i, d := range devices {
		token := p.Roster.Holders[i].Tokens[0]
		c.Files[token.EvidenceFile] = d.Evidence(t)
		c.Files[token.KeyFile] = d.publicPEM(t)
	}
	return c
}

func (d RealDevice) publicPEM(t testing.TB) []byte {
	t.Helper()
	block, _ := pem.Decode(Read(t, d.slot))
	if block == nil {
		t.Fatalf("%s is no PEM", d.slot)
	}
	slot, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: slot.RawSubjectPublicKeyInfo})
}
