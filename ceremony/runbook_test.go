package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tufceremony/runbooks"
)

// On paper nothing is lost and nothing runs over: a sheet has at most 60 lines
// of 80 columns, each step is there once, and each of its actions has a box.
func TestRunbookSheets(t *testing.T) {
	for _, name := range runbooks.Names() {
		page, err := runbooks.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		printRunbook(guard{&out}, page)
		sheets := strings.Split(out.String(), "\f\n")
		for i, text := range sheets {
			if lines := strings.Count(text, "\n"); lines > paperLines {
				t.Errorf("%s: sheet %d has %d lines", name, i+1, lines)
			}
			for line := range strings.Lines(text) {
				if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > width {
					t.Errorf("%s: sheet %d is too narrow for: %s", name, i+1, line)
				}
			}
			if !strings.HasPrefix(text, "runbook "+name+", by ceremony "+version) || !strings.Contains(text, "SHA-256 "+page.SHA256+"\n") {
				t.Errorf("%s: sheet %d does not say what it is of:\n%s", name, i+1, text)
			}
		}
		actions := 0
		for _, s := range page.Steps {
			for _, part := range s.Parts {
				if part.Kind != runbooks.Stage {
					actions++
				}
			}
			if head := "\n" + strings.TrimRight((&sheet{}).headed(&s), "\n"); strings.Count(out.String(), head) != 1 {
				t.Errorf("%s: step %d is not there once", name, s.Number)
			}
		}
		boxes := strings.Count(out.String(), "[ ] DO") + strings.Count(out.String(), "[ ] SEE")
		if boxes != actions || strings.Count(out.String(), "initials ") != len(page.Steps) {
			t.Errorf("%s: %d boxes for %d actions", name, boxes, actions)
		}
	}
}

// headed gives the first line of a step.
func (s *sheet) headed(step *runbooks.Step) string {
	s.heading(step)
	return s.lines[0]
}

// An emergency's decision is one sheet of paper.
func TestRunbookEmergencyIsOneSheet(t *testing.T) {
	page, err := runbooks.Lookup("emergency")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(paginate(page)); n != 1 || page.Commands() {
		t.Errorf("%d sheets; it has commands: %t", n, page.Commands())
	}
}

// Case A is six commands with a threshold of three, as its page says, and one
// where a standby revocation is there. The dry run before them writes nothing,
// and inspect after them only looks.
func TestRunbookCaseAIsSixCommands(t *testing.T) {
	for _, row := range []struct{ name, begins, want string }{
		{"by those who are left", "a year after the genesis", "init sign sign sign seal publish"},
		{"by a standby revocation", "with standby revocations", "publish"},
	} {
		t.Run(row.name, func(t *testing.T) {
			pages := map[string]*runbooks.Page{}
			for _, name := range runbooks.Names() {
				page, err := runbooks.Lookup(name)
				if err != nil {
					t.Fatal(err)
				}
				pages[name] = page
			}
			held := states{}
			t.Cleanup(held.remove)
			t.Chdir(t.TempDir())
			p := &player{t: t, rehearsal: held.begin(t, row.begins), pages: pages, page: pages["emergency-a"], seen: map[string]bool{}}
			if row.want == "publish" {
				p.turns = []turn{{page: "emergency-a", step: 2, then: true}}
			}
			p.play()
			var wrote []string
			for _, command := range p.commands {
				if args := shellWords(command); args[1] != "inspect" && !strings.Contains(command, "--dry-run") {
					wrote = append(wrote, args[1])
				}
			}
			if got := strings.Join(wrote, " "); got != row.want {
				t.Errorf("it takes %s; want %s", got, row.want)
			}
		})
	}
}

// A form feed ends a sheet, and anywhere else it is what it is in any text.
func TestFormFeedOnItsOwn(t *testing.T) {
	var out strings.Builder
	g := guard{&out}
	for _, text := range []string{"a\n\f\nb\n", "c\fd\n", "\f\f\n"} {
		if _, err := g.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := out.String(), "a\n\f\nb\nc\\u000cd\n\\u000c\\u000c\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
