package stream_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// values are alike at their beginning, and not all of them are plain.
var values = []string{
	`1`, `12`, `123`, `-1`, `"x"`, `"x y"`, `"x\"y"`, `"é"`, "\"a\nb\"", `{}`, `[]`, `{"a":1}`, `{"a":12}`, `[1,2]`, `[1,23]`, `[[[[]]]]`, `true`, `null`,
	`{"custom":{"a":[1,"}",{}]},"hashes":{"sha256":"00"},"length":7}`, `{"hashes":{"sha256":"00"},"length":7}`, `{"hashes":{"sha256":"00"},"length":77}`,
}

// randomTargets gives some targets, and a next version in which a few are others.
func randomTargets(r *rand.Rand) (old, now map[string]string) {
	old = map[string]string{}
	for range r.IntN(30) {
		name := strings.Repeat("n", r.IntN(3)) + fmt.Sprint(r.IntN(60))
		if r.IntN(20) == 0 {
			name += string([]rune{'"', '\\', 'é', '\n'}[r.IntN(4)])
		}
		old[name] = values[r.IntN(len(values))]
	}
	now = maps.Clone(old)
	for range r.IntN(4) {
		for name := range old {
			now[name] = values[r.IntN(len(values))]
			break
		}
		now[fmt.Sprint("n", r.IntN(60))] = values[r.IntN(len(values))]
		for name := range old {
			delete(now, name)
			break
		}
	}
	return old, now
}

var quote = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func documentOf(targets map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		list = append(list, `"`+quote.Replace(name)+`":`+targets[name])
	}
	return `{"_type":"x","targets":{` + strings.Join(list, ",") + `},"version":7}`
}

// Where the older version has the bytes of the newer one they are not read again,
// and nothing else of a comparison is different for that: neither what it finds, nor
// the digests, nor what is refused, wherever a chunk ends.
func TestCompareFollows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	for range 3000 {
		before, after := randomTargets(r)
		old, now := documentOf(before), documentOf(after)
		var want, told []string
		for _, name := range slices.Sorted(maps.Keys(merged(before, after))) {
			want = append(want, fmt.Sprintf("%q %s -> %s", name, before[name], after[name]))
		}
		size := 1 + r.IntN(len(old))
		published := `{"signatures":[],"signed":` + string(tufmeta.JSON([]byte(old))) + "}\n"
		if r.IntN(3) == 0 {
			published = strings.ReplaceAll(published, `":`, `": `)
		}
		a, b := stream.EnvelopeBy(strings.NewReader(published), size), stream.PayloadBy(strings.NewReader(now), 1+r.IntN(len(now)))
		_, err := stream.Compare(a, b, func(c stream.Change) error {
			if c.In == stream.Targets {
				told = append(told, fmt.Sprintf("%q %s -> %s", c.Name, c.Old, c.New))
			}
			return nil
		})
		if strings.Contains(published, `": `) && strings.Contains(strings.Join(slices.Collect(maps.Keys(before)), ""), `"`) {
			continue // a name with a quote in it has become another
		}
		if err != nil || !slices.Equal(want, told) || a.Digest() != digest([]byte(old)) || b.Digest() != digest([]byte(now)) {
			t.Fatalf("%v\n%s\n%s\n%q\nwant\n%q", err, old, now, told, want)
		}
	}
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// One byte of either version is another: it is refused where it is refused alone,
// with the same words.
func TestCompareFollowsFaults(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 71))
	refused := 0
	for range 6000 {
		before, _ := randomTargets(r)
		now := documentOf(before)
		old := []byte(now)
		old[r.IntN(len(old))] ^= 1 << r.IntN(8)
		envelope := slices.Concat([]byte(`{"signatures":[],"signed":`), old, []byte("}"))
		size := 1 + r.IntN(len(old))
		s := stream.EnvelopeBy(bytes.NewReader(envelope), size)
		_, alone := read(s)
		a := stream.EnvelopeBy(bytes.NewReader(envelope), size)
		_, err := stream.Compare(a, stream.PayloadBy(strings.NewReader(now), size), func(stream.Change) error { return nil })
		switch {
		case (err == nil) != (alone == nil), err != nil && err.Error() != "the old version: "+alone.Error():
			t.Fatalf("%s\n%s\n%v, and alone %v", now, old, err, alone)
		case err != nil:
			refused++
		case a.Digest() != s.Digest():
			t.Fatalf("%s: another digest", old)
		}
	}
	if refused < 1000 {
		t.Errorf("only %d were refused", refused)
	}
}
