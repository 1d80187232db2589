package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tufceremony/ceremony/internal/durable"
)

// troubles are what goes wrong in a run.
var troubles = map[string]func(*player) error{
	"a wrong PIN":                  func(p *player) error { p.wrong = []byte("000001"); return nil },
	"a proof is missing":           (*player).unproved,
	"a wrong PUK":                  func(p *player) error { p.wrong = []byte("00000001"); return nil },
	"the PIN is locked":            func(p *player) error { return p.lock("holder-1") },
	"the PUK is locked":            (*player).lockPUK,
	"the bundle is altered":        func(p *player) error { return p.alter("rotation.bundle") },
	"only one comes":               func(p *player) error { p.late = true; return nil },
	"the holder presses Ctrl-C":    func(p *player) error { p.stops = true; return nil },
	"another serial is typed":      func(p *player) error { p.typed = "20000002"; return nil },
	"another event ID is typed":    func(p *player) error { p.typed = strings.Repeat("0", 64); return nil },
	"the threshold is forgotten":   func(p *player) error { return p.changes("genesis", "threshold: 3", "threshold: 0") },
	"a name is mistyped":           func(p *player) error { return p.changes("rotation", "holder-4, holder-6]", "holder-4, holder-7]") },
	"the witness has another root": (*player).anotherRoot,
	"other words are typed":        func(p *player) error { p.typed = "these are other words"; return nil },
	"a stolen key is left in": func(p *player) error {
		return p.changes(stick+"revocation", "[holder-1, holder-2, holder-6, holder-7, ", "[holder-1, holder-2, holder-3, holder-6, holder-7, ")
	},
	"another root is published": func(p *player) error {
		return p.typedBy("publisher", []string{"publish", "../sealed/revoke-holder-5.bundle", "../repository"})
	},
	"the old keys are listed":             (*player).oldKeysListed,
	"another key is named":                func(p *player) error { p.typed = "holder-1"; return nil },
	"the publisher was faster":            (*player).publishedAlready,
	"nobody puts it back":                 func(p *player) error { p.late = true; return nil },
	"the witness is given another bundle": func(p *player) error { return p.alter("rotation.bundle") },
}

// quiet has a command typed that is on no page, and that fails.
func (p *player) quiet(who string, args []string, secrets ...string) error {
	if err := os.Chdir(filepath.Join(p.dir, who)); err != nil {
		return err
	}
	ask := &stubborn{p: p, args: args, secrets: secrets}
	if status := run(args, p.machine(who, &ask.screen, ask)); status == done {
		return fmt.Errorf("%v was to fail:\n%s", args, ask.screen.String())
	}
	return nil
}

// lock has a holder type wrong PINs until no try is left.
func (p *player) lock(token string) error {
	for range 3 {
		if err := p.quiet(holderOf(token), []string{"sign", "genesis", "--token", token}, "000001"); err != nil {
			return err
		}
	}
	return nil
}

// lockPUK has the PUK typed wrongly until no try is left.
func (p *player) lockPUK() error {
	device := "piv:serial=" + p.tokens["holder-1"].serial
	for range 3 {
		if err := p.quiet("holder-1", []string{"token", "unblock", device}, "00000001", "703918", "703918"); err != nil {
			return err
		}
	}
	return nil
}

// alter changes one bit of the plan in a bundle.
func (p *player) alter(name string) error {
	file := filepath.Join(p.dir, name)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	at := bytes.Index(data, []byte("ceremony-plan-1"))
	if at < 0 {
		return fmt.Errorf("%s has no plan", name)
	}
	data[at] ^= 1
	return durable.Replace(file, data)
}

// anotherRoot has the witness bring the root of another repository.
func (p *player) anotherRoot() error {
	other := filepath.Join(p.t.TempDir(), "other")
	args := []string{"rehearse", "--keep", other, "--seed", "another", "--time", rehearsed}
	if status := run(args, rehearsalEnv(io.Discard)); status != done {
		return fmt.Errorf("exit status %d", status)
	}
	data, err := os.ReadFile(filepath.Join(other, "repository", "root.json"))
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(p.dir, "witness", "root.json"), data)
}

// stubborn types the same secrets whatever the screen says.
type stubborn struct {
	p       *player
	args    []string
	secrets []string
	screen  bytes.Buffer
}

func (s *stubborn) Line(prompt string) (string, error) {
	if strings.Contains(prompt, "last try") {
		return "last try", nil
	}
	return (&actorPrompter{s.p.rehearsal, s.args, &s.screen}).Line(prompt)
}

func (s *stubborn) Secret(string) ([]byte, error) {
	next := s.secrets[0]
	if len(s.secrets) > 1 {
		s.secrets = s.secrets[1:]
	}
	return []byte(next), nil
}

func (s *stubborn) Reveal(string, string) (string, error) { return "", errors.New("nothing to read") }

func (s *stubborn) Countdown(int) (stop func()) { return func() {} }
