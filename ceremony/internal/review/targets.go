package review

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// targets checks a payload of targets, or of a delegated role, against plan and
// trusted metadata.
func (r *reviewer) targets(v folder.Version, signed map[string]any) ([]Change, error) {
	targets, err := tufmeta.ParseTargets(signed)
	if err != nil {
		return nil, err
	}
	r.new[v.Role] = targets
	r.results = append(r.results, inspect.Common(targets.Common, tufmeta.Printable(v.Role), r.plan.Closes)...)
	old, tree := &tufmeta.Targets{}, map[string]any(nil)
	if before := r.old[v.Role]; before != nil {
		old, tree = before.Targets, before.env.Signed
	}
	r.text(v, tree, signed)
	r.sequence(v, targets.Version, old.Version)
	r.first(v)
	changed := []string{"version", "expires", "targets", tufmeta.RehearsalField}
	if want := r.plan.TargetsRole(v.Role); want != nil {
		r.targetsAsPlanned(v, want, tree, signed, targets.Common)
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
	changes := append(r.common(old.Common, targets.Common), fileChanges(tree, signed, old, targets)...)
	if want := r.promotes(v); want != nil {
		return append(changes, r.promotionChanges(want, old.Delegations, targets.Delegations)...), nil
	}
	return append(changes, r.delegationChanges(old.Delegations, targets.Delegations)...), nil
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

// text judges the text of a payload. What a publisher said of a target in an
// earlier version stays as it was said, so there it is a finding.
func (r *reviewer) text(v folder.Version, tree, signed map[string]any) {
	before, _ := tree["targets"].(map[string]any)
	after, _ := signed["targets"].(map[string]any)
	kept, files := map[string]any{}, map[string]any{}
	for path, entry := range after {
		files[path] = entry
		if object, ok := entry.(map[string]any); ok && object["custom"] != nil && reflect.DeepEqual(entry, before[path]) {
			kept[path] = object["custom"]
			files[path] = without(object, true, "custom")
		}
	}
	fresh := union(signed, nil)
	fresh["targets"] = files
	r.results = append(r.results, inspect.Text(fresh, v.String(), true)...)
	if len(kept) > 0 {
		r.trustedResults = append(r.trustedResults, check.Published.Weigh(inspect.Text(kept, v.String(), false))...)
	}
}

// targetsAsPlanned recomputes the list of targets from the trusted one.
func (r *reviewer) targetsAsPlanned(v folder.Version, want *plan.TargetsPlan, tree, signed map[string]any, now tufmeta.Common) {
	r.asPlanned(v, "version", strconv.FormatInt(now.Version, 10), strconv.FormatInt(want.Version, 10))
	r.asPlanned(v, "expires", now.Expires, want.Expires.Format(tufmeta.TimeFormat))
	before, _ := tree["targets"].(map[string]any)
	after, _ := signed["targets"].(map[string]any)
	files := union(before, nil)
	for _, f := range want.Files() {
		files[f.Path] = planned(f)
	}
	for _, path := range want.Remove {
		delete(files, path)
	}
	for _, path := range slices.Sorted(maps.Keys(union(files, after))) {
		_, planned := files[path]
		switch _, there := after[path]; {
		case !planned:
			r.say("PLAN-MISMATCH", v.String(), "target \"%s\" is neither in the trusted %s nor in the plan", tufmeta.Printable(path), tufmeta.Printable(v.Role))
		case !there || !reflect.DeepEqual(files[path], after[path]):
			r.say("PLAN-MISMATCH", v.String(), "target \"%s\" is not as the plan makes it", tufmeta.Printable(path))
		}
	}
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

// fileChanges compares all that is signed of each target.
func fileChanges(tree, signed map[string]any, old, now *tufmeta.Targets) []Change {
	was, _ := tree["targets"].(map[string]any)
	is, _ := signed["targets"].(map[string]any)
	var changes []Change
	kept := 0
	for _, path := range slices.Sorted(maps.Keys(now.Files)) {
		before, known := old.Files[path]
		what, text := "target "+tufmeta.Printable(path), describeFile(now.Files[path], is[path])
		switch {
		case known && reflect.DeepEqual(was[path], is[path]):
			kept++
		case known:
			changes = append(changes, Change{Mark: "~", What: what, Old: describeFile(before, was[path]), New: text})
		default:
			changes = append(changes, Change{Mark: "+", What: what, New: text})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(old.Files)) {
		if _, stays := now.Files[path]; !stays {
			changes = append(changes, Change{Mark: "-", What: "target " + tufmeta.Printable(path), Old: describeFile(old.Files[path], was[path])})
		}
	}
	if kept > 0 {
		n := strconv.Itoa(kept)
		changes = append(changes, Change{Mark: "=", What: "targets unchanged", Old: n, New: n})
	}
	return changes
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
