package draft

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

// promote goes on from what a role delegates: projects of the plan's list are put
// in the place of the role that they have or, sorted by role, after all others;
// those that are withdrawn go. All else stays as it is, in its order.
func promote(t *plan.TargetsPlan, signed map[string]any) error {
	before, _ := signed["delegations"].(map[string]any)
	if _, bins := before["succinct_roles"]; bins {
		return errors.New("it delegates to succinct bins, beside which TUF has no projects")
	}
	m := &merge{keys: map[string]any{}, change: map[string]projects.Entry{}, gone: map[string]string{}, left: map[string]bool{}}
	if keys, ok := before["keys"].(map[string]any); ok {
		maps.Copy(m.keys, keys)
	}
	for _, e := range t.Claimed() {
		m.change[e.Role()] = e
	}
	for _, project := range t.Withdraw {
		m.gone[projects.Role(project)] = project
	}
	roles, _ := before["roles"].([]any)
	if err := m.merge(roles); err != nil {
		return err
	}
	delete(signed, "delegations")
	if len(m.roles) == 0 {
		return nil
	}
	out := map[string]any{}
	maps.Copy(out, before)
	out["keys"], out["roles"] = m.keys, m.roles
	signed["delegations"] = out
	return nil
}

type merge struct {
	keys   map[string]any // key objects by ID
	roles  []any
	change map[string]projects.Entry // by role; those that are still to come
	gone   map[string]string         // the same of projects that are withdrawn
	left   map[string]bool           // key IDs of roles that go or change
}

func (m *merge) merge(roles []any) error {
	for _, v := range roles {
		role, _ := v.(map[string]any)
		name, _ := role["name"].(string)
		e, changed := m.change[name]
		switch _, withdrawn := m.gone[name]; {
		case withdrawn:
			m.leave(role)
			delete(m.gone, name)
		case changed:
			m.leave(role)
			delete(m.change, name)
			if err := m.put(role, e); err != nil {
				return err
			}
		default:
			m.roles = append(m.roles, v)
		}
	}
	if len(m.gone) > 0 {
		return fmt.Errorf("the plan withdraws \"%s\", to which it does not delegate", strings.Join(slices.Sorted(maps.Values(m.gone)), "\", \""))
	}
	for _, name := range slices.Sorted(maps.Keys(m.change)) {
		if err := m.put(nil, m.change[name]); err != nil {
			return err
		}
	}
	m.dropKeys()
	return nil
}

// put writes the role of a project. Of one that it has already, what nobody here
// knows is carried over.
func (m *merge) put(before map[string]any, e projects.Entry) error {
	role, ids := map[string]any{}, []any{}
	maps.Copy(role, before)
	delete(role, "path_hash_prefixes")
	for _, listed := range e.Keys {
		key, err := listed.Public()
		if err != nil {
			return fmt.Errorf("reading a key of project \"%s\": %w", tufmeta.Printable(e.Project), err)
		}
		m.keys[key.ID] = key.Object
		ids = append(ids, key.ID)
	}
	role["name"], role["keyids"], role["threshold"], role["paths"], role["terminating"] = e.Role(), ids, int64(e.Threshold), texts(e.Paths), true
	m.roles = append(m.roles, role)
	return nil
}

func (m *merge) leave(role map[string]any) {
	ids, _ := role["keyids"].([]any)
	for _, id := range ids {
		if text, ok := id.(string); ok {
			m.left[text] = true
		}
	}
}

// dropKeys takes out the keys that no role has any more, of those that had one.
func (m *merge) dropKeys() {
	for _, v := range m.roles {
		role, _ := v.(map[string]any)
		ids, _ := role["keyids"].([]any)
		for _, id := range ids {
			if text, ok := id.(string); ok {
				delete(m.left, text)
			}
		}
	}
	for id := range m.left {
		delete(m.keys, id)
	}
}
