package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/evidence"
	"tufceremony/hsm/pkcs11/pkcs11test"
)

// typedBefore answers for a process that has no terminal.
type typedBefore struct {
	prompter
	line, secret string
}

func (t typedBefore) Line(string) (string, error)   { return t.line, nil }
func (t typedBefore) Secret(string) ([]byte, error) { return []byte(t.secret), nil }

// oneOnModule has one token in SoftHSM, and all others in software.
type oneOnModule struct {
	maker
	module maker
	name   string
}

func (m *oneOnModule) make(ceremony, holder, name string) (stock, error) {
	if name == m.name {
		return m.module.make(ceremony, holder, name)
	}
	return m.maker.make(ceremony, holder, name)
}

// TestKilledAtEveryWriteDestroying kills `token destroy` at each of its durable
// steps in turn, in a software token and in SoftHSM. A key that is gone is then
// one of which the folder says at least that it was about to go; and the same
// command again ends with what it would have written at once.
func TestKilledAtEveryWriteDestroying(t *testing.T) {
	stepwise(t)
	if !alone(t) {
		return
	}
	for _, on := range []string{"software", "SoftHSM"} {
		t.Run(on, func(t *testing.T) {
			d := beforeDestruction(t, on == "SoftHSM")
			whole := d.copied(t)
			if was, out := whole.run(t, 0); was || !strings.Contains(out, "Destroyed: the key of token targets-1.") {
				t.Fatal(out)
			}
			kills := 0
			for n := 1; ; n++ {
				work := d.copied(t)
				was, _ := work.run(t, n)
				if !was {
					break
				}
				kills++
				work.truth(t, n)
				again, out := work.run(t, 0)
				if again || !strings.Contains(out, "Destroyed") {
					t.Errorf("killed at step %d, and run again: %s", n, out)
				}
				work.same(t, n, whole)
			}
			if kills < 12 {
				t.Errorf("the command was killed at only %d steps", kills)
			}
		})
	}
}

// A process that is killed between two writes of a software token's own leaves a
// file of blanks: the same command finds no key in it, and removes it.
func TestKilledWhileErasing(t *testing.T) {
	stepwise(t)
	d := beforeDestruction(t, false)
	begun := 1
	for ; ; begun++ { // the last step before the device is told
		work := d.copied(t)
		if work.run(t, begun); !work.holds(t) {
			break
		}
	}
	work := d.copied(t)
	work.run(t, begun-1)
	file := filepath.Join(work.dir, "coordinator", "tokens", "targets-1.json")
	if err := os.WriteFile(file, []byte(strings.Repeat(" ", 4095)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, out := work.run(t, 0); !strings.Contains(out, "Destroyed: the key of token targets-1.") || strings.Contains(out, "will be destroyed") {
		t.Errorf("it says:\n%s", out)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file that was overwritten is still there: %v", err)
	}
}

// alone runs the test in a process of its own, and reports whether this is that
// process: a module that a test before it has had hang stays initialised, and SoftHSM
// behind it.
func alone(t *testing.T) bool {
	t.Helper()
	if pkcs11test.IsAlone() {
		return true
	}
	out, err := pkcs11test.Alone(t)
	switch {
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case strings.Contains(out, "--- SKIP: "+t.Name()):
		t.Skipf("%s", out)
	case !strings.Contains(out, "--- PASS: "+t.Name()):
		t.Errorf("it was not run:\n%s", out)
	}
	return false
}

// destroying is a rehearsal in which a one-time key has signed and is still there.
type destroying struct {
	dir, pin, clock string
	module          bool
}

func beforeDestruction(t *testing.T, module bool) *destroying {
	r := staged(t, (*rehearsal).prepare)
	if module {
		if err := softHSMAvailable(); err != nil {
			t.Skip("SoftHSM is not there; scripts/test installs it")
		}
		t.Setenv("SOFTHSM2_CONF", "") // newPKCS11Maker sets it, for this test alone
		m, err := newPKCS11Maker(r, pkcs11test.SoftHSMModule)
		if err != nil {
			t.Fatal(err)
		}
		r.maker = &oneOnModule{r.maker, m, "targets-1"}
	}
	profileSigned(t, r, "pep458", plain)
	return &destroying{dir: r.dir, pin: string(r.tokens["targets-1"].pin), clock: r.now.Format("2006-01-02T15:04:05Z"), module: module}
}

func (d *destroying) copied(t *testing.T) *destroying {
	t.Helper()
	to := *d
	to.dir = t.TempDir()
	if err := os.CopyFS(to.dir, os.DirFS(d.dir)); err != nil {
		t.Fatal(err)
	}
	if d.module {
		text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", filepath.Join(to.dir, "softhsm", "tokens"))
		if err := os.WriteFile(to.config(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &to
}

func (d *destroying) config() string { return filepath.Join(d.dir, "softhsm", "softhsm2.conf") }

// run destroys the key, and is killed at the n-th step.
func (d *destroying) run(t *testing.T, n int) (bool, string) {
	t.Helper()
	t.Setenv(typedVariable, "targets-1 "+d.pin)
	if d.module {
		t.Setenv("SOFTHSM2_CONF", d.config())
	}
	return killed(t, filepath.Join(d.dir, "coordinator"), n, d.clock, "token", "destroy", "genesis", "--token", "targets-1")
}

// holds asks the device itself for its key.
func (d *destroying) holds(t *testing.T) bool {
	t.Helper()
	if d.module { // each half is a file, and so is the token itself
		objects, err := filepath.Glob(filepath.Join(d.dir, "softhsm", "tokens", "*", "*.object"))
		if err != nil || len(objects) == 0 {
			t.Fatalf("the token is not there: %v", err)
		}
		return len(objects) > 1
	}
	_, err := os.Stat(filepath.Join(d.dir, "coordinator", "tokens", "targets-1.json"))
	return err == nil
}

// truth wants the folder to say no more than what is so.
func (d *destroying) truth(t *testing.T, n int) {
	t.Helper()
	files := tree(t, filepath.Join(d.dir, "coordinator", "genesis"))
	_, begun := files[evidence.BegunFile("targets-1")]
	_, done := files[evidence.DestructionFile("targets-1")]
	switch held := d.holds(t); {
	case held && done:
		t.Errorf("killed at step %d: the key is there, and the folder says that it was destroyed", n)
	case !held && !begun:
		t.Errorf("killed at step %d: the key is gone, and nothing says that anybody was about to destroy it", n)
	}
}

// same wants what the command writes when nothing stops it: the same evidence,
// and one line on record.
func (d *destroying) same(t *testing.T, n int, whole *destroying) {
	t.Helper()
	have, want := tree(t, filepath.Join(d.dir, "coordinator", "genesis")), tree(t, filepath.Join(whole.dir, "coordinator", "genesis"))
	for name, text := range want {
		if !strings.HasPrefix(name, "record/") && have[name] != text {
			t.Errorf("killed at step %d and run again: %s is %q, and it would have been %q", n, name, have[name], text)
		}
	}
	lines := 0
	for name, text := range have {
		if _, ok := want[name]; !ok {
			t.Errorf("killed at step %d and run again: %s is left", n, name)
		}
		if strings.HasPrefix(name, "record/") {
			lines += strings.Count(text, `"act":"destroy"`)
		}
	}
	if lines != 1 || d.holds(t) {
		t.Errorf("killed at step %d and run again: %d lines on record, and the key is there: %t", n, lines, d.holds(t))
	}
}
