package review

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// targets checks a payload of targets, or of a delegated role, against plan and
// trusted metadata.
func (r *reviewer) targets(d Document, head *stream.Head) ([]Change, error) {
	v, signed := d.Version, head.Signed
	targets, err := head.Parse()
	if err != nil {
		return nil, err
	}
	r.new[v.Role] = targets
	r.results = append(r.results, inspect.Common(targets.Common, tufmeta.Printable(v.Role), r.plan.Closes)...)
	r.results = append(r.results, inspect.Text(without(signed, true, "delegations"), v.String(), true)...)
	old, tree := &tufmeta.Targets{}, map[string]any(nil)
	if before := r.old[v.Role]; before != nil {
		old, tree = before.Targets, before.head.Signed
	}
	want := r.plan.TargetsRole(v.Role)
	found := r.entries[v]
	r.results = append(r.results, found.results...)
	r.trustedResults = append(r.trustedResults, found.trusted...)
	r.sequence(v, targets.Version, old.Version)
	r.first(v)
	changed := []string{"version", "expires", "targets", tufmeta.RehearsalField}
	if tree != nil && !found.redelegates {
		changed = append(changed, "delegations") // which were compared, and are the same
		r.sameBelow[v.Role] = true
	}
	if want != nil {
		r.asPlanned(v, "version", strconv.FormatInt(targets.Version, 10), strconv.FormatInt(want.Version, 10))
		r.asPlanned(v, "expires", targets.Expires, want.Expires.Format(tufmeta.TimeFormat))
		if want.Delegations != nil {
			r.delegationsAsPlanned(v, want.Delegations, tree, signed)
			changed = append(changed, "delegations")
		}
		if want.Promotes() {
			r.projectsAsPlanned(v, want, tree, signed)
			changed = append(changed, "delegations")
		}
	}
	r.keptFields(v, tree, signed, changed...)
	r.rehearsal(v, tree, signed)
	changes := append(r.common(old.Common, targets.Common), found.changes...)
	if want != nil && want.Promotes() {
		return append(changes, r.promotionChanges(want, old.Delegations, targets.Delegations)...), found.fault
	}
	return append(changes, r.delegationChanges(v.Role, old.Delegations, targets.Delegations)...), found.fault
}

// first says that nothing of a role is trusted, where something may have been
// published: of targets under a root that is there already, of a delegated role
// that was delegated to before.
func (r *reviewer) first(v folder.Version) {
	switch {
	case r.oldRoot == nil || r.old[v.Role] != nil:
	case v.Role == "targets", len(tufmeta.Delegators(r.oldTargets(), v.Role)) > 0:
		r.say("TARGETS-FIRST", tufmeta.Printable(v.Role), "nothing of %s is trusted, so this is its first version", tufmeta.Printable(v.Role))
	}
}

func (r *reviewer) oldTargets() map[string]*tufmeta.Targets {
	all := map[string]*tufmeta.Targets{}
	for role, old := range r.old {
		all[role] = old.Targets
	}
	return all
}

// planned is what the plan wants signed of a target: all of it, and nothing of
// what was signed of the path before.
func planned(f plan.File) map[string]any {
	hashes := map[string]any{"sha256": f.SHA256}
	want := map[string]any{"length": f.Length, "hashes": hashes}
	if f.SHA512 != "" {
		hashes["sha512"] = f.SHA512
	}
	if f.Custom != nil {
		want["custom"] = f.Custom
	}
	return want
}

// describeFile says what is signed of a target. What its publisher says besides
// is shown as it is signed, whole.
func describeFile(f tufmeta.TargetFile, entry any) string {
	text := fmt.Sprintf("%d bytes", f.Length)
	for _, name := range slices.Sorted(maps.Keys(f.Hashes)) {
		text += ", " + tufmeta.Printable(name) + " " + tufmeta.Printable(f.Hashes[name])
	}
	rest := without(entry, true, "length", "hashes")
	if len(rest) == 0 {
		return text
	}
	if canonical, err := tufmeta.Encode(rest); err == nil {
		text += ", " + tufmeta.Printable(string(canonical))
	}
	return text
}

func sameKeys(a, b *tufmeta.Root, name string) bool {
	return same(inspect.Fingerprints(a, name), inspect.Fingerprints(b, name))
}

// same compares lists in which the order means nothing.
func same(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
