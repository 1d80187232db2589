package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tufceremony/ceremony/internal/tufmeta"
)

// width is that of the narrowest terminal that people film.
const width = 80

// guard is the last line of defence between text from metadata and the
// terminal: whatever control or bidirectional character comes through is
// written as an escape. Line feeds and tabs are the program's own, and so is a
// form feed on a line of its own, which ends a sheet of paper.
type guard struct{ w io.Writer }

func (g guard) Write(p []byte) (int, error) {
	var out strings.Builder
	for line := range strings.SplitAfterSeq(string(p), "\n") {
		text, newline := strings.CutSuffix(line, "\n")
		if text != formFeed {
			text = tufmeta.Printable(text)
		}
		out.WriteString(text)
		if newline {
			out.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(g.w, out.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// wrapTo writes text in lines of the terminal's width. A word that is longer
// than a line is broken, and its rest indented: nothing that comes from a file
// begins at the left edge, where the program's own words stand.
func wrapTo(w io.Writer, first, rest, text string) {
	line := first
	empty := true
	words := strings.Fields(text)
	for len(words) > 0 {
		word := []rune(words[0])
		words = words[1:]
		if room := width - max(utf8.RuneCountInString(first), utf8.RuneCountInString(rest)); len(word) > room && room > 0 {
			words = append([]string{string(word[room:])}, words...)
			word = word[:room]
		}
		if !empty && utf8.RuneCountInString(line)+1+len(word) > width {
			fmt.Fprintln(w, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += string(word)
		empty = false
	}
	fmt.Fprintln(w, line)
}

// wrapHint writes a hint. A command in it stays in one piece, on a line of its
// own if it is long, so that it can be copied.
func wrapHint(w io.Writer, text string) {
	prose, first := "", "ceremony: hint: "
	for i, part := range strings.Split(text, "`") {
		quoted := "`" + part + "`"
		switch {
		case i%2 == 0:
			prose += part
		case utf8.RuneCountInString(quoted) <= width/2:
			prose += strings.ReplaceAll(quoted, " ", unbroken)
		default:
			if prose == "" && i == 1 {
				prose = "run"
			}
			writeProse(w, first, prose)
			fmt.Fprintf(w, "    %s\n", part)
			prose, first = "", "  "
		}
	}
	writeProse(w, first, prose)
}

// unbroken stands for a blank at which no line is broken. It is a character for
// private use: what Unicode has for this is a space to strings.Fields.
const unbroken = "\ue000"

func writeProse(w io.Writer, first, text string) {
	if text = strings.TrimLeft(text, " ,;.:"); text == "" {
		return
	}
	var lines strings.Builder
	wrapTo(&lines, first, "  ", text)
	fmt.Fprint(w, strings.ReplaceAll(lines.String(), unbroken, " "))
}

// printJSON writes a value for machines.
func printJSON(w io.Writer, v any) error {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeJSON(text.String()))
	return err
}

// escapeJSON writes characters that must not reach a terminal raw as JSON does,
// before guard writes them as Go does. In JSON they stand in strings only.
func escapeJSON(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || !tufmeta.Unsafe(string(r)):
			out.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// plural says "1 file" or "3 files".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
