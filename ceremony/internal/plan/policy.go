package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/roster"
)

// Policy is what the plan asks of the holders' devices. What a device proves of
// itself, its attestation, is judged by package evidence; empty fields ask
// nothing.
type Policy struct {
	Attestation   Attestation
	Roots         string   // "keys/attestation-roots.pem": certificates that are trusted besides those built in
	Firmware      string   // "5.7.0", at least
	PIN           string   // "always" or "once", at least as strict
	Touch         string   // "always" or "cached", at least as strict
	FormFactors   []string // one of them
	FIPS          bool
	ManagementKey string // PINProtected or Printed: for `token provision`
}

// Attestation says how evidence is judged.
type Attestation string

// Required refuses what is missing or falls short, Recorded notes it, and Off
// does not look at evidence.
const (
	Required Attestation = "required"
	Recorded Attestation = "recorded"
	Off      Attestation = "off"
)

// Where `token provision` leaves the management key that it has made: in the
// device, readable with the PIN, or on paper.
const (
	PINProtected = "pin-protected"
	Printed      = "printed"
)

// FormFactors are the shapes that a device can attest.
var FormFactors = []string{"usb-a-keychain", "usb-a-nano", "usb-c-keychain", "usb-c-nano", "usb-c-lightning", "usb-a-bio", "usb-c-bio"}

// Devices is what a plan says of devices.
type Devices struct {
	Rehearsal     bool
	ModuleTimeout time.Duration // as of a Plan
	Policy        *Policy       // nil where the plan asks nothing
	Roster        roster.Roster
	Waivers       []check.Waiver
}

// ParseDevices reads what a plan says of devices, while the rest of it may
// still be undecided: they are provisioned before anybody drafts. The form of
// the whole file is read as strictly as by Parse; thresholds, times and names
// of the repository are not judged.
func ParseDevices(data []byte) (*Devices, error) {
	return read(data, func(f *file, at *locator) (*Devices, error) {
		v := &validator{at: at}
		p := &Plan{Rehearsal: f.Rehearsal}
		v.want(f.Format == Format, "format", fmt.Sprintf("is %q", f.Format), formatRemedy)
		v.devices(f, p)
		v.waivers(f, p)
		if v.err != nil {
			return nil, v.err
		}
		return &Devices{p.Rehearsal, p.ModuleTimeout, p.Policy, p.Roster, p.Waivers}, nil
	})
}

// devices reads policy and holders, and what the two have to do with each other.
func (v *validator) devices(f *file, p *Plan) {
	v.moduleTimeout(f, p)
	v.policy(f.Policy, p)
	v.holders(f, p)
	v.marks(f.Compromise, p)
	owner := map[string]string{} // of a file in keys/
	for _, t := range p.Roster.Tokens() {
		owner[t.KeyFile] = "is the public key of token " + t.Name
	}
	if p.Policy != nil && p.Policy.Roots != "" {
		v.want(owner[p.Policy.Roots] == "", "policy.roots", fmt.Sprintf("is %q, which %s", p.Policy.Roots, owner[p.Policy.Roots]), "give the certificates a file of their own")
		owner[p.Policy.Roots] = "policy.roots names"
	}
	for i, h := range p.Roster.Holders {
		for j, t := range h.Tokens {
			v.device(fmt.Sprintf("holders[%d].tokens[%d]", i, j), t, p.Policy, owner)
		}
	}
}

// Bounds of module-timeout, in seconds: more than a touch takes at the shortest
// sensible, and less than people wait before they pull the plug.
const (
	MinModuleTimeout = 5
	MaxModuleTimeout = 600
)

func (v *validator) moduleTimeout(f *file, p *Plan) {
	if !v.at.has("module-timeout") {
		return
	}
	v.want(f.Timeout >= MinModuleTimeout && f.Timeout <= MaxModuleTimeout, "module-timeout", fmt.Sprintf("is %d", f.Timeout),
		fmt.Sprintf("write for how many seconds a PKCS#11 module may be silent, %d to %d, or leave it out", MinModuleTimeout, MaxModuleTimeout))
	p.ModuleTimeout = time.Duration(f.Timeout) * time.Second
}

func (v *validator) device(at string, t *roster.Token, policy *Policy, owner map[string]string) {
	v.want(policy != nil || !t.OnPIV(), "policy", fmt.Sprintf("is missing, and token %s is on a YubiKey", t.Name), policyRemedy)
	v.want(t.Serial == "" || t.URISerial() == "" || t.Serial == t.URISerial(), at+".serial", fmt.Sprintf("is %q, and the uri has serial %q", t.Serial, t.URISerial()), "find out which device it is, and write its serial in both places or in one")
	if t.EvidenceFile == "" {
		return
	}
	field := at + ".attestation"
	v.want(policy != nil, "policy", fmt.Sprintf("is missing, and token %s names what its device attests", t.Name), policyRemedy)
	v.want(inKeys(t.EvidenceFile), field, fmt.Sprintf("is %q", t.EvidenceFile), "name the file with what the device attests, like keys/"+t.Name+".attestation.pem")
	v.want(owner[t.EvidenceFile] == "", field, fmt.Sprintf("is %q, which %s", t.EvidenceFile, owner[t.EvidenceFile]), "give what each device attests a file of its own")
	owner[t.EvidenceFile] = "token " + t.Name + " names"
}

const policyRemedy = "decide what devices must be, and write policy: as `ceremony init` proposes it; with `attestation: off` nothing is asked of them"

// inKeys reports whether a path is that of a file in keys/.
func inKeys(path string) bool {
	file, ok := strings.CutPrefix(path, folder.Keys+"/")
	return ok && folder.SafeName(file)
}

// Three numbers of a byte each, as devices have them.
var firmware = regexp.MustCompile(`^` + octet + `\.` + octet + `\.` + octet + `$`)

const octet = `(0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])`

func (v *validator) policy(f *policy, p *Plan) {
	v.want(f != nil || !v.at.has("policy"), "policy", "is empty", policyRemedy)
	if f == nil {
		return
	}
	optional := func(name, value string, ok bool, remedy string) {
		v.want(ok || value == "" && !v.at.has("policy."+name), "policy."+name, fmt.Sprintf("is %q", value), remedy+", or leave it out")
	}
	one := func(value string, of ...string) bool { return slices.Contains(of, value) }
	v.want(one(f.Attestation, string(Required), string(Recorded), string(Off)), "policy.attestation", fmt.Sprintf("is %q", f.Attestation),
		"write required, recorded (what is missing is noted) or off")
	optional("roots", f.Roots, inKeys(f.Roots), "name the file with the makers' certificates, like keys/attestation-roots.pem")
	optional("firmware", f.Firmware, firmware.MatchString(f.Firmware), `write three numbers, like "5.7.0"`)
	optional("pin", f.PIN, one(f.PIN, "always", "once"), "write always or once")
	optional("touch", f.Touch, one(f.Touch, "always", "cached"), "write always or cached")
	optional("management-key", f.ManagementKey, one(f.ManagementKey, PINProtected, Printed), "write pin-protected or printed")
	v.want(len(f.FormFactors) > 0 || !v.at.has("policy.form-factors"), "policy.form-factors", "is empty", "list the shapes that are allowed, or leave it out")
	for i, shape := range f.FormFactors {
		field := fmt.Sprintf("policy.form-factors[%d]", i)
		v.want(slices.Contains(FormFactors, shape), field, fmt.Sprintf("is %q", shape), "these can be attested: "+strings.Join(FormFactors, ", "))
		v.want(!slices.Contains(f.FormFactors[:i], shape), field, fmt.Sprintf("is %q, which stands twice", shape), "list each shape once")
	}
	v.want(f.FIPS || !v.at.has("policy.fips"), "policy.fips", "is not true", "write true, or leave it out")
	p.Policy = &Policy{Attestation(f.Attestation), f.Roots, f.Firmware, f.PIN, f.Touch, f.FormFactors, f.FIPS, f.ManagementKey}
}

// proposal is what init proposes, in comments: every field, with what it means.
var proposal = &Policy{Required, "keys/attestation-roots.pem", "5.7.0", "always", "always", []string{"usb-a-keychain", "usb-c-keychain"}, true, PINProtected}

// policy writes the section, or, where the plan has none, a proposal in
// comments: nothing of it is decided before somebody takes the marks off.
func (w *writer) policy(p *Policy) {
	w.line("")
	if p != nil {
		w.policySection(p)
		return
	}
	w.line("# What the holders' devices must be. In comments it asks nothing: decide, and take the")
	w.line("# first two characters off the lines that you mean; keys at piv: need the section. Each")
	w.line("# token then names what its device attests: `attestation: keys/holder-1.attestation.pem`.")
	section := &writer{}
	section.policySection(proposal)
	for line := range strings.Lines(section.String()) {
		w.line("# %s", strings.TrimSuffix(line, "\n"))
	}
}

func (w *writer) policySection(p *Policy) {
	w.line("policy:  # what the holders' devices must be")
	field := func(name, value, meaning string) {
		if value != "" {
			w.line("  %-26s  # %s", name+": "+value, meaning)
		}
	}
	field("attestation", string(p.Attestation), "required: must be proved; recorded: is noted; off: is not read")
	if p.Firmware != "" {
		field("firmware", quoted(p.Firmware), "at least; YubiKeys before 5.7 have the flaw of YSA-2024-03")
	}
	field("pin", p.PIN, "always: for each signature; once: each time it is inserted")
	field("touch", p.Touch, "always: for each signature; cached: one is good for 15 seconds")
	if len(p.FormFactors) > 0 {
		field("form-factors", "["+strings.Join(p.FormFactors, ", ")+"]", "one of these")
	}
	if p.FIPS {
		field("fips", "true", "of the maker's FIPS series")
	}
	field("roots", p.Roots, "makers' certificates, trusted besides those built in")
	field("management-key", p.ManagementKey, "pin-protected: kept in the device; printed: on paper")
}
