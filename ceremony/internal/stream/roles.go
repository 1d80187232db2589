package stream

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// maxApart bounds what is kept of delegated roles until their like is found.
const maxApart = 32 << 20

var errApart = errors.New("comparing delegated roles: the two versions have too many in too different an order")

// roleID stands for a name: half a million names would take more memory.
type roleID [16]byte

// standing is a delegated role's place in the array.
type standing struct {
	id roleID
	at int
}

// roles finds the delegated roles of two versions together. They have an
// order that means something, and need not be sorted, so those whose like was
// not seen yet must be kept.
type roles struct {
	all  [2][]standing // of the old version, and of the new one
	open [2]map[roleID]role
	held int
}

type role struct {
	at    int
	value []byte
}

func newRoles() *roles {
	return &roles{open: [2]map[roleID]role{{}, {}}}
}

// takeRoles gets the roles that stand at one place in the two arrays, or one
// of a version that is longer.
func (c *comparison) takeRoles(change Change) error {
	for side, value := range [2][]byte{change.Old, change.New} {
		if value == nil {
			continue
		}
		if err := c.takeRole(side, value); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) takeRole(side int, value []byte) error {
	name, err := RoleName(value)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(name))
	id := roleID(sum[:len(roleID{})])
	r := c.roles
	at := len(r.all[side])
	r.all[side] = append(r.all[side], standing{id, at})
	if other, ok := r.open[1-side][id]; ok {
		delete(r.open[1-side], id)
		r.held -= len(other.value)
		return c.pair(side, value, other.value)
	}
	if c.alone(side) {
		return c.tell(single(side, value))
	}
	if _, twice := r.open[side][id]; twice {
		return fmt.Errorf("comparing delegated roles: name \"%s\" stands twice", shown([]byte(name)))
	}
	r.open[side][id] = role{at, bytes.Clone(value)}
	if r.held += len(value); r.held > maxApart {
		return errApart
	}
	return nil
}

// alone reports whether the other version has no more roles to come.
func (c *comparison) alone(side int) bool {
	other := [2]*version{&c.now, &c.old}[side]
	return !other.there || compare(other.entry.In, other.entry.Name, Roles, nil) > 0
}

func (c *comparison) pair(side int, value, other []byte) error {
	change := Change{Kind: Same, In: Roles, Old: other, New: value}
	if side == 0 {
		change.Old, change.New = value, other
	}
	if !bytes.Equal(value, other) {
		change.Kind = Changed
	}
	return c.tell(change)
}

func single(side int, value []byte) Change {
	if side == 0 {
		return Change{Kind: Removed, In: Roles, Old: value}
	}
	return Change{Kind: Added, In: Roles, New: value}
}

// rest tells of the roles that only one version has, and of those that stand
// in another order.
func (c *comparison) rest() error {
	for side, open := range c.roles.open {
		for _, id := range slices.SortedFunc(maps.Keys(open), func(a, b roleID) int { return cmp.Compare(open[a].at, open[b].at) }) {
			if err := c.tell(single(side, open[id].value)); err != nil {
				return err
			}
		}
	}
	moved, err := c.roles.moved()
	c.found.Moved = moved
	return err
}

// moved counts the roles that come before one which was before them. Names
// that stand twice in an array are found on the way.
func (r *roles) moved() (int, error) {
	for side, all := range r.all {
		slices.SortFunc(all, func(a, b standing) int { return cmp.Or(bytes.Compare(a.id[:], b.id[:]), cmp.Compare(a.at, b.at)) })
		for i := 1; i < len(all); i++ {
			if all[i].id == all[i-1].id {
				return 0, fmt.Errorf("comparing delegated roles: those at places %d and %d of the %s version have one name", all[i-1].at+1, all[i].at+1, [2]string{"old", "new"}[side])
			}
		}
	}
	var both [][2]int // places in the old version and in the new
	for i, j := 0, 0; i < len(r.all[0]) && j < len(r.all[1]); {
		switch a, b := r.all[0][i], r.all[1][j]; bytes.Compare(a.id[:], b.id[:]) {
		case -1:
			i++
		case 1:
			j++
		default:
			both = append(both, [2]int{a.at, b.at})
			i++
			j++
		}
	}
	slices.SortFunc(both, func(a, b [2]int) int { return cmp.Compare(a[1], b[1]) })
	moved, last := 0, -1
	for _, at := range both {
		if at[0] < last {
			moved++
		}
		last = max(last, at[0])
	}
	return moved, nil
}

// RoleName gives the name in an entry of Roles.
func RoleName(value []byte) (string, error) {
	if bytes.HasPrefix(value, []byte("{")) {
		for name, v := range Members(value) {
			if string(name) == "name" && v[0] == '"' {
				return string(unescape(v[1 : len(v)-1])), nil
			}
		}
	}
	return "", errors.New("reading metadata: " + Roles.String() + " has an entry without a name")
}
