package tufmeta_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/tufmeta"
)

func TestParse(t *testing.T) {
	for _, row := range []struct {
		text string
		want any
	}{
		{` {"a" : [1, -2, 0], "b":{}, "c":[]} `, map[string]any{"a": []any{int64(1), int64(-2), int64(0)}, "b": map[string]any{}, "c": []any{}}},
		{"\t\r\n null\n", nil},
		{"true", true},
		{"false", false},
		{"9007199254740991", int64(9007199254740991)},
		{"-9007199254740991", int64(-9007199254740991)},
		{`"\"\\\/\b\f\n\r\t\u00e9é"`, "\"\\/\b\f\n\r\téé"},
		{`"\ud83d\uDE00 😀 \u0000"`, "😀 😀 \x00"},
		{`"\ufffd` + "\uFFFD" + `"`, "\uFFFD\uFFFD"},
		{`{"":{"":1}}`, map[string]any{"": map[string]any{"": int64(1)}}},
		{strings.Repeat("[", 101) + strings.Repeat("]", 101), nest(101)},
	} {
		have, err := tufmeta.Parse([]byte(row.text))
		if err != nil || !reflect.DeepEqual(have, row.want) {
			t.Errorf("%q: %#v, %v; want %#v", row.text, have, err, row.want)
		}
	}
}

func nest(depth int) any {
	v := any([]any{})
	for range depth - 1 {
		v = []any{v}
	}
	return v
}

// Every refusal, at the byte where the fault is and with the members around it.
func TestParseRefuses(t *testing.T) {
	for _, row := range []struct {
		text   string
		offset int
		path   string
		reason string
	}{
		{"", 0, "", "ends where a value should be"},
		{"  ", 2, "", "ends where a value should be"},
		{`{"a":1} x`, 8, "", "text after the end"},
		{`{}{}`, 2, "", "text after the end"},
		{"\xef\xbb\xbf{}", 0, "", "byte 0xef cannot begin a value"},
		{`{"a":}`, 5, "a", "byte 0x7d cannot begin a value"},
		{`{"a":tru}`, 5, "a", "not a JSON value"},
		{`{"a":NaN}`, 5, "a", "cannot begin a value"},
		{`{"a":+1}`, 5, "a", "cannot begin a value"},
		{`nul`, 0, "", "not a JSON value"},
		{`{a:1}`, 1, "", "a member name should stand here"},
		{`{"a" 1}`, 5, "", "a colon should follow"},
		{`{"a":1 "b":2}`, 7, "", "a comma or the end of the object"},
		{`{"a":1,}`, 7, "", "a member name should stand here"},
		{`{"a":1`, 6, "", "a comma or the end of the object"},
		{`[1 2]`, 3, "", "a comma or the end of the array"},
		{`[1,]`, 3, "", "cannot begin a value"},
		{`[1`, 2, "", "a comma or the end of the array"},
		{`{"a":{"b":[{"c":1,"c":2}]}}`, 18, "a.b", `member "c" stands twice`},
		{`{"a":1,"\u0061":2}`, 7, "", `member "a" stands twice`},
		{`{"version":1.0}`, 12, "version", "numbers must be integers"},
		{`{"version":1e2}`, 12, "version", "numbers must be integers"},
		{`{"version":1E2}`, 12, "version", "numbers must be integers"},
		{`{"version":01}`, 11, "version", `number "01" must not begin with a zero`},
		{`{"version":-0}`, 11, "version", `number "-0" must not begin with a zero`},
		{`{"version":-}`, 12, "version", "a digit should follow the minus sign"},
		{`[9007199254740992]`, 1, "", "number is beyond 2^53-1"},
		{`[-9007199254740992]`, 1, "", "number is beyond 2^53-1"},
		{`[99999999999999999999]`, 1, "", "number is beyond 2^53-1"},
		{"{\"a\":\"\xff\"}", 6, "a", "not valid UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", 6, "a", "not valid UTF-8"},
		{"{\"a\":\"\xc0\xaf\"}", 6, "a", "not valid UTF-8"},
		{"{\"a\xff\":1}", 3, "", "not valid UTF-8"},
		{`{"a":"\ud800"}`, 12, "a", "half a surrogate pair"},
		{`{"a":"\udc00\ud800"}`, 18, "a", "half a surrogate pair"},
		{`{"a":"\ud800\u0041"}`, 18, "a", "half a surrogate pair"},
		{`{"a":"\ud800\ufffd"}`, 18, "a", "half a surrogate pair"},
		{`{"a":"\ud800\n"}`, 12, "a", "half a surrogate pair"},
		{`{"a":"\u12g4"}`, 7, "a", "four hexadecimal digits"},
		{`{"a":"\u12`, 7, "a", "four hexadecimal digits"},
		{`{"a":"\u+123"}`, 7, "a", "four hexadecimal digits"},
		{`{"a":"\x41"}`, 7, "a", "unknown escape"},
		{`{"a":"\`, 7, "a", "unknown escape"},
		{"{\"a\":\"x\ny\"}", 7, "a", "control character 0x0a must be escaped"},
		{"{\"a\":\"\x00\"}", 6, "a", "control character 0x00 must be escaped"},
		{`{"a":"x`, 5, "a", "a string that begins here does not end"},
		{strings.Repeat("[", 102) + strings.Repeat("]", 102), 101, "", "nested deeper than 100 levels"},
		{strings.Repeat(`{"a":`, 102) + "1" + strings.Repeat("}", 102), 505, strings.Repeat(".a", 101)[1:], "nested deeper than 100 levels"},
	} {
		v, err := tufmeta.Parse([]byte(row.text))
		wantSyntaxError(t, row.text, err, row.offset, row.path, row.reason)
		if v != nil {
			t.Errorf("%q: gave %v all the same", row.text, v)
		}
	}
}

// What a canonical file may not have, though it is good JSON.
func TestParseCanonicalRefuses(t *testing.T) {
	for _, row := range []struct {
		text   string
		offset int
		path   string
		reason string
	}{
		{`{"a": 1}`, 5, "a", "byte 0x20 cannot begin a value"},
		{` {}`, 0, "", "byte 0x20 cannot begin a value"},
		{"{}\n", 2, "", "text after the end"},
		{`{"a":1, "b":2}`, 7, "", "a member name should stand here"},
		{`{"b":1,"a":2}`, 7, "", `member "a" is out of order`},
		{`{"x":{"é":1,"z":2}}`, 13, "x", `member "z" is out of order`},
		{`{"a":1,"a":2}`, 7, "", `member "a" stands twice`},
		{`"\n"`, 2, "", "escapes the quote and the backslash only"},
		{`"\u0041"`, 2, "", "escapes the quote and the backslash only"},
		{`"\/"`, 2, "", "escapes the quote and the backslash only"},
		{`1.5`, 1, "", "numbers must be integers"},
		{`-0`, 0, "", "must not begin with a zero"},
		{"\"\xff\"", 1, "", "not valid UTF-8"},
	} {
		_, err := tufmeta.ParseCanonical([]byte(row.text))
		wantSyntaxError(t, row.text, err, row.offset, row.path, row.reason)
	}
}

// The path in a message comes from the file, so it is shown with care.
func TestSyntaxErrorIsPrintable(t *testing.T) {
	_, err := tufmeta.Parse([]byte(`{"a\u001b[2J":{"b\u202e":1,"b\u202e":2}}`))
	if err == nil || tufmeta.Unsafe(err.Error()) || !strings.Contains(err.Error(), `a\u001b[2J`) || !strings.Contains(err.Error(), "b\\u202e") {
		t.Errorf("message %q", err)
	}
}

func wantSyntaxError(t *testing.T, text string, err error, offset int, path, reason string) {
	t.Helper()
	var s *tufmeta.SyntaxError
	if !errors.As(err, &s) {
		t.Errorf("%q: %v, want a SyntaxError", text, err)
		return
	}
	if s.Offset != offset || s.Path != path || !strings.Contains(s.Reason, reason) {
		t.Errorf("%q: at %d in %q: %s; want at %d in %q: %s", text, s.Offset, s.Path, s.Reason, offset, path, reason)
	}
}

func TestEncode(t *testing.T) {
	have, err := tufmeta.Encode(map[string]any{"é": nil, "z": true, "a": []any{1, int64(-2), "q\"b\\n\n"}, "": map[string]any{}})
	if want := "{\"\":{},\"a\":[1,-2,\"q\\\"b\\\\n\n\"],\"z\":true,\"é\":null}"; err != nil || string(have) != want {
		t.Errorf("%q, %v; want %q", have, err, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, row := range []struct {
		v    any
		want string
	}{
		{int64(1 << 53), "beyond 2^53-1"},
		{int64(-1 << 53), "beyond 2^53-1"},
		{[]any{map[string]any{"a": "\xff"}}, "not valid UTF-8"},
		{map[string]any{"\xff": 1}, "not valid UTF-8"},
		{1.0, "no form for a float64"},
		{json.Number("1"), "no form for a json.Number"},
		{[]string{"a"}, "no form for a []string"},
	} {
		if have, err := tufmeta.Encode(row.v); err == nil || have != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%#v: %q, %v; want %q", row.v, have, err, row.want)
		}
	}
}

// Canonical bytes are not JSON where a string has control characters; JSON
// makes them so and changes nothing else.
func TestJSON(t *testing.T) {
	var all strings.Builder
	for c := range rune(0x80) {
		all.WriteRune(c)
	}
	v := map[string]any{"text": all.String() + "é😀\u2028", all.String(): int64(1)}
	canonical, err := tufmeta.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if json.Valid(canonical) {
		t.Fatal("control characters should stand raw in canonical bytes")
	}
	text := tufmeta.JSON(canonical)
	if !json.Valid(text) {
		t.Fatalf("not JSON: %q", text)
	}
	read, err := tufmeta.Parse(text)
	if err != nil || !reflect.DeepEqual(read, v) {
		t.Fatalf("read back as %#v, %v", read, err)
	}
	if again, err := tufmeta.Encode(read); err != nil || !bytes.Equal(again, canonical) {
		t.Errorf("the canonical form has become %q", again)
	}
	if plain := []byte(`{"a":[1,"b\\\""]}`); !bytes.Equal(tufmeta.JSON(plain), plain) {
		t.Errorf("plain bytes were changed to %q", tufmeta.JSON(plain))
	}
}
