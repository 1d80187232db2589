package main

import (
	"bytes"
	"encoding/json"
	"errors"
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

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
	"tufceremony/hsm/pkcs11"
)

// The documents are held to the program. docs/checks.md and docs/ceremony.1
// are made from it:
//
//	go test ./ceremony -run TestDocs -update
//
// In the others, a fenced block says in its first line what is done with it:
//
//	sh                 Lines are commands: a script of the project, or a
//	                   `ceremony` command line, which must parse.
//	sh softhsm         The block is run as one script, where SoftHSM is.
//	console rehearsal  An excerpt of what `ceremony rehearse` prints.
//	console session    Each line PLACE$ COMMAND is run by a shell in that folder
//	                   of a kept rehearsal; below it stands what it prints, and
//	                   [N] where the exit status is N and not 0.
//
// A line of three dots stands for any lines, and … within a line for any text.
// A block of another sort, or of none, has no commands in it. Commands within
// the text, between backquotes, must exist with the flags that they show.
var update = flag.Bool("update", false, "write docs/checks.md and docs/ceremony.1")

const docsDir = "../docs"

// block is a fenced block of a document.
type block struct {
	file string
	line int
	kind string // "sh", "console session"
	text []string
}

func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(docsDir + "/*.md")
	if err != nil || len(names) == 0 {
		t.Fatal("there are no documents", err)
	}
	return append(names, "../README.md")
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
	t.Run("rehearsal", d.rehearsal)
	t.Run("sessions", d.sessions)
	t.Run("formats", d.formats)
	t.Run("JSON", d.json)
	t.Run("checks", docsChecks)
	t.Run("man", docsMan)
	t.Run("completion", docsCompletion)
	t.Run("claims", docsClaims)
	t.Run("design", docsDesign)
	t.Run("SoftHSM", docsSoftHSM)
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

// docsCommands wants every command that a document shows to exist.
func docsCommands(t *testing.T) {
	inline := regexp.MustCompile("`([^`]+)`")
	for _, file := range documents(t) {
		fenced, prose := blocks(t, file)
		for _, b := range fenced {
			switch b.kind {
			case "sh":
				for _, line := range joined(b.text) {
					if err := existing(line, true); err != nil {
						t.Errorf("%s:%d: %q: %v", b.file, b.line, line, err)
					}
				}
			case "console session", "console rehearsal", "sh softhsm", "":
			default:
				t.Errorf("%s:%d: nothing is known of blocks of sort %q", b.file, b.line, b.kind)
			}
			if strings.Contains(strings.Join(b.text, "\n"), "$ ceremony") && !strings.HasPrefix(b.kind, "console ") {
				t.Errorf("%s:%d: the block shows commands and is not tested", b.file, b.line)
			}
		}
		for _, m := range inline.FindAllStringSubmatch(strings.Join(strings.Fields(prose), " "), -1) {
			if first, _, _ := strings.Cut(m[1], " "); first != "ceremony" && !strings.HasPrefix(first, "scripts/") {
				continue
			}
			if err := existing(m[1], false); err != nil {
				t.Errorf("%s: %q: %v", file, m[1], err)
			}
		}
	}
}

// joined puts lines together that end in a backslash, and leaves out comments
// and empty lines.
func joined(lines []string) []string {
	var out []string
	for _, line := range strings.Split(strings.ReplaceAll(strings.Join(lines, "\n"), "\\\n", " "), "\n") {
		if code, _, _ := strings.Cut(line, "  #"); strings.TrimSpace(code) != "" && !strings.HasPrefix(code, "#") {
			out = append(out, strings.TrimSpace(code))
		}
	}
	return out
}

// existing checks one command; whole where it is shown with its arguments.
func existing(line string, whole bool) error {
	args := shellWords(line)
	for len(args) > 0 && strings.Contains(args[0], "=") {
		args = args[1:] // CGO_ENABLED=0 scripts/build
	}
	if len(args) == 0 {
		return errors.New("there is no command")
	}
	if name, ok := strings.CutPrefix(args[0], "scripts/"); ok {
		info, err := os.Stat("../scripts/" + name)
		if err != nil || info.Mode()&0o111 == 0 {
			return errors.New("there is no such script")
		}
		if name != "rehearse" {
			return nil
		}
		args = append([]string{"ceremony", "rehearse"}, args[1:]...)
	}
	if args[0] != "ceremony" {
		return errors.New("it is neither a script nor ceremony")
	}
	return parses(args[1:], whole)
}

func parses(args []string, whole bool) error {
	root := rootCommand(rehearsalEnv(io.Discard))
	root.InitDefaultCompletionCmd(args...)
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if c == root && len(c.Flags().Args()) > 0 {
		return errors.New("there is no such subcommand")
	}
	if whole && !c.Flags().Changed("help") {
		return c.ValidateArgs(c.Flags().Args())
	}
	return nil
}

// shellWords splits a command line as a shell does, as far as documents go.
func shellWords(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|'([^']*)'|\S+`).FindAllStringSubmatch(line, -1) {
		switch {
		case m[1] != "":
			words = append(words, m[1])
		case m[2] != "":
			words = append(words, m[2])
		default:
			words = append(words, m[0])
		}
	}
	return words
}

// rehearsal wants each excerpt to be what a rehearsal prints.
func (d *docs) rehearsal(t *testing.T) {
	for _, file := range documents(t) {
		fenced, _ := blocks(t, file)
		for _, b := range fenced {
			if b.kind != "console rehearsal" {
				continue
			}
			want := slices.Concat([]string{"..."}, b.text, []string{"..."})
			if missing := unlike(want, d.screen); missing != "" {
				t.Errorf("%s:%d: no rehearsal prints, at its place, %s", b.file, b.line, missing)
			}
		}
	}
}

// sessions runs the sessions, each document in a copy of its own.
func (d *docs) sessions(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no shell")
	}
	place, err := filepath.Abs(docsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range documents(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := d.kept(t)
			fenced, _ := blocks(t, file)
			for _, b := range fenced {
				if b.kind == "console session" {
					session(t, b, dir, place)
				}
			}
		})
	}
}

var prompt = regexp.MustCompile(`^([a-z0-9/._-]+)\$ (.+)$`)

func session(t *testing.T, b block, dir, docs string) {
	t.Helper()
	for i := 0; i < len(b.text); {
		m := prompt.FindStringSubmatch(b.text[i])
		if m == nil {
			t.Fatalf("%s:%d: %q is no PLACE$ COMMAND", b.file, b.line+1+i, b.text[i])
		}
		next := i + 1
		for next < len(b.text) && !prompt.MatchString(b.text[next]) {
			next++
		}
		c := exec.Command("sh", "-c", m[2])
		c.Dir = filepath.Join(dir, filepath.FromSlash(m[1]))
		c.Env = append(os.Environ(), "DOCS="+docs, "PYTHONDONTWRITEBYTECODE=1", clockVariable+"=2027-12-31T09:00:00Z")
		out, err := c.CombinedOutput()
		got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			got = append(got, fmt.Sprintf("[%d]", exit.ExitCode()))
		}
		if missing := unlike(b.text[i+1:next], got); missing != "" {
			t.Errorf("%s:%d: %s\nit prints, unlike %s:\n%s", b.file, b.line+1+i, m[2], missing, strings.Join(got, "\n"))
		}
		i = next
	}
}

// unlike says which wanted line has no place in what was got, or "".
func unlike(want, got []string) string {
	if len(want) == 0 {
		want = []string{""}
	}
	at := 0
	for i := 0; i < len(want); {
		gap := want[i] == "..."
		if gap {
			i++
		}
		end := i
		for end < len(want) && want[end] != "..." {
			end++
		}
		part := want[i:end]
		from := at
		for ; ; from++ {
			switch {
			case from+len(part) > len(got) || !gap && from > at:
				return fmt.Sprintf("%q", strings.Join(part, "\n"))
			case end == len(want) && len(part) > 0 && from+len(part) != len(got):
				continue // the last part ends what was printed
			}
			if alike(part, got[from:from+len(part)]) {
				break
			}
		}
		at, i = from+len(part), end
	}
	if want[len(want)-1] != "..." && at != len(got) {
		return "the end"
	}
	return ""
}

func alike(want, got []string) bool {
	for i := range want {
		pieces := strings.Split(strings.TrimRight(want[i], " "), "…")
		for n := range pieces {
			pieces[n] = regexp.QuoteMeta(pieces[n])
		}
		if !regexp.MustCompile("^" + strings.Join(pieces, ".*") + " *$").MatchString(got[i]) {
			return false
		}
	}
	return true
}

// A block of documents that does not match must be seen not to.
func TestDocsUnlike(t *testing.T) {
	got := strings.Split("a\nb 12\nc\nd", "\n")
	for _, want := range []string{"a\nb 12\nc\nd", "a\n...\nd", "...\nc\nd", "a\nb …\n...", "...\nb …2\n...\nd", "..."} {
		if missing := unlike(strings.Split(want, "\n"), got); missing != "" {
			t.Errorf("%q: unlike %s", want, missing)
		}
	}
	for _, want := range []string{"", "a", "b 12\nc\nd", "a\nc\n...", "a\n...\nc", "...\nd\n...\nc\n...", "a\nb …3\n...", "a\n...\nx\n..."} {
		if unlike(strings.Split(want, "\n"), got) == "" {
			t.Errorf("%q is taken for what was printed", want)
		}
	}
}

// docsSoftHSM runs what a document shows for SoftHSM, and wants the driver
// to find the key whose public half it leaves.
func docsSoftHSM(t *testing.T) {
	for _, tool := range []string{"sh", "softhsm2-util", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there", tool)
		}
	}
	for _, file := range documents(t) {
		fenced, _ := blocks(t, file)
		for _, b := range fenced {
			if b.kind != "sh softhsm" {
				continue
			}
			dir := t.TempDir()
			conf := filepath.Join(dir, "softhsm2.conf")
			if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SOFTHSM2_CONF", conf)
			c := exec.Command("sh", "-eu", "-c", strings.Join(b.text, "\n"))
			c.Dir = dir
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%s:%d: %v\n%s", b.file, b.line, err, out)
			}
			token, err := pkcs11.Open("pkcs11:token=trial;object=root?module-path=" + softHSM)
			if err != nil {
				t.Fatal(err)
			}
			defer token.Close()
			keys, err := token.Keys()
			if err != nil || len(keys) != 1 {
				t.Fatalf("the token has %d keys, %v", len(keys), err)
			}
			shown, err := os.ReadFile(filepath.Join(dir, "trial.pem"))
			if err != nil {
				t.Fatal(err)
			}
			if have, err := publicPEM(keys[0].Public); err != nil || !bytes.Equal(have, shown) {
				t.Errorf("trial.pem is not the token's key: %v", err)
			}
			if left, err := os.ReadFile(filepath.Join(dir, "trial.key")); err == nil {
				t.Errorf("the private key is left in a file: %d bytes", len(left))
			}
		}
	}
}

// formats has the second reader of the formats, docs/formats.py, come
// to the same result as the first, and refuse what was altered.
func (d *docs) formats(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there; scripts/test installs it")
	}
	dir := d.kept(t)
	read := func(bundle, root string) (string, error) {
		c := exec.Command(python, docsDir+"/formats.py", bundle, root)
		c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	root := filepath.Join(dir, "repository", "root.json")
	for name, acts := range map[string]int{"genesis": 7, "rotation": 10} {
		bundle := filepath.Join(dir, name+".bundle")
		out, err := read(bundle, root)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		var screen bytes.Buffer
		if status := run([]string{"verify", "--json", "--at", "2027-12-31T09:00:00Z", bundle, "--trusted-root", root}, rehearsalEnv(&screen)); status != done {
			t.Fatal(screen.String())
		}
		ours, theirs := proof(t, screen.Bytes(), true), proof(t, []byte(out), false)
		if ours != theirs || !strings.Contains(out, fmt.Sprintf(`"acts": %d`, acts)) {
			t.Errorf("%s: formats.py says\n%s\nand verify\n%s", name, theirs, ours)
		}
		data, err := os.ReadFile(bundle)
		if err != nil {
			t.Fatal(err)
		}
		altered := filepath.Join(t.TempDir(), "altered")
		for at := 0; at < len(data); at += 2503 { // a prime: every sort of place
			changed := bytes.Clone(data)
			changed[at] ^= 1
			if err := os.WriteFile(altered, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := read(altered, root); err == nil {
				t.Errorf("%s: byte %d altered is accepted:\n%s", name, at, out)
			}
		}
	}
}

// proof takes what both readers say of a bundle out of their JSON. One counts
// signers, the other names them.
func proof(t *testing.T, data []byte, names bool) string {
	t.Helper()
	var p struct {
		Event, SHA256 string
		Chain         []int64
		Roles         []struct {
			Role, SHA256 string
			Version      int64
			Counts       []struct {
				Under   int64 `json:"under_root"`
				Signers any
			}
		}
	}
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	for _, r := range p.Roles {
		for i, c := range r.Counts {
			if list, ok := c.Signers.([]any); ok && names {
				r.Counts[i].Signers = float64(len(list))
			}
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// json wants docs/formats.md to name every member that --json writes.
func (d *docs) json(t *testing.T) {
	text, err := os.ReadFile(docsDir + "/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := d.kept(t)
	at := func(path string) string { return filepath.Join(dir, filepath.FromSlash(path)) }
	for _, args := range [][]string{
		{"inspect", "--json", at("repository/metadata/1.root.json"), at("repository/metadata/2.root.json"), at("repository/metadata/timestamp.json")},
		{"review", "--json", at("coordinator/rotation")},
		{"status", "--json", at("coordinator/rotation")},
		{"verify", "--json", "--at", "2027-12-31T09:00:00Z", at("rotation.bundle"), "--trusted-root", at("repository/root.json")},
		{"checks", "--json"},
	} {
		var screen bytes.Buffer
		if status := run(args, rehearsalEnv(&screen)); status != done {
			t.Fatal(screen.String())
		}
		for _, m := range regexp.MustCompile(`(?m)^ *"([a-z_0-9]+)":`).FindAllStringSubmatch(screen.String(), -1) {
			if !regexp.MustCompile("[`\"]" + m[1] + "[`\"\\[]").Match(text) {
				t.Errorf("formats.md says nothing of %q, which %s --json writes", m[1], args[0])
			}
		}
	}
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
		waivable := ""
		if row.Waivable {
			waivable = "yes"
		}
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
	named := regexp.MustCompile("`((?:ceremony|hsm|scripts)/[A-Za-z0-9_./-]+)(?: ((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+))?`")
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
			if e.IsDir() && !bytes.Contains(text, []byte("`"+e.Name()+"`")) && !bytes.Contains(text, []byte("\n  "+e.Name())) && e.Name() != "internal" {
				t.Errorf("design.md does not say what %s/%s is for", place, e.Name())
			}
		}
	}
}

// docsLinks follows links from one document to another.
func docsLinks(t *testing.T) {
	for _, file := range documents(t) {
		_, prose := blocks(t, file)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)[^):]*\)`).FindAllStringSubmatch(prose, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			}
		}
	}
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

// docsMan holds docs/ceremony.1 to the commands, and has groff read it.
func docsMan(t *testing.T) {
	generated(t, "ceremony.1", manPage())
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not there to read the page")
	}
	out, err := exec.Command(groff, "-man", "-ww", "-Tutf8", "-z", docsDir+"/ceremony.1").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

// manPage writes the manual page in the macros of man(7).
func manPage() string {
	root := rootCommand(rehearsalEnv(io.Discard))
	m := &man{}
	m.macro(`TH CEREMONY 1 "" "ceremony" "User Commands"`)
	m.macro("SH NAME")
	m.text("ceremony - " + root.Short)
	m.macro("SH SYNOPSIS")
	for i, c := range shownCommands(root) {
		if i > 0 {
			m.macro("br")
		}
		m.synopsis(c)
	}
	m.macro("SH DESCRIPTION")
	m.paragraph(root.Long)
	m.paragraph(`A ceremony lives in a folder on a removable medium. Its coordinator types init, edits plan.yaml, types draft and ` +
		`review, and copies the folder for each holder. Each holder types sign on a machine of their own. The coordinator types ` +
		`merge, status and seal, and hands the bundle to the publisher, who types publish. Anybody types verify.`)
	m.macro("SH COMMANDS")
	for _, c := range shownCommands(root) {
		m.command(c)
	}
	m.section("EXIT STATUS", [][2]string{
		{"0", "Done."},
		{"1", "Refused or failed. Standard error says why, and what to do."},
		{"2", "The command line is not understood."},
	})
	m.section("FILES", [][2]string{
		{"plan.yaml", "What was decided: who, what, how many, until when. Written by people."},
		{"keys/", "The public key of each token, as PEM."},
		{"trusted/", "Published metadata that the ceremony goes on from."},
		{"payload/", "What is signed, byte for byte: sha256sum gives the digest that is read aloud."},
		{"signatures/", "One small file for each signature."},
		{"metadata/", "What clients fetch, made by seal."},
		{"record/", "What was done, each line with the digest of the line before."},
		{"../tokens/", "Software tokens, for rehearsals: beside the folder, never in it."},
	})
	m.section("TOKENS", [][2]string{
		{"pkcs11:token=LABEL;object=LABEL?module-path=/FILE", "A key on a device with a PKCS#11 module, by RFC 7512. " +
			"The module is named by its path; the rest must describe one token. Give serial= where labels are alike."},
		{"soft:NAME", "A software token, in a plan that is marked as a rehearsal."},
	})
	m.paragraph("The PIN is asked for at the terminal. Either may name a file that holds it, with pin-source=file:/FILE in its query; review reports that. A PIN never stands in a URI, a flag or the environment.")
	m.macro("SH SEE ALSO")
	m.text("sha256sum(1), tar(1), openssl-pkey(1)")
	m.paragraph("README.md, docs/formats.md, docs/checks.md and docs/security.md in the source.")
	return m.b.String()
}

func shownCommands(root *cobra.Command) []*cobra.Command {
	var shown []*cobra.Command
	for _, c := range root.Commands() {
		if !c.Hidden {
			shown = append(shown, c)
		}
	}
	return shown
}

// man writes roff.
type man struct{ b strings.Builder }

func (m *man) macro(line string) { m.b.WriteString("." + line + "\n") }

// escape writes text so that roff shows it as it is: hyphens as those that are
// typed, no request where a line begins with a dot.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "“", `"`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`, "'", `\(aq`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func (m *man) text(s string) {
	for _, line := range strings.Split(s, "\n") {
		m.b.WriteString(escape(line) + "\n")
	}
}

func (m *man) paragraph(s string) {
	m.macro("PP")
	m.text(s)
}

func (m *man) section(name string, items [][2]string) {
	m.macro("SH " + name)
	for _, item := range items {
		m.item("", item[0], item[1])
	}
}

// item is a term in bold, what stands for a value in italics, and its text.
func (m *man) item(term, bold, text string) {
	m.macro("TP")
	m.b.WriteString(`\fB` + escape(bold) + `\fR`)
	if term != "" {
		m.b.WriteString(` \fI` + escape(term) + `\fR`)
	}
	m.b.WriteString("\n")
	m.text(text)
}

func (m *man) synopsis(c *cobra.Command) {
	line := `\fB` + escape(c.Parent().Name()+" "+c.Name()) + `\fR`
	if _, rest, ok := strings.Cut(c.Use, " "); ok {
		line += " " + escape(rest)
	}
	if hasFlags(c) {
		line += " [flags]"
	}
	m.b.WriteString(line + "\n")
}

func hasFlags(c *cobra.Command) bool { return len(flagsOf(c.Flags().VisitAll)) > 0 }

func (m *man) command(c *cobra.Command) {
	m.macro("SS " + escape(c.Name()))
	m.synopsis(c)
	if c.Long != "" {
		m.paragraph(c.Long)
	} else {
		m.paragraph(strings.ToUpper(c.Short[:1]) + c.Short[1:] + ".")
	}
	for _, f := range flagsOf(c.Flags().VisitAll) {
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := "", f.Usage
		if parts := strings.Split(f.Usage, "`"); len(parts) == 3 {
			value, usage = parts[1], strings.Join(parts, "")
		}
		m.item(value, name, strings.ToUpper(usage[:1])+usage[1:]+".")
	}
}

// flagsOf collects the flags that visit passes.
func flagsOf[F any](visit func(func(*F))) []*F {
	var all []*F
	visit(func(f *F) { all = append(all, f) })
	return all
}
