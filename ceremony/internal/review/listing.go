package review

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// How many targets of a kind are shown from the beginning, and as many again from
// the end, where there are more. What goes and what changes is what people look
// for, so they see more of it; all can be searched.
const (
	shownNew       = 20
	shownSurprises = 1000
)

// listing gathers the changes of a role's targets.
type listing struct {
	all  [4]ends // by stream.Kind
	seen int
}

// ends keeps the first and the last of many changes.
type ends struct {
	most        int
	first, last []placed // last is a ring, once it is full
	total       int
}

// placed is a change with its place among all.
type placed struct {
	at int
	stream.Change
}

func newListing() *listing {
	l := &listing{}
	l.all[stream.Added].most = shownNew
	l.all[stream.Changed].most = shownSurprises
	l.all[stream.Removed].most = shownSurprises
	return l
}

func (l *listing) add(c stream.Change) {
	l.seen++
	e := &l.all[c.Kind]
	e.total++
	if c.Kind == stream.Same {
		return
	}
	c.Name, c.Old, c.New = bytes.Clone(c.Name), bytes.Clone(c.Old), bytes.Clone(c.New)
	switch p := (placed{l.seen, c}); {
	case len(e.first) < e.most:
		e.first = append(e.first, p)
	case len(e.last) < e.most:
		e.last = append(e.last, p)
	default:
		e.last[(e.total-1)%e.most] = p
	}
}

// marks are those of the kinds, in the order in which they are shown.
var marks = map[stream.Kind]string{stream.Same: "=", stream.Added: "+", stream.Changed: "~", stream.Removed: "-"}

// targetChange says what an entry was and is.
func targetChange(c stream.Change) (Change, error) {
	change := Change{Mark: marks[c.Kind], What: "target " + tufmeta.Printable(string(c.Name))}
	for _, side := range []struct {
		value []byte
		text  *string
	}{{c.Old, &change.Old}, {c.New, &change.New}} {
		if side.value == nil {
			continue
		}
		target, err := stream.ParseTarget(stream.Entry{In: stream.Targets, Name: c.Name, Value: side.value})
		if err != nil {
			return Change{}, err
		}
		tree, err := tufmeta.ParseCanonical(side.value)
		if err != nil {
			return Change{}, err
		}
		*side.text = describeFile(target.TargetFile, tree)
	}
	return change, nil
}

// changes gives what is new or changed, in the order of paths; then what goes;
// then how many stay. Where not all are shown, their number is.
func (l *listing) changes() ([]Change, error) {
	var out []Change
	for _, kinds := range [][]stream.Kind{{stream.Added, stream.Changed}, {stream.Removed}} {
		var shown []placed
		hidden := map[int]Change{} // after the change of this place
		for _, kind := range kinds {
			e := l.all[kind]
			shown = slices.Concat(shown, e.first, e.last)
			if n := e.total - len(e.first) - len(e.last); n > 0 {
				hidden[e.first[len(e.first)-1].at] = hiddenChange(kind, n, e.total)
			}
		}
		slices.SortFunc(shown, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
		for _, p := range shown {
			change, err := targetChange(p.Change)
			if err != nil {
				return nil, err
			}
			out = append(out, change)
			if more, ok := hidden[p.at]; ok {
				out = append(out, more)
			}
		}
	}
	if kept := l.all[stream.Same].total; kept > 0 {
		n := strconv.Itoa(kept)
		out = append(out, Change{Mark: "=", What: "targets unchanged", Old: n, New: n})
	}
	return out, nil
}

// hiddenChange stands for the changes between the first and the last.
func hiddenChange(kind stream.Kind, hidden, total int) Change {
	c := Change{Mark: marks[kind], What: strconv.Itoa(hidden) + " more targets"}
	what := strconv.Itoa(total) + " in all, found with --grep"
	if kind == stream.Removed {
		c.Old = what
	} else {
		c.New = what
	}
	return c
}
