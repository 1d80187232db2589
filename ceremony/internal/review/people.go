package review

import (
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// people looks at who can sign, and at what two keys of a role have in common.
func (r *reviewer) people() {
	demands, err := quorum.Demands(r.files)
	if err != nil {
		r.say("JSON-STRICT", "payload", "%v", err)
		return
	}
	r.report.Demands = demands
	people := &r.plan.Roster
	for _, d := range demands {
		id := "THRESHOLD-NEW"
		if d.Old {
			id = "THRESHOLD-OLD"
		}
		for _, m := range d.Members(people) {
			if m.Token != nil && m.Token.Holder == "" && d.By == "root" && !plan.OnlineRoles[d.Payload.Role] {
				r.say("HOLDER-ONLINE", d.Payload.Role+" "+m.Token.Name, "token %s signs %s, and is listed under online:", m.Token.Name, d.Payload)
			}
		}
		able := d.Able(people)
		if able < d.Role.Threshold {
			r.say(id, d.Payload.String(), "under %s, %d must sign, and the plan has %d who can", d.Whose(), d.Role.Threshold, able)
		}
	}
	r.duplicates()
	r.devices()
	r.staleTargets()
}

// evidence judges what the devices attest.
func (r *reviewer) evidence() {
	root := r.newRoot
	if root == nil {
		root = r.oldRoot
	}
	devices, results := evidence.Judge(r.plan, r.files, root)
	r.report.Devices = devices
	r.results = append(r.results, results...)
}

// serial is the serial of a token's device: as attested, or else as planned.
// Labels and modules may put zeros in front, attestations do not.
func (r *reviewer) serial(t *roster.Token) string {
	for _, d := range r.report.Devices {
		if d.Token == t && d.State == evidence.Attested && d.Facts.Serial.Value != "" {
			return d.Facts.Serial.Value
		}
	}
	planned := strings.ToLower(strings.TrimSpace(t.DeviceSerial()))
	if short := strings.TrimLeft(planned, "0"); short != "" {
		return short
	}
	return planned
}

// duplicates finds keys of the roles that people sign with one person, or in
// one device: under the new root, and under the old one too, where one person
// could make up a threshold.
func (r *reviewer) duplicates() {
	if r.newRoot != nil {
		r.results = append(r.results, r.twice(r.newRoot)...)
	}
	if r.oldRoot == nil {
		return
	}
	for _, x := range check.Published.Weigh(r.twice(r.oldRoot)) {
		x.Subject = "trusted " + x.Subject
		r.trustedResults = append(r.trustedResults, x)
	}
}

func (r *reviewer) twice(root *tufmeta.Root) []check.Result {
	var results []check.Result
	for _, role := range []string{"root", "targets"} {
		results = append(results, r.twiceIn(r.listed(root, role), role, root == r.newRoot)...)
	}
	return append(results, r.across(root)...)
}

// twiceIn compares the keys of one role; fresh says that this ceremony lists
// them.
func (r *reviewer) twiceIn(tokens []*roster.Token, role string, fresh bool) []check.Result {
	var results []check.Result
	holders, devices := map[string]*roster.Token{}, map[string]*roster.Token{}
	for _, t := range tokens {
		// Names are compared as people read them, not as bytes.
		holder, serial := strings.ToLower(strings.TrimSpace(t.Holder)), r.serial(t)
		subject := role + " " + t.Name
		if t.Lost && fresh && !r.keptDestroyed(t) {
			results = append(results, check.New("DEVICE-LOST", subject, "token %s is lost, and stays listed", t.Name))
		}
		if first := holders[holder]; first != nil {
			results = append(results, check.New("HOLDER-DUPLICATE", subject, "tokens %s and %s both belong to %s", first.Name, t.Name, tufmeta.Printable(t.Holder)))
		}
		if first := devices[serial]; first != nil && serial != "" {
			results = append(results, check.New("DEVICE-DUPLICATE", subject, "tokens %s and %s are both in the device with serial %s", first.Name, t.Name, tufmeta.Printable(serial)))
		}
		holders[holder], devices[serial] = t, t
	}
	return results
}

// across finds devices with one key for root and another for targets: two keys
// look like two devices, and whoever takes the one has a share of both roles. A
// single key that both roles list looks like what it is.
func (r *reviewer) across(root *tufmeta.Root) []check.Result {
	var results []check.Result
	listed, devices := map[*roster.Token]bool{}, map[string]*roster.Token{}
	for _, t := range r.listed(root, "root") {
		listed[t] = true
		if serial := r.serial(t); serial != "" {
			devices[serial] = t
		}
	}
	for _, t := range r.listed(root, "targets") {
		serial := r.serial(t)
		first := devices[serial]
		if first == nil || listed[t] {
			continue
		}
		results = append(results, check.New("DEVICE-DUPLICATE", "targets "+t.Name, "tokens %s, of root, and %s are both in the device with serial %s", first.Name, t.Name, tufmeta.Printable(serial)))
		delete(devices, serial) // a third key is the role's own matter
	}
	return results
}

// listed are the holders' tokens whose keys a role lists.
func (r *reviewer) listed(root *tufmeta.Root, role string) []*roster.Token {
	return r.holders(inspect.Fingerprints(root, role))
}

func (r *reviewer) holders(fingerprints []string) []*roster.Token {
	var tokens []*roster.Token
	for _, fingerprint := range fingerprints {
		if t, ok := r.plan.Roster.ByFingerprint(fingerprint); ok && t.Holder != "" {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// devices says what the plan leaves open about them.
func (r *reviewer) devices() {
	var unknown []string
	for _, h := range r.plan.Roster.Holders {
		for _, t := range h.Tokens {
			if strings.Contains(t.URI, "pin-source") && !r.plan.Rehearsal {
				r.say("PIN-SOURCE", t.Name, "its PIN is read from a file")
			}
			if argument := t.ModuleArgument(); argument != "" {
				r.say("MODULE-ARGUMENT", t.Name, "its module is given the argument %q", tufmeta.Printable(argument))
			}
			if t.DeviceSerial() == "" && t.CanSign() {
				unknown = append(unknown, t.Name)
			}
		}
	}
	for _, role := range []string{"snapshot", "timestamp"} {
		if days := r.plan.Lifetimes[role]; days > 92 {
			r.say("EXPIRES-FAR", role, "the online key may sign it for %d days: whoever stops it freezes clients for as long", days)
		}
	}
	if len(unknown) > 0 {
		r.say("DEVICE-UNKNOWN", "plan", "no serial is planned for %s: any device with the right key is taken", strings.Join(unknown, ", "))
	}
}

// staleTargets asks whether the published targets survives the new root, where
// this ceremony does not sign it anew.
func (r *reviewer) staleTargets() {
	if r.newRoot == nil || r.oldRoot == nil || r.plan.Targets != nil {
		return
	}
	if old := r.old["targets"]; old != nil {
		tally := tufmeta.Count(old.head.Canonical, old.head.Signatures, r.newRoot.Keys, r.newRoot.Roles["targets"])
		if !tally.Reached() {
			r.say("TARGETS-STALE", "targets", "targets %d would have %d valid signatures under root %d, and %d are needed", old.Version, tally.Valid(), r.newRoot.Version, tally.Threshold)
		}
		return
	}
	if threshold(r.oldRoot, "targets") != threshold(r.newRoot, "targets") || !sameKeys(r.oldRoot, r.newRoot, "targets") {
		r.say("TARGETS-STALE", "targets", "the keys of targets change, and trusted/ has no targets to see whether enough of its signers stay")
	}
}
