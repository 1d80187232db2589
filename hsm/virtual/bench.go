package virtual

import (
	"errors"
	"sync"
	"time"
)

// bench is what tests do to a card and measure of it, beside the card's own
// business: faults, the finger, the log and the counters. It has a lock of its
// own, so that a test can reach it while the card waits to be touched.
type bench struct {
	touchWait time.Duration

	mu       sync.Mutex
	gone     chan struct{} // closed when the card leaves the reader
	faults   []Fault
	delay    time.Duration
	delays   map[byte]time.Duration // by instruction
	miss     int                    // touches that will not come
	byHand   bool                   // touches come only by Touch
	finger   chan struct{}          // nobody receives unless the card waits
	touched  time.Time              // the last touch, for policy cached
	log      []Entry
	counters Counters
}

// Entry is one APDU in the log. There is no data in it: no PIN, no key.
type Entry struct {
	CLA, INS, P1, P2 byte
	SW               uint16 // 0: the card was pulled before it did anything
	Took             time.Duration
}

// Counters count since the card was made, but for APDUs.
type Counters struct {
	APDUs    int           // since it was last plugged, pieces of chains and GET RESPONSE too
	Verifies int           // VERIFY with a PIN in it, right or wrong
	Changes  int           // CHANGE REFERENCE and RESET RETRY, which spend tries as well
	Touches  int           // how often it waited to be touched
	Waiting  bool          // it waits right now
	Inside   time.Duration // all the time spent inside the card, waits and delays with it
}

// Fault is what happens to one APDU.
type Fault struct {
	At  int  `json:",omitempty"` // the n-th from now, 1 is the next one; or
	INS byte `json:",omitempty"` // where At is 0, the next with this instruction

	SW   uint16 `json:",omitempty"` // answer this and do nothing; or
	Pull Pull   `json:",omitempty"` // leave the reader
}

// Pull says when a card leaves its reader.
type Pull int

const (
	pullNot    Pull = iota
	pullBefore      // the card has not done what it was asked
	pullAfter       // it has, and nobody hears of it
)

func newBench(touchWait time.Duration) *bench {
	return &bench{touchWait: touchWait, gone: make(chan struct{}), finger: make(chan struct{}),
		delays: map[byte]time.Duration{}}
}

// plugged starts a new stay in a reader.
func (b *bench) plugged() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = make(chan struct{})
	b.counters.APDUs = 0
	b.touched = time.Time{}
}

// pulled ends what the card waits for.
func (b *bench) pulled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.gone:
	default:
		close(b.gone)
	}
}

// effect is what the faults order for one APDU.
type effect struct {
	sw   status
	pull Pull
}

// arrived counts an APDU, waits out the delays and looks up its fault.
func (b *bench) arrived(c command) effect {
	b.mu.Lock()
	b.counters.APDUs++
	if len(c.data) > 0 {
		switch c.ins {
		case insVerify:
			b.counters.Verifies++
		case insChangeReference, insResetRetry:
			b.counters.Changes++
		}
	}
	e := b.take(c.ins)
	delay, gone := b.delay+b.delays[c.ins], b.gone
	b.mu.Unlock()
	if delay > 0 {
		sleep(delay, gone)
	}
	return e
}

// take finds the fault for this APDU and brings the others one APDU nearer.
func (b *bench) take(ins byte) effect {
	var e effect
	var later []Fault
	for _, f := range b.faults {
		switch {
		case f.At == 1, f.At == 0 && f.INS == ins && e == effect{}:
			e = effect{status(f.SW), f.Pull}
			continue
		case f.At > 1:
			f.At--
		}
		later = append(later, f)
	}
	b.faults = later
	return e
}

const maxLog = 20000

func (b *bench) answered(c command, sw status, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counters.Inside += took
	if len(b.log) < maxLog {
		b.log = append(b.log, Entry{c.cla, c.ins, c.p1, c.p2, uint16(sw), took})
	}
}

// sleep waits, and returns early when the card is pulled.
func sleep(d time.Duration, gone <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-gone:
	}
}

// How long one touch is good for under policy cached.
const touchCache = 15 * time.Second

// touch blinks until somebody touches the card. It reports false when nobody
// did within the card's patience, and when the card was pulled.
func (b *bench) touch(policy byte) bool {
	b.mu.Lock()
	if policy == touchNever || policy == touchCached && time.Since(b.touched) < touchCache {
		b.mu.Unlock()
		return true
	}
	b.counters.Touches++
	if !b.byHand && b.miss == 0 {
		b.touched = time.Now()
		b.mu.Unlock()
		return true
	}
	if b.miss > 0 {
		b.miss--
	}
	b.counters.Waiting = true
	gone := b.gone
	b.mu.Unlock()

	timer := time.NewTimer(b.touchWait)
	defer timer.Stop()
	came := false
	select {
	case <-b.finger:
		came = true
	case <-timer.C:
	case <-gone:
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.counters.Waiting = false
	if came {
		b.touched = time.Now()
	}
	return came
}

// How long a finger rests on a card that does not wait for it yet.
const fingerRests = 10 * time.Second

// touchNow touches the card as soon as it waits for that.
func (b *bench) touchNow() error {
	select {
	case b.finger <- struct{}{}:
		return nil
	case <-time.After(fingerRests):
		return errors.New("the card did not want to be touched")
	}
}
