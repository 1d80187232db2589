package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/projects"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
)

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
			case "console":
				if filepath.Dir(b.file) != runbooksDir {
					t.Errorf("%s:%d: only runbooks have blocks of this sort", b.file, b.line)
				}
			case "console session", "console rehearsal", "console yubikeys", "console module", "console hsm", "sh softhsm", "sh openssl", "sh module", "sh crontab", "":
			default:
				t.Errorf("%s:%d: nothing is known of blocks of sort %q", b.file, b.line, b.kind)
			}
			if strings.Contains(strings.Join(b.text, "\n"), "$ ceremony") && !strings.HasPrefix(b.kind, "console") {
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
	if names := c.Flags().Args(); name(c) == "runbook" && len(names) > 0 && names[0] != strings.ToUpper(names[0]) {
		if _, err := lookupRunbook(names[0]); err != nil {
			return err
		}
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
			if errors.Is(err, hsm.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
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

// docsOpenSSL runs what developers and administrators do with openssl, and wants
// the list that comes out to be a good one.
func docsOpenSSL(t *testing.T) {
	for _, tool := range []string{"sh", "openssl", "awk"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there", tool)
		}
	}
	script := ""
	fenced, _ := blocks(t, docsDir+"/promotion.md")
	for _, b := range fenced {
		if b.kind == "sh openssl" {
			script += strings.Join(b.text, "\n") + "\n"
		}
	}
	docsList(t, script, projects.Scope{Repository: "example.org", Role: "claimed"})
	docsList(t, "rehearsal=yes\n"+script, projects.Scope{Repository: "example.org", Role: "claimed", Rehearsal: true})
}

// docsList runs a script that writes a list, and wants its proofs to be good there.
func docsList(t *testing.T, script string, scope projects.Scope) {
	t.Helper()
	c := exec.Command("sh", "-eu", "-c", script)
	c.Dir = t.TempDir()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(c.Dir, "claimed.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := projects.Parse("claimed.jsonl", data)
	if err != nil || len(entries) != 4 {
		t.Fatalf("the list has %d projects, %v", len(entries), err)
	}
	if found := projects.NewLinter(scope, entries).Results(); len(found) > 0 {
		t.Errorf("it finds %v", found)
	}
}
