package review

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/tufmeta"
)

// Delegated roles are judged as root and targets are, under their own names:
// keys, thresholds, holders and devices; and each file in trusted/ must be signed
// as those say that delegate to it.

// trustedDelegated checks the delegated roles in trusted/, each under those who
// delegate to it there.
func (r *reviewer) trustedDelegated() {
	all := r.oldTargets()
	for _, role := range slices.Sorted(maps.Keys(r.old)) {
		if role == "targets" {
			continue
		}
		old, name := r.old[role], tufmeta.Printable(role)
		r.goesOnFrom(role, old.Version, old.head.Canonical)
		var short []string
		delegators := tufmeta.Delegators(all, role)
		for _, d := range delegators {
			if tally := tufmeta.Count(old.head.Canonical, old.head.Signatures, d.Keys, d.Role); !tally.Reached() {
				short = append(short, fmt.Sprintf("%d valid signatures under %s, and %d are needed", tally.Valid(), d, tally.Threshold))
			}
		}
		switch {
		case len(delegators) == 0:
			r.trustedResults = append(r.trustedResults, check.NewRefusal("THRESHOLD-NEW", name, "nothing in trusted/ that targets leads to delegates to it"))
		case len(short) == len(delegators):
			r.trustedResults = append(r.trustedResults, check.NewRefusal("THRESHOLD-NEW", name, "has %s", strings.Join(short, "; ")))
		}
	}
	for _, t := range r.plan.Delegated {
		if old := r.old[t.Delegator]; old != nil && r.plan.TargetsRole(t.Delegator) == nil {
			r.trustedResults = append(r.trustedResults, check.Published.Weigh(inspect.Common(old.Common, tufmeta.Printable(t.Delegator), r.plan.Opens))...)
		}
	}
}

// delegated judges what is delegated: by the payloads, and to the roles that are
// signed here.
func (r *reviewer) delegated() {
	r.delegators()
	for _, by := range slices.Sorted(maps.Keys(r.new)) {
		d, want := r.new[by].Delegations, r.plan.TargetsRole(by)
		if d == nil || want == nil || want.Delegations == nil {
			continue
		}
		r.results = append(r.results, r.named(d.Key, inspect.Delegations(d, tufmeta.Printable(by)))...)
		for _, x := range d.All() {
			r.results = append(r.results, r.delegatedRole(x.Name, d.KeysOf(x.KeyIDs), &x.Role, true)...)
		}
	}
	for _, d := range r.report.Demands {
		want := r.plan.TargetsRole(d.By)
		if d.By == "root" || want != nil && want.Delegations != nil {
			continue
		}
		for _, x := range check.Published.Weigh(r.delegatedRole(d.Payload.Role, d.Keys, d.Role, false)) {
			x.Subject = "trusted " + x.Subject
			r.trustedResults = append(r.trustedResults, x)
		}
	}
	published, err := quorum.Published(r.files)
	if err != nil {
		return // which the documents have said
	}
	r.staleDelegated(published)
	r.revokedDelegated(published)
	r.externalsUsed(published)
}

// delegators wants the role that the plan names to be one under whose keys the
// delegated role is counted.
func (r *reviewer) delegators() {
	for _, t := range r.plan.Delegated {
		if !slices.ContainsFunc(r.report.Demands, func(d quorum.Demand) bool { return d.Payload == t.Payload() && d.By == t.Delegator }) {
			r.say("PLAN-MISMATCH", t.Payload().String(), "the plan says that %s delegates to it, and it does not", t.Delegator)
		}
	}
}

// delegatedRole judges keys, threshold, people and devices of a delegated role;
// fresh says that this ceremony lists them. How many sign for another repository is
// that one's affair.
func (r *reviewer) delegatedRole(name string, keys map[string]*tufmeta.Key, role *tufmeta.Role, fresh bool) []check.Result {
	fingerprints := inspect.FingerprintsOf(keys, role)
	_, external := r.origin(keys, role)
	results := inspect.Delegated(keys, role, name, !external && !r.machines(fingerprints))
	return append(results, r.twiceIn(r.holders(fingerprints), tufmeta.Printable(name), fresh)...)
}

// machines reports whether all keys are those that the plan lists as online.
func (r *reviewer) machines(fingerprints []string) bool {
	return !slices.ContainsFunc(fingerprints, func(f string) bool {
		t, ok := r.plan.Roster.ByFingerprint(f)
		return !ok || t.Holder != ""
	})
}

// staleDelegated asks of each delegated role that is not signed here whether its
// published file survives the delegations that are made here.
func (r *reviewer) staleDelegated(published map[string]*tufmeta.Targets) {
	for _, by := range slices.Sorted(maps.Keys(r.new)) {
		b := r.below(by)
		if now := published[by].Delegations; now != b.now {
			b = &below{old: b.old, now: now}
		}
		var unsigned []string
		for d := range r.mayBeStale(by, b) {
			switch why, machine := r.stale(b, d); {
			case why == "":
			case machine:
				unsigned = append(unsigned, tufmeta.Printable(d.Name))
			default:
				r.say("DELEGATED-STALE", tufmeta.Printable(d.Name), "%s", why)
			}
		}
		if n := len(unsigned); n > 0 {
			r.say("DELEGATED-UNSIGNED", tufmeta.Printable(by), "%s delegates to %s: nothing in this ceremony has a file of it that is good under these keys", tufmeta.Printable(by), inspect.Few(unsigned))
		}
	}
}

// mayBeStale gives the delegations of which it is not plain that they are as they
// were: where all of them are, those of which trusted/ has a file.
func (r *reviewer) mayBeStale(by string, b *below) iter.Seq[*tufmeta.Delegated] {
	return func(yield func(*tufmeta.Delegated) bool) {
		if r.sameBelow[by] {
			var places []int
			for role := range r.old {
				if place, ok := b.now.Place(role); ok {
					places = append(places, place)
				}
			}
			for _, place := range slices.Sorted(slices.Values(places)) {
				if !yield(b.now.At(place)) {
					return
				}
			}
			return
		}
		for _, d := range b.now.All() {
			if r.old[d.Name] == nil && b.same(d) {
				continue
			}
			if !yield(d) {
				return
			}
		}
	}
}

// stale says why the published file of a role no longer does, or nothing where
// it does, as far as can be known. Machine says that it never was published, or
// that a machine or another project signs it: then nothing that people have
// signed here is lost.
func (r *reviewer) stale(b *below, d *tufmeta.Delegated) (why string, machine bool) {
	if r.signedHere(d) {
		return "", false
	}
	listed := b.now.KeysOf(d.KeyIDs)
	keys := inspect.FingerprintsOf(listed, &d.Role)
	_, external := r.origin(listed, &d.Role)
	machine = external || r.machines(keys) || r.claimed[d.Name] // developers sign a project's
	if old := r.old[d.Name]; old != nil && d.Bins == 0 {
		tally := tufmeta.Count(old.head.Canonical, old.head.Signatures, listed, &d.Role)
		if tally.Reached() {
			return "", false
		}
		return fmt.Sprintf("%s %d would have %d valid signatures, and %d are needed", tufmeta.Printable(d.Name), old.Version, tally.Valid(), tally.Threshold), machine
	}
	switch was, _ := b.before(d); {
	case was == nil || was.Bins != d.Bins:
		return "it is new", true
	case was.Threshold == d.Threshold && same(inspect.FingerprintsIn(b.old, was), keys):
		return "", false
	}
	return fmt.Sprintf("the keys of %s change, and trusted/ has no file of it to see whether enough of its signers stay", tufmeta.Printable(d.Name)), machine
}

// signedHere reports whether a role is among the payloads, or any of its bins.
func (r *reviewer) signedHere(d *tufmeta.Delegated) bool {
	for name := range r.new {
		if name == d.Name && d.Bins == 0 || d.Bins > 0 && tufmeta.IsBin(name, d.Name, d.Bits) {
			return true
		}
	}
	return false
}

// revokedDelegated finds keys in other hands, or weak ones, in delegations.
func (r *reviewer) revokedDelegated(published map[string]*tufmeta.Targets) {
	if r.plan.Compromise == nil {
		return
	}
	for _, by := range slices.Sorted(maps.Keys(published)) {
		d := published[by].Delegations
		for _, x := range d.All() {
			for _, f := range inspect.FingerprintsIn(d, x) {
				if t, ok := r.plan.Roster.ByFingerprint(f); ok && (t.Compromised || t.Weak) {
					r.say("REVOKED-KEPT", tufmeta.Printable(x.Name)+" "+t.Name, "the key of %s is revoked, and %s goes on delegating to it", r.plan.Roster.Describe(f), tufmeta.Printable(by))
				}
			}
		}
	}
}
