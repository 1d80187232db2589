package review

import (
	"fmt"
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
	l := projects.NewLinter(p.Repository, t.Name(), t.Claimed())
	for _, token := range p.Roster.Tokens() {
		if token.Key != nil {
			l.Reserve(token.Key.Fingerprint(), token.Describe())
		}
	}
	l.At(p.Opens)
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
		for i := range d.All() {
			for _, id := range d.Roles[i].KeyIDs {
				if key := d.Keys[id]; key != nil && key.Err == nil {
					l.Reserve(key.Fingerprint(), tufmeta.Printable(d.Roles[i].Name)+", to which "+tufmeta.Printable(by)+" delegates")
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

// delegates is the member delegations of a tree: its roles in order, the first
// place of each name, its keys by ID, and how many roles have a key.
type delegates struct {
	rest  map[string]any
	keys  map[string]any
	roles []map[string]any
	names []string
	place map[string]int
	used  map[string]int
}

func delegatesOf(tree map[string]any) *delegates {
	object, _ := tree["delegations"].(map[string]any)
	d := &delegates{rest: without(object, true, "keys", "roles"), place: map[string]int{}, used: map[string]int{}}
	d.keys, _ = object["keys"].(map[string]any)
	list, _ := object["roles"].([]any)
	for i, v := range list {
		role, _ := v.(map[string]any)
		name, _ := role["name"].(string)
		if _, twice := d.place[name]; !twice {
			d.place[name] = i
		}
		ids, _ := role["keyids"].([]any)
		for _, id := range ids {
			text, _ := id.(string)
			d.used[text]++
		}
		d.roles, d.names = append(d.roles, role), append(d.names, name)
	}
	return d
}

// projectsAsPlanned compares what a role delegates with the trusted version and
// the plan's list.
func (r *reviewer) projectsAsPlanned(v folder.Version, want *plan.TargetsPlan, tree, signed map[string]any) {
	was, now := delegatesOf(tree), delegatesOf(signed)
	listed := map[string]projects.Entry{}
	for _, e := range want.Claimed() {
		listed[e.Role()] = e
		r.claimed[e.Role()] = true
	}
	expected := r.expectedRoles(v, want, was, listed)
	r.sameRoles(v, now.names, expected)
	if len(expected) > 0 && !reflect.DeepEqual(was.rest, now.rest) || len(expected) == 0 && signed["delegations"] != nil {
		r.say("PLAN-MISMATCH", v.String(), "its delegations differ from the trusted %s in more than the plan says", v.Role)
	}
	have := r.new[v.Role].Delegations
	for i, name := range now.names {
		before := map[string]any(nil)
		if at, ok := was.place[name]; ok {
			before = was.roles[at]
		}
		e, planned := listed[name]
		switch {
		case planned && now.place[name] == i:
			r.claimAsPlanned(v, e, before, now.roles[i], have.Keys, have.Roles[i])
		case !reflect.DeepEqual(before, now.roles[i]):
			r.say("PLAN-MISMATCH", v.String(), "delegation \"%s\" is not as in the trusted version, and the plan does not change it", tufmeta.Printable(name))
		}
	}
	r.keysOfProjects(v, was, now)
	trusted := Trusted{Root: r.oldRoot, Targets: map[string]*tufmeta.Targets{}}
	for role, old := range r.old {
		trusted.Targets[role] = old.Targets
	}
	trusted.Externals, _ = plan.ExternalRoots(r.files) // what cannot be read the chain has said
	r.results = append(r.results, Projects(r.plan, want, trusted).Results()...)
}

// expectedRoles lists the roles that there must be: those that there were, in
// their order, and the new ones after them, sorted.
func (r *reviewer) expectedRoles(v folder.Version, want *plan.TargetsPlan, was *delegates, listed map[string]projects.Entry) []string {
	gone := map[string]bool{}
	for _, project := range want.Withdraw {
		role := projects.Role(project)
		gone[role] = true
		if _, there := was.place[role]; !there {
			r.say("PLAN-MISMATCH", v.String(), "the plan withdraws \"%s\", to which the trusted %s does not delegate", project, v.Role)
		}
	}
	var expected, fresh []string
	for _, name := range was.names {
		if !gone[name] {
			expected = append(expected, name)
		}
	}
	for name := range listed {
		if _, there := was.place[name]; !there {
			fresh = append(fresh, name)
		}
	}
	slices.Sort(fresh)
	return append(expected, fresh...)
}

// sameRoles compares names in order, and says where they part.
func (r *reviewer) sameRoles(v folder.Version, have, want []string) {
	for i := range max(len(have), len(want)) {
		there, wanted := "none", "none"
		if i < len(have) {
			there = have[i]
		}
		if i < len(want) {
			wanted = want[i]
		}
		if there != wanted {
			r.say("PLAN-MISMATCH", v.String(), "of its %d delegations, number %d is \"%s\", and trusted version and plan make \"%s\" of %d", len(have), i+1, tufmeta.Printable(there), tufmeta.Printable(wanted), len(want))
			return
		}
	}
}

// claimAsPlanned compares the role of a project with its line of the list.
func (r *reviewer) claimAsPlanned(v folder.Version, e projects.Entry, before, now map[string]any, keys map[string]*tufmeta.Key, have tufmeta.Delegated) {
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
	if !reflect.DeepEqual(unknown(before), unknown(now)) {
		differs("members")
	}
	r.results = append(r.results, inspect.Delegated(keys, &have.Role, e.Role(), false)...)
}

// keysOfProjects wants each key to be one that a role has, as it was, or as this
// project writes it; and one to go only with the last role that had it.
func (r *reviewer) keysOfProjects(v folder.Version, was, now *delegates) {
	mismatch := func(id, why string) {
		r.say("PLAN-MISMATCH", v.String(), "key %s %s", tufmeta.Printable(id), why)
	}
	for _, id := range slices.Sorted(maps.Keys(now.keys)) {
		before, known := was.keys[id]
		switch {
		case now.used[id] == 0 && (!known || was.used[id] > 0):
			mismatch(id, "is one that no delegation uses")
		case known && !reflect.DeepEqual(before, now.keys[id]):
			mismatch(id, "is not as in the trusted version")
		case !known && !ofList(id, now.keys[id]):
			mismatch(id, "is not written as a key of a list is")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(was.keys)) {
		if _, stays := now.keys[id]; !stays && was.used[id] == 0 && len(now.names) > 0 {
			mismatch(id, "is in the trusted version, and the plan does not take it out")
		}
	}
}

// ofList is asWritten for the keys that others sign with, fields that nobody
// knows included.
func ofList(id string, v any) bool {
	object, _ := v.(map[string]any)
	key := tufmeta.ParseKey(id, object)
	if key.Err != nil {
		return false
	}
	want, err := tufmeta.NewListedKey(key.Public)
	return err == nil && id == want.ID && reflect.DeepEqual(object, want.Object)
}
