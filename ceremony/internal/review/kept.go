package review

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// A plan says little about root and targets: the rest must be as it was, or,
// in a first version, must not be there. What is compared here is the JSON
// tree, so that fields which nobody here knows are compared as well.

// firstFields are those that the first version of a role has beside what the
// plan says.
func firstFields(role string) []string {
	if role == "root" {
		return []string{"_type", "spec_version", "consistent_snapshot"}
	}
	return []string{"_type", "spec_version"}
}

// keptFields wants every field that the ceremony does not change to be as it
// was.
func (r *reviewer) keptFields(v folder.Version, old, signed map[string]any, changes ...string) {
	for _, name := range slices.Sorted(maps.Keys(union(old, signed))) {
		switch {
		case slices.Contains(changes, name):
		case old == nil && name == "spec_version":
			r.asPlanned(v, name, tufmeta.Printable(fmt.Sprint(signed[name])), tufmeta.SpecVersion)
		case old == nil && !slices.Contains(firstFields(v.Role), name):
			r.say("PLAN-MISMATCH", v.String(), "field \"%s\" has no place in a first version, and the plan does not make it", tufmeta.Printable(name))
		case old != nil && !r.sameField(v.Role, name, old[name], signed[name]):
			r.say("PLAN-MISMATCH", v.String(), "field \"%s\" is not as in the trusted version, and the plan does not change it", tufmeta.Printable(name))
		}
	}
}

// sameField compares a field. Delegated roles and their keys do not stand in the tree.
func (r *reviewer) sameField(role, name string, old, signed any) bool {
	if b := r.below(role); name == "delegations" && !b.old.Same(b.now) {
		return false
	}
	return reflect.DeepEqual(old, signed)
}

// keptRoles wants each role to be as it was but for keys and threshold, which
// the plan gives, and roles that the plan does not name to be as they were.
func (r *reviewer) keptRoles(v folder.Version, signed map[string]any) {
	now, _ := signed["roles"].(map[string]any)
	before, _ := r.oldRootTree["roles"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(union(before, now))) {
		planned := r.planned(name)
		switch was, known := before[name]; {
		case !planned && !known:
			r.say("PLAN-MISMATCH", v.String(), "it has a role \"%s\", which is neither in the plan nor in the trusted root", tufmeta.Printable(name))
		case !reflect.DeepEqual(without(was, planned, "keyids", "threshold"), without(now[name], planned, "keyids", "threshold")):
			r.say("PLAN-MISMATCH", v.String(), "role \"%s\" differs from the trusted root in more than the plan says", tufmeta.Printable(name))
		}
	}
}

func (r *reviewer) planned(role string) bool {
	if r.plan.Root == nil {
		return false // which expected has said
	}
	_, ok := r.plan.Root.Roles[role]
	return ok
}

// keptKeys wants a key that stays to have the object that it had, but for an
// encoding of earlier tools, and a new one to have no fields of its own: they
// would make it another key ID.
func (r *reviewer) keptKeys(v folder.Version, keys, before map[string]*tufmeta.Key) {
	byFingerprint := map[string][]*tufmeta.Key{}
	for _, old := range before {
		byFingerprint[old.Fingerprint()] = append(byFingerprint[old.Fingerprint()], old)
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		key := keys[id]
		if key.Err != nil {
			continue // inspect has said so
		}
		if !keyAsBefore(key, byFingerprint[key.Fingerprint()]) {
			r.say("PLAN-MISMATCH", v.String(), "the object of key %s has fields that are neither the plan's nor the trusted %s's", tufmeta.Printable(id), v.Role)
		}
	}
}

// keyAsBefore compares a key with those that were listed of its public key.
func keyAsBefore(key *tufmeta.Key, before []*tufmeta.Key) bool {
	for _, old := range before {
		mended := !old.Standard()
		if reflect.DeepEqual(without(old.Object, mended, "keytype", "keyval"), without(key.Object, mended, "keytype", "keyval")) {
			return !mended || asWritten(key)
		}
	}
	return len(before) == 0 && len(without(key.Object, true, "keytype", "scheme", "keyval")) == 0 && asWritten(key)
}

// asWritten reports whether type and value of a key are written as this project
// writes them, to the byte: one public key has many PEM forms, and clients
// differ in which of them they read.
func asWritten(key *tufmeta.Key) bool {
	want, err := tufmeta.NewKey(key.Public)
	return err == nil && key.Type == want.Type && reflect.DeepEqual(key.Object["keyval"], want.Object["keyval"])
}

// without gives an object, less the named members where they are not to be
// compared.
func without(v any, drop bool, names ...string) map[string]any {
	object, _ := v.(map[string]any)
	rest := union(object, nil)
	for _, name := range names {
		if drop {
			delete(rest, name)
		}
	}
	return rest
}

func union(a, b map[string]any) map[string]any {
	all := map[string]any{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
