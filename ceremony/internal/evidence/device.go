package evidence

import (
	"crypto"
	"errors"
	"fmt"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// device judges the evidence of one token: first whether it is true, then
// whether it is enough.
func (j *judge) device(d *Device) {
	t := d.Token
	data, there := j.files[t.EvidenceFile]
	switch {
	case t.EvidenceFile == "":
		d.State = Unattested
		j.short(d, "ATTEST-MISSING", "the plan names no evidence: nothing proves that the key was made in a device")
		return
	case !there:
		d.State = Unattested
		j.short(d, "ATTEST-MISSING", "the folder has no file %q, which the plan names", t.EvidenceFile)
		return
	}
	d.State = Refused
	facts, ok := j.verify(t, data)
	if !ok || !j.bound(t, facts) || !j.same(d, facts) {
		return
	}
	d.State, d.Facts = Attested, facts
	j.enough(d)
}

// short says that a device falls short of what it is asked. What that weighs
// stands in the table: under `recorded` it is another row.
func (j *judge) short(d *Device, id, format string, args ...any) {
	detail := fmt.Sprintf(format, args...)
	switch {
	case !d.Asked:
	case j.plan.Policy.Attestation == plan.Recorded:
		j.say("ATTEST-RECORDED", d.Token.Name, "%s: %s", id, detail)
	default:
		j.say(id, d.Token.Name, "%s", detail)
	}
}

func (j *judge) verify(t *roster.Token, data []byte) (attest.Facts, bool) {
	e, err := attest.ParseEvidence(data)
	if err != nil {
		j.say("ATTEST-EVIDENCE", t.Name, "%s: %v", t.EvidenceFile, err)
		return attest.Facts{}, false
	}
	facts, err := attest.Verify(e, j.trust, j.plan.Opens)
	switch {
	case err == nil && facts.Rehearsal == j.plan.Rehearsal:
		return facts, true
	case err == nil || errors.Is(err, attest.ErrRehearsal):
		j.say("ATTEST-CHAIN", t.Name, "%s is of a card made for rehearsals, whose root anybody can sign with: it proves nothing on the real day", t.EvidenceFile)
	case j.plan.Rehearsal && j.real(e):
		j.say("ATTEST-CHAIN", t.Name, "%s is of a real device, and this is a rehearsal: what it signs here, clients would take for real", t.EvidenceFile)
	case errors.Is(err, attest.ErrChain):
		j.say("ATTEST-CHAIN", t.Name, "%s: %v", t.EvidenceFile, err)
	default:
		j.say("ATTEST-EVIDENCE", t.Name, "%s: %v", t.EvidenceFile, err)
	}
	return attest.Facts{}, false
}

func (j *judge) real(e attest.Evidence) bool {
	_, err := attest.Verify(e, attest.Yubico(), j.plan.Opens)
	return err == nil
}

// bound compares the attested key with the plan's, and with those that the
// root lists where the plan has the token: three places, one key.
func (j *judge) bound(t *roster.Token, facts attest.Facts) bool {
	if t.Key == nil || facts.Bind(t.Key.Public) != nil {
		j.say("ATTEST-BOUND", t.Name, "%s attests %s, and %s is another key", t.EvidenceFile, j.whose(facts.Key), t.KeyFile)
		return false
	}
	for _, role := range j.roles(t) {
		listed := false
		for _, key := range keysOf(j.root, role) {
			listed = listed || facts.Bind(key.Public) == nil
		}
		if !listed && j.root != nil {
			j.say("ATTEST-BOUND", t.Name, "root %d does not list the key that %s attests for %s", j.root.Version, t.EvidenceFile, role)
			return false
		}
	}
	return true
}

// roles are those in which the plan has the token.
func (j *judge) roles(t *roster.Token) []string {
	var roles []string
	if j.plan.Root == nil {
		return nil
	}
	for _, name := range tufmeta.TopRoles {
		for _, token := range j.plan.Root.Roles[name].Tokens {
			if token == t.Name {
				roles = append(roles, name)
			}
		}
	}
	return roles
}

func (j *judge) whose(key crypto.PublicKey) string {
	fingerprint, err := tufmeta.Fingerprint(key)
	if err != nil {
		return "a key that cannot be named"
	}
	if t, ok := j.plan.Roster.ByFingerprint(fingerprint); ok {
		return "the key of token " + t.Name
	}
	return "a key that the plan does not have, " + roster.Short(fingerprint)
}

// same compares device and slot with those that the plan names. Firmware 4 may
// keep the serial to itself, which falls short and is no lie.
func (j *judge) same(d *Device, facts attest.Facts) bool {
	t := d.Token
	if t.OnPIV() && facts.Device != attest.YubiKey {
		j.say("ATTEST-DEVICE", t.Name, "%s is of a %s, and the plan has the key in a YubiKey", t.EvidenceFile, facts.Device.Name())
		return false
	}
	if serial := t.DeviceSerial(); serial != "" {
		switch err := facts.WantSerial(serial); {
		case err != nil && facts.Serial.Answer != attest.Yes:
			j.short(d, "ATTEST-DEVICE", "%s: %v", t.EvidenceFile, err)
			return j.plan.Policy.Attestation == plan.Recorded || !d.Asked
		case err != nil:
			j.say("ATTEST-DEVICE", t.Name, "%s: %v", t.EvidenceFile, err)
			return false
		}
	}
	if slot := t.Slot(); slot != "" {
		if err := facts.WantSlot(slot); err != nil {
			j.say("ATTEST-DEVICE", t.Name, "%s: %v", t.EvidenceFile, err)
			return false
		}
	}
	return true
}

// keysOf are the keys that a root lists for a role.
func keysOf(root *tufmeta.Root, role string) []*tufmeta.Key {
	if root == nil || root.Roles[role] == nil {
		return nil
	}
	var keys []*tufmeta.Key
	for _, id := range root.Roles[role].KeyIDs {
		if key := root.Keys[id]; key != nil && key.Err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}
