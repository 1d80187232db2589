package draft

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// promotion goes on from what a role delegates: projects of the plan's list are
// put in the place of the role that they have or, sorted by role, after all
// others; those that are withdrawn go. All else is copied, in its order.
type promotion struct {
	change map[string]projects.Entry // by role; those that are still to come
	gone   map[string]bool           // the roles of projects that are withdrawn
	left   map[string]bool           // key IDs that no role has any more, of roles that go or change
	fresh  map[string]map[string]any // key objects of the list, by ID
	none   bool                      // nothing is delegated any more
}

// promote looks at what was delegated before, and says what changes.
func promote(t *plan.TargetsPlan, before *tufmeta.Delegations) (*promotion, error) {
	p := &promotion{change: map[string]projects.Entry{}, gone: map[string]bool{}, left: map[string]bool{}, fresh: map[string]map[string]any{}}
	for _, e := range t.Claimed() {
		p.change[e.Role()] = e
		for _, listed := range e.Keys {
			key, err := listed.Public()
			if err != nil {
				return nil, fmt.Errorf("reading a key of project \"%s\": %w", tufmeta.Printable(e.Project), err)
			}
			p.fresh[key.ID] = key.Object
		}
	}
	absent := map[string]string{}
	for _, project := range t.Withdraw {
		p.gone[projects.Role(project)], absent[projects.Role(project)] = true, project
	}
	if before.Bins() != nil {
		return nil, errors.New("it delegates to succinct bins, beside which TUF has no projects")
	}
	p.leave(before, absent)
	if len(absent) > 0 {
		return nil, fmt.Errorf("the plan withdraws \"%s\", to which it does not delegate", strings.Join(slices.Sorted(maps.Values(absent)), "\", \""))
	}
	return p, nil
}

// leave finds the keys that go, and takes out of absent what is there.
func (p *promotion) leave(before *tufmeta.Delegations, absent map[string]string) {
	stay := len(p.change)
	for _, d := range before.All() {
		if p.stays(d.Name) {
			stay++
			continue
		}
		for _, id := range d.KeyIDs {
			p.left[id] = true
		}
		delete(absent, d.Name)
	}
	if p.none = stay == 0; len(p.left) == 0 {
		return
	}
	for _, d := range before.All() {
		if !p.stays(d.Name) {
			continue
		}
		for _, id := range d.KeyIDs {
			delete(p.left, id)
		}
	}
}

// stays reports whether a role is neither of the list nor withdrawn.
func (p *promotion) stays(role string) bool {
	_, changes := p.change[role]
	return !changes && !p.gone[role]
}

// edits are the changes to the keys, or the end of all delegations.
func (p *promotion) edits() []stream.Edit {
	if p.none {
		return []stream.Edit{{In: stream.Signed, Name: "delegations", To: stream.Set(nil)}}
	}
	var list []stream.Edit
	for id, object := range p.fresh {
		list = append(list, stream.Edit{In: stream.Keys, Name: id, To: func([]byte) ([]byte, error) { return tufmeta.Encode(object) }})
	}
	for id := range p.left {
		if p.fresh[id] == nil {
			list = append(list, stream.Edit{In: stream.Keys, Name: id, To: stream.Set(nil)})
		}
	}
	return list
}

// roles gives what stands in the place of a role, or after the last one. Of two
// of one name only the first is looked at, as clients do.
func (p *promotion) roles(old []byte) ([][]byte, error) {
	if old == nil {
		return p.rest()
	}
	text, err := stream.RoleName(old)
	if err != nil {
		return nil, err
	}
	name := string(text)
	if p.gone[name] {
		return nil, nil
	}
	e, changes := p.change[name]
	if !changes {
		return [][]byte{old}, nil
	}
	delete(p.change, name)
	before, err := tufmeta.ParseCanonical(old)
	if err != nil {
		return nil, err
	}
	value, err := claim(before, e)
	return [][]byte{value}, err
}

func (p *promotion) rest() ([][]byte, error) {
	var all [][]byte
	for _, name := range slices.Sorted(maps.Keys(p.change)) {
		value, err := claim(nil, p.change[name])
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

// claim is the role of a project. Of one that it has already, what nobody here
// knows is carried over.
func claim(before any, e projects.Entry) ([]byte, error) {
	role, ids := map[string]any{}, []any{}
	if object, ok := before.(map[string]any); ok {
		maps.Copy(role, object)
	}
	delete(role, "path_hash_prefixes")
	for _, listed := range e.Keys {
		key, err := listed.Public()
		if err != nil {
			return nil, err
		}
		ids = append(ids, key.ID)
	}
	role["name"], role["keyids"], role["threshold"], role["paths"], role["terminating"] = e.Role(), ids, int64(e.Threshold), texts(e.Paths), true
	return tufmeta.Encode(role)
}
