package stream

import (
	"bytes"
	"cmp"
	"fmt"
)

// Kind is how an entry of one version stands to that of another.
type Kind int

// The kinds of a Change.
const (
	Same    Kind = iota
	Added        // the old version does not have it
	Removed      // the new version does not have it
	Changed      // both have it, with other bytes
	kinds
)

// Change is an entry of either version, and is valid until visit returns. Name
// is empty for delegated roles, whose name stands in the value. Both values
// are nil for a place that only one version has, as signed.targets.
type Change struct {
	Kind     Kind
	In       Place
	Name     []byte
	Old, New []byte
}

// Difference counts what Compare has seen.
type Difference struct {
	counts [places][kinds]int

	// Moved is how many delegated roles of both versions do not come in the
	// order in which the old version has them. Order is precedence.
	Moved int
}

// Count is the number of entries of a place that are of a kind.
func (d *Difference) Count(in Place, kind Kind) int { return d.counts[in][kind] }

// Compare reads two versions side by side, each of which may be nil, and has
// visit see every entry of either, also those that are the same: in the order
// of the files, but that delegated roles which only one has come last. Roles
// are found together by their names, which takes memory for those that stand
// elsewhere in the other version; it refuses when that is too much.
//
// What was visited is worth nothing if there is an error in the end.
func Compare(old, now *Scanner, visit func(Change) error) (*Difference, error) {
	c := &comparison{visit: visit, roles: newRoles()}
	c.old.Scanner, c.now.Scanner = old, now
	for _, v := range []*version{&c.old, &c.now} {
		if v.Scanner == nil {
			v.Scanner = &Scanner{ended: true}
		}
		defer v.Close()
		if err := v.next(); err != nil { // before either was read, so it is no role
			return nil, err
		}
	}
	err := c.fault()
	for err == nil && (c.old.there || c.now.there) {
		err = c.step()
		err = cmp.Or(c.fault(), err)
	}
	if err == nil {
		err = c.rest()
	}
	if err != nil {
		return nil, err
	}
	return &c.found, nil
}

// fault is what is wrong with either file, which comes before all that was
// made of it.
func (c *comparison) fault() error {
	if err := c.old.fault; err != nil {
		return fmt.Errorf("the old version: %w", err)
	}
	return c.now.fault
}

type comparison struct {
	old, now version
	visit    func(Change) error
	found    Difference
	roles    *roles
}

// version is a scanner, and what it stands on.
type version struct {
	*Scanner
	there bool
	role  []byte // the name of the delegated role, where it stands on one
	mixed bool   // the delegated roles so far are not sorted by name
}

func (v *version) next() error {
	if v.there = v.Next(); !v.there || v.entry.In != Roles {
		return nil
	}
	name, err := RoleName(v.entry.Value)
	v.mixed = v.mixed || v.role != nil && bytes.Compare(v.role, name) >= 0
	v.role = append(v.role[:0], name...)
	return err
}

// after goes on as next does. In nearly all of a file that is where the other
// version has gone.
func (v *version) after(other *version) error {
	if v.follow(other.Scanner) {
		v.there = !v.ended
		return nil
	}
	return v.next()
}

// step takes in the entry that comes first, or the entries that are of one
// name.
func (c *comparison) step() error {
	a, b := c.old.entry, c.now.entry
	order := 0
	switch {
	case !c.now.there:
		order = -1
	case !c.old.there:
		order = 1
	case a.In == Roles && b.In == Roles:
		order = c.orderRoles()
	default:
		order = compare(a.In, a.Name, b.In, b.Name)
	}
	change := Change{Kind: Same, In: a.In, Name: a.Name, Old: a.Value, New: b.Value}
	switch {
	case order < 0:
		change.Kind, change.New = Removed, nil
	case order > 0:
		change = Change{Kind: Added, In: b.In, Name: b.Name, New: b.Value}
	case !bytes.Equal(a.Value, b.Value):
		change.Kind = Changed
	}
	if err := c.take(change); err != nil {
		return err
	}
	switch {
	case order < 0:
		return c.old.next()
	case order > 0:
		return c.now.next()
	}
	err := c.now.next()
	return cmp.Or(c.old.after(&c.now), err)
}

func (c *comparison) take(change Change) error {
	if change.In == Roles {
		return c.takeRoles(change)
	}
	return c.tell(change)
}

func (c *comparison) tell(change Change) error {
	c.found.counts[change.In][change.Kind]++
	return c.visit(change)
}
