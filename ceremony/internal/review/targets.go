package review

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// targets checks a targets payload against plan and trusted targets.
func (r *reviewer) targets(v folder.Version, signed map[string]any) ([]Change, error) {
	targets, err := tufmeta.ParseTargets(signed)
	if err != nil {
		return nil, err
	}
	r.results = append(r.results, inspect.Common(targets.Common, "targets", r.plan.Closes)...)
	r.results = append(r.results, inspect.Text(signed, v.String(), true)...)
	old, tree := &tufmeta.Targets{}, map[string]any(nil)
	if r.oldTargets != nil {
		old, tree = r.oldTargets, r.oldTargetsEnv.Signed
	}
	r.sequence(v, targets.Version, old.Version)
	if r.oldRoot != nil && r.oldTargets == nil {
		r.say("TARGETS-FIRST", "targets", "nothing of targets is trusted, so this is its first version")
	}
	if r.plan.Targets != nil {
		r.targetsAsPlanned(v, tree, signed, targets.Common)
	}
	r.keptFields(v, tree, signed, "version", "expires", "targets", tufmeta.RehearsalField)
	r.rehearsal(v, tree, signed)
	changes := append(r.common(old.Common, targets.Common), fileChanges(old, targets)...)
	return append(changes, r.delegationChanges(old.Delegations, targets.Delegations)...), nil
}

// targetsAsPlanned recomputes the list of targets from the trusted one.
func (r *reviewer) targetsAsPlanned(v folder.Version, tree, signed map[string]any, now tufmeta.Common) {
	want := r.plan.Targets
	r.asPlanned(v, "version", strconv.FormatInt(now.Version, 10), strconv.FormatInt(want.Version, 10))
	r.asPlanned(v, "expires", now.Expires, want.Expires.Format(tufmeta.TimeFormat))
	before, _ := tree["targets"].(map[string]any)
	after, _ := signed["targets"].(map[string]any)
	files := union(before, nil)
	for _, f := range want.Add {
		files[f.Path] = map[string]any{"length": f.Length, "hashes": map[string]any{"sha256": f.SHA256}}
	}
	for _, path := range want.Remove {
		delete(files, path)
	}
	for _, path := range slices.Sorted(maps.Keys(union(files, after))) {
		_, planned := files[path]
		switch _, there := after[path]; {
		case !planned:
			r.say("PLAN-MISMATCH", v.String(), "target \"%s\" is neither in the trusted targets nor in the plan", tufmeta.Printable(path))
		case !there || !reflect.DeepEqual(files[path], after[path]):
			r.say("PLAN-MISMATCH", v.String(), "target \"%s\" is not as the plan makes it", tufmeta.Printable(path))
		}
	}
}

func fileChanges(old, now *tufmeta.Targets) []Change {
	var changes []Change
	kept := 0
	for _, path := range slices.Sorted(maps.Keys(now.Files)) {
		before, known := old.Files[path]
		switch {
		case known && reflect.DeepEqual(before, now.Files[path]):
			kept++
		case known:
			changes = append(changes, Change{Mark: "~", What: "target " + tufmeta.Printable(path), Old: describeFile(before), New: describeFile(now.Files[path])})
		default:
			changes = append(changes, Change{Mark: "+", What: "target " + tufmeta.Printable(path), Old: "", New: describeFile(now.Files[path])})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(old.Files)) {
		if _, stays := now.Files[path]; !stays {
			changes = append(changes, Change{Mark: "-", What: "target " + tufmeta.Printable(path), Old: describeFile(old.Files[path]), New: ""})
		}
	}
	if kept > 0 {
		n := strconv.Itoa(kept)
		changes = append(changes, Change{Mark: "=", What: "targets unchanged", Old: n, New: n})
	}
	return changes
}

func describeFile(f tufmeta.TargetFile) string {
	text := fmt.Sprintf("%d bytes", f.Length)
	for _, name := range slices.Sorted(maps.Keys(f.Hashes)) {
		text += ", " + tufmeta.Printable(name) + " " + tufmeta.Printable(f.Hashes[name])
	}
	return text
}

func (r *reviewer) delegationChanges(old, now *tufmeta.Delegations) []Change {
	before, after := r.delegations(old), r.delegations(now)
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(after)) {
		was := before[name]
		changes = append(changes, scalar("delegation "+tufmeta.Printable(name), was, after[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, stays := after[name]; !stays {
			changes = append(changes, Change{Mark: "-", What: "delegation " + tufmeta.Printable(name), Old: before[name], New: ""})
		}
	}
	return changes
}

// delegations describes each delegated role by threshold, keys and paths.
func (r *reviewer) delegations(d *tufmeta.Delegations) map[string]string {
	out := map[string]string{}
	if d == nil {
		return out
	}
	for i, role := range d.Roles {
		text := fmt.Sprintf("place %d, %d of %d keys", i+1, role.Threshold, len(role.KeyIDs))
		for _, id := range role.KeyIDs {
			if key := d.Keys[id]; key != nil {
				text += "; " + r.plan.Roster.Describe(key.Fingerprint()) + ", SHA-256 " + key.Fingerprint()
			}
		}
		for _, path := range role.Paths {
			text += "; " + tufmeta.Printable(path)
		}
		if role.Terminating {
			text += "; terminating"
		}
		if role.Bins > 0 {
			text += fmt.Sprintf("; %d bins", role.Bins)
		}
		out[role.Name] = text
	}
	return out
}

func sameKeys(a, b *tufmeta.Root, name string) bool {
	x, y := inspect.Fingerprints(a, name), inspect.Fingerprints(b, name)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
