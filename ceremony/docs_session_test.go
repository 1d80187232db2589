package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tufceremony/hsm/virtual"
)

// yubiKeys holds a rehearsal with virtual YubiKeys, for the excerpts of one.
func (d *docs) yubiKeys(t *testing.T) {
	stack, err := virtual.Start(sevenCards()...)
	skipWithout(t, err)
	defer stack.Stop()
	c := exec.Command("ceremony", "rehearse", "--piv", "--seed", "docs", "--time", rehearsed)
	c.Env = append(os.Environ(), stack.Env())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("holding the rehearsal: %v\n%s", err, out)
	}
	d.excerpts(t, "console yubikeys", strings.Split(string(out), "\n"))
	text, err := os.ReadFile(docsDir + "/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"token", "list", "--json"}, {"token", "show", "--json", "piv:serial=20000001"}, {"token", "attest", "--json", "--rehearsal", "piv:serial=20000001;slot=9c"},
	} {
		c := exec.Command("ceremony", args...)
		c.Env = append(os.Environ(), stack.Env())
		out, err := c.Output()
		if err != nil {
			t.Fatal(args, err)
		}
		documented(t, text, args[:2], string(out))
	}
}

// excerpts wants each block of a kind to be what a rehearsal prints.
func (d *docs) excerpts(t *testing.T, kind string, screen []string) {
	for _, file := range documents(t) {
		fenced, _ := blocks(t, file)
		for _, b := range fenced {
			if b.kind != kind {
				continue
			}
			want := slices.Concat([]string{"..."}, b.text, []string{"..."})
			if missing := unlike(want, screen); missing != "" {
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
			dir := ""
			fenced, _ := blocks(t, file)
			for _, b := range fenced {
				if b.kind != "console session" {
					continue
				}
				if dir == "" {
					dir = d.kept(t)
				}
				session(t, b, func(at, command string) *exec.Cmd {
					c := exec.Command("sh", "-c", command)
					c.Dir = filepath.Join(dir, filepath.FromSlash(at))
					c.Env = append(os.Environ(), "DOCS="+place, "PYTHONDONTWRITEBYTECODE=1", clockVariable+"=2027-12-31T09:00:00Z")
					return c
				})
			}
		})
	}
}

var prompt = regexp.MustCompile(`^([a-z0-9/._-]+)\$ (.+)$`)

// session runs the commands of a block, each as command makes it, and compares
// what they print.
func session(t *testing.T, b block, command func(place, text string) *exec.Cmd) {
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
		out, err := command(m[1], m[2]).CombinedOutput()
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
