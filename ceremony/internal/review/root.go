package review

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// root checks a root payload against plan and trusted root.
func (r *reviewer) root(v folder.Version, signed map[string]any) ([]Change, error) {
	root, err := tufmeta.ParseRoot(signed)
	if err != nil {
		return nil, err
	}
	r.newRoot = root
	r.results = append(r.results, r.named(func(id string) *tufmeta.Key { return root.Keys[id] }, inspect.Root(root, r.plan.Closes))...)
	r.results = append(r.results, inspect.Text(signed, v.String(), true)...)
	old := int64(0)
	if r.oldRoot != nil {
		old = r.oldRoot.Version
	}
	r.sequence(v, root.Version, old)
	if r.plan.Root != nil {
		r.rootAsPlanned(v, root)
	}
	r.keptFields(v, r.oldRootTree, signed, "version", "expires", "keys", "roles", tufmeta.RehearsalField)
	r.keptRoles(v, signed)
	r.keptKeys(v, root.Keys, keysOf(r.oldRoot))
	r.rehearsal(v, r.oldRootTree, signed)
	if !root.ConsistentSnapshot && r.oldRoot == nil {
		r.say("PLAN-MISMATCH", v.String(), "consistent_snapshot is not true, and a new repository begins with it")
	}
	return r.rootChanges(root), nil
}

func keysOf(root *tufmeta.Root) map[string]*tufmeta.Key {
	if root == nil {
		return nil
	}
	return root.Keys
}

// named says whose key it is of which a finding knows the key ID alone.
func (r *reviewer) named(listed func(id string) *tufmeta.Key, results []check.Result) []check.Result {
	for i, x := range results {
		if key := listed(x.Subject); key != nil && (x.Check == "KEY-PORTABLE" || x.Check == "KEY-WEAK") {
			results[i].Detail += ": the key of " + r.whose(key.Fingerprint())
		}
	}
	return results
}

// sequence wants exactly N+1, in the name and in the payload.
func (r *reviewer) sequence(v folder.Version, version, old int64) {
	switch {
	case version != v.Version:
		r.say("VERSION-SEQUENCE", v.String(), "the payload says version %d", version)
	case version != old+1 && old == 0:
		r.say("VERSION-SEQUENCE", v.String(), "nothing of this role is trusted, so the first version is 1")
	case version != old+1:
		r.say("VERSION-SEQUENCE", v.String(), "version %d is trusted, so the next is %d", old, old+1)
	}
}

func (r *reviewer) rootAsPlanned(v folder.Version, root *tufmeta.Root) {
	want := r.plan.Root
	r.asPlanned(v, "version", strconv.FormatInt(root.Version, 10), strconv.FormatInt(want.Version, 10))
	r.asPlanned(v, "expires", root.Expires, want.Expires.Format(tufmeta.TimeFormat))
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(want.Roles)) {
		role := root.Roles[name]
		if role == nil {
			continue // inspect.Root has said so
		}
		r.asPlanned(v, name+" threshold", strconv.Itoa(role.Threshold), strconv.Itoa(want.Roles[name].Threshold))
		var planned []string
		for _, token := range want.Roles[name].Tokens {
			t, _ := r.plan.Roster.Token(token)
			planned = append(planned, t.Key.Fingerprint())
		}
		have := inspect.Fingerprints(root, name)
		slices.Sort(planned)
		slices.Sort(have)
		if !slices.Equal(have, planned) {
			r.say("PLAN-MISMATCH", v.String(), "%s keys are %s, and the plan says %s", name, r.who(have), r.who(planned))
		}
	}
	for _, role := range root.Roles {
		for _, id := range role.KeyIDs {
			used[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(root.Keys)) {
		if !used[id] {
			r.say("PLAN-MISMATCH", v.String(), "it lists a key that no role uses: %s", tufmeta.Printable(id))
		}
	}
}

func (r *reviewer) asPlanned(v folder.Version, what, have, want string) {
	if have != want {
		r.say("PLAN-MISMATCH", v.String(), "%s is %s, and the plan says %s", what, tufmeta.Printable(have), want)
	}
}

func (r *reviewer) who(fingerprints []string) string {
	names := make([]string, len(fingerprints))
	for i, f := range fingerprints {
		names[i] = r.whose(f) + ", key " + roster.Short(f)
	}
	return strings.Join(names, "; ")
}

// rehearsal wants the metadata itself to say whether it is of a rehearsal, so
// that no copy of it can ever be taken for the real thing.
func (r *reviewer) rehearsal(v folder.Version, old, signed map[string]any) {
	marked := tufmeta.IsRehearsal(signed)
	if _, there := signed[tufmeta.RehearsalField]; there && !marked {
		r.say("PLAN-MISMATCH", v.String(), "field %q has another value than true", tufmeta.RehearsalField)
	}
	real := old != nil && !tufmeta.IsRehearsal(old) || r.oldRootTree != nil && !tufmeta.IsRehearsal(r.oldRootTree)
	switch {
	case marked && real:
		r.say("PLAN-MISMATCH", v.String(), "what is trusted is real, and a rehearsal cannot go on from it: clients would take its signatures for real ones")
	case tufmeta.IsRehearsal(old) && !r.plan.Rehearsal:
		r.say("PLAN-MISMATCH", v.String(), "the trusted version is of a rehearsal, and a real one cannot go on from it: the plan wants `rehearsal: true`")
	case marked != r.plan.Rehearsal:
		r.say("PLAN-MISMATCH", v.String(), "field %q is not as the plan's rehearsal: %t", tufmeta.RehearsalField, r.plan.Rehearsal)
	}
}

// rootChanges sets old beside new.
func (r *reviewer) rootChanges(root *tufmeta.Root) []Change {
	old := r.oldRoot
	if old == nil {
		old = &tufmeta.Root{}
	}
	changes := r.common(old.Common, root.Common)
	for _, name := range tufmeta.TopRoles {
		changes = append(changes, r.roleChanges(old, root, name)...)
	}
	return changes
}

func (r *reviewer) common(old, now tufmeta.Common) []Change {
	was, version := "", ""
	if old.Version > 0 {
		version, was = strconv.FormatInt(old.Version, 10), r.expiry(old)
	}
	return []Change{
		scalar("version", version, strconv.FormatInt(now.Version, 10)),
		scalar("expires", was, r.expiry(now)),
	}
}

// expiry says a date and its distance from the opening of the window.
func (r *reviewer) expiry(c tufmeta.Common) string {
	t, err := c.ExpiresAt()
	if err != nil {
		return tufmeta.Printable(c.Expires)
	}
	if t.Before(r.plan.Opens) {
		return fmt.Sprintf("%s (%s before)", t.Format(tufmeta.TimeFormat), inspect.Days(t, r.plan.Opens))
	}
	return fmt.Sprintf("%s (in %s)", t.Format(tufmeta.TimeFormat), inspect.Days(r.plan.Opens, t))
}

func scalar(what, old, now string) Change {
	mark := "~"
	switch {
	case old == now:
		mark = "="
	case old == "":
		mark = "+"
	}
	return Change{Mark: mark, What: what, Old: old, New: now}
}

func (r *reviewer) roleChanges(old, now *tufmeta.Root, name string) []Change {
	changes := []Change{scalar(name+" threshold", threshold(old, name), threshold(now, name))}
	before, after := inspect.Fingerprints(old, name), inspect.Fingerprints(now, name)
	for _, f := range after {
		c := Change{Mark: "+", What: name + " key", New: r.plan.Roster.Who(f), Key: f}
		if slices.Contains(before, f) {
			c.Mark, c.Old = "=", c.New
			if from, to := idsOf(old, name, f), idsOf(now, name, f); !slices.Equal(from, to) {
				c.Mark, c.Old, c.New = "~", c.Old+", key ID "+strings.Join(from, " "), c.New+", key ID "+strings.Join(to, " ")
			}
		}
		changes = append(changes, c)
	}
	for _, f := range before {
		if !slices.Contains(after, f) {
			changes = append(changes, Change{Mark: "-", What: name + " key", Old: r.plan.Roster.Who(f), Key: f})
		}
	}
	return changes
}

func threshold(root *tufmeta.Root, name string) string {
	role := root.Roles[name]
	if role == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d", role.Threshold, len(inspect.Fingerprints(root, name)))
}

func idsOf(root *tufmeta.Root, name, fingerprint string) []string {
	var ids []string
	for _, id := range root.Roles[name].KeyIDs {
		if key := root.Keys[id]; key != nil && key.Fingerprint() == fingerprint {
			ids = append(ids, tufmeta.Printable(id))
		}
	}
	return ids
}
