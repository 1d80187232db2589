package review

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

// People cannot read five thousand projects to each other. They are shown how
// many, the list's digest, which is that of the list which was approved, the
// forms of the paths, the first and the last; and one by one what is out of the
// ordinary: what changes and what goes.
const (
	shownEnds  = 3  // of what is new
	shownMost  = 20 // of what changes, and of what goes
	shownForms = 5
)

func (r *reviewer) promotionChanges(want *plan.TargetsPlan, old, now *tufmeta.Delegations) []Change {
	before := map[string]*tufmeta.Delegated{}
	for i := range old.All() {
		before[old.Roles[i].Name] = &old.Roles[i]
	}
	var fresh, changed, gone []pair
	kept, stays := 0, map[string]bool{}
	for i := range now.All() {
		d := &now.Roles[i]
		stays[d.Name] = true
		switch was := before[d.Name]; {
		case was == nil:
			fresh = append(fresh, pair{now: d})
		case reflect.DeepEqual(was, d):
			kept++
		default:
			changed = append(changed, pair{was, d})
		}
	}
	for i := range old.All() {
		if !stays[old.Roles[i].Name] {
			gone = append(gone, pair{old: &old.Roles[i]})
		}
	}
	changes := r.listChanges(want)
	if kept > 0 {
		n := strconv.Itoa(kept)
		changes = append(changes, Change{Mark: "=", What: "delegations unchanged", Old: n, New: n})
	}
	s := shower{r, old, now}
	changes = append(changes, s.ends(fresh)...)
	changes = append(changes, s.most("~", "changed", changed)...)
	return append(changes, s.most("-", "gone", gone)...)
}

// listChanges says which list it is, and what paths are in it.
func (r *reviewer) listChanges(want *plan.TargetsPlan) []Change {
	entries := want.Claimed()
	if len(entries) == 0 {
		return nil
	}
	keys := 0
	for _, e := range entries {
		keys += len(e.Keys)
	}
	changes := []Change{{Mark: "+", What: "list " + want.Projects, New: fmt.Sprintf("%d projects with %d keys, sha256 %s", len(entries), keys, tufmeta.Digest(r.files[want.Projects]))}}
	forms := projects.Forms(entries)
	for i, f := range forms {
		if i == shownForms && len(forms) > shownForms+1 {
			return append(changes, Change{Mark: "+", What: "paths", New: fmt.Sprintf("%d more forms", len(forms)-i)})
		}
		changes = append(changes, Change{Mark: "+", What: "paths " + f.Text, New: fmt.Sprintf("%d, the first of %s", f.Count, f.First)})
	}
	return changes
}

// pair is a delegation before and after.
type pair struct{ old, now *tufmeta.Delegated }

type shower struct {
	r        *reviewer
	old, now *tufmeta.Delegations
}

// ends shows the first and the last of what is new.
func (s shower) ends(list []pair) []Change {
	if len(list) == 0 {
		return nil
	}
	changes := []Change{{Mark: "+", What: "delegations new", New: strconv.Itoa(len(list))}}
	for i, x := range list {
		if i == shownEnds && len(list) > 2*shownEnds {
			changes = append(changes, Change{Mark: "+", What: "delegations between", New: fmt.Sprintf("%d more, found with --grep", len(list)-2*shownEnds)})
		}
		if i < shownEnds || i >= len(list)-shownEnds {
			changes = append(changes, s.one(x)...)
		}
	}
	return changes
}

// most shows what is out of the ordinary, all of it unless that is a lot.
func (s shower) most(mark, what string, list []pair) []Change {
	var changes []Change
	for i, x := range list {
		if i == shownMost {
			return append(changes, Change{Mark: mark, What: "delegations " + what, New: fmt.Sprintf("%d more, found with --grep", len(list)-i)})
		}
		changes = append(changes, s.one(x)...)
	}
	return changes
}

func (s shower) one(x pair) []Change {
	var before, after described
	if x.old != nil {
		before = s.r.describe(s.old.Keys, x.old)
	}
	if x.now != nil {
		after = s.r.describe(s.now.Keys, x.now)
	}
	name := cmp.Or(after.name, before.name)
	c := scalar("delegation "+name, before.text, after.text)
	switch {
	case x.now == nil:
		c.Mark = "-"
	case x.old != nil:
		c.Mark = "~" // its keys, where the words are the same
	}
	changes := s.r.keyChanges(name, before.keys, after.keys)
	for i := range changes {
		if _, holder := s.r.plan.Roster.ByFingerprint(changes[i].Key); !holder {
			changes[i].Old, changes[i].New = strings.ReplaceAll(changes[i].Old, s.r.plan.Roster.Who(""), developer), strings.ReplaceAll(changes[i].New, s.r.plan.Roster.Who(""), developer)
		}
	}
	return append([]Change{c}, changes...)
}

// developer stands where the plan knows nobody by a key.
const developer = "a developer of the project"
