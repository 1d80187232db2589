package inspect_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

type object = map[string]any

// Each row is a second root after the one of the tests' repository.
func TestChainBroken(t *testing.T) {
	for _, row := range []struct {
		name    string
		change  func(signed object)
		signers []string
		want    string // of Broken, or none
	}{
		{"good", func(object) {}, []string{"holder-1", "holder-2", "holder-3"}, ""},
		{"by the new keys only", keysOf("stranger-1", "stranger-2", "stranger-3"), []string{"stranger-1", "stranger-2", "stranger-3"},
			"root 2 THRESHOLD-OLD has 0 valid signatures of root 1, and 3 are needed"},
		{"by the old keys only", keysOf("stranger-1", "stranger-2", "stranger-3"), []string{"holder-1", "holder-2", "holder-3"},
			"root 2 THRESHOLD-NEW has 0 valid signatures of its own keys, and 3 are needed"},
		{"by both", keysOf("stranger-1", "stranger-2", "stranger-3"), []string{"holder-1", "holder-2", "holder-3", "stranger-1", "stranger-2", "stranger-3"}, ""},
		{"below the threshold", func(object) {}, []string{"holder-1", "holder-2"}, "root 2 THRESHOLD-NEW has 2 valid signatures of its own keys, and 3 are needed"},
		{"a threshold that was lowered", func(s object) { role(s, "root")["threshold"] = int64(1) }, []string{"holder-1"},
			"root 2 THRESHOLD-OLD has 1 valid signatures of root 1, and 3 are needed"},
		{"a threshold of 0", func(s object) { role(s, "root")["threshold"] = int64(0) }, []string{"holder-1", "holder-2", "holder-3"},
			"root 2 THRESHOLD-NEW has 3 valid signatures of its own keys, and 0 are needed"},
		{"two versions on", func(s object) { s["version"] = int64(3) }, []string{"holder-1", "holder-2", "holder-3"},
			"root 3 VERSION-SEQUENCE does not follow root 1: root 2 is missing"},
		{"the same version", func(s object) { s["version"] = int64(1) }, []string{"holder-1", "holder-2", "holder-3"},
			"root 1 VERSION-SEQUENCE is given twice"},
	} {
		t.Run(row.name, func(t *testing.T) {
			first := inspect.File{Name: "first", Data: ceremonytest.Root(t)}
			second := inspect.File{Name: "second", Data: next(t, row.change, row.signers)}
			roots := chain(t, []inspect.File{second, first})
			if row.want == "" && !roots.Valid() {
				t.Errorf("broken: %v", roots.Broken)
			} else if row.want != "" {
				wantBroken(t, roots, row.want)
			}
		})
	}
}

// One holder's key, listed under two key IDs, signs under both: it counts
// once, and it is told.
func TestChainSharedKey(t *testing.T) {
	var again string
	change := func(s object) {
		copied := object{"x-other": int64(1)}
		for name, v := range ceremonytest.Object(t, "holder-1").Object {
			copied[name] = v
		}
		key, err := tufmeta.WithID(copied)
		if err != nil {
			t.Fatal(err)
		}
		again = key.ID
		s["keys"].(object)[again] = copied
		role(s, "root")["keyids"] = append(role(s, "root")["keyids"].([]any), again)
		role(s, "root")["threshold"] = int64(2)
	}
	data := next(t, change, []string{"holder-1"})
	sig := data[bytes.Index(data, []byte(`"sig":"`))+7:]
	sig = sig[:bytes.IndexByte(sig, '"')]
	data = bytes.Replace(data, []byte("[{"), []byte(`[{"keyid":"`+again+`","sig":"`+string(sig)+`"},{`), 1)
	roots := chain(t, []inspect.File{{Name: "shared", Data: data}})
	l := roots.Last()
	if len(l.New.Judged) != 2 || l.New.Judged[0].Verdict != tufmeta.Valid || l.New.Judged[1].Verdict != tufmeta.Valid {
		t.Fatalf("the signatures should both be good: %v", l.New.Judged)
	}
	if l.New.Valid() != 1 || roots.Valid() || count(l, "KEY-SHARED") != 1 {
		t.Errorf("%d signers counted for one key, KEY-SHARED told %d times", l.New.Valid(), count(l, "KEY-SHARED"))
	}
}

func TestChainUnreadable(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":        "{",
		"member twice":   `{"signatures":[],"signatures":[],"signed":{}}`,
		"targets":        string(ceremonytest.Trusted(t)["trusted/1.targets.json"]),
		"signed missing": `{"signatures":[]}`,
	} {
		_, err := inspect.Chain([]inspect.File{{Name: "some.json", Data: []byte(data)}}, at)
		if err == nil || !strings.Contains(err.Error(), `"some.json"`) {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
}

func TestNoRoots(t *testing.T) {
	if roots := chain(t, nil); roots.Valid() {
		t.Error("no root at all is a valid chain")
	}
}

// next is the second root, signed under the key IDs of the signers' keys.
func next(t *testing.T, change func(object), signers []string) []byte {
	t.Helper()
	env, err := tufmeta.ParseEnvelope(ceremonytest.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	signed := env.Signed
	signed["version"] = int64(2)
	change(signed)
	for id, v := range signed["keys"].(object) {
		if token, ok := v.(string); ok { // see keysOf
			key := ceremonytest.Object(t, token)
			delete(signed["keys"].(object), id)
			signed["keys"].(object)[key.ID] = key.Object
			for i, listed := range role(signed, "root")["keyids"].([]any) {
				if listed == id {
					role(signed, "root")["keyids"].([]any)[i] = key.ID
				}
			}
		}
	}
	canonical, err := tufmeta.Encode(signed)
	if err != nil {
		t.Fatal(err)
	}
	list := []any{}
	for _, token := range signers {
		list = append(list, object{"keyid": ceremonytest.Object(t, token).ID, "sig": hex.EncodeToString(ceremonytest.Signature(t, token, canonical))})
	}
	signatures, err := tufmeta.Encode(list)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"signatures":` + string(signatures) + `,"signed":` + string(tufmeta.JSON(canonical)) + `}`)
}

// keysOf gives root the keys of other tokens: under their names, which next
// turns into key objects.
func keysOf(tokens ...string) func(object) {
	return func(signed object) {
		ids := []any{}
		for _, token := range tokens {
			signed["keys"].(object)[token] = token
			ids = append(ids, token)
		}
		role(signed, "root")["keyids"] = ids
	}
}

func role(signed object, name string) object { return signed["roles"].(object)[name].(object) }
