package review

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// delegationsAsPlanned compares what a role delegates with the plan, which has
// all of it, and wants the rest to be as it was.
func (r *reviewer) delegationsAsPlanned(v folder.Version, want *plan.Delegations, tree, signed map[string]any) {
	b := r.below(v.Role)
	have := b.now
	var wanted, named []string
	for _, x := range want.Roles {
		wanted = append(wanted, x.Name)
	}
	for i := range have.Len() {
		named = append(named, have.NameAt(i))
	}
	if !r.listAsPlanned(v, "list of delegations", named, wanted) {
		return
	}
	now, _ := signed["delegations"].(map[string]any)
	was, _ := tree["delegations"].(map[string]any)
	used := map[string]bool{}
	for i, x := range want.Roles {
		d := have.At(i)
		r.delegationAsPlanned(v, x, have.KeysOf(d.KeyIDs), d)
		if !reflect.DeepEqual(unknown(objectOf(b.old, x)), r.beyondPlan(v, x, objectOf(have, x))) {
			r.say("PLAN-MISMATCH", v.String(), "delegation \"%s\" differs from the trusted %s in more than the plan says", x.Name, v.Role)
		}
		for _, id := range d.KeyIDs {
			used[id] = true
		}
	}
	r.keptDelegations(v, want, was, now)
	keys := maps.Collect(have.Keys())
	r.keptKeys(v, keys, r.withForeign(listedBefore(b.old, keys), want))
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		if !used[id] {
			r.say("PLAN-MISMATCH", v.String(), "it lists a key that no delegation uses: %s", tufmeta.Printable(id))
		}
	}
}

// keptDelegations looks at the delegations as a whole: their one list is of the
// form that is planned, and nothing that nobody here knows has changed.
func (r *reviewer) keptDelegations(v folder.Version, want *plan.Delegations, was, now map[string]any) {
	if len(want.Roles) == 0 {
		if now != nil {
			r.say("PLAN-MISMATCH", v.String(), "it has delegations, and the plan makes none")
		}
		return
	}
	known := []string{"keys", "roles", "succinct_roles"}
	if !reflect.DeepEqual(without(was, true, known...), without(now, true, known...)) {
		r.say("PLAN-MISMATCH", v.String(), "its delegations differ from the trusted %s in more than the plan says", v.Role)
	}
	_, roles := now["roles"]
	_, bins := now["succinct_roles"]
	if succinct := want.Roles[0].Bits > 0; roles == succinct || bins != succinct {
		r.say("PLAN-MISMATCH", v.String(), "its delegations are a list of roles and succinct bins, or not the one of the two that the plan says")
	}
}

func (r *reviewer) delegationAsPlanned(v folder.Version, want plan.Delegation, keys map[string]*tufmeta.Key, have *tufmeta.Delegated) {
	at := func(what string) string { return "delegation " + want.Name + " " + what }
	r.asPlanned(v, at("bits"), strconv.Itoa(have.Bits), strconv.Itoa(want.Bits))
	r.asPlanned(v, at("terminating"), strconv.FormatBool(have.Terminating), strconv.FormatBool(want.Terminating))
	r.listAsPlanned(v, at("paths"), have.Paths, want.Paths)
	r.listAsPlanned(v, at("path hash prefixes"), have.Prefixes, want.Prefixes)
	if want.External != "" {
		r.externalAsRoot(v, want, keys, have)
		return
	}
	r.asPlanned(v, at("threshold"), strconv.Itoa(have.Threshold), strconv.Itoa(want.Threshold))
	var planned []string
	for _, token := range want.Tokens {
		if t, ok := r.plan.Roster.Token(token); ok && t.Key != nil {
			planned = append(planned, t.Key.Fingerprint())
		}
	}
	if listed := inspect.FingerprintsOf(keys, &have.Role); !same(listed, planned) {
		r.say("PLAN-MISMATCH", v.String(), "%s are %s, and the plan says %s", at("keys"), r.who(listed), r.who(planned))
	}
}

// listAsPlanned compares lists whose order means something.
func (r *reviewer) listAsPlanned(v folder.Version, what string, have, want []string) bool {
	if slices.Equal(have, want) {
		return true
	}
	if max(len(have), len(want)) <= shownUnchanged {
		r.say("PLAN-MISMATCH", v.String(), "%s is %q, and the plan says %q", what, have, want)
		return false
	}
	at := 0
	for at < min(len(have), len(want)) && have[at] == want[at] {
		at++
	}
	r.say("PLAN-MISMATCH", v.String(), "%s has %d entries, and the plan %d; they part at number %d", what, len(have), len(want), at+1)
	return false
}

// listedBefore are the keys of a trusted version that are among others, under whatever
// key IDs.
func listedBefore(d *tufmeta.Delegations, keys map[string]*tufmeta.Key) map[string]*tufmeta.Key {
	known := map[string]bool{}
	for _, key := range keys {
		known[key.Fingerprint()] = true
	}
	before := map[string]*tufmeta.Key{}
	for id, key := range d.Keys() {
		if known[key.Fingerprint()] {
			before[id] = key
		}
	}
	return before
}

// objectOf finds the object of a role, or of succinct bins, by its name in the plan.
func objectOf(d *tufmeta.Delegations, x plan.Delegation) map[string]any {
	if place, ok := like(d, &tufmeta.Delegated{Name: x.Name, Bins: int64(x.Bits)}); ok {
		return d.At(place).Object()
	}
	return nil
}

// unknown is what is left of the object of a role without the members that a plan
// gives, whatever form of delegation it was.
func unknown(role map[string]any) map[string]any {
	return without(role, true, "name", "keyids", "threshold", "paths", "path_hash_prefixes", "terminating", "bit_length", "name_prefix")
}

// beyondPlan is what is left of the object of a new role without the members of the
// form that is planned, each of which must be there. A member of another form would
// be read by some client, and one that is missing fails in another.
func (r *reviewer) beyondPlan(v folder.Version, x plan.Delegation, role map[string]any) map[string]any {
	members := []string{"keyids", "threshold", "name", "terminating", "paths"}
	switch {
	case x.Bits > 0:
		members = []string{"keyids", "threshold", "bit_length", "name_prefix"}
	case len(x.Prefixes) > 0:
		members[4] = "path_hash_prefixes"
	}
	for _, member := range members {
		if _, there := role[member]; !there {
			r.say("PLAN-MISMATCH", v.String(), "delegation \"%s\" has no member %q", x.Name, member)
		}
	}
	return without(role, true, members...)
}

// shownUnchanged is up to how many delegations those that stay are shown one by
// one, with their keys.
const shownUnchanged = 20

// delegationChanges sets old beside new, in the order in which clients ask.
func (r *reviewer) delegationChanges(role string) []Change {
	b := r.below(role)
	many := b.now.Len() > shownUnchanged
	if n := strconv.Itoa(b.now.Len()); r.sameBelow[role] && many {
		return []Change{{Mark: "=", What: "delegations unchanged", Old: n, New: n}}
	}
	found := few{}
	kept := 0
	var inOrder []bool
	if many {
		inOrder = b.inOrder()
	}
	for i, d := range b.now.All() {
		old, place := b.before(d)
		follows := many && inOrder[i]
		if follows && b.same(d) {
			kept++
			continue
		}
		was, is := r.described(b.old, place, old), r.described(b.now, i, d)
		if follows {
			was, is = r.describe(b.old, old), r.describe(b.now, d)
		}
		if follows && was.text == is.text && slices.Equal(was.keys, is.keys) {
			kept++
			continue
		}
		mark := "~"
		if old == nil {
			mark = "+"
		}
		c := scalar("delegation "+is.name, was.text, is.text)
		if old != nil && !slices.Equal(was.keys, is.keys) {
			c.Mark = "~" // its keys, where the words are the same
		}
		found.add(mark, append([]Change{c}, r.keyChanges(is.name, was.keys, is.keys)...))
	}
	for i, d := range b.old.All() {
		if _, stays := like(b.now, d); !stays {
			was := r.described(b.old, i, d)
			found.add("-", append([]Change{{Mark: "-", What: "delegation " + was.name, Old: was.text}}, r.keyChanges(was.name, was.keys, nil)...))
		}
	}
	changes := found.all()
	if kept > 0 {
		n := strconv.Itoa(kept)
		changes = append(changes, Change{Mark: "=", What: "delegations unchanged", Old: n, New: n})
	}
	return changes
}

// few shows what changes of delegations: of each mark so many, and the number of the
// rest.
type few struct {
	changes []Change
	shown   map[string]int
}

func (f *few) add(mark string, changes []Change) {
	if f.shown == nil {
		f.shown = map[string]int{}
	}
	if f.shown[mark]++; f.shown[mark] <= shownSurprises {
		f.changes = append(f.changes, changes...)
	}
}

func (f *few) all() []Change {
	for _, mark := range []string{"+", "~", "-"} {
		words := "more, found with --grep"
		if mark == "~" {
			words = "more that change, were moved, or have other keys"
		}
		if more := f.shown[mark] - shownSurprises; more > 0 {
			f.changes = append(f.changes, Change{Mark: mark, What: "delegations", New: fmt.Sprintf("%d %s", more, words)})
		}
	}
	return f.changes
}

func (r *reviewer) keyChanges(role string, before, after []string) []Change {
	var changes []Change
	for _, f := range after {
		c := Change{Mark: "+", What: role + " key", New: r.whose(f), Key: f}
		if slices.Contains(before, f) {
			c.Mark, c.Old = "=", c.New
		}
		changes = append(changes, c)
	}
	for _, f := range before {
		if !slices.Contains(after, f) {
			changes = append(changes, Change{Mark: "-", What: role + " key", Old: r.whose(f), Key: f})
		}
	}
	return changes
}

// described is a delegation in words, but for its keys.
type described struct {
	name, text string
	keys       []string // fingerprints
}

// described gives a delegation with its place; nothing of none.
func (r *reviewer) described(d *tufmeta.Delegations, place int, role *tufmeta.Delegated) described {
	if role == nil {
		return described{}
	}
	x := r.describe(d, role)
	x.text = fmt.Sprintf("place %d, %s", place+1, x.text)
	return x
}

// describe says for which targets clients ask a role, and who signs it.
func (r *reviewer) describe(d *tufmeta.Delegations, role *tufmeta.Delegated) described {
	all := d.KeysOf(role.KeyIDs)
	keys := inspect.FingerprintsOf(all, &role.Role)
	text := fmt.Sprintf("%d of %d keys", role.Threshold, len(keys))
	if from, ok := r.origin(all, &role.Role); ok {
		text += " of " + from.String()
	}
	for _, path := range role.Paths {
		text += "; " + tufmeta.Printable(path)
	}
	if len(role.Prefixes) > 0 {
		text += "; path hashes that begin with " + tufmeta.Printable(strings.Join(role.Prefixes, ", "))
	}
	if role.Bins > 0 {
		text += fmt.Sprintf("; %d bins, %s to %s", role.Bins, tufmeta.Printable(tufmeta.BinName(role.Name, role.Bits, 0)), tufmeta.Printable(tufmeta.BinName(role.Name, role.Bits, role.Bins-1)))
	}
	if role.Terminating {
		text += "; terminating"
	}
	return described{tufmeta.Printable(role.Name), text, keys}
}
