package stream_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// compare gives the changes in words.
func compare(old, now string) ([]string, *stream.Difference, error) {
	var told []string
	open := func(text string) *stream.Scanner {
		if text == "" {
			return nil
		}
		return payload(text)
	}
	d, err := stream.Compare(open(old), open(now), func(c stream.Change) error {
		told = append(told, fmt.Sprintf("%s %s %q %s -> %s", [...]string{"=", "+", "-", "~"}[c.Kind], c.In, c.Name, c.Old, c.New))
		return nil
	})
	return told, d, err
}

func TestCompare(t *testing.T) {
	old := `{"_type":"targets","delegations":{"keys":{"k1":{},"k2":{}},"roles":[{"name":"a"},{"name":"b"},{"name":"c"}]},"targets":{"a":1,"b":2,"d":4},"version":7}`
	now := `{"_type":"targets","delegations":{"keys":{"k1":{},"k3":{}},"roles":[{"name":"c"},{"name":"a","x":1},{"name":"d"}]},"meta":{},"targets":{"b":2,"c":3,"d":5},"version":8}`
	told, d, err := compare(old, now)
	want := []string{
		`= signed "_type" "targets" -> "targets"`,
		`= signed "delegations"  -> `,
		`= signed.delegations "keys"  -> `,
		`= signed.delegations.keys "k1" {} -> {}`,
		`- signed.delegations.keys "k2" {} -> `,
		`+ signed.delegations.keys "k3"  -> {}`,
		`= signed.delegations "roles"  -> `,
		`~ signed.delegations.roles "" {"name":"a"} -> {"name":"a","x":1}`,
		`= signed.delegations.roles "" {"name":"c"} -> {"name":"c"}`,
		`+ signed "meta"  -> `,
		`= signed "targets"  -> `,
		`- signed.targets "a" 1 -> `,
		`= signed.targets "b" 2 -> 2`,
		`+ signed.targets "c"  -> 3`,
		`~ signed.targets "d" 4 -> 5`,
		`~ signed "version" 7 -> 8`,
		`- signed.delegations.roles "" {"name":"b"} -> `,
		`+ signed.delegations.roles "" {"name":"d"}  -> `,
	}
	// The last role of a version whose other is at its end may come earlier.
	slices.Sort(told)
	for i := range want {
		want[i] = strings.Replace(want[i], `{"name":"d"}  -> `, ` -> {"name":"d"}`, 1)
	}
	slices.Sort(want)
	if err != nil || !slices.Equal(told, want) {
		t.Fatalf("%v\n%s\nwant\n%s", err, strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if d.Moved != 1 || d.Count(stream.Targets, stream.Added) != 1 || d.Count(stream.Targets, stream.Removed) != 1 || d.Count(stream.Targets, stream.Changed) != 1 || d.Count(stream.Targets, stream.Same) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestCompareWithNothing(t *testing.T) {
	told, d, err := compare("", full)
	if err != nil || d.Count(stream.Targets, stream.Added) != 5 || d.Count(stream.Roles, stream.Added) != 2 || d.Moved != 0 {
		t.Errorf("%v %+v\n%s", err, d, strings.Join(told, "\n"))
	}
	_, d, err = compare(full, "")
	if err != nil || d.Count(stream.Targets, stream.Removed) != 5 || d.Count(stream.Roles, stream.Removed) != 2 {
		t.Errorf("%v %+v", err, d)
	}
	_, d, err = compare(full, full)
	if err != nil || d.Count(stream.Targets, stream.Same) != 5 || d.Count(stream.Roles, stream.Same) != 2 || d.Count(stream.Roles, stream.Changed) != 0 {
		t.Errorf("%v %+v", err, d)
	}
}

func TestCompareRefuses(t *testing.T) {
	roles := func(names ...string) string {
		return `{"delegations":{"roles":[{"name":"` + strings.Join(names, `"},{"name":"`) + `"}]}}`
	}
	for _, row := range []struct{ old, now, want string }{
		{"{", "{}", "the old version: reading JSON at byte 1"},
		{"{}", "{", "reading JSON at byte 1"},
		{"", "", ""},
		{`{"targets":{"a":1`, `{"targets":{"a":1,"b":2}}`, "the old version: reading JSON at byte 17"},
		{roles("a", "b", "a"), roles("c"), `at places 1 and 3 of the old version have one name`},
		{roles("b", "a", "b", "d"), roles("c", "x", "y", "z", "w"), "at places 1 and 3 of the old version have one name"},
		{roles("c"), roles("a", "b", "a"), `those at places 1 and 3 of the new version have one name`},
		{roles("a", "a"), roles("a", "a"), "at places 1 and 2 of the old version"},
		{`{"delegations":{"roles":[{}]}}`, "{}", "an entry without a name"},
		{`{"delegations":{"roles":[7]}}`, "{}", "an entry without a name"},
	} {
		_, _, err := compare(row.old, row.now)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s to %s: %v; want %q", row.old, row.now, err, row.want)
		}
	}
	stop := errors.New("stop")
	if _, err := stream.Compare(payload(full), payload(full), func(stream.Change) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("visit says stop, and Compare: %v", err)
	}
}

// Delegated roles in any order are found together; too many too far apart are
// refused before they fill the memory.
func TestCompareManyRoles(t *testing.T) {
	role := func(i, width int) string {
		return fmt.Sprintf(`{"name":"project-%d","paths":["%s"]}`, i, strings.Repeat("x", width))
	}
	array := func(from, to, step, width int) string {
		var list []string
		for i := from; i != to; i += step {
			list = append(list, role(i, width))
		}
		return `{"delegations":{"roles":[` + strings.Join(list, ",") + `]}}`
	}
	_, d, err := compare(array(0, 5000, 1, 10), array(4999, -1, -1, 10))
	if err != nil || d.Count(stream.Roles, stream.Same) != 5000 || d.Moved != 4999 {
		t.Errorf("reversed: %+v, %v", d, err)
	}
	_, d, err = compare(array(0, 5000, 1, 10), array(-100, 5000, 1, 10))
	if err != nil || d.Count(stream.Roles, stream.Same) != 5000 || d.Count(stream.Roles, stream.Added) != 100 || d.Moved != 0 {
		t.Errorf("a hundred in front: %+v, %v", d, err)
	}
	_, d, err = compare(array(100_000, 100_500, 1, 100_000), array(200_000, 200_500, 1, 100_000))
	if err != nil || d.Count(stream.Roles, stream.Added) != 500 || d.Count(stream.Roles, stream.Removed) != 500 {
		t.Errorf("50 MB removed and added, sorted: %+v, %v", d, err)
	}
	if _, _, err = compare(array(0, 500, 1, 100_000), array(499, -1, -1, 100_000)); err == nil || !strings.Contains(err.Error(), "in too different an order") {
		t.Errorf("50 MB reversed: %v", err)
	}
}

// A target is read as package tufmeta reads it, and refused with its words.
func TestParseTarget(t *testing.T) {
	for _, value := range []string{
		`{"hashes":{"sha256":"00","x\"y":"a\\b"},"length":7}`,
		`{"custom":{"a":[1,"}",{}]},"hashes":{},"length":-7,"x":"\"}"}`,
		`{"custom":"}","hashes":{"a":"]"},"length":0}`,
		`{"hashes":{},"length":"7"}`,
		`{"hashes":{},"length":null}`,
		`{"hashes":{}}`,
		`{"length":7}`,
		`{"hashes":[],"length":7}`,
		`{"hashes":{"a\u202e":7},"length":7}`,
		`{"Hashes":{},"hashes":{},"length":7}`,
		`{"hasheſ":{},"hashes":{},"length":7}`,
		`{"hashes":{},"length":7,"Ｌength":8,"ſ":1}`,
		`{"cuſtom":{},"hashes":{},"length":7}`,
		`{}`, `[]`, `7`, `null`, `"x"`, `{"hashes":{"a":{}},"length":7}`, `{"hashes":7,"length":7}`, `{"hashes":{},"length":{}}`,
	} {
		value = strings.ReplaceAll(value, `\u202e`, "\u202e")
		text := `{"_type":"targets","expires":"","spec_version":"","targets":{"a\\b":` + value + `},"version":1}`
		signed, err := tufmeta.ParseSigned([]byte(text))
		if err != nil {
			continue // not in order
		}
		theirs, want := tufmeta.ParseTargets(signed)
		ours, err := stream.ParseTarget(stream.Entry{In: stream.Targets, Name: []byte(`a\b`), Value: []byte(value)})
		switch {
		case (err == nil) != (want == nil) || err != nil && err.Error() != want.Error():
			t.Errorf("%s: %v; tufmeta says %v", value, err, want)
		case err == nil && fmt.Sprint(ours.Length, ours.Hashes) != fmt.Sprint(theirs.Files[`a\b`].Length, theirs.Files[`a\b`].Hashes):
			t.Errorf("%s: %v; tufmeta has %v", value, ours, theirs.Files[`a\b`])
		case err == nil && strings.Contains(value, `"custom":`) != (ours.Custom != nil):
			t.Errorf("%s: custom is %q", value, ours.Custom)
		}
	}
}
