//go:build cgo

package pkcs11

import (
	"sync"
	"time"
)

// watch is a clock beside a module's calls. One timer serves them all, and is
// set anew when it has gone off for a call that has long come back: a timer a
// call would cost more than the rest of the driver.
type watch struct {
	mu       sync.Mutex
	deadline time.Time // of the call that is under way; zero: there is none
	set      time.Time // when the timer goes off; zero: it is not set
	timer    *time.Timer
	expired  chan struct{}
}

// begin starts the clock for one call. What it returns is closed when the time
// is over, unless end comes before.
func (w *watch) begin(limit time.Duration) (expired <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.expired == nil {
		w.expired = make(chan struct{})
	}
	w.deadline = time.Now().Add(limit)
	if w.set.IsZero() || w.set.After(w.deadline) {
		w.arm(limit)
	}
	return w.expired
}

// end stops the clock. Where the time is over at the same moment, the answer is
// there, and counts: what was closed is not used again.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = time.Time{}
}

func (w *watch) arm(in time.Duration) {
	w.set = time.Now().Add(in)
	if w.timer == nil {
		w.timer = time.AfterFunc(in, w.ring)
	} else {
		w.timer.Reset(in)
	}
}

func (w *watch) ring() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = time.Time{}
	if w.deadline.IsZero() {
		return // set by the next call
	}
	if left := time.Until(w.deadline); left > 0 {
		w.arm(left)
		return
	}
	w.deadline = time.Time{}
	close(w.expired)
	w.expired = nil
}
