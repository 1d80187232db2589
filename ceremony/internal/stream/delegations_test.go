package stream_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// names are few, so that some stand twice, and odd.
var names = []string{"a", "b", `"\`, "é\n", "bin", "bin-3", "project.x", ""}

func anyOf(random *rand.Rand) string { return names[random.IntN(len(names))] }

func listOf(random *rand.Rand) []any {
	list := []any{}
	for range random.IntN(3) {
		list = append(list, anyOf(random))
	}
	return list
}

// delegating makes random targets metadata without fault.
func delegating(random *rand.Rand) map[string]any {
	keys, roles := map[string]any{}, []any{}
	for range random.IntN(5) {
		key := map[string]any{"keytype": "ed25519", "scheme": "ed25519", "keyval": map[string]any{"public": fmt.Sprintf("%064x", random.IntN(9))}}
		switch random.IntN(5) {
		case 0:
			key["more"] = value(random, 2)
		case 1:
			key["keyval"] = value(random, 2)
		case 2:
			key["keyval"] = map[string]any{"public": "-----BEGIN\n", "x": value(random, 1)}
		case 3:
			delete(key, "scheme")
		}
		keys[anyOf(random)] = key
	}
	for range random.IntN(6) {
		role := map[string]any{"name": anyOf(random), "keyids": listOf(random), "threshold": int64(random.IntN(4) - 1)}
		if random.IntN(2) == 0 {
			role["paths"] = listOf(random)
		}
		if random.IntN(4) == 0 {
			role["path_hash_prefixes"] = listOf(random)
		}
		if random.IntN(2) == 0 {
			role["terminating"] = random.IntN(2) == 0
		}
		if random.IntN(4) == 0 {
			role["x-more"] = value(random, 2)
		}
		roles = append(roles, role)
	}
	d := map[string]any{"keys": keys, "x": value(random, 2)}
	if random.IntN(4) > 0 {
		d["roles"] = roles
	}
	if random.IntN(3) == 0 {
		d["succinct_roles"] = map[string]any{"name_prefix": "bin", "bit_length": int64(2), "keyids": listOf(random), "threshold": int64(1), "x": value(random, 1)}
	}
	return map[string]any{"_type": "targets", "expires": "2027-01-31T09:00:00Z", "spec_version": "1.0.34", "version": int64(3), "targets": map[string]any{}, "delegations": d}
}

// faulty breaks one thing, and gives false where there was nothing to break.
func faulty(random *rand.Rand, signed map[string]any) bool {
	d := signed["delegations"].(map[string]any)
	roles, _ := d["roles"].([]any)
	keys := d["keys"].(map[string]any)
	wrong := []any{nil, int64(7), "x", true, []any{int64(1)}, []any{"a", nil}, map[string]any{}, int64(1) << 40}
	put := func(object map[string]any, members ...string) {
		member := members[random.IntN(len(members))]
		switch random.IntN(4) {
		case 0:
			delete(object, member)
		case 1:
			object[strings.ToUpper(member)] = int64(1)
		default:
			object[member] = wrong[random.IntN(len(wrong))]
		}
	}
	switch kind := random.IntN(8); {
	case kind == 0:
		put(d, "keys", "roles", "succinct_roles")
	case kind == 1 && d["succinct_roles"] != nil:
		put(d["succinct_roles"].(map[string]any), "name_prefix", "bit_length", "keyids", "threshold")
	case kind == 2 && len(roles) > 0:
		roles[random.IntN(len(roles))] = wrong[random.IntN(len(wrong))]
	case kind < 6 && len(roles) > 0:
		put(roles[random.IntN(len(roles))].(map[string]any), "name", "keyids", "threshold", "paths", "path_hash_prefixes", "terminating")
	case len(keys) > 0:
		for id, key := range keys {
			if put(key.(map[string]any), "keytype", "scheme", "keyval"); random.IntN(3) == 0 {
				keys[id] = wrong[random.IntN(len(wrong))]
			}
			return true
		}
	default:
		return false
	}
	return true
}

// What a large file delegates is what its tree has; and what is wrong with it is said
// in the same words.
func TestDelegationsOfHead(t *testing.T) {
	random := rand.New(rand.NewPCG(20261123, 2))
	refused := 0
	for range many(20_000) {
		signed := delegating(random)
		if random.IntN(3) == 0 {
			faulty(random, signed)
		}
		payload, err := tufmeta.Encode(signed)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := tufmeta.ParseSigned(payload)
		if err != nil {
			t.Fatal(err)
		}
		_, want := tufmeta.ParseTargets(tree)
		if want != nil {
			refused++
		}
		file := []byte(`{ "signatures":[], "signed" : ` + string(tufmeta.JSON(payload)) + "}")
		size := 1 << random.IntN(10)
		for published, data := range map[bool][]byte{false: payload, true: file} {
			head, err := stream.HeadBy(data, published, size)
			var have *tufmeta.Targets
			if err == nil {
				have, err = head.Parse()
			}
			if fmt.Sprint(err) != fmt.Sprint(want) {
				t.Fatalf("%s\nin a large file: %v\nin a small one: %v", payload, err, want)
			}
			if err == nil {
				sameDelegations(t, have.Delegations, tree)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// asked wants what a head delegates to be what the tree has.
func asked(t *testing.T, head *stream.Head, tree map[string]any) {
	t.Helper()
	parsed, err := head.Parse()
	if err != nil {
		t.Fatal(err)
	}
	sameDelegations(t, parsed.Delegations, tree)
}

// sameDelegations asks for each role and each key, and looks into the tree for them.
func sameDelegations(t *testing.T, d *tufmeta.Delegations, tree map[string]any) {
	t.Helper()
	object, _ := tree["delegations"].(map[string]any)
	roles, _ := object["roles"].([]any)
	keys, _ := object["keys"].(map[string]any)
	bins, _ := object["succinct_roles"].(map[string]any)
	if d.LenListed() != len(roles) || d.LenKeys() != len(keys) || (d.Bins() != nil) != (bins != nil) {
		t.Fatalf("%d roles and %d keys, of %v", d.LenListed(), d.LenKeys(), tree)
	}
	explicit, first := 0, map[string]int{}
	for i, v := range roles {
		role := v.(map[string]any)
		name := role["name"].(string)
		if _, twice := first[name]; !twice {
			first[name] = i
		}
		if _, ok := role["path_hash_prefixes"]; ok {
			explicit++
		}
		have := d.At(i)
		if have.Name != name || d.NameAt(i) != name || int64(have.Threshold) != role["threshold"] || !reflect.DeepEqual(have.Object(), role) ||
			!texts(have.KeyIDs, role["keyids"]) || !texts(have.Paths, role["paths"]) || !texts(have.Prefixes, role["path_hash_prefixes"]) || have.Terminating != (role["terminating"] == true) {
			t.Fatalf("role %d is %+v, of %v", i, have, role)
		}
	}
	for _, name := range append(names, "bin-0", "bin-4") {
		place, listed := d.Place(name)
		at, want := first[name]
		if listed != want || listed && place != at {
			t.Fatalf("%q is at %d, of %v", name, place, tree)
		}
		found := d.Find(name)
		isBin := bins != nil && tufmeta.IsBin(name, bins["name_prefix"].(string), int(bins["bit_length"].(int64)))
		if (found != nil) != (want || isBin) || found != nil && (found.Bins > 0) == want {
			t.Fatalf("%q is %+v, of %v", name, found, tree)
		}
		object, listed := keys[name].(map[string]any)
		if key := d.Key(name); (key != nil) != listed || key != nil && !reflect.DeepEqual(key, tufmeta.ParseKey(name, object)) {
			t.Fatalf("key %q is %+v, of %v", name, key, tree)
		}
	}
	if n, _ := d.Explicit(); n != explicit {
		t.Fatalf("%d have prefixes, of %v", n, tree)
	}
	var ids []string
	for id, key := range d.Keys() {
		ids = append(ids, id)
		if key.ID != id {
			t.Fatalf("key %q is listed as %q", key.ID, id)
		}
	}
	if !slices.IsSorted(ids) || len(ids) != len(keys) {
		t.Fatalf("keys are %q", ids)
	}
}

// texts compares a list with one of a tree, nil where there is none.
func texts(have []string, want any) bool {
	list, _ := want.([]any)
	if len(have) != len(list) {
		return false
	}
	for i := range list {
		if have[i] != list[i] {
			return false
		}
	}
	return true
}
