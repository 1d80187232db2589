package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

func edits(list ...stream.Edit) iter.Seq2[stream.Edit, error] {
	return func(yield func(stream.Edit, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func merge(last string, roles func([]byte) ([][]byte, error), list ...stream.Edit) (string, error) {
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	var s *stream.Scanner
	if last != "" {
		s = payload(last)
	}
	if err := stream.Merge(w, s, edits(list...), roles); err != nil {
		return "", err
	}
	sum, err := w.Close()
	if err == nil && sum != digest(out.Bytes()) {
		return "", fmt.Errorf("the digest is %s", sum)
	}
	return out.String(), err
}

func TestMerge(t *testing.T) {
	set := func(in stream.Place, name, value string) stream.Edit {
		return stream.Edit{In: in, Name: name, To: stream.Set([]byte(value))}
	}
	gone := func(in stream.Place, name string) stream.Edit {
		return stream.Edit{In: in, Name: name, To: stream.Set(nil)}
	}
	const last = `{"_type":"targets","delegations":{"keys":{"k1":{}},"roles":[{"name":"b"},{"name":"a"}]},"targets":{"a":{"length":1},"c":{"length":3}},"version":7}`
	for _, row := range []struct {
		name string
		last string
		list []stream.Edit
		want string
	}{
		{"nothing", last, nil, last},
		{"a place as a whole", last, []stream.Edit{set(stream.Signed, "delegations", `{"keys":{"k2":{}}}`)}, `{"_type":"targets","delegations":{"keys":{"k2":{}}},"targets":{"a":{"length":1},"c":{"length":3}},"version":7}`},
		{"a place away", last, []stream.Edit{gone(stream.Signed, "delegations"), set(stream.Targets, "b", `2`)}, `{"_type":"targets","targets":{"a":{"length":1},"b":2,"c":{"length":3}},"version":7}`},
		{"all places", last, []stream.Edit{gone(stream.Signed, "delegations"), set(stream.Signed, "targets", `{}`)}, `{"_type":"targets","targets":{},"version":7}`},
		{"in every place", last, []stream.Edit{
			set(stream.Signed, "A", "1"), set(stream.Keys, "k0", "[]"), gone(stream.Keys, "k1"), set(stream.Delegations, "succinct_roles", "{}"),
			set(stream.Signed, "expires", `"x"`), set(stream.Targets, "\"\\é", "{}"), set(stream.Targets, "b", "{}"), gone(stream.Targets, "c"), set(stream.Targets, "d", "4"),
			set(stream.Signed, "version", "8"), set(stream.Signed, "x", "null"),
		}, `{"A":1,"_type":"targets","delegations":{"keys":{"k0":[]},"roles":[{"name":"b"},{"name":"a"}],"succinct_roles":{}},"expires":"x","targets":{"\"\\é":{},"a":{"length":1},"b":{},"d":4},"version":8,"x":null}`},
		{"all removed", last, []stream.Edit{gone(stream.Keys, "k1"), gone(stream.Targets, "a"), gone(stream.Targets, "c")},
			`{"_type":"targets","delegations":{"keys":{},"roles":[{"name":"b"},{"name":"a"}]},"targets":{},"version":7}`},
		{"from nothing", "", []stream.Edit{set(stream.Signed, "_type", `"targets"`), set(stream.Keys, "k", "{}"), set(stream.Targets, "a", "{}"), set(stream.Signed, "version", "1")},
			`{"_type":"targets","delegations":{"keys":{"k":{}}},"targets":{"a":{}},"version":1}`},
		{"empty", "", []stream.Edit{set(stream.Signed, "targets", `{}`)}, `{"targets":{}}`},
		{"nothing from nothing", "", nil, `{}`},
	} {
		have, err := merge(row.last, nil, row.list...)
		if err != nil || have != row.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", row.name, err, have, row.want)
		}
		if _, err := read(payload(have)); err != nil {
			t.Errorf("%s: it cannot be read: %v", row.name, err)
		}
	}
}

func TestMergeRoles(t *testing.T) {
	const last = `{"delegations":{"keys":{},"roles":[{"name":"b"},{"name":"a"},{"name":"c"}]},"version":7}`
	without := func(old []byte) ([][]byte, error) {
		switch {
		case old == nil:
			return [][]byte{[]byte(`{"name":"z"}`)}, nil
		case strings.Contains(string(old), `"a"`):
			return nil, nil
		case strings.Contains(string(old), `"c"`):
			return [][]byte{[]byte(`{"name":"before-c"}`), old}, nil
		}
		return [][]byte{old}, nil
	}
	have, err := merge(last, without, stream.Edit{In: stream.Signed, Name: "x", To: stream.Set([]byte("1"))})
	if want := `{"delegations":{"keys":{},"roles":[{"name":"b"},{"name":"before-c"},{"name":"c"},{"name":"z"}]},"version":7,"x":1}`; err != nil || have != want {
		t.Errorf("%v\n%s\nwant\n%s", err, have, want)
	}
	have, err = merge(`{"version":7}`, without, stream.Edit{In: stream.Keys, Name: "k", To: stream.Set([]byte("{}"))})
	if want := `{"delegations":{"keys":{"k":{}},"roles":[{"name":"z"}]},"version":7}`; err != nil || have != want {
		t.Errorf("%v\n%s\nwant\n%s", err, have, want)
	}
	have, err = merge(`{"_type":"x"}`, without)
	if want := `{"_type":"x","delegations":{"roles":[{"name":"z"}]}}`; err != nil || have != want {
		t.Errorf("%v\n%s\nwant\n%s", err, have, want)
	}
}

func TestMergeRefuses(t *testing.T) {
	missing := errors.New("the plan removes what is not there")
	to := stream.Set([]byte("1"))
	for _, row := range []struct {
		name string
		last string
		list []stream.Edit
		want string
	}{
		{"the edit does", `{"targets":{}}`, []stream.Edit{{In: stream.Targets, Name: "a", To: func([]byte) ([]byte, error) { return nil, missing }}}, missing.Error()},
		{"out of order", `{}`, []stream.Edit{{In: stream.Targets, Name: "b", To: to}, {In: stream.Targets, Name: "a", To: to}}, `"a" in signed.targets is changed out of order`},
		{"twice", `{}`, []stream.Edit{{In: stream.Targets, Name: "b", To: to}, {In: stream.Targets, Name: "b", To: to}}, "or twice"},
		{"not canonical", `{}`, []stream.Edit{{In: stream.Targets, Name: "b\u202e", To: stream.Set([]byte("{ }"))}}, `writing "b\u202e" in signed.targets: reading JSON at byte 1`},
		{"two values", `{}`, []stream.Edit{{In: stream.Targets, Name: "b", To: stream.Set([]byte(`{},"c":{}`))}}, "text after the end of the value"},
		{"no text", `{}`, []stream.Edit{{In: stream.Targets, Name: "\xff", To: to}}, "is not valid UTF-8"},
		{"too long", `{}`, []stream.Edit{{In: stream.Targets, Name: "b", To: stream.Set([]byte(`"` + strings.Repeat("x", stream.MaxEntry) + `"`))}}, "has more than 1048576 bytes"},
		{"a place that was replaced", `{"targets":{"b":1}}`, []stream.Edit{{In: stream.Signed, Name: "targets", To: stream.Set([]byte(`{}`))}, {In: stream.Targets, Name: "a", To: to}}, "names must ascend"},
		{"a role by name", `{}`, []stream.Edit{{In: stream.Roles, Name: "targets", To: to}}, "no entries with names"},
		{"the last version is cut", `{"targets":{"a":1`, nil, "a comma or the end of the object"},
	} {
		if _, err := merge(row.last, nil, row.list...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v; want %q", row.name, err, row.want)
		}
	}
	w := stream.NewWriter(&bytes.Buffer{})
	for _, name := range []string{"b", "a"} {
		if err := w.Put(stream.Entry{In: stream.Targets, Name: []byte(name), Value: []byte("1")}); (err == nil) != (name == "b") {
			t.Errorf("writing %s: %v", name, err)
		}
	}
	if _, err := w.Close(); err == nil {
		t.Error("after an error, Close has none")
	}
}

// What a Scanner reads, a Writer writes again, byte for byte; and from two
// random versions Compare tells what leads from the one to the other.
func TestCompareAndMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(20270112, 9))
	for range many(4000) {
		old, now := canonical(t, document(random)), canonical(t, document(random))
		if random.IntN(2) == 0 {
			now = mutate(t, random, old)
		}
		if have, err := merge(old, nil); err != nil || have != old {
			t.Fatalf("%v\n%s\nbecame\n%s", err, old, have)
		}
		var list []stream.Edit
		_, err := stream.Compare(payload(old), payload(now), func(c stream.Change) error {
			if c.Kind == stream.Same || c.In == stream.Roles || c.Old == nil && c.New == nil {
				return nil
			}
			list = append(list, stream.Edit{In: c.In, Name: string(c.Name), To: stream.Set(bytes.Clone(c.New))})
			return nil
		})
		if err != nil && strings.Contains(err.Error(), "delegated roles") || err != nil && strings.Contains(err.Error(), "without a name") {
			continue // random ones have no names
		}
		if err != nil {
			t.Fatal(err)
		}
		have, err := merge(old, nil, list...)
		if err != nil {
			t.Fatalf("%s\nto %s\n%v", old, now, err)
		}
		if !slices.Equal(entries(t, have), entries(t, now)) {
			t.Fatalf("%s\nbecame\n%s\nand not\n%s", old, have, now)
		}
	}
}

// entries are those with values, but for delegated roles.
func entries(t *testing.T, text string) []string {
	found, err := read(payload(text))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(e string) bool {
		return strings.HasSuffix(e, " ") || strings.HasPrefix(e, stream.Roles.String())
	})
}

func canonical(t *testing.T, v any) string {
	data, err := tufmeta.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func mutate(t *testing.T, random *rand.Rand, old string) string {
	signed, err := tufmeta.ParseSigned([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range signed {
		switch object, ok := v.(map[string]any); {
		case random.IntN(4) > 0:
		case ok && (name == "targets" || name == "meta"):
			object[text(random)] = value(random, 2)
		case name != "targets" && name != "meta" && name != "delegations":
			signed[name] = value(random, 2)
		}
	}
	return canonical(t, signed)
}

// A sealed file is what package assemble makes of the same, byte for byte.
func TestSeal(t *testing.T) {
	signatures := []tufmeta.Signature{{KeyID: "k1", Sig: "00"}, {KeyID: "k2", Sig: ""}}
	random := rand.New(rand.NewPCG(20270112, 10))
	for i := range many(1000) {
		text := full
		if i > 0 {
			text = canonical(t, document(random))
		}
		want := []byte(`{"signatures":[{"keyid":"k1","sig":"00"},{"keyid":"k2","sig":""}],"signed":` + string(tufmeta.JSON([]byte(text))) + "}\n")
		var have bytes.Buffer
		if err := stream.Seal(&have, strings.NewReader(text), digest([]byte(text)), signatures); err != nil || !bytes.Equal(have.Bytes(), want) {
			t.Fatalf("%v\n%q\nwant\n%q", err, have.Bytes(), want)
		}
		s, err := stream.Envelope(bytes.NewReader(have.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drain(s); err != nil || s.Digest() != digest([]byte(text)) || !slices.Equal(s.Signatures(), signatures) {
			t.Fatalf("it is read back with %v, %s, %v", err, s.Digest(), s.Signatures())
		}
	}
}

func TestSealRefuses(t *testing.T) {
	nested := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	if err := stream.Seal(&bytes.Buffer{}, strings.NewReader(`{"a":`+nested+"}"), "", nil); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Errorf("what is too deep for an envelope: %v", err)
	}
	for text, want := range map[string]string{
		`{"a": 1}`:      "reading JSON at byte 5",
		`{"a":1}`:       "and the signatures are over",
		`{"a":1}` + " ": "text after the end",
	} {
		if err := stream.Seal(&bytes.Buffer{}, strings.NewReader(text), digest([]byte("{}")), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := stream.Seal(&bytes.Buffer{}, strings.NewReader("{}"), "", nil); err == nil {
		t.Error("it is sealed without a digest")
	}
}
