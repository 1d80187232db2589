package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "embed"
)

// The tools that are measured.
const (
	limit    = "limit" // what nobody can do without
	engine   = "engine"
	commandT = "ceremony"
	goTUF    = "go-tuf"
	pyTUF    = "python-tuf"
)

// rows are all that is measured, in the order of the tables.
var rows = []struct {
	tool  string
	works []string
}{
	{limit, []string{"sha256", "sha256sum", "signature", "signatures"}},
	{engine, []string{"draft", "review", "sign", "seal", "verify"}},
	{commandT, []string{"start", "draft", "review", "sign", "seal", "verify"}},
	{goTUF, []string{"parse", "draft", "review", "sign", "verify"}},
	{pyTUF, []string{"parse", "draft", "review", "sign", "verify"}},
}

//go:embed peer.py
var peer string

// bench is one run.
type bench struct {
	options
	results *results
	log     io.Writer
	stop    chan os.Signal
	at      string
	broken  error // a command that those after it build upon
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "scale: "+format+"\n", args...)
}

// size measures all rows of a size.
func (b *bench) size(name, dir string) error {
	s, err := sizeNamed(name)
	if err != nil {
		return err
	}
	b.say("%s: making files", s.what())
	self, err := os.Executable()
	if err != nil {
		return err
	}
	maker := *b
	maker.limits.time, maker.limits.memory = 24*time.Hour, math.MaxInt64
	switch o, err := maker.start(exec.Command(self, "make", name, dir)); {
	case err != nil:
		return err
	case o.failure != "":
		return fmt.Errorf("making files: %s: %s", o.failure, o.message)
	}
	info, err := os.Stat(filepath.Join(dir, payloadFile))
	if err != nil {
		return err
	}
	b.results.addSize(sized{Name: name, What: s.what(), Entries: s.targets + s.bins + s.projects, Bytes: info.Size()})
	b.broken = nil
	for _, r := range rows {
		for _, work := range r.works {
			if !b.wanted(r.tool, work) || name == smallest && r.tool != limit && r.tool != commandT {
				continue
			}
			if err := b.row(name, dir, r.tool, work); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) wanted(tool, work string) bool {
	if b.only == "" {
		return true
	}
	for only := range strings.SplitSeq(b.only, ",") {
		if only == tool || only == tool+"/"+work {
			return true
		}
	}
	return false
}

// row measures one thing: once more and again, unless it takes long.
func (b *bench) row(size, dir, tool, work string) error {
	r := row{Size: size, Tool: tool, Work: work, Run: b.at}
	var all []float64
	for range b.limits.starts {
		o, seconds, err := b.once(dir, tool, work)
		if err != nil {
			return err
		}
		if o.failure != "" {
			r.Failure = o.failure
			if o.message != "" {
				b.say("%s", strings.TrimSpace(o.message))
			}
			break
		}
		all = append(all, seconds...)
		r.PeakMB = max(r.PeakMB, megabytes(o.peak))
		if o.seconds > time.Minute.Seconds() {
			break
		}
	}
	if r.Failure == "" {
		r.Seconds, r.Runs = significant(slices.Min(all)), len(all)
	} else {
		r.PeakMB = 0
	}
	b.results.set(r)
	b.say("%-8s %s", size, r)
	return b.results.write(b.output) // a run takes an hour, and may be stopped
}

// once starts a process for a row. What it is given is in the page cache.
func (b *bench) once(dir, tool, work string) (outcome, []float64, error) {
	if tool == commandT {
		return b.command(dir, work)
	}
	c, within, err := b.process(dir, tool, work)
	if err != nil {
		return outcome{failure: err.Error()}, nil, nil
	}
	o, err := b.start(c)
	if err != nil || o.failure != "" || !within {
		return o, []float64{o.seconds}, err
	}
	var r report
	if err := json.Unmarshal(o.out, &r); err != nil {
		return o, nil, fmt.Errorf("measuring %s/%s: %w", tool, work, err)
	}
	o.peak = r.Peak
	return o, r.Seconds, nil
}

// process gives the process for a row, and whether it measures by itself.
func (b *bench) process(dir, tool, work string) (c *exec.Cmd, within bool, err error) {
	again := fmt.Sprint(b.limits.again.Seconds())
	switch {
	case work == "sha256sum":
		if _, err := exec.LookPath("sha256sum"); err != nil {
			return nil, false, errors.New("sha256sum is not there")
		}
		return exec.Command("sha256sum", filepath.Join(dir, payloadFile)), false, nil
	case tool == pyTUF:
		if _, err := os.Stat(b.python); err != nil {
			return nil, false, errors.New("python-tuf is not there: scripts/peers installs it")
		}
		c := exec.Command(b.python, "-", work, dir, again)
		c.Stdin = strings.NewReader(peer)
		return c, true, nil
	}
	self, err := os.Executable()
	return exec.Command(self, "work", tool, work, dir, again), true, err
}

// command runs one of ceremony's commands in the folder of a size.
func (b *bench) command(dir, work string) (outcome, []float64, error) {
	if b.broken != nil {
		return outcome{failure: b.broken.Error()}, nil, nil
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == work })
	c := &ceremony{dir: dir, exec: func(args []string) (outcome, error) { return b.start(exec.Command(b.ceremony, args...)) }}
	var f *failed
	if err := commands[i].before(c); errors.As(err, &f) {
		b.broken = f
		return outcome{failure: f.failure, message: f.message}, nil, nil
	} else if err != nil {
		return outcome{}, nil, err
	}
	args, err := commands[i].args(c)
	if err != nil {
		return outcome{}, nil, err
	}
	o, err := c.exec(args)
	return o, []float64{o.seconds}, err
}
