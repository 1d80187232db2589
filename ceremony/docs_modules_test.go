package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Parts of docs/modules.md are made: each stands between a line <!-- WHAT -->
// and the next <!-- end -->. What modules can do comes from the files that
// `go test ./hsm/pkcs11 -run TestModules -update` has written, each when its
// module was there; the commands come from scripts/modules itself.
func docsModules(t *testing.T) {
	text, err := os.ReadFile(docsDir + "/modules.md")
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)<!-- (\S+)(?: (\S+))? -->\n.*?<!-- end -->`)
	made := part.ReplaceAllStringFunc(string(text), func(old string) string {
		m := part.FindStringSubmatch(old)
		head, _, _ := strings.Cut(old, "\n")
		body := ""
		switch m[1] {
		case "table":
			body = modulesTable(t)
		case "script":
			body = "```sh module\n" + scriptOf(t, m[2]) + "\n```"
		default:
			t.Errorf("modules.md: nothing is known of %s", head)
		}
		return head + "\n" + body + "\n<!-- end -->"
	})
	generated(t, "modules.md", made)
}

// modulesTable has a row for each thing that a module does or does not, and
// numbered below it the reasons why not.
func modulesTable(t *testing.T) string {
	var rows []string
	cells := map[string]map[string]string{}
	put := func(row, module, cell string) {
		if cells[row] == nil {
			rows = append(rows, row)
			cells[row] = map[string]string{}
		}
		cells[row][module] = cell
	}
	for _, m := range rehearsalModules {
		text, err := os.ReadFile("../hsm/pkcs11/testdata/modules/" + m.name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			row, cell, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if !ok {
				t.Fatalf("%s.txt has the line %q", m.name, line)
			}
			if row == "module" { // the version is its last word
				cell = cell[strings.LastIndex(cell, " ")+1:]
				row = "version that was seen"
			}
			put(row, m.name, cell)
		}
	}
	for _, m := range rehearsalModules {
		if m.not == "" {
			put("a whole rehearsal", m.name, "yes")
		} else {
			put("a whole rehearsal", m.name, "no, "+m.not)
		}
	}
	var b, reasons strings.Builder
	var known []string
	b.WriteString("| |")
	for _, m := range rehearsalModules {
		b.WriteString(" " + m.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(rehearsalModules)) + "\n")
	for _, row := range rows {
		b.WriteString("| " + row + " |")
		for _, m := range rehearsalModules {
			cell, ok := cells[row][m.name]
			if reason, no := strings.CutPrefix(cell, "no, "); no {
				n := slices.Index(known, reason)
				if n < 0 {
					n = len(known)
					known = append(known, reason)
					fmt.Fprintf(&reasons, "%d. %s\n", n+1, reason)
				}
				cell = fmt.Sprintf("no (%d)", n+1)
			} else if !ok {
				cell = "not tried"
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	return b.String() + "\n" + strings.TrimSuffix(reasons.String(), "\n")
}

// scriptOf gives the functions of scripts/modules that a module has to itself,
// with the comments above them.
func scriptOf(t *testing.T, name string) string {
	text, err := os.ReadFile(modulesScript)
	if err != nil {
		t.Fatal(err)
	}
	its := strings.ReplaceAll(name, "-", "_")
	switch name {
	case "opensc":
		its += "|yubikeys?"
	case "opencryptoki":
		its += "|namespaces"
	}
	function := regexp.MustCompile(`(?m)^((make|around)_(` + its + `)|(` + its + `)(_[a-z]+)?)\(\) \{$`)
	var found []string
	for _, paragraph := range strings.Split(string(text), "\n\n") {
		if function.MatchString(paragraph) {
			found = append(found, strings.TrimSpace(paragraph))
		}
	}
	if len(found) == 0 {
		t.Errorf("scripts/modules has nothing for %q", name)
	}
	return strings.Join(found, "\n\n")
}
