package review

import (
	"strings"

	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// people looks at who can sign, and at what two keys of a role have in common.
func (r *reviewer) people() {
	demands, err := quorum.Demands(r.files)
	if err != nil {
		return // the payload could not be read, which has been said
	}
	r.report.Demands = demands
	roster := &r.plan.Roster
	for _, d := range demands {
		id := "THRESHOLD-NEW"
		if d.Old {
			id = "THRESHOLD-OLD"
		}
		able := d.Able(roster)
		if able < d.Role.Threshold {
			r.say(id, d.Payload.String(), "under root %d, %d must sign, and the plan has %d who can", d.Under, d.Role.Threshold, able)
		}
		if !d.Old {
			r.duplicates(d.Payload.Role, d.Members(roster))
		}
	}
	for _, t := range roster.Tokens() {
		if strings.Contains(t.URI, "pin-source") && !r.plan.Rehearsal {
			r.say("PIN-SOURCE", t.Name, "its PIN is read from a file")
		}
	}
	r.staleTargets()
}

// duplicates finds two keys of a role with one person, or in one device.
func (r *reviewer) duplicates(role string, members []quorum.Member) {
	holders, devices := map[string]*roster.Token{}, map[string]*roster.Token{}
	for _, m := range members {
		t := m.Token
		if t == nil {
			continue
		}
		if first := holders[t.Holder]; first != nil && t.Holder != "" {
			r.say("HOLDER-DUPLICATE", role, "tokens %s and %s both belong to %s", first.Name, t.Name, tufmeta.Printable(t.Holder))
		}
		if first := devices[t.Serial]; first != nil && t.Serial != "" {
			r.say("DEVICE-DUPLICATE", role, "tokens %s and %s are both in the device with serial %s", first.Name, t.Name, tufmeta.Printable(t.Serial))
		}
		holders[t.Holder], devices[t.Serial] = t, t
	}
}

// staleTargets asks whether the published targets survives the new root, where
// this ceremony does not sign it anew.
func (r *reviewer) staleTargets() {
	if r.newRoot == nil || r.oldRoot == nil || r.plan.Targets != nil {
		return
	}
	if r.oldTargetsEnv != nil {
		tally := tufmeta.Count(r.oldTargetsEnv.Canonical, r.oldTargetsEnv.Signatures, r.newRoot.Keys, r.newRoot.Roles["targets"])
		if !tally.Reached() {
			r.say("TARGETS-STALE", "targets", "targets %d would have %d valid signatures under root %d, and %d are needed", r.oldTargets.Version, tally.Valid(), r.newRoot.Version, tally.Threshold)
		}
		return
	}
	if threshold(r.oldRoot, "targets") != threshold(r.newRoot, "targets") || !sameKeys(r.oldRoot, r.newRoot, "targets") {
		r.say("TARGETS-STALE", "targets", "the keys of targets change, and trusted/ has no targets to see whether enough of its signers stay")
	}
}
