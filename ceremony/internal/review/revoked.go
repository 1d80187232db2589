package review

import (
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// revoked checks that a ceremony which answers a compromise does. Which keys
// are in which role is counted here from the roots' bytes; of the plan it takes
// only which tokens are in other hands.
func (r *reviewer) revoked() {
	c := r.plan.Compromise
	if c == nil || r.newRoot == nil {
		return
	}
	for _, role := range slices.Sorted(maps.Keys(r.newRoot.Roles)) {
		for _, f := range inspect.Fingerprints(r.newRoot, role) {
			t, ok := r.plan.Roster.ByFingerprint(f)
			switch {
			case ok && t.Compromised:
				r.say("REVOKED-KEPT", tufmeta.Printable(role)+" "+t.Name, "the key of %s is in other hands, and the new root goes on trusting it", r.plan.Roster.Describe(f))
			case ok && t.Weak:
				r.say("REVOKED-KEPT", tufmeta.Printable(role)+" "+t.Name, "the key of %s is weak and to be replaced, and the new root goes on trusting it", r.plan.Roster.Describe(f))
			}
		}
	}
	if c.Standby {
		r.standby()
	}
	if r.plan.Kind == plan.Genesis {
		return // it goes on from nothing, and gives what is out of band
	}
	r.outOfBand()
	r.onlineKept()
}

// standby wants a root that is signed beforehand to take one key out, and to be
// good for nothing else.
func (r *reviewer) standby() {
	more := func(subject, format string, args ...any) { r.say("STANDBY-MORE", subject, format, args...) }
	if c := r.plan.Compromise; len(c.Tokens) != 1 || len(c.Weak) > 0 {
		more("plan", "it revokes %d tokens, and a standby revocation is of one", len(c.Tokens)+len(c.Weak))
	}
	if r.oldRoot == nil || r.plan.Targets != nil {
		more("plan", "it makes more than the root that follows the trusted one")
		return
	}
	if r.newRoot.Expires != r.oldRoot.Expires {
		more("root", "it expires on %s, and the root that it goes on from on %s", tufmeta.Printable(r.newRoot.Expires), tufmeta.Printable(r.oldRoot.Expires))
	}
	for _, role := range slices.Sorted(maps.Keys(r.newRoot.Roles)) {
		subject := tufmeta.Printable(role)
		before, after := inspect.Fingerprints(r.oldRoot, role), inspect.Fingerprints(r.newRoot, role)
		if was, is := r.oldRoot.Roles[role], r.newRoot.Roles[role]; was == nil || was.Threshold != is.Threshold {
			more(subject, "its threshold was %s and is %s", threshold(r.oldRoot, role), threshold(r.newRoot, role))
		}
		for _, f := range after {
			if !slices.Contains(before, f) {
				more(subject, "it gets the key of %s", r.plan.Roster.Describe(f))
			}
		}
		for _, f := range before {
			if t, ok := r.plan.Roster.ByFingerprint(f); !slices.Contains(after, f) && (!ok || t.CanSign()) {
				more(subject, "it loses the key of %s, which is not the one that is revoked", r.plan.Roster.Describe(f))
			}
		}
	}
}

// outOfBand refuses a next root where none restores trust, whatever case the
// plan says it is.
func (r *reviewer) outOfBand() {
	if r.oldRoot == nil || r.oldRoot.Roles["root"] == nil {
		return
	}
	stolen, able := r.stolen("root")
	threshold := r.oldRoot.Roles["root"].Threshold
	switch {
	case stolen >= threshold:
		r.say("OUT-OF-BAND", "root", "%d keys of root %d are in other hands, and %d are enough: those who have them can sign a root %d as well (case D)", stolen, r.oldRoot.Version, threshold, r.oldRoot.Version+1)
	case able < threshold:
		r.say("OUT-OF-BAND", "root", "%d keys of root %d can still sign, and %d must (case F)", able, r.oldRoot.Version, threshold)
	case r.plan.Compromise.OutOfBand():
		r.say("OUT-OF-BAND", "root", "the plan says that it is case %s, and makes root %d, which clients would follow from the old one", r.plan.Compromise.Case, r.newRoot.Version)
	}
}

// stolen counts the keys of a role of the old root that are in other hands, and
// those that can still sign.
func (r *reviewer) stolen(role string) (stolen, able int) {
	for _, f := range inspect.Fingerprints(r.oldRoot, role) {
		t, ok := r.plan.Roster.ByFingerprint(f)
		switch {
		case ok && t.Compromised:
			stolen++
		case ok && t.CanSign():
			able++
		}
	}
	return stolen, able
}

// onlineKept wants both online roles to have other public keys than either had,
// where one of them has fallen. It was measured: with one key kept, clients
// keep what they have been shown under it.
func (r *reviewer) onlineKept() {
	online := []string{"snapshot", "timestamp"}
	fallen := r.plan.Compromise.Case == "C"
	had := map[string]string{}
	for _, role := range online {
		if r.oldRoot == nil || r.oldRoot.Roles[role] == nil {
			continue
		}
		stolen, _ := r.stolen(role)
		fallen = fallen || stolen >= r.oldRoot.Roles[role].Threshold
		for _, f := range inspect.Fingerprints(r.oldRoot, role) {
			had[f] = strings.TrimPrefix(had[f]+" and "+role, " and ")
		}
	}
	if !fallen {
		return
	}
	for _, role := range online {
		for _, f := range inspect.Fingerprints(r.newRoot, role) {
			if old := had[f]; old != "" {
				r.say("ONLINE-KEPT", role, "its key is that of %s, which the old root has for %s: clients would not recover from versions far ahead", r.plan.Roster.Describe(f), old)
			}
		}
	}
}
