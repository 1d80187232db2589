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
	have := &tufmeta.Delegations{}
	if now, err := tufmeta.ParseTargets(signed); err == nil && now.Delegations != nil {
		have = now.Delegations
	}
	var before map[string]*tufmeta.Key
	if old := r.old[v.Role]; old != nil && old.Delegations != nil {
		before = old.Delegations.Keys
	}
	var wanted, named []string
	for _, x := range want.Roles {
		wanted = append(wanted, x.Name)
	}
	for _, x := range have.Roles {
		named = append(named, x.Name)
	}
	if !r.listAsPlanned(v, "list of delegations", named, wanted) {
		return
	}
	now, _ := signed["delegations"].(map[string]any)
	was, _ := tree["delegations"].(map[string]any)
	used := map[string]bool{}
	for i, x := range want.Roles {
		r.delegationAsPlanned(v, x, have.Keys, have.Roles[i])
		if !reflect.DeepEqual(unknown(rawDelegation(was, x)), r.beyondPlan(v, x, rawDelegation(now, x))) {
			r.say("PLAN-MISMATCH", v.String(), "delegation \"%s\" differs from the trusted %s in more than the plan says", x.Name, v.Role)
		}
		for _, id := range have.Roles[i].KeyIDs {
			used[id] = true
		}
	}
	r.keptDelegations(v, want, was, now)
	r.keptKeys(v, have.Keys, r.withForeign(before, want))
	for _, id := range slices.Sorted(maps.Keys(have.Keys)) {
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

func (r *reviewer) delegationAsPlanned(v folder.Version, want plan.Delegation, keys map[string]*tufmeta.Key, have tufmeta.Delegated) {
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
	r.say("PLAN-MISMATCH", v.String(), "%s is %q, and the plan says %q", what, have, want)
	return false
}

// rawDelegation finds the object of a role, or of succinct bins, by its name.
func rawDelegation(delegations map[string]any, x plan.Delegation) map[string]any {
	if bins, ok := delegations["succinct_roles"].(map[string]any); ok && x.Bits > 0 && bins["name_prefix"] == x.Name {
		return bins
	}
	roles, _ := delegations["roles"].([]any)
	for _, role := range roles {
		if object, ok := role.(map[string]any); ok && x.Bits == 0 && object["name"] == x.Name {
			return object
		}
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
func (r *reviewer) delegationChanges(role string, old, now *tufmeta.Delegations) []Change {
	if n := strconv.Itoa(len(now.All())); r.sameBelow[role] && len(now.All()) > shownUnchanged {
		return []Change{{Mark: "=", What: "delegations unchanged", Old: n, New: n}}
	}
	before, after := r.delegations(old), r.delegations(now)
	known, stays := byName(before), byName(after)
	var changes []Change
	kept := 0
	for _, d := range after {
		was := known[d.name]
		if was.text == d.text && slices.Equal(was.keys, d.keys) && len(after) > shownUnchanged {
			kept++
			continue
		}
		changes = append(changes, scalar("delegation "+d.name, was.text, d.text))
		changes = append(changes, r.keyChanges(d.name, was.keys, d.keys)...)
	}
	for _, d := range before {
		if stays[d.name].text == "" {
			changes = append(changes, Change{Mark: "-", What: "delegation " + d.name, Old: d.text})
			changes = append(changes, r.keyChanges(d.name, d.keys, nil)...)
		}
	}
	if kept > 0 {
		n := strconv.Itoa(kept)
		changes = append(changes, Change{Mark: "=", What: "delegations unchanged", Old: n, New: n})
	}
	return changes
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

func byName(list []described) map[string]described {
	out := map[string]described{}
	for _, d := range slices.Backward(list) { // of two of one name clients look at the first
		out[d.name] = d
	}
	return out
}

// delegations describes each delegated role: its place, its threshold, and the
// targets for which clients ask it.
func (r *reviewer) delegations(d *tufmeta.Delegations) []described {
	var out []described
	if d == nil {
		return nil
	}
	for i := range d.Roles {
		x := r.describe(d.Keys, &d.Roles[i])
		x.text = fmt.Sprintf("place %d, %s", i+1, x.text)
		out = append(out, x)
	}
	return out
}

func (r *reviewer) describe(all map[string]*tufmeta.Key, role *tufmeta.Delegated) described {
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
