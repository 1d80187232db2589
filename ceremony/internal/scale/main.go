package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run does one thing: the whole measurement, or, in a process that it started
// itself, one part of it.
func run(args []string, out, log io.Writer) int {
	var err error
	switch {
	case len(args) == 3 && args[0] == "make":
		err = makeFiles(args[1], args[2])
	case len(args) == 5 && args[0] == "work":
		err = doWork(args[1], args[2], args[3], args[4], out)
	default:
		err = benchmark(args, out, log)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(log, "scale: error:", err)
		return 1
	}
	return 0
}

// options are what scripts/bench-scale passes on.
type options struct {
	sizes, only    string
	keep, page     bool
	dir, ceremony  string
	python, output string
	limits         limits
}

// limits are those of one process.
type limits struct {
	time   time.Duration
	memory int64 // bytes
	starts int   // how many processes are started for a row
	again  time.Duration
}

func parse(args []string, log io.Writer) (options, error) {
	var o options
	megabytes := int64(0)
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.SetOutput(log)
	f.StringVar(&o.sizes, "sizes", smallest+",10000,100000,1000000,bins,claimed", "the `sizes`: numbers of targets, bins, claimed")
	f.StringVar(&o.only, "only", "", "measure only these `rows`: TOOL or TOOL/WORK, with commas between them")
	f.BoolVar(&o.keep, "keep", false, "keep the rows of earlier runs that are not measured now")
	f.BoolVar(&o.page, "page", false, "measure nothing: write the page and the chart from the figures that are there")
	f.StringVar(&o.dir, "dir", "", "make the files in this `folder`, and leave them there for the next run")
	f.StringVar(&o.ceremony, "ceremony", "bin/ceremony", "the `program` to measure")
	f.StringVar(&o.python, "python", ".peers/python/bin/python", "the `interpreter` that has python-tuf")
	f.StringVar(&o.output, "output", "docs", "the `folder` for scale.json, scale.svg and scale.md")
	f.DurationVar(&o.limits.time, "time", 10*time.Minute, "end a process after this `time`")
	f.Int64Var(&megabytes, "memory", 12_000, "end a process that takes more than so many `megabytes`")
	f.IntVar(&o.limits.starts, "starts", 3, "start so many `processes` for a row")
	f.DurationVar(&o.limits.again, "again", 500*time.Millisecond, "repeat the work within a process until so much `time` is over")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.limits.starts < 1 {
		return o, fmt.Errorf("reading the command line: %q is not understood", strings.Join(args, " "))
	}
	o.limits.memory = megabytes * 1e6
	return o, nil
}

func benchmark(args []string, out, log io.Writer) error {
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	r, err := readResults(filepath.Join(o.output, "scale.json"), o.keep || o.page)
	if err != nil {
		return err
	}
	if !o.page {
		if err := measure(o, r, log); err != nil {
			return err
		}
	}
	if err := r.write(o.output); err != nil {
		return err
	}
	_, err = io.WriteString(out, r.tables()+"\n"+r.goalTable())
	return err
}

// measure makes the files of each size, measures all rows, and removes the
// files again unless a folder was named.
func measure(o options, r *results, log io.Writer) error {
	if err := o.absolute(); err != nil {
		return err
	}
	dir := o.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "scale-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	b := &bench{options: o, results: r, log: log, stop: stop, at: time.Now().UTC().Format(time.RFC3339)}
	r.describe(o)
	for name := range strings.SplitSeq(o.sizes, ",") {
		if err := b.size(name, filepath.Join(dir, name)); err != nil {
			return err
		}
		if o.dir == "" {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// absolute makes paths good from any folder.
func (o *options) absolute() error {
	for _, path := range []*string{&o.dir, &o.ceremony, &o.python} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return nil
}
