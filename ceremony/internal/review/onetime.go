package review

import (
	"maps"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// oneTime judges the keys that are made for this ceremony alone: that none of
// them has been in use before, and what the folder says of their end.
func (r *reviewer) oneTime() {
	once, results := evidence.Destroyed(r.plan, r.files, r.report.Event)
	r.report.Once, r.results = once, append(r.results, results...)
	chains, _ := record.Read(r.files)
	for _, o := range r.report.Once {
		if len(r.keyIDs(o.Token)) == 0 {
			r.say("ONE-TIME-IDLE", o.Token.Name, "a one-time key that signs nothing in this event: no role that is signed lists it")
		}
		if where := r.trusts(o.Token); where != "" {
			r.say("ONE-TIME-REUSED", o.Token.Name, "%s lists its key already: a one-time key is used in one ceremony", where)
		}
		for _, l := range record.Signed(chains) {
			if l.Event != r.report.Event.String() && slices.ContainsFunc(r.keyIDs(o.Token), func(id string) bool { return slices.Contains(l.KeyIDs, id) }) {
				r.say("ONE-TIME-REUSED", o.Token.Name, "by the record it signed %s %d in event %s…: a one-time key is used in one ceremony", tufmeta.Printable(l.Role), l.Version, tufmeta.Printable(l.Event[:min(16, len(l.Event))]))
				break
			}
		}
	}
}

// stillToSign weighs a key that is alive as what it is to a ceremony under way:
// something to be done at its end. verify.Files, by which seal goes, weighs it in
// full.
func (r *reviewer) stillToSign() {
	for i := range r.results {
		if r.results[i].Check == "ONE-TIME-ALIVE" {
			r.results[i].Level = check.Note
		}
	}
}

// trusts names what is trusted and lists the key of a token.
func (r *reviewer) trusts(t *roster.Token) string {
	if r.oldRoot != nil {
		for _, key := range r.oldRoot.Keys {
			if key.Err == nil && key.Fingerprint() == t.Key.Fingerprint() {
				return "the trusted root"
			}
		}
	}
	return r.trustsBelow()[t.Key.Fingerprint()]
}

// trustsBelow names, for the key of each token to which a trusted role delegates, that
// role.
func (r *reviewer) trustsBelow() map[string]string {
	if r.listedBelow == nil {
		r.listedBelow = map[string]string{}
		for _, role := range slices.Sorted(maps.Keys(r.old)) {
			for _, key := range r.old[role].Delegations.Keys() {
				if _, ok := r.plan.Roster.ByFingerprint(key.Fingerprint()); ok && key.Err == nil && r.listedBelow[key.Fingerprint()] == "" {
					r.listedBelow[key.Fingerprint()] = "the trusted " + tufmeta.Printable(role)
				}
			}
		}
	}
	return r.listedBelow
}

// keyIDs are those under which this event lists the key of a token.
func (r *reviewer) keyIDs(t *roster.Token) []string {
	var ids []string
	for _, d := range r.report.Demands {
		for _, m := range d.Members(&r.plan.Roster) {
			if m.Token == t {
				ids = append(ids, m.KeyIDs...)
			}
		}
	}
	return ids
}

// keptDestroyed reports whether a token is a one-time key of an earlier ceremony
// that the trusted metadata lists: it does not sign again, was not meant to, and what it
// has signed is to verify.
func (r *reviewer) keptDestroyed(t *roster.Token) bool { return t.OneTime && r.trusts(t) != "" }
