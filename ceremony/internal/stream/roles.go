package stream

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tufceremony/ceremony/internal/tufmeta"
)

// maxApart bounds what is kept of delegated roles until their like is found.
const maxApart = 32 << 20

var errApart = errors.New("comparing delegated roles: the two versions have too many in too different an order")

// roleID stands for a name: half a million names would take more memory.
type roleID [16]byte

// roles finds the delegated roles of two versions together. They have an
// order that means something, and need not be sorted, so those whose like was
// not seen yet are kept. Only where both versions are sorted one can be given
// up.
type roles struct {
	all  [2][]roleID // of the old version, and of the new one
	open [2]map[roleID]role
	held int

	// given is that some were told to have no like before the end, which is
	// certain only if all are sorted.
	given bool
}

type role struct {
	at    int
	value []byte
}

func newRoles() *roles {
	return &roles{open: [2]map[roleID]role{{}, {}}}
}

func (c *comparison) sorted() bool { return !c.old.mixed && !c.now.mixed }

// orderRoles says which of two roles is to be taken first: by name where all
// up to them are sorted by name, and otherwise both.
func (c *comparison) orderRoles() int {
	if !c.sorted() {
		return 0
	}
	return bytes.Compare(c.old.role, c.now.role)
}

// takeRoles gets the roles that stand at one place in the two arrays, or one.
func (c *comparison) takeRoles(change Change) error {
	var ids [2]roleID
	for side, value := range [2][]byte{change.Old, change.New} {
		if value != nil {
			sum := sha256.Sum256([2]*version{&c.old, &c.now}[side].role)
			ids[side] = roleID(sum[:len(roleID{})])
			c.roles.all[side] = append(c.roles.all[side], ids[side])
		}
	}
	if change.Old != nil && change.New != nil && ids[0] == ids[1] {
		return c.tell(change)
	}
	for side, value := range [2][]byte{change.Old, change.New} {
		if value == nil {
			continue
		}
		if err := c.seek(side, ids[side], value); err != nil {
			return err
		}
	}
	return nil
}

// seek finds a role's like among those that wait for it, or has it wait.
func (c *comparison) seek(side int, id roleID, value []byte) error {
	r := c.roles
	if other, ok := r.open[1-side][id]; ok {
		delete(r.open[1-side], id)
		r.held -= len(other.value)
		return c.tell(pair(side, value, other.value))
	}
	full := r.held+len(value) > maxApart
	switch {
	case full && !c.sorted():
		return errApart
	case full:
		r.given = true
		return c.tell(pair(side, value, nil))
	case c.alone(side):
		return c.tell(pair(side, value, nil))
	}
	at := len(r.all[side]) - 1
	if before, twice := r.open[side][id]; twice {
		return sameName(before.at, at, side)
	}
	r.open[side][id] = role{at, bytes.Clone(value)}
	r.held += len(value)
	return nil
}

// alone reports whether the other version has no more roles to come.
func (c *comparison) alone(side int) bool {
	other := [2]*version{&c.now, &c.old}[side]
	return !other.there || compare(other.entry.In, other.entry.Name, Roles, nil) > 0
}

// pair gives the change from a role to its like in the other version, which is
// nil where there is none.
func pair(side int, value, other []byte) Change {
	change := Change{Kind: Changed, In: Roles, Old: other, New: value}
	if side == 0 {
		change.Old, change.New = value, other
	}
	switch {
	case change.Old == nil:
		change.Kind = Added
	case change.New == nil:
		change.Kind = Removed
	case bytes.Equal(value, other):
		change.Kind = Same
	}
	return change
}

func sameName(at, again, side int) error {
	return fmt.Errorf("comparing delegated roles: those at places %d and %d of the %s version have one name", at+1, again+1, [2]string{"old", "new"}[side])
}

// rest tells of the roles that only one version has, and of those that stand
// in another order.
func (c *comparison) rest() error {
	if c.roles.given && !c.sorted() {
		return errApart
	}
	for side, open := range c.roles.open {
		for _, id := range slices.SortedFunc(maps.Keys(open), func(a, b roleID) int { return cmp.Compare(open[a].at, open[b].at) }) {
			if err := c.tell(pair(side, open[id].value, nil)); err != nil {
				return err
			}
		}
	}
	if c.sorted() {
		return nil
	}
	moved, err := c.roles.moved()
	c.found.Moved = moved
	return err
}

// moved counts the roles that come after one which was after them. Names that
// stand twice in an array are found on the way.
func (r *roles) moved() (int, error) {
	places, err := placesOf(r.all[0], 0)
	if err != nil {
		return 0, err
	}
	if _, err := placesOf(r.all[1], 1); err != nil {
		return 0, err
	}
	moved, last := 0, -1
	for _, id := range r.all[1] {
		i, ok := slices.BinarySearchFunc(places, id, func(at int32, id roleID) int { return bytes.Compare(r.all[0][at][:], id[:]) })
		if !ok {
			continue
		}
		at := int(places[i])
		if at < last {
			moved++
		}
		last = max(last, at)
	}
	return moved, nil
}

// placesOf gives the places of an array in the order of the IDs there.
func placesOf(ids []roleID, side int) ([]int32, error) {
	places := make([]int32, len(ids))
	for i := range places {
		places[i] = int32(i)
	}
	slices.SortFunc(places, func(a, b int32) int { return cmp.Or(bytes.Compare(ids[a][:], ids[b][:]), cmp.Compare(a, b)) })
	for i := 1; i < len(places); i++ {
		if a, b := places[i-1], places[i]; ids[a] == ids[b] {
			return nil, sameName(int(a), int(b), side)
		}
	}
	return places, nil
}

// RoleName gives the name in an entry of Roles, without escapes.
func RoleName(value []byte) ([]byte, error) {
	if bytes.HasPrefix(value, []byte("{")) {
		for name, v := range tufmeta.Members(value) {
			if string(name) == "name" && v[0] == '"' {
				return tufmeta.Unescape(v[1 : len(v)-1]), nil
			}
		}
	}
	return nil, errors.New("reading metadata: " + Roles.String() + " has an entry without a name")
}
