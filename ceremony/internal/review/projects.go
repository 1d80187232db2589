package review

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

// A role that delegates to projects is judged from three things: the bytes that
// are trusted, the list, and the bytes of the payload. What each of the half a
// million must be is worked out by name, in one pass.

// Trusted is what a list of projects is judged against: the root, which may be nil,
// targets and all roles below it that are trusted, by name, and the roots of other
// repositories, by theirs.
type Trusted struct {
	Root      *tufmeta.Root
	Targets   map[string]*tufmeta.Targets
	Externals map[string][]*tufmeta.Root
}

// Projects judges the list of a role against what is trusted. Its results are not
// weighed yet.
func Projects(p *plan.Plan, t *plan.TargetsPlan, trusted Trusted) *projects.Linter {
	l := projects.NewLinter(projects.Scope{Repository: p.Repository, Role: t.Name(), Rehearsal: p.Rehearsal}, t.Claimed())
	for _, token := range p.Roster.Tokens() {
		if token.Key != nil {
			l.Reserve(token.Key.Fingerprint(), token.Describe())
		}
	}
	l.At(p.Opens, p.Closes)
	trusted.reserve(l, t.Name())
	gone := map[string]bool{}
	for _, project := range t.Withdraw {
		gone[projects.Role(project)] = true
	}
	var before *tufmeta.Delegations
	if old := trusted.Targets[t.Name()]; old != nil {
		before = old.Delegations
	}
	l.Against(before, func(role string) bool { return gone[role] })
	return l
}

// reserve names the keys that sign something else: all of the root, whether the
// plan lists them or not, those to which other roles delegate, and those of other
// repositories. What the role itself delegates the linter is shown.
func (t Trusted) reserve(l *projects.Linter, role string) {
	if t.Root != nil {
		reserveRoot(l, t.Root, "")
	}
	for _, by := range slices.Sorted(maps.Keys(t.Targets)) {
		if by == role {
			continue
		}
		d := t.Targets[by].Delegations
		for _, x := range d.All() {
			for _, id := range x.KeyIDs {
				if key := d.Key(id); key != nil && key.Err == nil {
					l.Reserve(key.Fingerprint(), tufmeta.Printable(x.Name)+", to which "+tufmeta.Printable(by)+" delegates")
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Externals)) {
		for _, root := range t.Externals[name] {
			reserveRoot(l, root, "external "+tufmeta.Printable(name)+"'s ")
		}
	}
}

func reserveRoot(l *projects.Linter, root *tufmeta.Root, whose string) {
	for _, role := range slices.Sorted(maps.Keys(root.Roles)) {
		for _, f := range inspect.FingerprintsOf(root.Keys, root.Roles[role]) {
			l.Reserve(f, whose+tufmeta.Printable(role))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(root.Keys)) {
		if key := root.Keys[id]; key.Err == nil {
			l.Reserve(key.Fingerprint(), fmt.Sprintf("a key of %sroot %d", whose, root.Version))
		}
	}
}

// projectsAsPlanned compares what a role delegates with the trusted version and
// the plan's list.
func (r *reviewer) projectsAsPlanned(v folder.Version, want *plan.TargetsPlan, tree, signed map[string]any) {
	b := r.below(v.Role)
	listed := map[string]projects.Entry{}
	for _, e := range want.Claimed() {
		listed[e.Role()] = e
		r.claimed[e.Role()] = true
	}
	n := r.rolesAsExpected(v, want, b, listed)
	if n > 0 && !reflect.DeepEqual(restOf(tree), restOf(signed)) || n == 0 && signed["delegations"] != nil {
		r.say("PLAN-MISMATCH", v.String(), "its delegations differ from the trusted %s in more than the plan says", v.Role)
	}
	seen := map[string]bool{}
	for i := range b.now.LenListed() {
		raw, before := b.now.RawAt(i), []byte(nil)
		name := b.now.NameAt(i)
		place, known := b.old.Place(name)
		if known {
			before = b.old.RawAt(place)
		}
		e, planned := listed[name]
		switch {
		case planned && !seen[name]:
			seen[name] = true
			r.claimAsPlanned(v, e, before, b.now, b.now.At(i))
		case !bytes.Equal(before, raw):
			r.say("PLAN-MISMATCH", v.String(), "delegation \"%s\" is not as in the trusted version, and the plan does not change it", tufmeta.Printable(name))
		}
	}
	r.keysOfProjects(v, b)
	trusted := Trusted{Root: r.oldRoot, Targets: map[string]*tufmeta.Targets{}}
	for role, old := range r.old {
		trusted.Targets[role] = old.Targets
	}
	trusted.Externals, _ = plan.ExternalRoots(r.files) // what cannot be read the chain has said
	r.results = append(r.results, Projects(r.plan, want, trusted).Results()...)
}

// restOf is what a tree says of its delegations but for the roles and their keys.
func restOf(tree map[string]any) map[string]any {
	return without(tree["delegations"], true, "keys", "roles")
}

// rolesAsExpected wants those roles that there were, in their order, but for those that
// are withdrawn, and the new ones after them, sorted. It gives their number.
func (r *reviewer) rolesAsExpected(v folder.Version, want *plan.TargetsPlan, b *below, listed map[string]projects.Entry) int {
	gone := map[string]bool{}
	for _, project := range want.Withdraw {
		role := projects.Role(project)
		gone[role] = true
		if _, there := b.old.Place(role); !there {
			r.say("PLAN-MISMATCH", v.String(), "the plan withdraws \"%s\", to which the trusted %s does not delegate", project, v.Role)
		}
	}
	var fresh []string
	for name := range listed {
		if _, there := b.old.Place(name); !there {
			fresh = append(fresh, name)
		}
	}
	slices.Sort(fresh)
	expected := func(yield func(string) bool) {
		for i := range b.old.LenListed() {
			if name := b.old.NameAt(i); !gone[name] && !yield(name) {
				return
			}
		}
		for _, name := range fresh {
			if !yield(name) {
				return
			}
		}
	}
	n := 0
	for range expected {
		n++
	}
	r.sameRoles(v, b.now, expected, n)
	return n
}

// sameRoles compares names in order, and says where they part.
func (r *reviewer) sameRoles(v folder.Version, have *tufmeta.Delegations, want iter.Seq[string], n int) {
	next, stop := iter.Pull(want)
	defer stop()
	for i := range max(have.LenListed(), n) {
		there, wanted := "none", "none"
		if i < have.LenListed() {
			there = have.NameAt(i)
		}
		if name, ok := next(); ok {
			wanted = name
		}
		if there != wanted {
			r.say("PLAN-MISMATCH", v.String(), "of its %d delegations, number %d is \"%s\", and trusted version and plan make \"%s\" of %d", have.LenListed(), i+1, tufmeta.Printable(there), tufmeta.Printable(wanted), n)
			return
		}
	}
}

// claimAsPlanned compares the role of a project with its line of the list.
func (r *reviewer) claimAsPlanned(v folder.Version, e projects.Entry, before []byte, now *tufmeta.Delegations, have *tufmeta.Delegated) {
	keys := now.KeysOf(have.KeyIDs)
	differs := func(what string) {
		r.say("PLAN-MISMATCH", v.String(), "delegation \"%s\" has other %s than the list says", e.Role(), what)
	}
	var fingerprints []string
	for _, k := range e.Keys {
		if key, err := k.Public(); err == nil {
			fingerprints = append(fingerprints, key.Fingerprint())
		}
	}
	if !slices.Equal(inspect.FingerprintsOf(keys, &have.Role), fingerprints) || len(have.KeyIDs) != len(e.Keys) {
		differs("keys")
	}
	if have.Threshold != e.Threshold {
		differs("thresholds")
	}
	if !slices.Equal(have.Paths, e.Paths) || have.Prefixes != nil || !have.Terminating {
		differs("paths")
	}
	if !reflect.DeepEqual(unknown((&tufmeta.Delegated{Raw: before}).Object()), unknown(have.Object())) {
		differs("members")
	}
	r.results = append(r.results, inspect.Delegated(keys, &have.Role, e.Role(), false)...)
}

// keysOfProjects wants each key to be one that a role has, as it was, or as this
// project writes it; and one to go only with the last role that had it.
func (r *reviewer) keysOfProjects(v folder.Version, b *below) {
	mismatch := func(id, why string) {
		r.say("PLAN-MISMATCH", v.String(), "key %s %s", tufmeta.Printable(id), why)
	}
	had, has := used(b.old), used(b.now)
	var stay []string
	b.keys(func(k bothKeys) {
		known := k.old != nil
		switch {
		case k.now == nil:
			if !had[k.was] && b.now.LenListed() > 0 {
				stay = append(stay, k.id)
			}
		case !has[k.place] && (!known || had[k.was]):
			mismatch(k.id, "is one that no delegation uses")
		case known && !bytes.Equal(k.old, k.now):
			mismatch(k.id, "is not as in the trusted version")
		case !known && !ofList(k.id, k.now):
			mismatch(k.id, "is not written as a key of a list is")
		}
	})
	for _, id := range stay {
		mismatch(id, "is in the trusted version, and the plan does not take it out")
	}
}

// ofList is asWritten for the keys that others sign with, fields that nobody
// knows included.
func ofList(id string, raw []byte) bool {
	v, _ := tufmeta.ParseCanonical(raw) // which was read before
	object, _ := v.(map[string]any)
	key := tufmeta.ParseKey(id, object)
	if key.Err != nil {
		return false
	}
	want, err := tufmeta.NewListedKey(key.Public)
	return err == nil && id == want.ID && reflect.DeepEqual(object, want.Object)
}
