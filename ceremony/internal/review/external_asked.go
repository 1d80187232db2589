package review

import (
	"maps"
	"reflect"
	"slices"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// What is delegated to another repository asks for its keys, as they are.

// externalAsRoot compares a delegation with the newest root of the other
// repository.
func (r *reviewer) externalAsRoot(v folder.Version, want plan.Delegation, keys map[string]*tufmeta.Key, have *tufmeta.Delegated) {
	x := r.foreign.byName[want.External]
	if x == nil || x.Newest == nil {
		return // which the chain has said
	}
	root := origin{x, x.Newest.Version}
	if have.Threshold != x.Threshold() {
		r.say("EXTERNAL-MISMATCH", v.String(), "delegation %s threshold is %d, and %s says %d", want.Name, have.Threshold, root, x.Threshold())
	}
	if listed := inspect.FingerprintsOf(keys, &have.Role); !same(listed, x.Keys()) || len(have.KeyIDs) != len(listed) {
		r.say("EXTERNAL-MISMATCH", v.String(), "delegation %s keys are %s, and %s says %s", want.Name, r.who(listed), root, r.who(x.Keys()))
		return
	}
	for _, id := range have.KeyIDs {
		if key := keys[id]; !asListed(key, x.listed[key.Fingerprint()]) {
			r.say("EXTERNAL-MISMATCH", v.String(), "delegation %s lists key %s in another way than %s does", want.Name, tufmeta.Printable(id), root)
		}
	}
}

// asListed reports whether a key has the object that the other root has, but
// for an encoding of earlier tools.
func asListed(key, theirs *tufmeta.Key) bool {
	if theirs.Standard() {
		return reflect.DeepEqual(key.Object, theirs.Object)
	}
	return asWritten(key) && reflect.DeepEqual(without(key.Object, true, "keytype", "keyval"), without(theirs.Object, true, "keytype", "keyval"))
}

// withForeign adds the keys of other repositories to those of which a key that
// is listed may be one.
func (r *reviewer) withForeign(before map[string]*tufmeta.Key, want *plan.Delegations) map[string]*tufmeta.Key {
	all := maps.Clone(before)
	if all == nil {
		all = map[string]*tufmeta.Key{}
	}
	for _, d := range want.Roles {
		if x := r.foreign.byName[d.External]; x != nil {
			for f, key := range x.listed {
				all["external "+f] = key
			}
		}
	}
	return all
}

// externalsUsed wants something to ask for the keys of each other repository. A
// delegation that the plan leaves as it is may have those of an earlier root.
func (r *reviewer) externalsUsed(published map[string]*tufmeta.Targets) {
	if len(r.plan.Externals) == 0 {
		return
	}
	used := map[string]bool{}
	for _, by := range slices.Sorted(maps.Keys(published)) {
		if t := r.plan.TargetsRole(by); t != nil && t.Delegations != nil {
			continue
		}
		d := published[by].Delegations
		for _, x := range d.All() {
			from, ok := r.origin(d.KeysOf(x.KeyIDs), &x.Role)
			if !ok {
				continue
			}
			used[from.Name] = true
			if newest := from.Newest; newest != nil && newest.Version != from.version {
				r.ofPublished("EXTERNAL-MISMATCH", tufmeta.Printable(x.Name), "%s goes on delegating to it with the keys of %s, and its newest is root %d", tufmeta.Printable(by), from, newest.Version)
			}
		}
	}
	for i := range r.report.Externals {
		if x := &r.report.Externals[i]; !x.asked && !used[x.Name] {
			r.say("EXTERNAL-MISMATCH", x.Name, "externals: names it, and nothing is delegated to its keys")
		}
	}
}
