package runbooks

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Parse reads a page. Whatever is not of the form is an error: a step that no
// test understands is one that no test has run.
func Parse(name, text string) (*Page, error) {
	blocks, err := cut(text)
	if err != nil {
		return nil, fmt.Errorf("reading the runbook %s: %w", name, err)
	}
	p := &parser{page: &Page{Name: name, SHA256: digest(text)}, blocks: blocks}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("reading the runbook %s: line %d: %w", name, p.at, err)
	}
	return p.page, nil
}

// piece is a paragraph, a heading, a comment or a fenced block.
type piece struct {
	line int
	kind string // "#", "##", "<!--", "console", "" for a paragraph
	text []string
}

func (b *piece) flat() string { return strings.Join(strings.Fields(strings.Join(b.text, " ")), " ") }

// cut takes a page apart at its empty lines, which fenced blocks may have too.
func cut(text string) ([]piece, error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, errors.New("the last line does not end")
	}
	var all []piece
	open, end := false, "" // within a piece, and the line that ends it
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fence, fenced := strings.CutPrefix(line, "```")
		switch {
		case open && end != "" && line == end:
			open = false
		case open && end == "" && line == "":
			open = false
		case open:
			all[len(all)-1].text = append(all[len(all)-1].text, line)
		case line == "":
		case fenced:
			all, open, end = append(all, piece{line: i + 1, kind: fence}), true, "```"
		case line == "<!--":
			all, open, end = append(all, piece{line: i + 1, kind: line}), true, "-->"
		default:
			b := paragraph(line)
			b.line = i + 1
			all, open, end = append(all, b), true, ""
		}
	}
	if open && end != "" {
		return nil, fmt.Errorf("%q is missing at the end", end)
	}
	return all, nil
}

func paragraph(line string) piece {
	for _, kind := range []string{"## ", "# "} {
		if text, ok := strings.CutPrefix(line, kind); ok {
			return piece{kind: strings.TrimSpace(kind), text: []string{text}}
		}
	}
	if text, ok := strings.CutPrefix(line, "<!-- "); ok {
		if text, ok = strings.CutSuffix(text, " -->"); ok {
			return piece{kind: "<!--", text: []string{text}}
		}
	}
	return piece{text: []string{line}}
}

type parser struct {
	page   *Page
	blocks []piece
	at     int // line
}

// take gives the next piece, if it is of a kind.
func (p *parser) take(kind string) (piece, bool) {
	if len(p.blocks) == 0 || p.blocks[0].kind != kind {
		return piece{}, false
	}
	b := p.blocks[0]
	p.blocks, p.at = p.blocks[1:], b.line
	return b, true
}

func (p *parser) parse() error {
	title, ok := p.take("#")
	comment, runs := p.take("<!--")
	if !ok || !runs {
		return errors.New("a title, and a comment with the runs, are wanted at the beginning")
	}
	p.page.Title = title.flat()
	for _, line := range comment.text {
		run, ok := strings.CutPrefix(line, "run: ")
		if !ok {
			return fmt.Errorf("%q is no line of the form `run: …`", line)
		}
		p.page.Runs = append(p.page.Runs, run)
	}
	purpose, ok := p.take("")
	if !ok || len(purpose.text) != 1 {
		return errors.New("the purpose is missing, in one line")
	}
	p.page.Purpose = purpose.text[0]
	for {
		b, ok := p.take("")
		if !ok {
			break
		}
		p.page.Intro = append(p.page.Intro, b.flat())
	}
	for len(p.blocks) > 0 {
		if err := p.step(); err != nil {
			return err
		}
	}
	return p.targets()
}

var (
	heading = regexp.MustCompile(`^(\d+)\. (\S.*)$`)
	duty    = regexp.MustCompile(`^([a-z].*), (\d+) minutes?$`)
	target  = regexp.MustCompile(`^(?:(.*[.;]) )?(?:(END)|GO TO (?:([a-z][a-z-]*)(?: (\d+))?|(\d+)))$`)
)

func (p *parser) step() error {
	head, ok := p.take("##")
	m := heading.FindStringSubmatch(head.flat())
	if !ok || m == nil {
		if len(p.blocks) > 0 {
			p.at = p.blocks[0].line
		}
		return errors.New("a step is wanted: `## 1. What it is about`")
	}
	number := len(p.page.Steps) + 1
	if m[1] != strconv.Itoa(number) {
		return fmt.Errorf("this is step %d, and not %s", number, m[1])
	}
	s := Step{Number: number, Title: m[2], Line: head.line, Next: Target{Step: number + 1}}
	who, _ := p.take("")
	if m = duty.FindStringSubmatch(who.flat()); m == nil {
		return errors.New("who does the step, and how long it takes, is wanted: `coordinator, 5 minutes`")
	}
	s.Who = m[1]
	s.Minutes, _ = strconv.Atoi(m[2])
	err := p.parts(&s)
	p.page.Steps = append(p.page.Steps, s)
	return err
}

// parts reads a step to where it says how it goes on.
func (p *parser) parts(s *Step) error {
	for len(p.blocks) > 0 && p.blocks[0].kind != "##" {
		if b, ok := p.take("<!--"); ok {
			stage, ok := strings.CutPrefix(b.flat(), "stage: ")
			if !ok {
				return errors.New("a comment in a step is of the form `<!-- stage: … -->`")
			}
			s.Parts = append(s.Parts, Part{Kind: Stage, Text: stage, Line: b.line})
			continue
		}
		b, ok := p.take("")
		if !ok {
			p.at = p.blocks[0].line
			return errors.New("a console block stands behind DO: or IF")
		}
		ended, err := p.said(s, b)
		if err != nil {
			return err
		}
		if ended && len(p.blocks) > 0 && p.blocks[0].kind != "##" {
			p.at = p.blocks[0].line
			return errors.New("the step has ended above")
		}
	}
	if len(s.Parts) == 0 && s.If == nil {
		return errors.New("the step has nothing to do")
	}
	return nil
}

// said reads a paragraph by the word it begins with.
func (p *parser) said(s *Step, b piece) (ended bool, err error) {
	text := b.flat()
	for _, k := range []struct {
		word string
		kind Kind
	}{{"DO: ", Do}, {"DO (by hand): ", ByHand}, {"SEE: ", See}} {
		rest, ok := strings.CutPrefix(text, k.word)
		if !ok {
			continue
		}
		if strings.Contains(rest, "GO TO") {
			return false, errors.New("GO TO stands at the end of a step, or behind THEN and ELSE")
		}
		part := Part{Kind: k.kind, Text: rest, Line: b.line}
		if k.kind == Do {
			part.Console, err = p.console()
		}
		s.Parts = append(s.Parts, part)
		return false, err
	}
	if question, ok := strings.CutPrefix(text, "IF "); ok {
		s.If, err = p.decision(question, b.line)
		return true, err
	}
	way, err := parseWay(text)
	if err == nil && way.Text != "" {
		err = errors.New("what is to be done stands behind DO")
	}
	if err != nil {
		return false, fmt.Errorf("%w: a paragraph begins with DO, SEE, IF, GO TO or END", err)
	}
	s.Next = way.To
	return true, nil
}

// console reads the block of a command. Long commands go on after a backslash.
func (p *parser) console() ([]string, error) {
	b, ok := p.take("console")
	if !ok || len(b.text) == 0 || !prompt.MatchString(b.text[0]) {
		return nil, errors.New("DO: wants a console block that begins with WHO$ COMMAND")
	}
	for _, line := range b.text[1:] {
		if prompt.MatchString(line) {
			return nil, errors.New("one DO: has one command")
		}
	}
	return b.text, nil
}

var prompt = regexp.MustCompile(`^([a-z0-9-]+)\$ (\S.*)$`)

// Command is who types what, and what must be seen then.
func (p *Part) Command() (who, command string, seen []string) {
	m := prompt.FindStringSubmatch(p.Console[0])
	command, rest := m[2], p.Console[1:]
	for strings.HasSuffix(command, `\`) && len(rest) > 0 {
		command = strings.TrimSuffix(command, `\`) + strings.TrimSpace(rest[0])
		rest = rest[1:]
	}
	return m[1], command, rest
}

func (p *parser) decision(question string, line int) (*Decision, error) {
	d := &Decision{Question: question, Line: line}
	if b, ok := p.take("console"); ok {
		d.Seen = b.text
	}
	for _, w := range []struct {
		word string
		way  *Way
	}{{"THEN ", &d.Then}, {"ELSE ", &d.Else}} {
		b, _ := p.take("")
		text, ok := strings.CutPrefix(b.flat(), w.word)
		if !ok {
			return nil, errors.New("IF wants THEN below it, and then ELSE")
		}
		var err error
		if *w.way, err = parseWay(text); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func parseWay(text string) (Way, error) {
	m := target.FindStringSubmatch(text)
	if m == nil {
		return Way{}, fmt.Errorf("%q does not end in GO TO or END", text)
	}
	way := Way{Text: m[1], To: Target{End: m[2] != "", Page: m[3]}}
	way.To.Step, _ = strconv.Atoi(m[4] + m[5])
	return way, nil
}

// targets wants the steps of this page that are gone to. Other pages are for
// whoever has them all.
func (p *parser) targets() error {
	for i := range p.page.Steps {
		s := &p.page.Steps[i]
		for _, to := range s.Ways() {
			if !to.End && to.Page == "" && (to.Step < 1 || to.Step > len(p.page.Steps)) {
				p.at = s.Line
				return fmt.Errorf("step %d goes on at step %d, which the page does not have", s.Number, to.Step)
			}
		}
	}
	if len(p.page.Steps) == 0 {
		return errors.New("the page has no steps")
	}
	return nil
}
