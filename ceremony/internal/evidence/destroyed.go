package evidence

import (
	"errors"
	"fmt"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// End is what became of a one-time key.
type End string

// Alive: nothing says that it was destroyed, or what says so is refused. Proved:
// its device has attested the key that overwrote it, and that key has signed
// which one; from firmware 5.7 on that does not show that it was in no other slot.
// Stated: it was destroyed by the word of those who wrote the file.
const (
	Alive  End = "alive"
	Proved End = "proved"
	Stated End = "stated"
)

// Once is a one-time key of this ceremony.
type Once struct {
	Token *roster.Token
	End   End
	What  *Destruction // nil where there is none that can be read
	Facts attest.Facts // of the key that took its place, where it is proved
	// Made: the device that has proved its end has attested the one-time key itself
	// as made in it. Without that whoever brought the key may have it still.
	Made bool
}

// Destroyed judges what the folder says of the one-time keys that were made for
// this event, whose public keys have been loaded. A key that is alive is
// ONE-TIME-ALIVE, a note while people sign, and what nothing is sealed with;
// evidence that lies is ONE-TIME-EVIDENCE. The results are not weighed yet, and
// their subject is a token, or a file.
func Destroyed(p *plan.Plan, files folder.Files, event folder.Event) ([]Once, []check.Result) {
	j := judgeOfEnds(p, files)
	var all []Once
	made := map[string]bool{}
	for _, t := range p.Roster.Tokens() {
		if !t.OneTime || t.Lost {
			continue
		}
		made[t.Name] = true
		all = append(all, j.once(t, event))
	}
	for _, name := range files.Names(folder.Destroyed) {
		if token, ok := DestroyedToken(name); !ok || !made[token] {
			j.say("ONE-TIME-EVIDENCE", name, "it is about none of the plan's one-time keys")
		}
	}
	return all, j.results
}

func judgeOfEnds(p *plan.Plan, files folder.Files) *judge {
	j := &judge{plan: p, files: files}
	if p.Policy != nil && p.Policy.Attestation != plan.Off {
		if trust, err := Trust(p.Policy, p.Rehearsal, files); err == nil { // Judge says otherwise
			j.trust = trust
		}
	}
	return j
}

// Acceptable says beforehand whether a destruction through that driver, on that
// device and in that place, would be refused here.
func Acceptable(p *plan.Plan, files folder.Files, event folder.Event, t *roster.Token, d Destruction) error {
	if err := d.About(t, event); err != nil {
		return err
	}
	return judgeOfEnds(p, files).likely(t, d)
}

func (j *judge) once(t *roster.Token, event folder.Event) Once {
	o := Once{Token: t, End: Alive}
	name := DestructionFile(t.Name)
	data, ok := j.files[name]
	if !ok {
		detail := "nothing in destroyed/ says that the key was destroyed"
		if _, begun := j.files[BegunFile(t.Name)]; begun {
			detail = "its destruction was begun, and not written down as done"
		}
		j.say("ONE-TIME-ALIVE", t.Name, "%s", detail)
		return o
	}
	d, err := ParseDestruction(data)
	if err == nil {
		err = d.About(t, event)
	}
	if err == nil {
		err = j.likely(t, d)
	}
	if err != nil {
		j.say("ONE-TIME-EVIDENCE", t.Name, "%s: %v", name, err)
		return o
	}
	o.What, o.End = &d, Stated
	j.replacement(&o, d)
	return o
}

// About compares what is written down with the plan: event, key, device and
// place.
func (d Destruction) About(t *roster.Token, event folder.Event) error {
	scheme, _, _ := strings.Cut(t.URI, ":")
	switch {
	case d.Event != event.String():
		return fmt.Errorf("it is of event %s…", d.Event[:16])
	case d.Token != t.Name:
		return fmt.Errorf("it is of token %q", d.Token)
	case t.Key == nil || d.Fingerprint != t.Key.Fingerprint():
		return fmt.Errorf("it is of key %s, and the plan has another one for the token", roster.Short(d.Fingerprint))
	case scheme != "" && scheme != d.Driver:
		return fmt.Errorf("the key was destroyed through driver %s, and the plan has it at %q", d.Driver, scheme)
	case t.DeviceSerial() != "" && d.Serial != t.DeviceSerial():
		return fmt.Errorf("it is of the device with serial %q, and the plan has %q", d.Serial, t.DeviceSerial())
	case t.Slot() != "" && d.ID != t.Slot():
		return fmt.Errorf("it is of slot %q, and the plan has %q", d.ID, t.Slot())
	}
	return nil
}

// likely compares what is written down with what the token's own device has
// attested of the key, where the plan does not say which device it is in, and
// keeps software out of what is no rehearsal.
func (j *judge) likely(t *roster.Token, d Destruction) error {
	if d.Driver == drivers[Erased] && !j.plan.Rehearsal {
		return errors.New("it is of a software token, and this is no rehearsal")
	}
	data, there := j.files[t.EvidenceFile]
	if j.trust == nil || t.EvidenceFile == "" || !there {
		return nil
	}
	in := &judge{plan: j.plan, files: j.files, trust: j.trust}
	facts, ok := in.verify(t, data)
	if !ok || facts.Bind(t.Key.Public) != nil {
		return nil // Judge says so
	}
	switch {
	case facts.Device == attest.YubiKey && d.Driver != drivers[Overwritten]:
		return fmt.Errorf("a YubiKey has attested the key, and by this it was destroyed through driver %s: nothing overwrote it", d.Driver)
	case facts.Device == attest.YubiKey && (facts.WantSerial(d.Serial) != nil || facts.WantSlot(d.ID) != nil):
		return fmt.Errorf("it is of slot %q of the YubiKey with serial %q, and %s is of another", d.ID, d.Serial, t.EvidenceFile)
	case facts.Device == attest.YubiHSM && d.Driver != drivers[Deleted]:
		return fmt.Errorf("a YubiHSM 2 has attested the key, and by this it was destroyed through driver %s", d.Driver)
	}
	return nil
}

// replacement judges what the device has attested of the key that overwrote the
// one-time key, under the policy that all evidence is judged by.
func (j *judge) replacement(o *Once, d Destruction) {
	name := AttestationFile(o.Token.Name)
	data, there := j.files[name]
	switch {
	case d.How != Overwritten && there:
		j.refuse(o, "%s: nothing overwrote the key, and here is an attestation", name)
		return
	case d.How != Overwritten || j.trust == nil:
		return
	case !there && j.plan.Policy.Attestation == plan.Required:
		o.End = Alive
		j.say("ONE-TIME-ALIVE", o.Token.Name, "the folder has no file %q: nothing proves that the key was overwritten", name)
		return
	case !there:
		return
	}
	facts, ok := j.genuine(o, name, data)
	if !ok {
		return
	}
	fingerprint, err := tufmeta.Fingerprint(facts.Key)
	switch {
	case err != nil:
		j.refuse(o, "%s attests a key that cannot be named", name)
	case fingerprint == d.Fingerprint:
		j.refuse(o, "%s attests the one-time key itself, which was not overwritten then", name)
	case fingerprint != d.Replaced:
		j.refuse(o, "%s attests %s, and %s names another key", name, j.whose(facts.Key), DestructionFile(o.Token.Name))
	case facts.WantSerial(d.Serial) != nil || facts.WantSlot(d.ID) != nil:
		j.refuse(o, "%s is of another device, or of another slot, than the one-time key was in", name)
	default:
		if err := d.SignedBy(facts.Key); err != nil {
			j.refuse(o, "%s: %v", DestructionFile(o.Token.Name), err)
			return
		}
		o.End, o.Facts, o.Made = Proved, facts, j.made(o.Token, d)
	}
}

// made reports whether the one-time key's own attestation is genuine, and says that
// it was made in the device and the slot in which it was overwritten.
func (j *judge) made(t *roster.Token, d Destruction) bool {
	data, there := j.files[t.EvidenceFile]
	if t.EvidenceFile == "" || !there {
		return false
	}
	in := &judge{plan: j.plan, files: j.files, trust: j.trust}
	facts, ok := in.verify(t, data)
	return ok && facts.Bind(t.Key.Public) == nil && facts.Generated.Answer == attest.Yes &&
		facts.WantSerial(d.Serial) == nil && facts.WantSlot(d.ID) == nil
}

func (j *judge) refuse(o *Once, format string, args ...any) {
	o.End = Alive
	j.say("ONE-TIME-EVIDENCE", o.Token.Name, format, args...)
}

// genuine verifies the attestation as that of any token is verified.
func (j *judge) genuine(o *Once, name string, data []byte) (attest.Facts, bool) {
	in := &judge{plan: j.plan, files: j.files, trust: j.trust}
	facts, ok := in.verify(&roster.Token{Name: o.Token.Name, EvidenceFile: name}, data)
	for _, r := range in.results {
		j.refuse(o, "%s: %s", r.Check, r.Detail)
	}
	if ok && facts.Device != attest.YubiKey {
		j.refuse(o, "%s is of a %s, and the key was in a YubiKey", name, facts.Device.Name())
	}
	return facts, ok && facts.Device == attest.YubiKey
}
