package record_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/tufmeta"
)

const name = "record/0123456789abcdef.jsonl"

// chain is a record of five acts.
func chain(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	must(t, record.Append(dir, "0123456789abcdef", record.Line{Act: "draft", At: "2027-01-12T09:00:00Z", Event: "e1", Waivers: []check.Waiver{{Check: "C", Subject: "s", Reason: "<r>"}}}))
	must(t, record.Append(dir, "0123456789abcdef",
		record.Line{Act: "sign", Event: "e1", Role: "root", Version: 2, Digest: "d2", Token: "holder-1", KeyIDs: []string{"k1", "k2"}},
		record.Line{Act: "sign", Event: "e1", Role: "targets", Version: 2, Digest: "d3", Token: "holder-1", KeyIDs: []string{"k1"}}))
	must(t, record.Append(dir, "0123456789abcdef", record.Line{Act: "merge", Event: "e1", Taken: []string{"signatures/2.root/k3.json"}}))
	must(t, record.Append(dir, "0123456789abcdef", record.Line{Act: "sign", Event: "e1", Digest: "d2", Token: "holder-é", KeyIDs: []string{"k4"}}))
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	must(t, err)
	return string(data)
}

func TestAppend(t *testing.T) {
	text := chain(t)
	lines := strings.SplitAfter(text, "\n")
	chains, broken := record.Read(folder.Files{name: []byte(text)})
	if len(broken) > 0 || len(chains) != 1 || chains[0].Name != "0123456789abcdef.jsonl" || len(chains[0].Lines) != 5 {
		t.Fatalf("read %v, broken: %v", chains, broken)
	}
	prev := strings.Repeat("0", 64)
	for i, l := range chains[0].Lines {
		if l.Prev != prev {
			t.Errorf("line %d has %s for the line before it, which is %s", i+1, l.Prev, prev)
		}
		prev = tufmeta.Digest([]byte(strings.TrimSuffix(lines[i], "\n")))
	}
	if l := chains[0].Lines[4]; l.Token != "holder-é" || l.Act != "sign" {
		t.Errorf("the last line is %+v", l)
	}
	if w := chains[0].Lines[0].Waivers; len(w) != 1 || w[0].Reason != "<r>" {
		t.Errorf("waivers %v", w)
	}
}

func TestReadRefuses(t *testing.T) {
	text := chain(t)
	lines := strings.SplitAfter(text, "\n")[:5]
	for _, row := range []struct {
		name string
		text string
		want string
	}{
		{"the first line removed", strings.Join(lines[1:], ""), "line 1 does not continue"},
		{"a line removed", lines[0] + strings.Join(lines[2:], ""), "line 2 does not continue"},
		{"two lines exchanged", lines[0] + lines[2] + lines[1] + lines[3] + lines[4], "line 2 does not continue"},
		{"a line twice", lines[0] + lines[0], "line 2 does not continue"},
		{"a line edited", strings.Replace(text, "holder-1", "holder-2", 1), "line 3 does not continue"},
		{"the last line cut short", text[:len(text)-10], "line 5 is not a line of record"},
		{"the last line without its end", text[:len(text)-1], "line 5 is not a line of record"},
		{"an empty line", lines[0] + "\n", "line 2 is not a line of record"},
		{"a field more", strings.Replace(text, `{"act"`, `{"more":1,"act"`, 1), "line 1 is not a line of record"},
		{"a field twice", strings.Replace(text, `{"act":"draft"`, `{"act":"sign","act":"draft"`, 1), "line 1 is not written as"},
		{"a field in another case", strings.Replace(text, `"act":"draft"`, `"Act":"draft"`, 1), "line 1 is not written as"},
		{"white space", strings.Replace(text, `{"act"`, `{ "act"`, 1), "line 1 is not written as"},
		{"two values in a line", strings.Replace(text, "}\n", "}{}\n", 1), "line 1 is not a line of record"},
		{"no JSON", "hello\n", "line 1 is not a line of record"},
	} {
		chains, broken := record.Read(folder.Files{name: []byte(row.text)})
		if len(chains) != 0 || len(broken) != 1 || broken[0].Check != "RECORD-BROKEN" || broken[0].Subject != name || !strings.Contains(broken[0].Detail, row.want) {
			t.Errorf("%s: %v, want %q", row.name, broken, row.want)
		}
	}
}

// An edit of the last line leaves a chain that holds: nothing follows that
// could tell. What is signed and the event ID must tell it.
func TestReadCannotSeeTheEnd(t *testing.T) {
	text := chain(t)
	lines := strings.SplitAfter(text, "\n")
	for _, shorter := range []string{strings.Join(lines[:4], ""), ""} {
		if _, broken := record.Read(folder.Files{name: []byte(shorter)}); len(broken) > 0 {
			t.Errorf("a shorter chain is a chain: %v", broken)
		}
	}
}

// A broken chain is kept as evidence: nothing is added to it.
func TestAppendToBroken(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.FromSlash(name))
	must(t, os.Mkdir(filepath.Dir(file), 0o755))
	broken := strings.Replace(chain(t), "holder-1", "holder-2", 1)
	must(t, os.WriteFile(file, []byte(broken), 0o644))
	err := record.Append(dir, "0123456789abcdef", record.Line{Act: "sign"})
	if err == nil || !strings.Contains(err.Error(), "line 3 does not continue") {
		t.Errorf("added to a broken record: %v", err)
	}
	if have, _ := os.ReadFile(file); string(have) != broken {
		t.Error("the broken record was changed")
	}
}

func TestMerge(t *testing.T) {
	text := chain(t)
	lines := strings.SplitAfter(text, "\n")
	first := lines[0]
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "record"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(first), 0o644))
	must(t, record.Append(dir, "0123456789abcdef", record.Line{Act: "merge", Event: "e1"}))
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	must(t, err)
	other := string(data) // went another way after the first line
	elsewhere := "record/0123456789abcdef-" + tufmeta.Digest(data)[:8] + ".jsonl"
	for _, row := range []struct {
		name, ours, theirs, want string
	}{
		{"theirs is new", "", text, name},
		{"theirs is longer", first, text, name},
		{"theirs is shorter", text, first, ""},
		{"both are the same", text, text, ""},
		{"both went on", text, other, elsewhere},
	} {
		files := folder.Files{}
		if row.ours != "" {
			files[name] = []byte(row.ours)
		}
		if have, err := record.Merge(files, name, []byte(row.theirs)); err != nil || have != row.want {
			t.Errorf("%s: written as %q, %v; want %q", row.name, have, err, row.want)
		}
	}
	if have, err := record.Merge(folder.Files{}, name, []byte(text[:len(text)-1])); err == nil || have != "" {
		t.Errorf("a broken record is merged as %q", have)
	}
}

// Merging the same copies in any order ends with the same acts on record.
func TestMergeInAnyOrder(t *testing.T) {
	text := chain(t)
	lines := strings.SplitAfter(text, "\n")
	copies := []string{lines[0], lines[0] + lines[1], text}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		files := folder.Files{}
		for _, i := range order {
			as, err := record.Merge(files, name, []byte(copies[i]))
			must(t, err)
			if as != "" {
				files[as] = []byte(copies[i])
			}
		}
		if len(files) != 1 || string(files[name]) != text {
			t.Errorf("in the order %v: %d files", order, len(files))
		}
	}
}

func TestHasAndDrafted(t *testing.T) {
	chains, _ := record.Read(folder.Files{name: []byte(chain(t))})
	if have := record.Drafted(chains); !slices.Equal(have, []string{"e1"}) {
		t.Errorf("drafted %v", have)
	}
	for _, row := range []struct {
		act, digest, key string
		want             bool
	}{
		{"sign", "d2", "k2", true}, {"sign", "d3", "k1", true}, {"sign", "d3", "k2", false}, {"draft", "d2", "k1", false}, {"sign", "d2", "k3", false}, {"sign", "d2", "k", false},
	} {
		if record.Has(chains, row.act, row.digest, row.key) != row.want {
			t.Errorf("%s of %s with %s is on record: %t", row.act, row.digest, row.key, !row.want)
		}
	}
}

func TestSitting(t *testing.T) {
	seen := map[string]bool{}
	for _, parts := range [][]string{{"a", "b"}, {"ab"}, {"a", "", "b"}, {"b", "a"}} {
		s := record.Sitting(parts...)
		if seen[s] || !folder.SafeName(s+".jsonl") || s != record.Sitting(parts...) {
			t.Errorf("%q makes %s", parts, s)
		}
		seen[s] = true
	}
}

// A chain that is accepted holds: each line has the digest of the one before
// it, and taking out any but the last is seen.
func FuzzRead(f *testing.F) {
	f.Add([]byte(chain(f)))
	f.Add([]byte(strings.SplitAfter(chain(f), "\n")[0]))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		chains, broken := record.Read(folder.Files{name: data})
		if len(chains)+len(broken) != 1 {
			t.Fatalf("%d chains and %d faults for one file", len(chains), len(broken))
		}
		if len(broken) > 0 {
			return
		}
		lines := strings.SplitAfter(string(data), "\n")
		for i, l := range chains[0].Lines {
			if want := strings.Repeat("0", 64); i == 0 && l.Prev != want || i > 0 && l.Prev != tufmeta.Digest([]byte(strings.TrimSuffix(lines[i-1], "\n"))) {
				t.Fatalf("line %d is accepted after another line: %s", i+1, fmt.Sprint(l))
			}
		}
		if n := len(chains[0].Lines); n != len(lines)-1 || lines[n] != "" {
			t.Fatalf("%d lines are read of %d", n, len(lines)-1)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
