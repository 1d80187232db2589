package tufmeta

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// A role or a key that is taken as it stands is one with which the tree's reader finds
// nothing wrong, and says the same.
func TestPlain(t *testing.T) {
	random := rand.New(rand.NewPCG(20261123, 1))
	values := []any{nil, true, false, int64(1), int64(-1), int64(1) << 31, int64(0), "", "a", "\"\\,]}", []any{}, []any{"a", "b\""}, []any{"a", int64(1)}, []any{[]any{"x"}},
		map[string]any{}, map[string]any{"public": "-----BEGIN\n{\"", "x": nil}, map[string]any{"public": int64(1)}, map[string]any{"Public": "x"}}
	members := []string{"name", "keyids", "threshold", "paths", "path_hash_prefixes", "terminating", "Name", "x", "keytype", "scheme", "keyval", "KEYVAL"}
	good := map[string]any{"name": "a", "keyids": []any{"k"}, "threshold": int64(2), "paths": []any{"a/*"}}
	plain := 0
	for range 50_000 {
		object := map[string]any{}
		if random.IntN(2) == 0 {
			for name, v := range good {
				object[name] = v
			}
		}
		for range random.IntN(4) {
			object[members[random.IntN(len(members))]] = values[random.IntN(len(values))]
		}
		raw, err := Encode(object)
		if err != nil {
			t.Fatal(err)
		}
		have := Delegated{}
		ok := plainRole(raw, &have, true)
		if plainRole(raw, &Delegated{}, false) != ok {
			t.Fatalf("%s is taken, or is not", raw)
		}
		r := reader{}
		if want := r.delegated("at", object); ok && (r.err != nil || !reflect.DeepEqual(have, want)) {
			t.Fatalf("%s is taken for %+v, and is %+v, %v", raw, have, want, r.err)
		}
		if ok {
			plain++
		}
		r = reader{}
		if r.key("at", object); plainKey(raw) && r.err != nil {
			t.Fatalf("%s is taken, and is refused: %v", raw, r.err)
		}
	}
	if plain == 0 {
		t.Error("none is plain")
	}
	for _, raw := range []string{"null", "1", `"x"`, "[]", "true"} {
		if plainRole([]byte(raw), &Delegated{}, false) || plainKey([]byte(raw)) {
			t.Errorf("%s is taken", raw)
		}
	}
}

// Members gives what stands in an object, and elements what stands in an array.
func TestMembers(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"a":1}`: "a=1;", `{"a":{"b":[1,"}"]},"c\"\\":"x\\","d":[],"e":null}`: `a={"b":[1,"}"]};c"\="x\\";d=[];e=null;`, `[]`: "", `7`: "", `""`: "",
	} {
		have := ""
		for name, value := range Members([]byte(text)) {
			have += fmt.Sprintf("%s=%s;", name, value)
		}
		if have != want {
			t.Errorf("%s: %s, want %s", text, have, want)
		}
	}
	for text, want := range map[string]string{`[]`: "", `[1]`: "1;", `["a]",[2,[3]],{"x":[4]},null]`: `"a]";[2,[3]];{"x":[4]};null;`} {
		have := ""
		for value := range elements([]byte(text)) {
			have += string(value) + ";"
		}
		if have != want {
			t.Errorf("%s: %s, want %s", text, have, want)
		}
	}
}
