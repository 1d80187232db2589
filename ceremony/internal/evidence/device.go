package evidence

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

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

// stricter lists what is at least as strict as what a policy asks.
var stricter = map[string][]string{
	"pin always":   {"always", "match-always"},
	"pin once":     {"once", "match-once", "always", "match-always"},
	"touch always": {"always"},
	"touch cached": {"cached", "always"},
}

// enough holds the facts against the policy. Unknown is not enough.
func (j *judge) enough(d *Device) {
	asks, facts := j.plan.Policy, d.Facts
	if asks.Firmware != "" {
		below, err := attest.FirmwareBelow(facts.Firmware.Value, asks.Firmware)
		if err != nil || below {
			j.short(d, "ATTEST-FIRMWARE", "firmware is %s, and the plan asks for %s or newer", say(facts.Firmware), asks.Firmware)
		}
	}
	j.oneOf(d, "ATTEST-PIN", "PIN", facts.PINPolicy, asks.PIN, stricter["pin "+asks.PIN])
	j.oneOf(d, "ATTEST-TOUCH", "touch", facts.TouchPolicy, asks.Touch, stricter["touch "+asks.Touch])
	j.oneOf(d, "ATTEST-FORM", "form factor", facts.FormFactor, strings.Join(asks.FormFactors, " or "), asks.FormFactors)
	if asks.FIPS && facts.FIPS.Answer != attest.Yes {
		j.short(d, "ATTEST-FIPS", "FIPS is %s, and the plan asks for a certified device", say(facts.FIPS))
	}
	if facts.Advisory.Answer == attest.Yes && d.Asked {
		j.say("ATTEST-ADVISORY", d.Token.Name, "%s applies to a key that firmware %s has made", facts.Advisory.Value, facts.Firmware.Value)
	}
}

func (j *judge) oneOf(d *Device, id, what string, fact attest.Fact, want string, allowed []string) {
	if want == "" {
		return
	}
	for _, value := range allowed {
		if fact.Answer == attest.Yes && fact.Value == value {
			return
		}
	}
	j.short(d, id, "%s is %s, and the plan asks for %s", what, say(fact), want)
}

// say gives a fact in words: its value, or the answer and why it is none.
func say(f attest.Fact) string {
	switch {
	case f.Answer == attest.Yes && f.Value != "":
		return f.Value
	case f.Why != "":
		return f.Answer.String() + " (" + f.Why + ")"
	}
	return f.Answer.String()
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
