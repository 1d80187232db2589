package main

import (
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/piv"
	"tufceremony/hsm/secret"
)

// provisioning is a YubiKey on its way into a plan. What is done to the device
// is done in steps of which each can be seen afterwards, so that a run that was
// stopped is taken up where it ended.
type provisioning struct {
	*candidate
	uri    piv.URI
	admin  *piv.Admin
	state  piv.State
	pin    []byte // while it is at hand
	manage []byte // the management key, from the step that gave it
}

func provisionYubiKey(c *candidate, uri string) (err error) {
	p := &provisioning{candidate: c}
	if p.uri, err = piv.Parse(uri); err != nil {
		return hint(err, "%s", uriHint(uri))
	}
	if err := p.plannable(); err != nil {
		return err
	}
	defer func() {
		secret.Free(p.pin)
		secret.Free(p.manage)
		err = errors.Join(err, p.close())
	}()
	for _, step := range []func() error{p.look, p.setPIN, p.setPUK, p.setManagementKey, p.makeKey, p.attestKey, p.storeCertificate} {
		if err := step(); err != nil {
			return p.hint(err)
		}
	}
	return p.finish(p.slotKey().Public, "attestation.pem",
		stock{uri: p.uri.String(), model: p.state.Info.Model, serial: p.uri.SerialText(), evidence: []byte{}})
}

// plannable wants the plan to decide what this command would otherwise have to
// choose.
func (p *provisioning) plannable() error {
	policy := p.plan.Policy
	if policy == nil {
		return hint(errors.New("provisioning: the plan has no policy, so nobody has decided how the key is to be made"), "write policy: into plan.yaml, as `ceremony init` proposes it in comments")
	}
	for _, field := range [][2]string{{"pin", policy.PIN}, {"touch", policy.Touch}, {"management-key", policy.ManagementKey}} {
		if field[1] == "" {
			return hint(fmt.Errorf("provisioning: the plan does not say policy.%s, so nobody has decided it", field[0]), "write it into plan.yaml; `ceremony init` proposes a policy in comments")
		}
	}
	return nil
}

func (p *provisioning) close() error {
	if p.admin == nil {
		return nil
	}
	err := p.admin.Close()
	p.admin = nil
	return err
}

// hint says how to go on after an interruption.
func (p *provisioning) hint(err error) error {
	again := fmt.Sprintf("`ceremony token provision %s --token %s --uri \"%s\"`", p.dir, p.name, p.uri)
	if told := interrupted(err, again); told != nil {
		return told
	}
	switch {
	case (errors.Is(err, hsm.ErrPINLocked) || errors.Is(err, piv.ErrPUKLocked)) && len(p.state.Slots) == 0:
		return hint(err, "the device holds no key, so nothing is lost: %s", p.wipe())
	case errors.Is(err, hsm.ErrPINLocked):
		return hint(err, "the device holds keys; the PUK opens it again: `ceremony token unblock %s`", piv.URI{Serial: p.uri.Serial})
	case errors.Is(err, hsm.ErrNotFound), errors.Is(err, piv.ErrNoService), errors.Is(err, piv.ErrInUse):
		return lookHint(err)
	}
	return hint(err, "run %s again: it goes on from where it stopped, or says what to undo", again)
}
