package review

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"tufceremony/ceremony/internal/tufmeta"
)

// below is what a role delegates, in the trusted version and in the payload, either of
// which may be nil. There may be half a million roles with as many keys, so what is
// the same in both is told by its bytes, and nothing is made of it.
type below struct {
	old, now *tufmeta.Delegations

	once sync.Once
	kept []bool // keys of the payload, by place: listed in the trusted version as they are here
}

// below sets the trusted version of a role beside the payload.
func (r *reviewer) below(role string) *below {
	b := &below{}
	if old := r.old[role]; old != nil {
		b.old = old.Delegations
	}
	if now := r.new[role]; now != nil {
		b.now = now.Delegations
	}
	if before := r.changes[role]; before != nil && before.old == b.old && before.now == b.now {
		return before
	}
	r.changes[role] = b
	return b
}

// like gives the place at which one version has the role that another has.
func like(d *tufmeta.Delegations, role *tufmeta.Delegated) (int, bool) {
	if role.Bins == 0 {
		return d.Place(role.Name)
	}
	bins := d.Bins()
	return d.LenListed(), bins != nil && bins.Name == role.Name
}

// before gives the role as the trusted version has it, and its place there; or nil.
func (b *below) before(role *tufmeta.Delegated) (*tufmeta.Delegated, int) {
	place, ok := like(b.old, role)
	if !ok {
		return nil, 0
	}
	return b.old.At(place), place
}

// same reports whether a role of the payload is listed as in the trusted version, with
// all its keys. It may say no of one that asks for the same keys in other words.
func (b *below) same(role *tufmeta.Delegated) bool {
	place, ok := like(b.old, role)
	if !ok || !bytes.Equal(b.old.RawAt(place), role.Raw) {
		return false
	}
	b.once.Do(func() {
		b.kept = make([]bool, b.now.LenKeys())
		b.keys(func(k bothKeys) {
			if k.now != nil {
				b.kept[k.place] = bytes.Equal(k.old, k.now)
			}
		})
	})
	for _, id := range role.KeyIDs {
		if at, ok := b.now.KeyPlace(id); !ok || !b.kept[at] {
			return false
		}
	}
	return true
}

// inOrder tells of each role of the payload whether it stands among the others as it
// did, whatever came or went between: as many as can be do. Those that are left were
// moved.
func (b *below) inOrder() []bool {
	n := b.now.Len()
	kept := make([]bool, n)
	places := make([]int, n) // in the trusted version
	before := make([]int, n) // the role before it in the longest row of ascending places that ends with it
	var ends []int           // of the rows of each length, the last role: that with the lowest place
	for i, d := range b.now.All() {
		place, ok := like(b.old, d)
		if places[i] = place; !ok {
			continue
		}
		length, _ := slices.BinarySearchFunc(ends, place, func(end, place int) int { return places[end] - place })
		if before[i] = -1; length > 0 {
			before[i] = ends[length-1]
		}
		if length == len(ends) {
			ends = append(ends, i)
		} else {
			ends[length] = i
		}
	}
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			kept[i] = true
		}
	}
	return kept
}

// bothKeys is a key as the two versions have it: canonical bytes, nil where one has it
// not, with its places.
type bothKeys struct {
	id         string
	old, now   []byte
	was, place int
}

// keys goes through the keys of both versions in the order of their IDs.
func (b *below) keys(visit func(bothKeys)) {
	for i, j := 0, 0; i < b.old.LenKeys() || j < b.now.LenKeys(); {
		var k, other bothKeys
		order := 0
		if i < b.old.LenKeys() {
			k.id, k.old = b.old.RawKey(i)
		} else {
			order = 1
		}
		if j < b.now.LenKeys() {
			other.id, other.now = b.now.RawKey(j)
		} else {
			order = -1
		}
		if order == 0 {
			order = strings.Compare(k.id, other.id)
		}
		k.was, k.place = i, j
		if order >= 0 {
			k.id, k.now = other.id, other.now
			j++
		}
		if order <= 0 {
			i++
		} else {
			k.old = nil
		}
		if order < 0 {
			k.now = nil
		}
		visit(k)
	}
}

// used tells which keys of a version its roles have, by their places.
func used(d *tufmeta.Delegations) []bool {
	all := make([]bool, d.LenKeys())
	for place := range d.LenListed() {
		for _, id := range d.At(place).KeyIDs {
			if at, ok := d.KeyPlace(id); ok {
				all[at] = true
			}
		}
	}
	return all
}
