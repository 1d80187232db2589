// Package evidence judges what the holders' devices say of their keys by what
// the plan asks of them: that a key was made in the device that the plan names,
// and answers to PIN and touch as it should.
//
//	devices, results := evidence.Judge(plan, files, root)
//
// Evidence is a file in keys/ that a token names. Package hsm/attest verifies
// it; here it is compared with the plan and with the metadata: the attested key
// must be the planned key and one that the root lists, serial and slot must be
// the plan's, and the chain must end in a root that is trusted on such a day: a
// maker's on the real day, the rehearsals' in a rehearsal. Of which kind of device
// it is, the file says, and the rules are the same for all: a device that has
// nothing like what the policy asks for falls short.
//
// It will not ask a device, and no clock: chains are judged at the opening of
// the signing window. Whether the person with the PIN is the holder, and where
// the device is by now, no evidence can say.
package evidence

import (
	"fmt"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// State is what became of a token's evidence.
type State string

// Attested evidence has held; Refused has not, or is of another key or device;
// Unattested is a token with none; NotRead one whose evidence nobody asked for.
const (
	Attested   State = "attested"
	Refused    State = "refused"
	Unattested State = "unattested"
	NotRead    State = "not read"
)

// Device is what is known of the device of one token.
type Device struct {
	Token *roster.Token
	Asked bool // the policy is meant for it
	State State
	Facts attest.Facts // of an attested token, else empty
	// Claims is what a PKCS#11 module said of the key, nil where nobody wrote it
	// down. No verdict depends on it.
	Claims *Claims
}

// Judge reads the evidence of all holders' tokens, whose public keys have been
// loaded. Root is the newest root, in
// which the keys are listed: the one in payload/, or the trusted one where only
// targets is signed; nil where it cannot be read, which others say. The
// results are not weighed yet. Their subject is a token, or "policy".
func Judge(p *plan.Plan, files folder.Files, root *tufmeta.Root) ([]Device, []check.Result) {
	j := &judge{plan: p, files: files, root: root}
	switch {
	case p.Policy == nil:
		j.say("ATTEST-NONE", "policy", "the plan asks nothing of the holders' devices")
	case p.Policy.Attestation == plan.Off:
		j.say("ATTEST-NONE", "policy", "the plan says `attestation: off`: what devices attest is not read")
	default:
		j.trust = j.trusted()
	}
	asked := j.asked()
	for _, h := range p.Roster.Holders {
		for _, t := range h.Tokens {
			d := Device{Token: t, Asked: asked[t.Name], State: NotRead}
			if j.trust != nil {
				j.device(&d)
			}
			if p.Policy == nil || p.Policy.Attestation != plan.Off {
				d.Claims = j.claims(t)
			}
			j.devices = append(j.devices, d)
		}
	}
	return j.devices, j.results
}

type judge struct {
	plan    *plan.Plan
	files   folder.Files
	root    *tufmeta.Root
	trust   *attest.Trust // nil where evidence is not read
	devices []Device
	results []check.Result
}

func (j *judge) say(id, subject, format string, args ...any) {
	j.results = append(j.results, check.New(id, subject, format, args...))
}

// asked lists the tokens for which the policy is meant: those whose keys the
// new root lists, lost or not, since clients will believe them; and where no
// root is made, those that sign targets now; besides, those that the plan gives to
// a delegated role, and that sign one. A token that signs once more
// because the old root lists it is not asked: its key was made when nobody
// asked, and a rotation must be able to replace just such a device. Evidence
// that it names is judged all the same, and must not lie.
func (j *judge) asked() map[string]bool {
	asked := map[string]bool{}
	j.delegated(asked)
	if j.plan.Root == nil && j.plan.Targets == nil {
		return asked
	}
	if j.plan.Root == nil {
		for _, key := range keysOf(j.root, "targets") {
			if t, ok := j.plan.Roster.ByFingerprint(key.Fingerprint()); ok && t.CanSign() {
				asked[t.Name] = true
			}
		}
		return asked
	}
	for name, role := range j.plan.Root.Roles {
		for _, token := range role.Tokens {
			asked[token] = true
		}
		for _, key := range keysOf(j.root, name) {
			if t, ok := j.plan.Roster.ByFingerprint(key.Fingerprint()); ok {
				asked[t.Name] = true
			}
		}
	}
	return asked
}

// delegated adds those whose keys the plan gives to delegated roles, and those
// that sign one.
func (j *judge) delegated(asked map[string]bool) {
	for _, t := range j.plan.TargetsRoles() {
		if t.Delegations == nil {
			continue
		}
		for _, d := range t.Delegations.Roles {
			for _, token := range d.Tokens {
				asked[token] = true
			}
		}
	}
	if len(j.plan.Delegated) == 0 {
		return
	}
	demands, err := quorum.Demands(j.files)
	if err != nil {
		return // which review says
	}
	for _, d := range demands {
		for _, m := range d.Members(&j.plan.Roster) {
			if d.By != "root" && m.CanSign() {
				asked[m.Token.Name] = true
			}
		}
	}
}

// Trust gives the certificates in which chains may end: the makers' that are
// pinned and those that the policy names, or the rehearsals' root.
func Trust(policy *plan.Policy, rehearsal bool, files folder.Files) (*attest.Trust, error) {
	trust := attest.Yubico()
	if rehearsal {
		trust = attest.Rehearsal()
	}
	if policy.Roots == "" {
		return trust, nil
	}
	data, ok := files[policy.Roots]
	if !ok {
		return nil, fmt.Errorf("the folder has no file %q, which policy.roots names", policy.Roots)
	}
	more, err := trust.With(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", policy.Roots, err)
	}
	return more, nil
}

// trusted is Trust, or nil where what the plan names cannot be used: then
// nothing more is read. What it names is shown.
func (j *judge) trusted() *attest.Trust {
	name := j.plan.Policy.Roots
	more, err := Trust(j.plan.Policy, j.plan.Rehearsal, j.files)
	if err != nil {
		j.say("ATTEST-POLICY", "policy", "%v", err)
		return nil
	}
	for _, c := range more.Fingerprints() {
		if c.Origin == attest.OriginFile {
			j.say("ATTEST-ROOTS", "policy", "%s has the %s %q, SHA-256 %s", name, c.Role, c.Name, c.SHA256)
		}
	}
	return more
}
