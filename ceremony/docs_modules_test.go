package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Parts of docs/modules.md and of the pages in docs/modules are made: each stands
// between a line <!-- WHAT --> and the next <!-- end -->. What modules can do
// comes from the files that `go test ./hsm/pkcs11 -run TestModules -update` has
// written, each when its module was there; the commands come from scripts/modules
// itself. Each module has its commands on one page, and modules.md leads to it.
func docsModules(t *testing.T) {
	pages, err := filepath.Glob(docsDir + "/modules/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("there are no pages", err)
	}
	overview, err := os.ReadFile(docsDir + "/modules.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	for _, page := range append(pages, docsDir+"/modules.md") {
		name, err := filepath.Rel(docsDir, page)
		if err != nil {
			t.Fatal(err)
		}
		if name = filepath.ToSlash(name); name != "modules.md" && !strings.Contains(string(overview), "]("+name+")") {
			t.Errorf("modules.md does not lead to %s", name)
		}
		modulesPage(t, name, said)
	}
	for _, m := range rehearsalModules {
		if said[m.name] != 1 {
			t.Errorf("the commands for %s stand on %d pages", m.name, said[m.name])
		}
	}
}

// modulesPage makes the parts of a page anew, and counts whose commands it has.
func modulesPage(t *testing.T, name string, said map[string]int) {
	text, err := os.ReadFile(filepath.Join(docsDir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)<!-- (\S+)(?: (\S+))? -->\n.*?<!-- end -->`)
	generated(t, name, part.ReplaceAllStringFunc(string(text), func(old string) string {
		m := part.FindStringSubmatch(old)
		head, _, _ := strings.Cut(old, "\n")
		body := ""
		switch m[1] {
		case "table":
			body = modulesTable(t)
		case "script":
			said[m[2]]++
			body = "```sh module\n" + scriptOf(t, m[2]) + "\n```"
		default:
			t.Errorf("%s: nothing is known of %s", name, head)
		}
		return head + "\n" + body + "\n<!-- end -->"
	}))
}

// docsOnModules runs the blocks `console module`, in which each line
// MODULE$ COMMAND has one fresh token of that module, whose URI is $URI.
func docsOnModules(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the pages show the paths of a machine with amd64")
	}
	script, err := filepath.Abs(modulesScript)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range documents(t) {
		fenced, _ := blocks(t, file)
		for _, b := range fenced {
			if b.kind != "console module" {
				continue
			}
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(file), b.line), func(t *testing.T) {
				t.Parallel()
				module, _, _ := strings.Cut(b.text[0], "$")
				skipWithoutModule(t, module)
				session(t, b, func(module, command string) *exec.Cmd {
					c := exec.Command(script, "-n", "1", module, "sh", "-c", `URI=$(sed 's/[?&]pin-source=.*//;q' "$MODULE_TOKENS"); export URI; eval "$0"`, command)
					c.Dir = t.TempDir() // tpm2-pkcs11 leaves an empty store where it stands
					return c
				})
			})
		}
	}
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
