package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tufceremony/runbooks"
)

// sheet is a runbook as lines of text: for a terminal, or for paper with boxes
// to tick.
type sheet struct {
	lines []string
	paper bool
}

func (s *sheet) line(text string) { s.lines = append(s.lines, text) }

// gap is an empty line, and never a second one.
func (s *sheet) gap() {
	if n := len(s.lines); n > 0 && s.lines[n-1] != "" {
		s.line("")
	}
}

// wrap adds text in lines of the width. A command between backquotes stays in
// one piece.
func (s *sheet) wrap(first, rest, text string) {
	parts := strings.Split(text, "`")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], " ", unbroken)
	}
	var out strings.Builder
	wrapTo(&out, first, rest, strings.Join(parts, "`"))
	for line := range strings.Lines(out.String()) {
		s.line(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), unbroken, " "))
	}
}

func (s *sheet) opening(page *runbooks.Page) {
	s.line(page.Title)
	s.line("")
	s.wrap("", "", page.Purpose)
	for _, text := range page.Intro {
		s.line("")
		s.wrap("", "", text)
	}
	s.line("")
	if page.Commands() {
		s.wrap("", "", "What is typed stands behind a $, and below it what the screen shows then. There … stands for any text, and ... for any lines.")
		s.line("")
	}
	s.wrap("", "", fmt.Sprintf("It takes about %s, if every IF is answered with no.", duration(page.Minutes())))
	if s.paper {
		s.line("")
		s.line("Date ______________  Place ______________________  Event ______________________")
	}
}

// duration says "25 minutes" or "2 h 5 min".
func duration(minutes int) string {
	if minutes < 60 {
		return plural(minutes, "minute")
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}

const (
	stepIndent = "    "
	boxIndent  = "        "
)

func (s *sheet) step(page *runbooks.Page, i int) {
	step := &page.Steps[i]
	s.heading(step)
	for n := range step.Parts {
		s.part(&step.Parts[n])
	}
	if d := step.If; d != nil {
		s.wrap(stepIndent+"IF ", boxIndent, d.Question)
		s.console(d.Seen)
		s.ways(d)
		return
	}
	if step.Next.End || step.Next.Page != "" || step.Next.Step != step.Number+1 {
		s.way("", runbooks.Way{To: step.Next})
	}
}

// heading has the step to the left and whose it is to the right, where there is
// room for both.
func (s *sheet) heading(step *runbooks.Step) {
	left := fmt.Sprintf("%2d. %s", step.Number, step.Title)
	right := fmt.Sprintf("%s, %s", step.Who, plural(step.Minutes, "minute"))
	if gap := width - utf8.RuneCountInString(left) - utf8.RuneCountInString(right); gap > 1 {
		s.line(left + strings.Repeat(" ", gap) + right)
	} else {
		s.line(left)
		s.line(stepIndent + right)
	}
	if s.paper {
		s.line(stepIndent + "begun ___:___   done ___:___   initials _______ _______")
	}
}

// box is what is ticked on paper.
func (s *sheet) box() string {
	if s.paper {
		return stepIndent + "[ ] "
	}
	return stepIndent
}

func (s *sheet) part(part *runbooks.Part) {
	switch part.Kind {
	case runbooks.Do:
		s.wrap(s.box()+"DO: ", boxIndent, part.Text)
		s.console(part.Console)
	case runbooks.ByHand:
		s.wrap(s.box()+"DO (by hand): ", boxIndent, part.Text)
	case runbooks.See:
		s.wrap(s.box()+"SEE: ", boxIndent, part.Text)
	}
}

// console shows what stands on a screen as it stands there, and indented as far
// as the width allows.
func (s *sheet) console(lines []string) {
	if len(lines) == 0 {
		return
	}
	indent := len(stepIndent) + 2
	for _, line := range lines {
		indent = max(0, min(indent, width-utf8.RuneCountInString(line)))
	}
	s.gap()
	for _, line := range lines {
		s.line(strings.TrimRight(strings.Repeat(" ", indent)+line, " "))
	}
	s.line("")
}

// ways are the two answers, on paper side by side where they fit.
func (s *sheet) ways(d *runbooks.Decision) {
	one, other := &sheet{paper: s.paper}, &sheet{paper: s.paper}
	one.way("THEN ", d.Then)
	other.way("ELSE ", d.Else)
	if s.paper && len(one.lines) == 1 && len(other.lines) == 1 {
		both := fmt.Sprintf("%-*s%s", width/2, one.lines[0], other.lines[0])
		if utf8.RuneCountInString(one.lines[0]) < width/2 && utf8.RuneCountInString(both) <= width {
			s.line(both)
			return
		}
	}
	s.lines = append(append(s.lines, one.lines...), other.lines...)
}

func (s *sheet) way(word string, way runbooks.Way) {
	text := way.To.String()
	if way.Text != "" {
		text = way.Text + " " + text
	}
	if way.To.Page != "" && !s.paper {
		text += fmt.Sprintf("  (`ceremony runbook %s`)", way.To.Page)
	}
	s.wrap(s.box()+word, boxIndent, text)
}

// Pages for a printer: 60 lines fit both A4 and Letter at six lines an inch, and
// a form feed ends each but the last.
const (
	paperLines = 60
	formFeed   = "\f"
)

func printRunbook(w io.Writer, page *runbooks.Page) {
	sheets := paginate(page)
	for i, lines := range sheets {
		if i > 0 {
			fmt.Fprintln(w, formFeed)
		}
		for _, line := range append(paperHead(page, i+1, len(sheets)), lines...) {
			fmt.Fprintln(w, line)
		}
	}
}

// paperHead stands on each sheet: sheets that are shuffled, or from another
// version, are told apart.
func paperHead(page *runbooks.Page, n, of int) []string {
	left := fmt.Sprintf("runbook %s, by ceremony %s", page.Name, version)
	right := fmt.Sprintf("sheet %d of %d", n, of)
	return []string{
		fmt.Sprintf("%s%*s", left, max(1+len(right), width-utf8.RuneCountInString(left)), right),
		"SHA-256 " + page.SHA256,
		strings.Repeat("-", width),
		"",
	}
}

// paginate breaks a page between steps where it can.
func paginate(page *runbooks.Page) (sheets [][]string) {
	room := paperLines - 1 - len(paperHead(page, 1, 1)) // the form feed has a line of its own
	var now []string
	for i := -1; i < len(page.Steps); i++ {
		s := &sheet{paper: true}
		if i < 0 {
			s.opening(page)
		} else {
			s.step(page, i)
		}
		if len(now) > 0 && len(now)+1+len(s.lines) > room {
			sheets, now = append(sheets, now), nil
		}
		if n := len(now); n > 0 && now[n-1] != "" {
			now = append(now, "")
		}
		now = append(now, s.lines...)
		for len(now) > room {
			sheets, now = append(sheets, now[:room]), now[room:]
		}
	}
	return append(sheets, now)
}
