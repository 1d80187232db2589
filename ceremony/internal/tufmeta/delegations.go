package tufmeta

import (
	"bytes"
	"iter"
)

// Delegations are the roles to which targets hands paths on, in order, and their
// keys. There may be half a million of them, so they are asked for one by one: what
// is held is where each lies in canonical bytes. A nil one delegates nothing.
//
// Nobody changes one, and it can be used from several goroutines.
type Delegations struct {
	roles, keys *placed
	bins        *Delegated // succinct bins, which come after all other roles
	explicit    int        // roles with hash prefixes
	first       string     // and the name of the first of them
}

// Delegated is one delegated role. Succinct bins appear as one role under
// their name prefix, with Bins set to their number, 2^Bits.
type Delegated struct {
	Role
	Name        string
	Terminating bool
	Paths       []string // path patterns, as listed
	Prefixes    []string // of the SHA-256 of a path, as listed
	Bits        int
	Bins        int64
	Raw         []byte // canonical bytes of all that is listed of it
}

// Object is all that is listed of the role, fields that nobody knows included.
func (d *Delegated) Object() map[string]any {
	if d == nil {
		return nil
	}
	v, _ := ParseCanonical(d.Raw) // which was read before
	object, _ := v.(map[string]any)
	return object
}

// Len is how many roles there are. Succinct bins are one.
func (d *Delegations) Len() int {
	if d.Bins() != nil {
		return d.LenListed() + 1
	}
	return d.LenListed()
}

// LenListed is how many there are without succinct bins, which come last.
func (d *Delegations) LenListed() int {
	if d == nil {
		return 0
	}
	return d.roles.len()
}

// At gives the role at a place, from 0 on.
func (d *Delegations) At(place int) *Delegated {
	if place == d.roles.len() {
		return d.bins
	}
	return parseDelegated(d.roles.at(place))
}

// RawAt gives the canonical bytes of the role at a place.
func (d *Delegations) RawAt(place int) []byte {
	if place == d.roles.len() {
		return d.bins.Raw
	}
	return d.roles.at(place)
}

// NameAt gives the name of the role at a place.
func (d *Delegations) NameAt(place int) string {
	if place == d.roles.len() {
		return d.bins.Name
	}
	return string(nameOfRole(d.roles.at(place)))
}

// All gives the roles in order, with their places.
func (d *Delegations) All() iter.Seq2[int, *Delegated] {
	return func(yield func(int, *Delegated) bool) {
		for i := range d.Len() {
			if !yield(i, d.At(i)) {
				return
			}
		}
	}
}

// Place gives the place of the first role that is listed under a name. Succinct bins
// are not among them.
func (d *Delegations) Place(name string) (int, bool) {
	if d == nil {
		return 0, false
	}
	return d.roles.find(name)
}

// Bins are the succinct bins, or nil.
func (d *Delegations) Bins() *Delegated {
	if d == nil {
		return nil
	}
	return d.bins
}

// Lists reports whether a role, or succinct bins, are listed under a name.
func (d *Delegations) Lists(name string) bool {
	_, listed := d.Place(name)
	return listed || d.Bins() != nil && d.Bins().Name == name
}

// Find gives the delegation to a role, the first of that name as clients do, or
// nil where there is none.
func (d *Delegations) Find(role string) *Delegated {
	if place, ok := d.Place(role); ok {
		return d.At(place)
	}
	if bins := d.Bins(); bins != nil && IsBin(role, bins.Name, bins.Bits) {
		return bins
	}
	return nil
}

// Explicit is how many roles have hash prefixes, and the name of the first of them.
func (d *Delegations) Explicit() (n int, first string) {
	if d == nil {
		return 0, ""
	}
	return d.explicit, d.first
}

// Key gives the key that is listed under a key ID, or nil.
func (d *Delegations) Key(id string) *Key {
	if d == nil {
		return nil
	}
	place, ok := d.keys.find(id)
	if !ok {
		return nil
	}
	_, raw := d.RawKey(place)
	return parseListed(id, raw)
}

// KeysOf gives those that are listed of some key IDs.
func (d *Delegations) KeysOf(ids []string) map[string]*Key {
	keys := map[string]*Key{}
	for _, id := range ids {
		if key := d.Key(id); key != nil {
			keys[id] = key
		}
	}
	return keys
}

// Keys gives all keys, in the order of their IDs.
func (d *Delegations) Keys() iter.Seq2[string, *Key] {
	return func(yield func(string, *Key) bool) {
		for i := range d.LenKeys() {
			id, raw := d.RawKey(i)
			if !yield(id, parseListed(id, raw)) {
				return
			}
		}
	}
}

// LenKeys is how many keys are listed.
func (d *Delegations) LenKeys() int {
	if d == nil {
		return 0
	}
	return d.keys.len()
}

// RawKey gives the key ID and the canonical bytes of a key, by its place in the order
// of the key IDs.
func (d *Delegations) RawKey(place int) (id string, raw []byte) {
	for name, value := range Members(d.keys.at(place)) {
		return string(name), value
	}
	return "", nil
}

// KeyPlace gives the place of a key in the order of the key IDs.
func (d *Delegations) KeyPlace(id string) (int, bool) {
	if d == nil {
		return 0, false
	}
	return d.keys.find(id)
}

// Same reports whether roles and keys are the same, to the byte.
func (d *Delegations) Same(other *Delegations) bool {
	if d.Len() != other.Len() || d.LenKeys() != other.LenKeys() {
		return false
	}
	for i := range d.Len() {
		if !bytes.Equal(d.RawAt(i), other.RawAt(i)) {
			return false
		}
	}
	for i := range d.LenKeys() {
		if !bytes.Equal(d.keys.at(i)[1:], other.keys.at(i)[1:]) { // after a brace, or a comma
			return false
		}
	}
	return true
}
