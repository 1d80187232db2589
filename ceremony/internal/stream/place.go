package stream

import (
	"bytes"
	"slices"
)

// Place is where in the signed part an entry stands.
type Place int

// The places that have entries of their own, since each may have a million.
const (
	Signed      Place = iota // fields, which are small: version, expires, what is not known
	Targets                  // signed.targets
	Meta                     // signed.meta, of a snapshot
	Delegations              // signed.delegations, but for the two below: succinct_roles
	Keys                     // signed.delegations.keys
	Roles                    // signed.delegations.roles, an array: its entries have no name
	places
	outer Place = -1 // the envelope
)

// String gives the place as errors name it.
func (p Place) String() string {
	switch p {
	case Signed:
		return "signed"
	case Targets, Meta, Delegations, Keys, Roles:
		within, name := p.within()
		return within.String() + "." + name
	}
	return "metadata"
}

// member is a name that means something at a place.
type member struct {
	name  string
	opens Place // where its own members are entries; the place itself if they are not
}

var (
	ofEnvelope    = []member{{"signatures", outer}, {"signed", Signed}}
	ofSigned      = []member{{"_type", Signed}, {"delegations", Delegations}, {"expires", Signed}, {"meta", Meta}, {"spec_version", Signed}, {"targets", Targets}, {"version", Signed}}
	ofDelegations = []member{{"keys", Keys}, {"roles", Roles}, {"succinct_roles", Delegations}}
)

func (p Place) members() []member {
	switch p {
	case outer:
		return ofEnvelope
	case Signed:
		return ofSigned
	case Delegations:
		return ofDelegations
	}
	return nil // names are free there
}

// within gives the place that a place is opened in, and by which name.
func (p Place) within() (Place, string) {
	for _, above := range []Place{Signed, Delegations} {
		for _, m := range above.members() {
			if m.opens == p && p != above {
				return above, m.name
			}
		}
	}
	return outer, "signed"
}

// inside reports whether a place is another one, or stands in it.
func (p Place) inside(other Place) bool {
	for ; p != outer; p, _ = p.within() {
		if p == other {
			return true
		}
		if p == Signed {
			break
		}
	}
	return false
}

// frame gives the bytes that a place begins and ends with.
func (p Place) frame() (begin, end byte) {
	if p == Roles {
		return '[', ']'
	}
	return '{', '}'
}

// path gives the names that lead to a place from the signed part on.
func (p Place) path() [][]byte {
	var path [][]byte
	for p != Signed && p != outer {
		above, name := p.within()
		path, p = append(path, []byte(name)), above
	}
	slices.Reverse(path)
	return path
}

// compare orders entries as they stand in canonical form. What opens a place
// comes before what stands in it. The entries of Roles are all equal.
func compare(in1 Place, name1 []byte, in2 Place, name2 []byte) int {
	if in1 == in2 {
		return bytes.Compare(name1, name2)
	}
	return slices.CompareFunc(full(in1, name1), full(in2, name2), bytes.Compare)
}

func full(in Place, name []byte) [][]byte {
	if in == Roles {
		return in.path()
	}
	return append(in.path(), name)
}
