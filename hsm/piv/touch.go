//go:build cgo && (linux || darwin)

package piv

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"tufceremony/hsm"
)

const (
	// touchSeconds is how long a YubiKey blinks before it gives up.
	touchSeconds = 15
	// touchCache is how long one touch is good for under policy "cached". It is
	// counted from before the touch can have been.
	touchCache = 15 * time.Second
)

// touchWait is what tests make shorter, with cards that wait as long.
var touchWait = touchSeconds * time.Second

// late is when a card that was not expected to want a touch is taken to wait
// for one. Nothing else takes a card so long, but an RSA-4096 signature comes
// near.
var late = 3 * time.Second

// withTouch signs, and has the person touch the device where it waits for that.
func (s *signer) withTouch(sign func() ([]byte, error)) ([]byte, error) {
	wanted := s.wantsTouch()
	if wanted == Yes && s.prompter == nil {
		return nil, errors.New("a touch is needed, and there is nobody to ask")
	}
	start := time.Now()
	p := s.prompt()
	switch {
	case wanted == Yes:
		p.ask()
	case wanted == Unknown && s.prompter != nil:
		timer := time.AfterFunc(late, p.askLate)
		defer timer.Stop()
	}
	signature, err := sign()
	p.end()
	if err == nil && p.asked && s.slot.TouchPolicy == TouchCached {
		s.token.touchedAt = start
	}
	return signature, s.refusal(err, time.Since(start))
}

// wantsTouch says whether the card will wait for a touch. Unknown is a policy
// that the device does not tell, and a touch that it may still remember.
func (s *signer) wantsTouch() Answer {
	switch s.slot.TouchPolicy {
	case TouchNever:
		return No
	case TouchAlways:
		return Yes
	case TouchCached:
		if time.Since(s.token.touchedAt) >= touchCache {
			return Yes
		}
	}
	return Unknown
}

// refusal tells apart what the card says in one word: 6982 after it has waited
// is a missed touch, and at once it is a refusal.
func (s *signer) refusal(err error, took time.Duration) error {
	if code, refused := statusOf(err); !refused || code != 0x6982 {
		return err
	}
	if s.slot.TouchPolicy != TouchNever && took >= touchWait*2/3 {
		return fmt.Errorf("%w: the device waited for %d seconds; no PIN try was spent", hsm.ErrTouchMissed, touchSeconds)
	}
	s.token.login = login{}
	return fmt.Errorf("the device refused to sign, as if the PIN or a touch were missing: log in again: %w", err)
}

// prompt is one touch that the person may be asked for.
type prompt struct {
	mu       sync.Mutex // a late one comes from a timer, while the card is waited for
	request  hsm.TouchRequest
	prompter hsm.Prompter
	asked    bool
	ended    bool
	answered func()
}

func (s *signer) prompt() *prompt {
	left := hsm.Unknown
	if s.token.login.in {
		left = s.token.login.left
	}
	return &prompt{request: hsm.TouchRequest{Device: s.token.info(left), Seconds: touchSeconds}, prompter: s.prompter}
}

func (p *prompt) ask() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.asked = true
	p.answered = p.prompter.Touch(p.request)
}

// askLate asks when part of the card's wait is over.
func (p *prompt) askLate() {
	p.request.Seconds -= int(late / time.Second)
	p.ask()
}

// end says that the wait is over. Nobody is asked afterwards.
func (p *prompt) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.answered != nil {
		p.answered()
	}
}
