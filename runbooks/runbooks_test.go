package runbooks

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func all(t *testing.T) map[string]*Page {
	t.Helper()
	pages := map[string]*Page{}
	for _, name := range Names() {
		page, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = page
	}
	return pages
}

// Every file is a page that is listed, and every page can be read.
func TestNames(t *testing.T) {
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := Names()
	for i := range listed {
		listed[i] += ".md"
	}
	slices.Sort(listed)
	if !slices.Equal(names, listed) {
		t.Errorf("there are %q, and %q are listed", names, listed)
	}
	all(t)
	for _, name := range []string{"", "nothing", "rotation.md", "../go", "Rotation"} {
		if page, err := Lookup(name); err == nil {
			t.Errorf("%q is the page %q", name, page.Title)
		}
	}
}

// From every step there is a way to an END, and to every step there is a way
// from the beginning of its page, or from another page.
func TestEveryWayEnds(t *testing.T) {
	pages := all(t)
	ends := ending(pages)
	reached := map[Target]bool{}
	for name, page := range pages {
		follow(page, 1, reached)
		for _, s := range page.Steps {
			for _, to := range s.Ways() {
				if to.Page == "" {
					continue
				}
				other := pages[to.Page]
				if other == nil || to.Step > len(other.Steps) {
					t.Errorf("%s, step %d: %s: there is no such page or step", name, s.Number, to)
				} else if to.Step > 0 {
					follow(other, to.Step, reached)
				}
			}
		}
	}
	for name, page := range pages {
		for _, s := range page.Steps {
			at := Target{Page: name, Step: s.Number}
			if !reached[at] {
				t.Errorf("%s: no way leads to step %d", name, s.Number)
			}
			if !ends[at] {
				t.Errorf("%s: no way from step %d ends", name, s.Number)
			}
		}
	}
}

// follow marks the steps of a page to which there is a way.
func follow(page *Page, step int, reached map[Target]bool) {
	at := Target{Page: page.Name, Step: step}
	if reached[at] {
		return
	}
	reached[at] = true
	for _, to := range page.Steps[step-1].Ways() {
		if !to.End && to.Page == "" {
			follow(page, to.Step, reached)
		}
	}
}

// ending are the steps from which an END can be reached, on whatever page.
func ending(pages map[string]*Page) map[Target]bool {
	ends := map[Target]bool{}
	for grown := true; grown; {
		grown = false
		for name, page := range pages {
			for _, s := range page.Steps {
				at := Target{Page: name, Step: s.Number}
				for _, to := range s.Ways() {
					if to.Page == "" {
						to.Page = name
					}
					to.Step = max(to.Step, 1)
					if !ends[at] && (to.End || ends[to]) {
						ends[at], grown = true, true
					}
				}
			}
		}
	}
	return ends
}

// The pages are read with cold hands: lines fit the terminal and the paper, an
// action is one or two sentences, and whoever types a command is named.
func TestReadable(t *testing.T) {
	for name, page := range all(t) {
		if n := utf8.RuneCountInString(page.Purpose); n > 100 {
			t.Errorf("%s: the purpose has %d characters", name, n)
		}
		for _, s := range page.Steps {
			shown := s.If != nil
			var lines []string
			if s.If != nil {
				lines = s.If.Seen
			}
			for i := range s.Parts {
				part := &s.Parts[i]
				shown = shown || part.Kind != Stage
				lines = append(lines, part.Console...)
				if words := len(strings.Fields(part.Text)); words > 45 {
					t.Errorf("%s, line %d: %d words for one thing to do", name, part.Line, words)
				}
				if part.Kind == Do {
					who, _, _ := part.Command()
					if role := strings.TrimRight(who, "-0123456789"); !strings.Contains(s.Who, role) && s.Who != "everybody" {
						t.Errorf("%s, line %d: %s types what %s is to do", name, part.Line, who, s.Who)
					}
				}
			}
			if !shown {
				t.Errorf("%s, step %d shows nothing", name, s.Number)
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); n > 80 {
					t.Errorf("%s: a line of %d columns: %s", name, n, line)
				}
			}
		}
	}
}

const small = `# Title

<!--
run: all is well
-->

The purpose.

Intro.

## 1. First

coordinator, 5 minutes

DO (by hand): Look.

DO: Type this.

` + "```console" + `
coordinator$ ceremony init \
    DIR
Made it.

...
` + "```" + `

<!-- stage: the plan is written -->

SEE: That it is there.

IF it is another

` + "```console" + `
ceremony: error: …
` + "```" + `

THEN Say so. GO TO 2

ELSE END

## 2. Second

holder and witness, 1 minute

DO (by hand): Call.

GO TO rotation 4
`

func TestParse(t *testing.T) {
	page, err := Parse("small", small)
	if err != nil {
		t.Fatal(err)
	}
	first, second := page.Steps[0], page.Steps[1]
	if page.Title != "Title" || page.Purpose != "The purpose." || len(page.Intro) != 1 || len(page.Runs) != 1 || page.Minutes() != 5 {
		t.Errorf("%+v", page)
	}
	if first.Who != "coordinator" || first.Minutes != 5 || len(first.Parts) != 4 || first.If.Then.Text != "Say so." || first.If.Then.To != (Target{Step: 2}) || !first.If.Else.To.End || len(first.If.Seen) != 1 {
		t.Errorf("%+v %+v", first, first.If)
	}
	who, command, seen := first.Parts[1].Command()
	if who != "coordinator" || command != "ceremony init DIR" || strings.Join(seen, "|") != "Made it.||..." {
		t.Errorf("%q %q %q", who, command, seen)
	}
	if second.Next != (Target{Page: "rotation", Step: 4}) || second.Next.String() != "GO TO rotation 4" || second.Minutes != 1 {
		t.Errorf("%+v", second)
	}
}

// What is not of the form is refused, with the line.
func TestParseRefuses(t *testing.T) {
	for _, edit := range []struct{ old, new, want string }{
		{"run: all is well", "runs: all is well", "line 3: \"runs: all"},
		{"# Title\n", "Title\n", "a title"},
		{"The purpose.", "The\npurpose.", "in one line"},
		{"## 2. Second", "## 3. Second", "line 41: this is step 2, and not 3"},
		{"## 2. Second", "### 2. Second", "the step has ended above"},
		{"coordinator, 5 minutes", "5 minutes", "who does the step"},
		{"DO (by hand): Call.", "Call.", "a paragraph begins with"},
		{"DO (by hand): Call.", "DO (by hand): Call, and GO TO 1", "GO TO stands at the end"},
		{"DO (by hand): Call.\n\n", "", "nothing to do"},
		{"coordinator$ ceremony init", "ceremony init", "WHO$ COMMAND"},
		{"Made it.", "coordinator$ ls", "one DO: has one command"},
		{"SEE: That", "That", "a paragraph begins with"},
		{"THEN Say so. GO TO 2", "THEN Say so.", "does not end in GO TO or END"},
		{"THEN Say so. GO TO 2\n\n", "", "IF wants THEN"},
		{"ELSE END\n\n", "", "and then ELSE"},
		{"GO TO 2", "GO TO 3", "which the page does not have"},
		{"GO TO rotation 4\n", "", "which the page does not have"}, // it goes on to no step
		{"<!-- stage: the", "<!-- the", "stage: …"},
		{"Made it.\n", "```\n\n```console\n", "a console block stands behind"},
		{"GO TO rotation 4\n", "GO TO rotation 4", "the last line does not end"},
		{"ceremony: error: …\n```\n\nTHEN", "ceremony: error: …\n\nTHEN", "is missing at the end"},
	} {
		if strings.Count(small, edit.old) < 1 {
			t.Fatalf("there is no %q", edit.old)
		}
		_, err := Parse("small", strings.Replace(small, edit.old, edit.new, 1))
		if err == nil || !strings.Contains(err.Error(), edit.want) {
			t.Errorf("%q for %q: %v", edit.new, edit.old, err)
		}
	}
}

// Whatever the file, reading it ends in a page or an error.
func TestParseCutOff(t *testing.T) {
	for i := range small {
		if page, err := Parse("small", small[:i]); err == nil && len(page.Steps) == 0 {
			t.Errorf("the first %d bytes are a page", i)
		}
	}
}
