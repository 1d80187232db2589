package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Every refusal, at the byte where the fault is and with the members around it.
// Package tufmeta refuses the same at the same byte.
func TestPayloadRefuses(t *testing.T) {
	for _, row := range []struct {
		text   string
		offset int
		path   string
		reason string
	}{
		{"", 0, "", "ends where a value should be"},
		{" {}", 0, "", "byte 0x20 cannot begin a value"},
		{"{}\n", 2, "", "text after the end"},
		{"{}{}", 2, "", "text after the end"},
		{"\xef\xbb\xbf{}", 0, "", "byte 0xef cannot begin a value"},
		{`{"a": 1}`, 5, "a", "byte 0x20 cannot begin a value"},
		{`{"a":1, "b":2}`, 7, "", "a member name should stand here"},
		{`{"a":1,}`, 7, "", "a member name should stand here"},
		{`{"a":1 "b":2}`, 6, "", "a comma or the end of the object"},
		{`{"a":1`, 6, "", "a comma or the end of the object"},
		{`{a:1}`, 1, "", "a member name should stand here"},
		{`{"a" 1}`, 4, "", "a colon should follow"},
		{`{"a":tru}`, 5, "a", "not a JSON value"},
		{`{"b":1,"a":2}`, 7, "", `member "a" is out of order`},
		{`{"a":1,"a":2}`, 7, "", `member "a" stands twice`},
		{`{"x":{"é":1,"z":2}}`, 13, "x", `member "z" is out of order`},
		{`{"x":{"é":1,"é":2}}`, 13, "x", `member "é" stands twice`},
		{`{"targets":{"a":{},"a":{}}}`, 19, "targets", `member "a" stands twice`},
		{`{"targets":{"\"":{},"!":{}}}`, 20, "targets", `member "!" is out of order`},
		{`{"targets":{"a":{"length":1,"hashes":{}}}}`, 28, "targets.a", `member "hashes" is out of order`},
		{`{"a":[1 2]}`, 7, "a", "a comma or the end of the array"},
		{`{"a":[1,]}`, 8, "a", "cannot begin a value"},
		{`{"delegations":{"roles":[{}`, 27, "delegations.roles", "a comma or the end of the array"},
		{`{"delegations":{"roles":[{},]}}`, 28, "delegations.roles", "cannot begin a value"},
		{`{"delegations":{"roles":[,{}]}}`, 25, "delegations.roles", "cannot begin a value"},
		{`{"targets":{,"a":1}}`, 12, "targets", "a member name should stand here"},
		{`{"a":"\n"}`, 7, "a", "escapes the quote and the backslash only"},
		{`{"a":"\u0041"}`, 7, "a", "escapes the quote and the backslash only"},
		{`{"a":"\`, 7, "a", "escapes the quote and the backslash only"},
		{`{"a":1.5}`, 6, "a", "numbers must be integers"},
		{`{"a":1e5}`, 6, "a", "numbers must be integers"},
		{`{"a":-}`, 6, "a", "a digit should follow"},
		{`{"a":-`, 6, "a", "a digit should follow"},
		{`{"a":-0}`, 5, "a", "must not begin with a zero"},
		{`{"a":01}`, 5, "a", "must not begin with a zero"},
		{`{"a":9007199254740992}`, 5, "a", "beyond 2^53-1"},
		{`{"a":-9007199254740992}`, 5, "a", "beyond 2^53-1"},
		{`{"a":99999999999999999999999999999}`, 5, "a", "beyond 2^53-1"},
		{"{\"a\":\"\xff\"}", 6, "a", "not valid UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", 6, "a", "not valid UTF-8"},
		{"{\"a\":\"abcdefgh\xc3\"}", 14, "a", "not valid UTF-8"},
		{"{\"a\":\"\xf0\x9f\x98", 6, "a", "not valid UTF-8"},
		{"{\"\xc0\xaf\":1}", 2, "", "not valid UTF-8"},
		{`{"a":"x`, 5, "a", "a string that begins here does not end"},
		{`{"abc`, 1, "", "a string that begins here does not end"},
	} {
		_, err := read(payload(row.text))
		wantSyntaxError(t, row.text, err, row.offset, row.path, row.reason)
		var theirs *tufmeta.SyntaxError
		if _, err := tufmeta.ParseCanonical([]byte(row.text)); !errors.As(err, &theirs) || theirs.Path != row.path || theirs.Offset != row.offset {
			t.Errorf("%q: tufmeta says %v", row.text, err)
		}
	}
}

// What is read must be an object, and what stands in the places of entries
// likewise. Members that some clients take for others are refused.
func TestRefusesForm(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{`[]`, "signed is not an object"},
		{`7`, "signed is not an object"},
		{`{"targets":[]}`, "signed.targets is not an object"},
		{`{"meta":null}`, "signed.meta is not an object"},
		{`{"delegations":"x"}`, "signed.delegations is not an object"},
		{`{"delegations":{"keys":[]}}`, "signed.delegations.keys is not an object"},
		{`{"delegations":{"roles":{}}}`, "signed.delegations.roles is not an array"},
		{`{"Targets":{}}`, `signed has a member "Targets", which some clients read as "targets"`},
		{`{"verſion":1}`, `signed has a member "verſion", which some clients read as "version"`},
		{`{"delegations":{"ROLES":[]}}`, `signed.delegations has a member "ROLES"`},
	} {
		if _, err := read(payload(row.text)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v; want %q", row.text, err, row.want)
		}
	}
	for _, row := range []struct{ text, want string }{
		{`{}`, "signed is not an object"},
		{`{"signed":{}}`, "signatures is not an array"},
		{`{"signatures":{},"signed":{}}`, "signatures is not an array"},
		{`{"signatures":[{"keyid":1,"sig":""}],"signed":{}}`, "signatures[0].keyid is not a string"},
		{`{"signatures":[],"signed":[]}`, "signed is not an object"},
		{`{"Signed":{},"signatures":[]}`, `metadata has a member "Signed"`},
		{`{"signatures":[],"signed":{},"signed":{}}`, `member "signed" stands twice`},
		{`{"signed":{},"signatures":[],"signed":{}}`, `member "signed" stands twice`},
		{`{"signatures":[],"signed":{}} x`, "text after the end"},
		{"{\"signatures\":[],\"signed\":{\"a\":\"\n\"}}", "control character 0x0a must be escaped"},
		{`{"signatures":[],"signed":{"a":"\ud800"}}`, "half a surrogate pair"},
		{`{"signatures":[],"signed":{"a":"\ud800\u0041"}}`, "half a surrogate pair"},
		{`{"signatures":[],"signed":{"a":"\x41"}}`, "unknown escape"},
		{`{"signatures":[],"signed":{"a":"\u12g4"}}`, "four hexadecimal digits"},
		{`{"signatures":[],"signed":{"a":1 2}}`, "a comma or the end of the object"},
		{`{"signatures":[],"signed":{"a":tr ue}}`, "not a JSON value"},
		{`{"signatures":[],"signed":{"a":1,"\u0061":2}}`, `member "a" stands twice`},
	} {
		_, err := read(stream.EnvelopeBy(strings.NewReader(row.text), 16))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v; want %q", row.text, err, row.want)
		}
		if _, err := tufmeta.ParseEnvelope([]byte(row.text)); err == nil {
			t.Errorf("%q: tufmeta reads it", row.text)
		}
	}
}

// The path and the names in a message come from the file.
func TestMessageIsPrintable(t *testing.T) {
	_, err := read(payload("{\"a\x1b[2J\":{\"b\u202e\":1,\"b\u202e\":2}}"))
	if err == nil || tufmeta.Unsafe(err.Error()) || !strings.Contains(err.Error(), `a\u001b[2J`) {
		t.Errorf("message %q", err)
	}
	name := strings.Repeat("é", 500_000)
	_, err = read(payload(`{"` + name + `":{"x":y}}`))
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "éé…") {
		t.Errorf("a message of %d bytes", len(err.Error()))
	}
}

// What differs by a byte from canonical bytes is refused, or means something
// else and has another digest. Package tufmeta is of the same opinion.
func TestMutations(t *testing.T) {
	random := rand.New(rand.NewPCG(20270112, 7))
	canonical := []byte(full)
	refused := 0
	try := func(mutant []byte) {
		v, theirs := tufmeta.ParseCanonical(mutant)
		if _, object := v.(map[string]any); theirs == nil && !object {
			return
		}
		s := stream.PayloadBy(bytes.NewReader(mutant), 16+random.IntN(100))
		_, ours := read(s)
		var form *tufmeta.SyntaxError
		switch {
		case ours != nil && theirs == nil && !errors.As(ours, &form): // a place that is no object, a member in another case
		case (ours == nil) != (theirs == nil):
			t.Fatalf("%q: %v, and tufmeta says %v", mutant, ours, theirs)
		case ours == nil && (s.Digest() == digest(canonical)) != bytes.Equal(mutant, canonical):
			t.Fatalf("%q has digest %s", mutant, s.Digest())
		case ours == nil && s.Digest() != digest(mutant):
			t.Fatalf("%q has digest %s", mutant, s.Digest())
		}
		if ours != nil {
			refused++
		}
	}
	step := 1000 / many(1000)
	odd := []byte("\"\\{}[]:,0179-+.eE tfnua\n\x00\x7f\x80\xc3\xff")
	for i := 0; i < len(canonical); i += step {
		for _, c := range odd {
			mutant := bytes.Clone(canonical)
			mutant[i] = c
			try(mutant)
			try(append(append(bytes.Clone(canonical[:i]), c), canonical[i:]...))
		}
		try(append(bytes.Clone(canonical[:i]), canonical[i+1:]...))
		try(canonical[:i])
		for range 20 { // a part stands elsewhere, or twice
			a, b := i, i+random.IntN(len(canonical)-i+1)
			at := random.IntN(len(canonical))
			try(append(append(bytes.Clone(canonical[:at]), canonical[a:b]...), canonical[at:]...))
		}
	}
	if refused < many(25_000) {
		t.Errorf("only %d were refused", refused)
	}
}

// Faults in a large file.
func TestFaultsAtSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "payload.json")
	writeTargets(t, path, 20_000, 0)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := digest(data)
	random := rand.New(rand.NewPCG(20270112, 8))
	for range many(1000) {
		at, bit := random.IntN(len(data)), byte(1)<<random.IntN(8)
		data[at] ^= bit
		s := stream.Payload(bytes.NewReader(data))
		_, err := drain(s)
		switch {
		case err == nil && s.Digest() == sum:
			t.Fatalf("bit %d of byte %d was flipped, and nothing is noticed", bit, at)
		case err != nil && !strings.Contains(err.Error(), "reading JSON at byte ") && !strings.Contains(err.Error(), "reading metadata: signed has a member"):
			t.Fatalf("byte %d: %v", at, err)
		}
		data[at] ^= bit
	}
	for range 50 {
		at := random.IntN(len(data))
		_, err := drain(stream.Payload(bytes.NewReader(data[:at])))
		var s *tufmeta.SyntaxError
		if !errors.As(err, &s) || s.Offset > at || s.Offset < at-200 {
			t.Fatalf("cut at byte %d: %v", at, err)
		}
	}
	last := bytes.LastIndex(data, []byte(`},"version"`))
	entry := data[bytes.LastIndex(data[:last], []byte(`"packages/`)):last]
	twice := bytes.Join([][]byte{data[:last], []byte(","), entry, data[last:]}, nil)
	_, err = drain(stream.Payload(bytes.NewReader(twice)))
	wantSyntaxError(t, "a target twice at the end", err, last+1, "targets", "stands twice")
}

func drain(s *stream.Scanner) (int, error) {
	defer s.Close()
	n := 0
	for s.Next() {
		n++
	}
	return n, s.Err()
}

func TestNesting(t *testing.T) {
	nested := func(levels int) string {
		return `{"x":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + "}"
	}
	for _, levels := range []int{10, 100} {
		if _, err := read(payload(nested(levels))); err != nil {
			t.Errorf("%d levels: %v", levels, err)
		}
	}
	for _, levels := range []int{101, 10_000} {
		text := nested(levels)
		_, err := read(payload(text))
		wantSyntaxError(t, text, err, 105, "x", "nested deeper than 100 levels")
		if _, theirs := tufmeta.ParseCanonical([]byte(text)); theirs == nil || theirs.Error() != err.Error() {
			t.Errorf("tufmeta says %v, and not %v", theirs, err)
		}
	}
}

// A string of a gigabyte is refused where its entry begins, in the memory that
// an ordinary file takes.
func TestLongString(t *testing.T) {
	for _, row := range []struct {
		head   string
		offset int
		path   string
	}{
		{`{"targets":{"a":{},"b":{"custom":"`, 19, "targets.b.custom"},
		{`{"targets":{"a":{},"`, 19, "targets"},
		{`{"x":"`, 1, "x"},
		{`{"`, 1, ""},
		{`{"delegations":{"roles":[1,[2,"`, 27, "delegations.roles"},
	} {
		long := io.MultiReader(strings.NewReader(row.head), io.LimitReader(letters{}, 1<<30), strings.NewReader(`"}}}`))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := drain(stream.Payload(long))
		runtime.ReadMemStats(&after)
		wantSyntaxError(t, row.head, err, row.offset, row.path, "has more than 1048576 bytes")
		if used := after.TotalAlloc - before.TotalAlloc; used > 50<<20 {
			t.Errorf("%s: %d bytes of memory were taken", row.head, used)
		}
	}
}

// An entry of as many bytes as may be is read wherever it stands, and one byte
// more is refused.
func TestLargestEntry(t *testing.T) {
	for _, shift := range []int{0, 1, 100_000, 261_900} {
		for _, over := range []int{0, 1} {
			pad := `"a":{"custom":"` + strings.Repeat("x", shift) + `"},`
			fill := stream.MaxEntry - len("b") - len(`{"x":""}`) + over
			text := `{"targets":{` + pad + `"b":{"x":"` + strings.Repeat("y", fill) + `"},"c":{}}}`
			n, err := drain(payload(text))
			if (err != nil) != (over > 0) || err == nil && n != 4 {
				t.Errorf("shifted by %d, %d too long: %d entries, %v", shift, over, n, err)
			}
		}
	}
}

type letters struct{}

func (letters) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

// A disk that fills is an error in words, wherever it does.
func TestDiskFull(t *testing.T) {
	full := errors.New("no space left on device")
	path := filepath.Join(t.TempDir(), "payload.json")
	writeTargets(t, path, 5000, 0)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 1, 300_000, len(data) - 1} {
		err := stream.Seal(&disk{room, full}, bytes.NewReader(data), digest(data), nil)
		if !errors.Is(err, full) || !strings.Contains(err.Error(), "assembling metadata: ") {
			t.Errorf("sealing with room for %d bytes: %v", room, err)
		}
		w := stream.NewWriter(&disk{room, full})
		err = stream.Merge(w, stream.Payload(bytes.NewReader(data)), none, nil)
		if err == nil {
			_, err = w.Close()
		}
		if !errors.Is(err, full) || !strings.Contains(err.Error(), "writing metadata: ") {
			t.Errorf("merging with room for %d bytes: %v", room, err)
		}
		if digest, err := w.Close(); err == nil || digest != "" {
			t.Errorf("after that, closing gives %q", digest)
		}
	}
}

func none(func(stream.Edit, error) bool) {}

type disk struct {
	room int
	err  error
}

func (d *disk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		n := d.room
		d.room = 0
		return n, fmt.Errorf("write: %w", d.err)
	}
	d.room -= len(b)
	return len(b), nil
}
