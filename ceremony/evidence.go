package main

import (
	"fmt"
	"io"
	"strings"

	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// printPolicy says what the plan asks of devices.
func printPolicy(w io.Writer, p *plan.Policy) {
	switch {
	case p == nil:
		return
	case p.Attestation == plan.Off:
		fmt.Fprintln(w, "  Asked of them: nothing. What they attest is not read.")
		return
	}
	asks := []string{"attestation " + string(p.Attestation)}
	add := func(text, value string) {
		if value != "" {
			asks = append(asks, fmt.Sprintf(text, value))
		}
	}
	add("firmware %s or newer", p.Firmware)
	add("PIN %s", p.PIN)
	add("touch %s", p.Touch)
	add("form factor %s", strings.Join(p.FormFactors, " or "))
	if p.FIPS {
		asks = append(asks, "FIPS")
	}
	wrapTo(w, "  Asked of them: ", "      ", strings.Join(asks, ", ")+".")
}

// printDevice says where signing looks for a device, since the plan decides
// which module's code is run, and what the device has attested of its key.
func printDevice(w io.Writer, p *plan.Plan, d evidence.Device) {
	uri := "not in the plan; said when signing"
	if d.Token.URI != "" {
		uri = tufmeta.Printable(d.Token.URI)
	}
	switch {
	case d.Token.Compromised:
		uri += " (revoked: does not sign)"
	case d.Token.Lost && d.Token.OneTime:
		uri += " (one-time: its key was to be destroyed in an earlier ceremony; nothing here shows it)"
	case d.Token.OneTime:
		uri += " (one-time: destroyed when it has signed)"
	case d.Token.Lost:
		uri += " (lost: cannot sign)"
	case d.Token.Weak:
		uri += " (weak: signs once more, and is replaced)"
	}
	wrapTo(w, "  "+d.Token.Name+": ", "      ", uri)
	if argument := d.Token.ModuleArgument(); argument != "" {
		wrapTo(w, "      ", "      ", fmt.Sprintf("Its module is given the argument %q.", tufmeta.Printable(argument)))
	}
	if p.Policy != nil && p.Policy.Attestation != plan.Off {
		printEvidence(w, p, d)
	}
	if d.State != evidence.Attested && d.Claims != nil {
		wrapTo(w, "      ", "      ", "The module said of its key: "+d.Claims.Words()+". That is the module's word, no proof and no attestation.")
	}
}

func printEvidence(w io.Writer, p *plan.Plan, d evidence.Device) {
	switch {
	case d.State == evidence.Attested:
		printFacts(w, d.Facts)
		if !d.Asked {
			wrapTo(w, "      ", "      ", "The policy is not asked of it: "+notAsked(p)+".")
		}
	case d.State == evidence.NotRead:
		wrapTo(w, "      ", "      ", "What it attests was not read: see the findings.")
	case d.State == evidence.Refused:
		wrapTo(w, "      ", "      ", "Its evidence is refused: see the findings.")
	case d.Asked:
		wrapTo(w, "      ", "      ", "Unattested: nothing proves that its key was made in a device.")
	default:
		wrapTo(w, "      ", "      ", "Unattested, and not asked: "+notAsked(p)+".")
	}
}

func notAsked(p *plan.Plan) string {
	if p.Root == nil {
		return "it signs nothing here"
	}
	return "the new root does not list its key"
}

// printVerdicts says in a line a device which one it is, and what has become of
// its evidence; review has the facts.
func printVerdicts(w io.Writer, p *plan.Plan, devices []evidence.Device) {
	if p.Policy == nil || p.Policy.Attestation == plan.Off {
		return
	}
	fmt.Fprintln(w, "\nDevices:")
	for _, d := range devices {
		wrapTo(w, "  "+d.Token.Name+": ", "      ", verdict(d))
	}
}

func verdict(d evidence.Device) string {
	if d.State == evidence.Attested {
		f := d.Facts
		return fmt.Sprintf("%s, serial %s, firmware %s: attested, up to %s", f.Device.Name(), factText(f.Serial), factText(f.Firmware), factText(f.Chain))
	}
	which := "no serial in the plan"
	if serial := d.Token.DeviceSerial(); serial != "" {
		which = "serial " + tufmeta.Printable(serial) + ", as the plan has it"
	}
	said := map[evidence.State]string{
		evidence.Refused: "its evidence is refused", evidence.NotRead: "its evidence was not read", evidence.Unattested: "unattested",
	}[d.State]
	if d.State == evidence.Unattested && !d.Asked {
		said += ", and not asked"
	}
	return which + ": " + said
}

// pair is a line of two facts.
type pair struct {
	left, right         string
	leftFact, rightFact attest.Fact
}

// printFacts shows what a device has attested, two facts a line, and under them
// why one is unknown.
func printFacts(w io.Writer, f attest.Facts) {
	fact := func(what, text string) { wrapTo(w, fmt.Sprintf("      %-10s ", what), "                 ", text) }
	fact("chain to", factText(f.Chain))
	pairs := []pair{{"serial", "slot", f.Serial, f.Slot}, {"firmware", "form factor", f.Firmware, f.FormFactor},
		{"PIN", "touch", f.PINPolicy, f.TouchPolicy}, {"generated", "FIPS", f.Generated, f.FIPS}}
	if f.Device == attest.YubiHSM {
		fact("device", f.Device.Name())
		pairs = []pair{{"serial", "object", f.Serial, f.Object}, {"firmware", "FIPS", f.Firmware, f.FIPS},
			{"PIN", "touch", f.PINPolicy, f.TouchPolicy}, {"generated", "origin", f.Generated, f.Origin}}
	}
	for _, p := range pairs {
		fmt.Fprintf(w, "      %-10s %-16s %-12s %s\n", p.left, factText(p.leftFact), p.right, factText(p.rightFact))
	}
	if f.Device == attest.YubiHSM {
		fact("can", factText(f.Capabilities))
		fact("domains", factText(f.Domains))
		fact("label", labelText(f.Label))
	}
	advisory := factText(f.Advisory)
	if f.Advisory.Answer == attest.Yes {
		advisory += " applies"
	}
	fact("advisory", advisory)
	for _, why := range reasons(f) {
		wrapTo(w, "        ", "        ", why)
	}
}

// reasons says why a fact is none, once each. That FIPS is a no needs no reason,
// and that an HSM has no form factor nobody asks.
func reasons(f attest.Facts) []string {
	facts := []attest.Fact{f.Chain, f.Serial, f.FormFactor, f.PINPolicy, f.TouchPolicy}
	if f.Device == attest.YubiHSM {
		facts = []attest.Fact{f.Chain, f.Serial, f.PINPolicy, f.TouchPolicy, f.Generated, f.Capabilities, f.Domains}
	}
	if f.FIPS.Answer == attest.Unknown {
		facts = append(facts, f.FIPS)
	}
	var list []string
	for _, fact := range facts {
		if fact.Why != "" {
			list = append(list, fact.Why)
		}
	}
	return list
}

// labelText quotes what somebody has called a key: it is not the device's word.
func labelText(f attest.Fact) string {
	if f.Answer != attest.Yes {
		return "none"
	}
	return `"` + f.Value + `"`
}

// factText is a fact in a word: its value, or yes, no, unknown.
func factText(f attest.Fact) string {
	if f.Answer == attest.Yes && f.Value != "" {
		return f.Value
	}
	return f.Answer.String()
}

type reportDevice struct {
	Token    string        `json:"token"`
	Asked    bool          `json:"asked"`
	State    string        `json:"state"`
	Evidence string        `json:"evidence,omitempty"`
	Facts    *attest.Facts `json:"facts,omitempty"`

	Claims *evidence.Claims `json:"claims,omitempty"`
}

func devicesJSON(devices []evidence.Device) []reportDevice {
	out := []reportDevice{}
	for _, d := range devices {
		r := reportDevice{Token: d.Token.Name, Asked: d.Asked, State: string(d.State), Evidence: d.Token.EvidenceFile, Claims: d.Claims}
		if d.State == evidence.Attested {
			r.Facts = &d.Facts
		}
		out = append(out, r)
	}
	return out
}
