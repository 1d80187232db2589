package evidence

import (
	"slices"
	"strings"

	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// stricter lists what is at least as strict as what a policy asks.
var stricter = map[string][]string{
	"pin always":   {"always", "match-always"},
	"pin once":     {"once", "match-once", "always", "match-always"},
	"touch always": {"always"},
	"touch cached": {"cached", "always"},
}

// enough holds the facts against the policy. Unknown is not enough, and neither
// is what a kind of device does not have: a plan that asks for a touch means it,
// and an HSM that waits for none is let in by a waiver, not by silence.
func (j *judge) enough(d *Device) {
	asks, facts := j.plan.Policy, d.Facts
	j.firmware(d)
	j.origin(d)
	j.capabilities(d)
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

// firmware compares numbers, whatever the device. A YubiHSM 2 has lower ones
// than any YubiKey that is sold, so that a plan for both errs by refusing.
func (j *judge) firmware(d *Device) {
	asks, facts := j.plan.Policy.Firmware, d.Facts
	if asks == "" {
		return
	}
	if below, err := attest.FirmwareBelow(facts.Firmware.Value, asks); err == nil && !below {
		return
	}
	apart := ""
	if facts.Device == attest.YubiHSM {
		apart = "; YubiHSMs are numbered apart from YubiKeys"
	}
	j.short(d, "ATTEST-FIRMWARE", "firmware is %s, and the plan asks for %s or newer%s", say(facts.Firmware), asks, apart)
}

// origin: a key that came from elsewhere may still be there. No policy has to
// ask for it, since it is what attestation is for.
func (j *judge) origin(d *Device) {
	if made := d.Facts.Generated; made.Answer != attest.Yes {
		j.short(d, "ATTEST-ORIGIN", "whether the device has made the key: %s", say(made))
	}
}

// capabilities: a key that signs metadata signs, and nothing besides. Only a
// YubiHSM 2 has any.
func (j *judge) capabilities(d *Device) {
	if d.Facts.Device != attest.YubiHSM {
		return
	}
	names, faults := d.Facts.CapabilityNames(), []string{}
	signs := signing(d.Token.Key)
	if slices.Contains(names, attest.CapabilityExportable) {
		faults = append(faults, "the key can leave the device, under wrap ("+attest.CapabilityExportable+")")
	}
	more := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return slices.Contains(signs, n) || n == attest.CapabilityExportable
	})
	if len(more) > 0 {
		faults = append(faults, "the key can do more than sign ("+strings.Join(more, ", ")+")")
	}
	if !slices.Contains(names, signs[0]) {
		faults = append(faults, "the key cannot sign metadata (it lacks "+signs[0]+")")
	}
	if len(faults) > 0 {
		j.short(d, "ATTEST-CAPABILITY", "%s", strings.Join(faults, "; "))
	}
}

// signing lists the capabilities that are signing with a key of this kind, the
// one that metadata needs first.
func signing(key *tufmeta.Key) []string {
	if key != nil && key.Type == tufmeta.KeyTypeRSA {
		return []string{attest.CapabilitySignPSS, attest.CapabilitySignPKCS}
	}
	return []string{attest.CapabilitySign}
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
