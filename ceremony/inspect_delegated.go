package main

import (
	"path/filepath"
	"slices"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// judgeDelegated checks the files of delegated roles under the files that
// delegate to them, down from targets. One counts only where its own signatures
// are good, and of several versions the newest that the file satisfies.
func (i *inspection) judgeDelegated() {
	for n := range i.others {
		if o := &i.others[n]; isDelegated(o) {
			o.tally, o.under, o.whose = nil, 0, ""
		}
	}
	for more := true; more; {
		more = false
		for n := range i.others {
			if o := &i.others[n]; o.tally == nil || !o.tally.Reached() {
				more = i.judgeBelow(o) || more
			}
		}
	}
}

// judgeBelow looks for a delegator, and reports whether the file has become good.
func (i *inspection) judgeBelow(o *other) bool {
	if o.common.Type != "targets" {
		return false
	}
	var best tufmeta.Common
	for _, by := range i.others {
		if by.common.Type != "targets" || by.tally == nil || !by.tally.Reached() {
			continue
		}
		t, err := by.head.Parse()
		if err != nil {
			continue
		}
		d := t.Delegations.Find(roleInName(o))
		if d == nil {
			continue
		}
		tally := tufmeta.Count(o.env.Canonical, o.env.Signatures, t.Delegations.KeysOf(d.KeyIDs), &d.Role)
		if reached := o.tally != nil && o.tally.Reached(); tally.Reached() && (!reached || t.Version > best.Version) || !reached && t.Version > best.Version {
			o.tally, o.under, best = &tally, 0, t.Common
			o.whose = tufmeta.Delegator{Name: roleInName(&by), Version: t.Version}.String()
		}
	}
	return o.tally != nil && o.tally.Reached()
}

// roleInName is the role that the name of a file gives: a delegated role says
// its name nowhere else.
func roleInName(o *other) string {
	base := filepath.Base(o.name)
	if v, err := folder.ParseVersion(base); err == nil {
		return v.Role
	}
	return base[:len(base)-len(filepath.Ext(base))]
}

// isDelegated reports whether a file is named as that of a version of a
// delegated role. (What is named in another way may be targets.)
func isDelegated(o *other) bool {
	v, err := folder.ParseVersion(filepath.Base(o.name))
	return err == nil && v.Version == o.common.Version && o.common.Type == "targets" && !slices.Contains(tufmeta.TopRoles, v.Role)
}
