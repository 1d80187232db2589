package review

import (
	"bytes"
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

func (r *reviewer) promotionChanges(want *plan.TargetsPlan) []Change {
	b := r.below(want.Name())
	var fresh, changed, gone []pair
	kept := 0
	for i, d := range b.now.All() {
		switch was, place := b.before(d); {
		case was == nil:
			fresh = append(fresh, pair{none, int32(i)})
		case bytes.Equal(was.Raw, d.Raw) || sameRole(*was, *d):
			kept++
		default:
			changed = append(changed, pair{int32(place), int32(i)})
		}
	}
	for i, d := range b.old.All() {
		if _, stays := like(b.now, d); !stays {
			gone = append(gone, pair{int32(i), none})
		}
	}
	changes := r.listChanges(want)
	if kept > 0 {
		n := strconv.Itoa(kept)
		changes = append(changes, Change{Mark: "=", What: "delegations unchanged", Old: n, New: n})
	}
	s := shower{r, b}
	changes = append(changes, s.ends(fresh)...)
	changes = append(changes, s.most("~", "changed", changed)...)
	return append(changes, s.most("-", "gone", gone)...)
}

// sameRole compares what this program knows of a role.
func sameRole(a, b tufmeta.Delegated) bool {
	a.Raw, b.Raw = nil, nil
	return reflect.DeepEqual(a, b)
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
	ends, _, _ := projects.Ends(entries)
	changes := []Change{{Mark: "+", What: "list " + want.Projects, New: fmt.Sprintf("%d projects with %d keys, proofs end %s, sha256 %s", len(entries), keys, ends, tufmeta.Digest(r.files[want.Projects]))}}
	forms := projects.Forms(entries)
	for i, f := range forms {
		if i == shownForms && len(forms) > shownForms+1 {
			return append(changes, Change{Mark: "+", What: "paths", New: fmt.Sprintf("%d more forms", len(forms)-i)})
		}
		changes = append(changes, Change{Mark: "+", What: "paths " + f.Text, New: fmt.Sprintf("%d, the first of %s", f.Count, f.First)})
	}
	return changes
}

// pair is the place of a delegation before and after.
type pair struct{ old, now int32 }

// none is the place of what is not there.
const none = -1

type shower struct {
	r *reviewer
	*below
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
	if x.old != none {
		before = s.r.describe(s.old, s.old.At(int(x.old)))
	}
	if x.now != none {
		after = s.r.describe(s.now, s.now.At(int(x.now)))
	}
	name := cmp.Or(after.name, before.name)
	c := scalar("delegation "+name, before.text, after.text)
	switch {
	case x.now == none:
		c.Mark = "-"
	case x.old != none:
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
