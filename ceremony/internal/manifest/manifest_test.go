package manifest_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/tufmeta"
)

var (
	one  = tufmeta.Digest([]byte("one\n"))
	long = strings.Repeat("0", 128)
)

func TestParse(t *testing.T) {
	text := `{"path":"a/one.txt","length":4,"hashes":{"sha256":"` + one + `"}}
 {"custom":{"b":[1,{"c":"x"}],"a":null}, "path":"b-\u0041 b","length":0,"hashes":{"sha512":"` + long + `","sha256":"` + one + `"}}
`
	entries, err := manifest.Parse("list", []byte(text))
	want := []manifest.Entry{
		{Path: "a/one.txt", Length: 4, SHA256: one},
		{Path: "b-A b", SHA256: one, SHA512: long, Custom: map[string]any{"a": nil, "b": []any{int64(1), map[string]any{"c": "x"}}}},
	}
	if err != nil || !reflect.DeepEqual(entries, want) {
		t.Fatalf("%+v, %v", entries, err)
	}
	again, err := manifest.Text(entries)
	if err != nil {
		t.Fatal(err)
	}
	if entries, err = manifest.Parse("again", again); err != nil || !reflect.DeepEqual(entries, want) {
		t.Errorf("written as\n%s\nit is read as %+v, %v", again, entries, err)
	}
}

func TestSums(t *testing.T) {
	entries, err := manifest.Sums("sums", []byte(one+"  ./a/one.txt\n"+one+" *b b\n"))
	want := []manifest.Entry{{Path: "a/one.txt", Length: -1, SHA256: one}, {Path: "b b", Length: -1, SHA256: one}}
	if err != nil || !reflect.DeepEqual(entries, want) {
		t.Errorf("%+v, %v", entries, err)
	}
}

// Each line is preceded by a good one, so that the error must count.
func TestParseRefuses(t *testing.T) {
	const head, hash = `{"path":"a","length":4,`, `"hashes":{"sha256":"`
	good := `{"path":"first","length":4,` + hash + one + `"}}` + "\n"
	entry := func(path string) string { return `{"path":"` + path + `","length":4,` + hash + one + `"}}` }
	for line, want := range map[string]string{
		``:                                  "reading JSON",
		`[]`:                                "is not an object",
		entry("a") + entry("b"):             "text after the end",
		`{"length":4,` + hash + one + `"}}`: "has no path",
		`{"path":"a",` + hash + one + `"}}`: "has no length",
		`{"path":"a","length":"4",` + hash + one + `"}}`:              "has no length",
		`{"path":"a","length":4.5,` + hash + one + `"}}`:              "reading JSON",
		`{"path":"a","length":-1,` + hash + one + `"}}`:               "length is -1",
		`{"path":"a","length":9007199254740992,` + hash + one + `"}}`: "reading JSON",
		`{"path":"a","path":"b","length":4,` + hash + one + `"}}`:     "reading JSON",
		head + `"Hashes":{}}`:                                         `has a member "Hashes"`,
		head + `"hashes":{}}`:                                         `sha256 is ""`,
		head + hash + one[:63] + `"}}`:                                "sha256 is",
		head + hash + strings.ToUpper(one) + `"}}`:                    "sha256 is",
		head + `"hashes":{"sha256":"` + one + `","md5":"00"}}`:        `has a hash "md5"`,
		head + `"hashes":{"sha256":"` + one + `","sha512":"00"}}`:     "128 digits",
		head + hash + one + `"},"custom":null}`:                       "custom is not an object",
		head + hash + one + `"},"custom":{"a":1,"a":2}}`:              "reading JSON",
		entry("first"):       `stands in line 1 already`,
		entry("/a"):          `path is "/a"`,
		entry("a/../b"):      `path is "a/../b"`,
		entry("../b"):        `path is "../b"`,
		entry(".."):          `path is ".."`,
		entry("."):           `path is "."`,
		entry(""):            `path is ""`,
		entry("a//b"):        `path is`,
		entry("a/"):          `path is`,
		entry(`a\\b`):        `path is`,
		entry("a?b"):         `path is`,
		entry("a%2e"):        `path is`,
		entry(`a\u001b[2Jb`): "TEXT-UNSAFE",
		entry(`a\u202eb`):    "TEXT-UNSAFE",
		entry("a "):          "TEXT-UNSAFE",
		entry("ä"):           "JSON-STRICT",
	} {
		_, err := manifest.Parse("lists/x", []byte(good+line+"\n"))
		var fault *manifest.Error
		if !errors.As(err, &fault) || fault.Line != 2 || fault.Hint() == "" || !strings.HasPrefix(err.Error(), "lists/x, line 2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
		if err != nil && tufmeta.Unsafe(err.Error()) {
			t.Errorf("the message is unsafe to show: %q", err)
		}
	}
	for text, want := range map[string]string{"": "is empty", strings.TrimSuffix(good, "\n"): "without a line feed", good + "\n": "line 2"} {
		if _, err := manifest.Parse("lists/x", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSumsRefuses(t *testing.T) {
	for line, want := range map[string]string{
		one + " a":                   "is not a line as sha256sum writes it",
		one[:40] + "  a":             "is not a line as sha256sum writes it",
		`\` + one + `  a\nb`:         "is not a line as sha256sum writes it",
		strings.ToUpper(one) + "  a": "in lower case",
		one + "  ../a":               `path is "../a"`,
		one + "  a\r":                "TEXT-UNSAFE",
	} {
		if _, err := manifest.Sums("sums", []byte(line+"\n")); err == nil || !strings.Contains(err.Error()+err.(*manifest.Error).Hint(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"path":"a","length":4,"hashes":{"sha256":"` + one + `"},"custom":{"x":"\u0001"}}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := manifest.Parse("list", data)
		if err != nil {
			if tufmeta.Unsafe(err.Error()) {
				t.Fatalf("the message is unsafe to show: %q", err.Error())
			}
			return
		}
		text, err := manifest.Text(entries)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := manifest.Parse("again", text); err != nil || !reflect.DeepEqual(again, entries) {
			t.Fatalf("%+v\nis written as\n%s\n%v", entries, text, err)
		}
	})
}
