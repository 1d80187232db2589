package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// outcome is what became of a process.
type outcome struct {
	seconds float64
	peak    int64 // bytes; 0 where the system does not tell
	out     []byte
	failure string // why it did not come to its end, in words that can be published
	message string // what it said itself
}

var errStopped = errors.New("stopped from the keyboard")

// start runs a process to its end, or until it takes too much.
func (b *bench) start(c *exec.Cmd) (outcome, error) {
	var out, message bytes.Buffer
	c.Stdout, c.Stderr = &out, &message
	begun := time.Now()
	if err := c.Start(); err != nil {
		return outcome{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	o, err := b.watch(c, ended)
	o.seconds = time.Since(begun).Seconds()
	o.out, o.message = out.Bytes(), message.String()
	if err == errStopped {
		return o, err
	}
	o.peak = max(o.peak, peakAfter(c.ProcessState))
	if err != nil && o.failure == "" {
		o.failure = "it ended with " + c.ProcessState.String()
	}
	return o, nil
}

// watch looks at a process every few milliseconds, and gives the error with
// which it ended.
func (b *bench) watch(c *exec.Cmd, ended chan error) (o outcome, err error) {
	pid := strconv.Itoa(c.Process.Pid)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	over := time.NewTimer(b.limits.time)
	defer over.Stop()
	for {
		select {
		case err := <-ended:
			return o, err
		case <-over.C:
			o.failure = fmt.Sprintf("not done after %s", plain(b.limits.time))
		case <-tick.C:
			o.peak = max(o.peak, peakOf(pid))
			if o.peak <= b.limits.memory {
				continue
			}
			o.failure = fmt.Sprintf("more than %s MB", thousands(int(b.limits.memory/1e6)))
		case <-b.stop:
			_ = c.Process.Kill()
			<-ended
			return o, errStopped
		}
		_ = c.Process.Kill()
		return o, <-ended
	}
}

// plain says a limit as people do.
func plain(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%g s", d.Seconds())
}
