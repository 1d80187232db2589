package projects

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// Projects are terminating, so whoever has a path before another has it alone.
// That no two have the same path cannot be seen from half a million patterns one
// by one; it can from their forms, of which there are a few: what is left of a
// pattern when the project's name is taken out. Where the name is a part of its
// own, two projects of one form share no path; and whether two forms do is asked
// once for each pair.

// hole stands in a form for the project's name. Patterns have no braces.
const hole = "{project}"

// maxForms is how many forms are compared with each other.
const maxForms = 100

// form is a form, and who has it.
type form struct {
	count    int
	first    string // the first project, or role, that has it
	loose    bool   // the name is only how a part begins: of two projects one may match the other
	fresh    bool   // some of the list have it
	unnamed  bool   // the name is nowhere in it
	projects []string
}

type forms struct {
	all  map[string]*form
	late []pending
	many bool
}

// pending is a pattern in which the name stands in several places: which of them
// is meant, the others tell.
type pending struct {
	who        string
	fresh      bool
	candidates []string
}

// take notes the form of a pattern of a project, whose name a part may be, or of a
// role that is none (nothing is its name then).
func (f *forms) take(who string, named func(part string) bool, pattern string, fresh bool) {
	exact, loose := formsOf(named, pattern)
	switch {
	case len(exact) == 1:
		f.put(exact[0], who, form{fresh: fresh})
	case len(exact) > 1:
		f.late = append(f.late, pending{who, fresh, exact})
	case loose != "":
		f.put(loose, who, form{fresh: fresh, loose: true})
	default:
		f.put(pattern, who, form{fresh: fresh, unnamed: true})
	}
}

func (f *forms) put(text, who string, x form) {
	if f.all == nil {
		f.all = map[string]*form{}
	}
	have := f.all[text]
	if have == nil {
		if f.many = f.many || len(f.all) >= maxForms; f.many && !(x.unnamed && x.fresh) {
			return
		}
		x.first = who
		have = &x
		f.all[text] = have
	}
	have.count++
	have.fresh = have.fresh || x.fresh
	if x.unnamed && x.fresh {
		have.projects = append(have.projects, who)
	}
}

// named reports whether a part of a path is the project's name: normalised, or as
// the list has it. Any other spelling is another path, on which nobody's files lie.
func (e Entry) named() func(part string) bool {
	name := e.Name()
	return func(part string) bool { return part == name || part == e.Project }
}

// anySpelling is named for a project that is delegated to: how its name was
// written in a list is not known any more.
func anySpelling(name string) func(part string) bool {
	return func(part string) bool { return name != "" && Normalise(part) == name }
}

// formsOf gives the forms of a pattern in which the name is a part of its own,
// and else the one in which it is how a part begins.
func formsOf(named func(part string) bool, pattern string) (exact []string, loose string) {
	parts := strings.Split(pattern, "/")
	with := func(i int, text string) string {
		changed := slices.Clone(parts)
		changed[i] = text
		return strings.Join(changed, "/")
	}
	for i, part := range parts {
		if named(part) {
			exact = append(exact, with(i, hole))
		}
		head := part[:strings.IndexAny(part+"*", "*?")]
		if rest := strings.TrimRight(head, "-_."); loose == "" && rest != part && named(rest) {
			loose = with(i, hole+part[len(rest):])
		}
	}
	return exact, loose
}

// results says which patterns are not those of one project alone.
func (f *forms) results(role string) []check.Result {
	f.settle()
	var results []check.Result
	texts := slices.Sorted(maps.Keys(f.all))
	for _, text := range texts {
		switch x := f.all[text]; {
		case x.unnamed:
			for _, project := range x.projects {
				results = append(results, check.New("PROJECT-PATHS", project, "no part of its path \"%s\" is its name", text))
			}
		case x.loose && x.fresh:
			results = append(results, check.New("PROJECT-PATHS", text, "%s %s paths in which the name is only how a part begins: %s is one, and a project whose name goes on from another's shares paths with it", plural(x.count), have(x.count), x.first))
		}
	}
	if f.many {
		return append(results, check.New("PROJECT-PATHS", role, "the paths of its projects have more than %d forms: whether two of them share a path is not known", maxForms))
	}
	for i, a := range texts {
		for _, b := range texts[i+1:] {
			x, y := f.all[a], f.all[b]
			if (x.fresh || y.fresh) && unify(a, b) {
				results = append(results, check.New("PROJECT-PATHS", tufmeta.Printable(a+" and "+b), "both may match one path: %s has a path of the one form, and %s of the other", x.first, y.first))
			}
		}
	}
	return results
}

// settle chooses, of several forms of a pattern, the one that most others have.
func (f *forms) settle() {
	for _, p := range f.late {
		best := p.candidates[0]
		for _, c := range p.candidates {
			if have := f.all[c]; have != nil && (f.all[best] == nil || have.count > f.all[best].count) {
				best = c
			}
		}
		f.put(best, p.who, form{fresh: p.fresh})
	}
	f.late = nil
}

// unify reports whether two forms can match one path. It says yes where it does
// not know.
func unify(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if apart(x[i], y[i]) {
			return false
		}
	}
	return true
}

// open is what may stand for any text in a part of a form.
var open = regexp.MustCompile(`[*?]|` + regexp.QuoteMeta(hole))

// apart reports whether no text matches both parts: one has another beginning,
// or another end, than the other.
func apart(a, b string) bool {
	aHead, aEnd, aOpen := ends(a)
	bHead, bEnd, bOpen := ends(b)
	if !aOpen && !bOpen {
		return a != b
	}
	if !aOpen {
		return len(a) < len(bHead)+len(bEnd) || !strings.HasPrefix(a, bHead) || !strings.HasSuffix(a, bEnd)
	}
	if !bOpen {
		return apart(b, a)
	}
	return !prefixed(aHead, bHead) || !suffixed(aEnd, bEnd)
}

func ends(part string) (head, end string, wild bool) {
	at := open.FindAllStringIndex(part, -1)
	if at == nil {
		return part, part, false
	}
	return part[:at[0][0]], part[at[len(at)-1][1]:], true
}

func prefixed(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
func suffixed(a, b string) bool { return strings.HasSuffix(a, b) || strings.HasSuffix(b, a) }

func plural(n int) string {
	if n == 1 {
		return "1 project"
	}
	return fmt.Sprintf("%d projects", n)
}

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

// Form is a form of paths, with how many there are of it.
type Form struct {
	Text  string
	Count int
	First string
}

// Forms lists the forms of the list's own paths, the most frequent first.
func Forms(entries []Entry) []Form {
	f := &forms{}
	for _, e := range entries {
		for _, path := range e.Paths {
			f.take(e.Name(), e.named(), path, true)
		}
	}
	f.settle()
	var all []Form
	for _, text := range slices.Sorted(maps.Keys(f.all)) {
		all = append(all, Form{tufmeta.Printable(text), f.all[text].count, f.all[text].first})
	}
	slices.SortStableFunc(all, func(a, b Form) int { return b.Count - a.Count })
	return all
}
