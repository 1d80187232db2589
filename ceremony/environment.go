package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"tufceremony/ceremony/internal/record"
)

// environment is everything that a command has from outside: the terminal, the
// clock, randomness that is not a key's, and the machine. A rehearsal and the
// tests bring their own.
type environment struct {
	out     io.Writer
	err     io.Writer
	ask     prompter
	now     func() time.Time
	random  io.Reader
	binary  func() (record.Binary, error)
	sitting func(dir string) string
}

// prompter asks the person at the terminal.
type prompter interface {
	// Line asks for a line that is shown as it is typed.
	Line(prompt string) (string, error)
	// Secret asks for a line that is not shown.
	Secret(prompt string) ([]byte, error)
	// Reveal shows a secret with a question, and takes both off the screen when
	// the answer is there. Nothing of it goes anywhere else.
	Reveal(secret, question string) (string, error)
	// Countdown shows the seconds that are left, where somebody can see them
	// change, until stop is called. It returns at once.
	Countdown(seconds int) (stop func())
}

func system() *environment {
	return &environment{
		out:     guard{os.Stdout},
		err:     guard{os.Stderr},
		ask:     terminal{},
		now:     time.Now,
		random:  rand.Reader,
		binary:  thisBinary,
		sitting: thisSitting,
	}
}

// today is the clock, read once by a command that judges time.
func (e *environment) today() time.Time { return e.now().UTC().Truncate(time.Second) }

// thisBinary says which program this is, by the SHA-256 of its file.
func thisBinary() (record.Binary, error) {
	path, err := os.Executable()
	if err != nil {
		return record.Binary{}, fmt.Errorf("finding this program's own file: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return record.Binary{}, fmt.Errorf("reading this program's own file: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return record.Binary{}, fmt.Errorf("reading this program's own file: %w", err)
	}
	return record.Binary{Version: version, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// thisSitting names the chain of record that this machine, since it was
// booted, keeps in this folder. Where the system has no boot ID the host name
// and the folder's place must do; merging copes with two of one name.
func thisSitting(dir string) string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	host, _ := os.Hostname()
	place, err := filepath.Abs(dir)
	if err != nil {
		place = dir
	}
	return record.Sitting(string(boot), host, place)
}
