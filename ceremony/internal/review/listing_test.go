package review

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/stream"
)

func entryOf(kind stream.Kind, n int) stream.Change {
	value := fmt.Appendf(nil, `{"hashes":{"sha256":"%064d"},"length":%d}`, n, n)
	c := stream.Change{Kind: kind, In: stream.Targets, Name: fmt.Appendf(nil, "file-%06d", n), Old: value, New: value}
	switch kind {
	case stream.Added:
		c.Old = nil
	case stream.Removed:
		c.New = nil
	}
	return c
}

func shownOf(t *testing.T, l *listing) string {
	t.Helper()
	changes, err := l.changes()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s | %.9s | %.40s\n", c.Mark, c.What, c.Old, c.New)
	}
	return b.String()
}

// Of few changes all are shown, what is new and what changes in the order of paths.
func TestListing(t *testing.T) {
	l := newListing()
	for i, kind := range []stream.Kind{stream.Added, stream.Removed, stream.Changed, stream.Same, stream.Added} {
		l.add(entryOf(kind, i))
	}
	want := regexp.MustCompile(`^\+ target file-000000 .*\n~ target file-000002 .*\n\+ target file-000004 .*\n- target file-000001 .*\n= targets unchanged \| 1 \| 1\n$`)
	if have := shownOf(t, l); !want.MatchString(have) {
		t.Error(have)
	}
}

// Of many new ones the first and the last are shown, with the number between; of
// those that change or go, far more.
func TestLongListing(t *testing.T) {
	l := newListing()
	for i := range 10_000 {
		l.add(entryOf(stream.Added, 3*i))
		l.add(entryOf(stream.Changed, 3*i+1))
		l.add(entryOf(stream.Removed, 3*i+2))
	}
	have := shownOf(t, l)
	for mark, want := range map[string]int{"+": 2*shownNew + 1, "~": 2*shownSurprises + 1, "-": 2*shownSurprises + 1} {
		if n := len(regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(mark)+" ").FindAllString(have, -1)); n != want {
			t.Errorf("%d lines begin with %s, want %d", n, mark, want)
		}
	}
	for _, want := range []string{
		"+ target file-000057 |  | 57 bytes",
		"+ 9960 more targets |  | 10000 in all, found with --grep",
		"+ target file-029997 |  | 29997 bytes",
		"~ 8000 more targets |  | 10000 in all, found with --grep",
		"- 8000 more targets | 10000 in ",
		"- target file-029999 | 29999 byt",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if strings.Contains(have, "+ target file-000060") {
		t.Error("more than the first are shown")
	}
	last := strings.LastIndex(have, "\n+ ")
	if first := strings.Index(have, "\n- "); first < last {
		t.Error("what goes does not come last")
	}
}
