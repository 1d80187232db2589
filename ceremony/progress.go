package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"tufceremony/ceremony/internal/spool"
)

// progress shows how far a pass over a large file has come, on one line of a
// terminal, once the program has kept somebody waiting for a second.
type progress struct {
	mu     sync.Mutex
	out    io.Writer
	now    func() time.Time
	since  time.Time // when it began to be busy
	last   time.Time // when it was last heard of
	drawn  time.Time
	active bool // the line is on the screen
}

const (
	patience = time.Second            // of the one who waits
	pause    = 300 * time.Millisecond // after which waiting begins anew
	redraw   = 100 * time.Millisecond
	barWidth = 40
)

// showProgress has large files watched where somebody sees it, and gives the
// environment whose output takes the line away first.
func showProgress(env *environment) *environment {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return env
	}
	p := &progress{out: os.Stderr, now: env.now}
	spool.Watch(p.report)
	shown := *env
	shown.out, shown.err = clearing{p, env.out}, clearing{p, env.err}
	return &shown
}

// report is called with every part that is read of a large file.
func (p *progress) report(done, size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Sub(p.last) > pause {
		p.since = now
	}
	p.last = now
	switch {
	case done >= size:
		p.clear()
	case now.Sub(p.since) >= patience && now.Sub(p.drawn) >= redraw:
		p.drawn, p.active = now, true
		part := int(done * barWidth / size)
		fmt.Fprintf(p.out, "\r[%s%s] %3d %% of %.1f MB ", strings.Repeat("#", part), strings.Repeat(".", barWidth-part), done*100/size, float64(size)/1e6)
	}
}

// clear takes the line off the screen.
func (p *progress) clear() {
	if p.active {
		fmt.Fprintf(p.out, "\r%*s\r", barWidth+30, "")
		p.active = false
	}
}

// clearing writes where the line may stand.
type clearing struct {
	*progress
	to io.Writer
}

func (c clearing) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	return c.to.Write(text)
}
