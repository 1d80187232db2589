package main

import (
	"errors"
	"fmt"
	"maps"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/piv"
)

var pinPolicies = map[string]piv.PINPolicy{"once": piv.PINOnce, "always": piv.PINAlways}
var touchPolicies = map[string]piv.TouchPolicy{"cached": piv.TouchCached, "always": piv.TouchAlways}

// makeKey has the device make the key, unless an earlier run did.
func (p *provisioning) makeKey() error {
	if key := p.slotKey(); key != nil {
		p.begin("The key. It is in slot %s already.", p.uri.Slot)
		return nil
	}
	p.begin("The key. The device makes it, in slot %s.", p.uri.Slot)
	policy := p.plan.Policy
	public, err := p.admin.Generate(p.uri.Slot, piv.P256, pinPolicies[policy.PIN], touchPolicies[policy.Touch], p.manage)
	if err != nil {
		return err
	}
	p.state.Slots = append(p.state.Slots, piv.SlotInfo{Slot: p.uri.Slot, Public: public})
	return nil
}

// attestKey has the device say where the key was made, holds that against the
// plan, and writes it down with the public key.
func (p *provisioning) attestKey() error {
	p.begin("The attestation: what the device says of the key, and proves.")
	key := hsm.Key{ID: p.uri.Slot.String(), Public: p.slotKey().Public}
	proof, err := p.evidence()
	if err != nil {
		return err
	}
	if err := p.judge(key, proof); err != nil {
		return err
	}
	text, err := publicPEM(key.Public)
	if err != nil {
		return err
	}
	return errors.Join(p.keep("attestation.pem", proof), p.keep("pem", text))
}

// evidence is what an earlier run wrote down, or what the device says now. It
// signs anew each time, so the two differ, and either is as good.
func (p *provisioning) evidence() ([]byte, error) {
	if text, ok := p.files[p.file("attestation.pem")]; ok {
		old, err := attest.ParseEvidence(text)
		if err == nil && !samePublic(old.Leaf.PublicKey, p.slotKey().Public) {
			err = hint(fmt.Errorf("reading %s: it is evidence of another key than the one in slot %s", p.file("attestation.pem"), p.uri.Slot), "find out where the file comes from; a new key gets a new token name")
		}
		return text, err
	}
	chain, err := p.admin.Attest(p.uri.Slot)
	if err != nil {
		return nil, err
	}
	e, err := parseChain(chain)
	return e.PEM(), err
}

// judge holds the evidence against the plan's policy as draft and review will,
// in a plan with this one token. What falls short is said, and the key is there
// all the same: a waiver may stand in the plan, or another device be used.
func (p *provisioning) judge(key hsm.Key, text []byte) error {
	public, err := tufmeta.NewKey(key.Public)
	if err != nil {
		return fmt.Errorf("reading the key in slot %s: %w", p.uri.Slot, err)
	}
	token := &roster.Token{Name: p.name, Holder: p.name, URI: p.uri.String(), KeyFile: p.file("pem"), EvidenceFile: p.file("attestation.pem"), Key: public}
	files := maps.Clone(p.files)
	files[token.EvidenceFile] = text
	devices, results := evidence.Judge(&plan.Plan{
		Rehearsal: p.plan.Rehearsal, Policy: p.plan.Policy, Opens: p.now,
		Roster: roster.Roster{Holders: []roster.Holder{{Name: p.name, Tokens: []*roster.Token{token}}}},
		Root:   &plan.Root{Roles: map[string]plan.Role{"root": {Tokens: []string{p.name}}}},
	}, files, nil)
	check.Draft.Weigh(results)
	if devices[0].State == evidence.Refused {
		return check.Refuse(results)
	}
	if devices[0].State == evidence.Attested {
		printFacts(p.env.out, devices[0].Facts)
	}
	for _, r := range results {
		if r.Subject == p.name {
			wrapTo(p.env.out, "   ! ", "     ", fmt.Sprintf("%s: %s", r.Check, tufmeta.Printable(r.Detail)))
		}
	}
	return nil
}

// storeCertificate lets other programs see the key: most look for a certificate
// and not for a key.
func (p *provisioning) storeCertificate() error {
	if p.hasCertificate() {
		return nil
	}
	p.begin("A certificate beside the key, so that other programs see it.")
	certificate, err := piv.PlaceholderCertificate(p.slotKey().Public, "TUF key "+p.name, p.env.random)
	if err != nil {
		return err
	}
	return p.admin.StoreCertificate(p.uri.Slot, p.manage, certificate)
}
