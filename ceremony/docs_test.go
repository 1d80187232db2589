package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/check"
	"tufceremony/hsm/piv"
)

// The documents are held to the program. docs/checks.md,
// docs/status-words.md, docs/ceremony.1 and parts of docs/modules.md and of the
// pages in docs/modules are made from it:
//
//	go test ./ceremony -run TestDocs -update
//
// In the others, a fenced block says in its first line what is done with it:
//
//	sh                 Lines are commands: a script of the project, or a
//	                   `ceremony` command line, which must parse.
//	sh softhsm         The block is run as one script, where SoftHSM is.
//	sh openssl         The blocks of docs/promotion.md are run as one script.
//	sh crontab         The commands are run as cron does, on a quiet day and on
//	                   one inside the margin.
//	sh module          Functions of scripts/modules, copied by this test.
//	console module     Each line MODULE$ COMMAND is run by a shell in which
//	                   scripts/modules has made a token of that module, where it
//	                   is installed; below it stands what it prints, as in a
//	                   session.
//	console rehearsal  An excerpt of what `ceremony rehearse` prints.
//	console yubikeys   The same with --piv, where virtual YubiKeys can be had.
//	console hsm        An excerpt of what the two runs of token provision print
//	                   with an empty token, where SoftHSM is.
//	console session    Each line PLACE$ COMMAND is run by a shell in that folder
//	                   of a kept rehearsal; below it stands what it prints, and
//	                   [N] where the exit status is N and not 0.
//	console            A command in a runbook: TestRunbooks runs it.
//
// A line of three dots stands for any lines, and … within a line for any text.
// A block of another sort, or of none, has no commands in it. Commands within
// the text, between backquotes, must exist with the flags that they show.
var update = flag.Bool("update", false, "write the documents that are made from the program")

const (
	docsDir     = "../docs"
	runbooksDir = "../runbooks"
)

// block is a fenced block of a document.
type block struct {
	file string
	line int
	kind string // "sh", "console session"
	text []string
}

func documents(t *testing.T) []string {
	t.Helper()
	names := []string{"../README.md"}
	for _, pattern := range []string{"/*.md", "/modules/*.md"} {
		found, err := filepath.Glob(docsDir + pattern)
		if err != nil || len(found) == 0 {
			t.Fatal("there are no documents", err)
		}
		names = append(names, found...)
	}
	runbooks, err := filepath.Glob(runbooksDir + "/*.md")
	if err != nil || len(runbooks) == 0 {
		t.Fatal("there are no runbooks", err)
	}
	return append(names, runbooks...)
}

// blocks takes a document apart: its fenced blocks, and the text around them.
func blocks(t *testing.T, file string) (fenced []block, prose string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	open := false
	for i, line := range strings.Split(string(data), "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			fenced = append(fenced, block{file: file, line: i + 1, kind: kind})
			open = true
		case fence:
			open = false
		case open:
			last := &fenced[len(fenced)-1]
			last.text = append(last.text, line)
		default:
			prose += line + "\n"
		}
	}
	if open {
		t.Fatalf("%s: a fenced block does not end", file)
	}
	return fenced, prose
}

// TestDocs holds all documents to the program, with one rehearsal.
func TestDocs(t *testing.T) {
	d := &docs{held: t.TempDir()}
	c := exec.Command("ceremony", "rehearse", "--keep", "DIR", "--seed", "docs", "--time", rehearsed)
	c.Dir = d.held
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("holding the rehearsal: %v\n%s", err, out)
	}
	d.screen = strings.Split(string(out), "\n")
	t.Run("commands", docsCommands)
	t.Run("links", docsLinks)
	t.Run("rehearsal", func(t *testing.T) { d.excerpts(t, "console rehearsal", d.screen) })
	t.Run("YubiKeys", d.yubiKeys)
	t.Run("status words", docsStatusWords)
	t.Run("sessions", d.sessions)
	t.Run("formats", d.formats)
	t.Run("JSON", d.json)
	t.Run("checks", docsChecks)
	t.Run("modules", docsModules)
	t.Run("on modules", docsOnModules)
	t.Run("man", docsMan)
	t.Run("completion", docsCompletion)
	t.Run("claims", docsClaims)
	t.Run("design", docsDesign)
	t.Run("HSM", docsHSM)
	t.Run("SoftHSM", docsSoftHSM)
	t.Run("OpenSSL", docsOpenSSL)
	t.Run("crontab", d.crontab)
}

// docs is the rehearsal that the documents show.
type docs struct {
	held   string
	screen []string
}

// kept gives a copy of the rehearsal's folder.
func (d *docs) kept(t *testing.T) string {
	t.Helper()
	return copyTree(t, filepath.Join(d.held, "DIR"))
}

// docsChecks holds docs/checks.md to the table.
func docsChecks(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Checks

This page is made from the program's own table; ` + "`ceremony checks`" + ` prints the same.

Each check weighs twice: in what is being signed, and in what others have published before. A *refusal* stops the
command. A *finding* is shown at review and wants an answer from the people present. A *note* is worth knowing.

A plan may waive a check that is marked so, for one subject (as the finding names it) and with a reason; that lowers a
refusal to a finding and a finding to a note. Review shows each waiver, and the record keeps it.

| check | being signed | published | can be waived |
|---|---|---|---|
`)
	for _, row := range check.Table {
		waivable := row.Waiver
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", row.ID, strings.ToLower(row.ID), row.Draft, row.Published, waivable)
	}
	for _, row := range check.Table {
		fmt.Fprintf(&b, "\n## %s\n\n", row.ID)
		wrapTo(&b, "", "", row.Means)
		b.WriteString("\n")
		wrapTo(&b, "What to do: ", "", row.Do+".")
	}
	generated(t, "checks.md", b.String())
}

// docsStatusWords holds docs/status-words.md to the driver's table.
func docsStatusWords(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# What a YubiKey answers

This page is made from the driver's own table. A card answers each command with two bytes, the status word; errors of
this program say it in words, with the code in parentheses for whoever searches for it.

| status word | means | what to do |
|---|---|---|
`)
	for _, word := range piv.StatusWords {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", word.Code, word.Words, word.Do)
	}
	generated(t, "status-words.md", b.String())
}

// generated compares a document with what the program makes, or writes it.
func generated(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(docsDir, name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != text {
		t.Errorf("%s is not what the program makes; `go test ./ceremony -run TestDocs -update` writes it anew", file)
	}
}

// docsClaims wants every claim of docs/security.md to name a test, and
// every test that a document names to exist.
func docsClaims(t *testing.T) {
	named := regexp.MustCompile("`((?:ceremony|hsm|scripts|runbooks)/[A-Za-z0-9_./-]+)(?: ((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+))?`")
	for _, file := range documents(t) {
		_, prose := blocks(t, file)
		for _, m := range named.FindAllStringSubmatch(strings.Join(strings.Fields(prose), " "), -1) {
			data, err := os.ReadFile("../" + m[1])
			if info, dir := os.Stat("../" + m[1]); dir == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s names %s, which is not there", file, m[1])
			} else if m[2] != "" && !bytes.Contains(data, []byte("func "+m[2]+"(")) {
				t.Errorf("%s names %s, which %s does not have", file, m[2], m[1])
			}
		}
	}
	_, security := blocks(t, docsDir+"/security.md")
	_, claims, ok := strings.Cut(security, "\n## Claims\n")
	claims, _, end := strings.Cut(claims, "\n## ")
	if !ok || !end {
		t.Fatal("security.md has no section of claims")
	}
	list := strings.Split(claims, "\n- ")[1:]
	if len(list) < 10 {
		t.Errorf("security.md has %d claims", len(list))
	}
	for _, claim := range list {
		if !regexp.MustCompile("`(ceremony|hsm|scripts)/[^` ]*(_test\\.go Test|\\.txtar`)").MatchString(claim) {
			t.Errorf("no test is named for this claim: %s", claim)
		}
	}
}

// docsDesign wants docs/design.md to say where every package belongs.
func docsDesign(t *testing.T) {
	text, err := os.ReadFile(docsDir + "/design.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"internal", "../hsm"} {
		entries, err := os.ReadDir(place)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			said := regexp.MustCompile(`(?m)^ +` + e.Name() + ` `).Match(text)
			if e.IsDir() && e.Name() != "internal" && !said {
				t.Errorf("design.md does not say what %s/%s is for", place, e.Name())
			}
		}
	}
}

// docsLinks follows links from one document to another, and to its headings.
func docsLinks(t *testing.T) {
	for _, file := range documents(t) {
		_, prose := blocks(t, file)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]*)(?:#([^):]+))?\)`).FindAllStringSubmatch(prose, -1) {
			target := file
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(file), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			} else if m[2] != "" && !slices.Contains(headings(t, target), m[2]) {
				t.Errorf("%s links to %s, which has no heading %q", file, target, m[2])
			}
		}
	}
}

// headings are a document's, as links name them.
func headings(t *testing.T, file string) (names []string) {
	_, prose := blocks(t, file)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(prose, -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// docsCompletion wants the scripts that the README speaks of.
func docsCompletion(t *testing.T) {
	for shell, mark := range map[string]string{"bash": "__start_ceremony", "zsh": "#compdef ceremony", "fish": "complete -c ceremony"} {
		var screen bytes.Buffer
		env := rehearsalEnv(io.Discard)
		env.out = &screen
		if status := run([]string{"completion", shell}, env); status != done || !strings.Contains(screen.String(), mark) {
			t.Errorf("completion %s: exit status %d, %d bytes", shell, status, screen.Len())
		}
	}
}
