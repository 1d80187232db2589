package ceremonytest

import (
	"testing"

	"tufceremony/ceremony/internal/tufmeta"
)

// Delegations are those to some roles, with some keys, as they are read from
// metadata. Succinct bins, of which there may be one, have Bits.
func Delegations(t testing.TB, keys []*tufmeta.Key, roles ...tufmeta.Delegated) *tufmeta.Delegations {
	t.Helper()
	listed, list := map[string]any{}, []any{}
	tree := map[string]any{"keys": listed}
	for _, key := range keys {
		listed[key.ID] = key.Object
	}
	for _, d := range roles {
		role := map[string]any{"keyids": texts(d.KeyIDs), "threshold": int64(d.Threshold)}
		if d.Bits > 0 {
			role["bit_length"], role["name_prefix"] = int64(d.Bits), d.Name
			tree["succinct_roles"] = role
			continue
		}
		role["name"], role["terminating"] = d.Name, d.Terminating
		if d.Paths != nil {
			role["paths"] = texts(d.Paths)
		}
		if d.Prefixes != nil {
			role["path_hash_prefixes"] = texts(d.Prefixes)
		}
		list = append(list, role)
	}
	tree["roles"] = list
	made, err := tufmeta.ParseDelegations(tree)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func texts(list []string) []any {
	out := []any{}
	for _, text := range list {
		out = append(out, text)
	}
	return out
}
