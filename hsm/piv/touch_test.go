//go:build cgo && linux

package piv

import (
	"errors"
	"testing"
	"time"

	"tufceremony/hsm"
)

// One touch is good for 15 seconds, and is not asked for again in between.
func TestCachedTouch(t *testing.T) {
	b := fresh(t, "5.4.3")
	b.generate(Signature, P256, PINOnce, TouchCached)
	tok := b.mustToken(Signature)
	p := &person{pin: testPIN}
	signer := mustSigner(t, tok, p)
	must(t, signsP256(signer))
	must(t, signsP256(signer))
	if len(p.touches) != 1 || p.waiting != 0 {
		t.Errorf("asked for %d touches", len(p.touches))
	}
	tok.touchedAt = tok.touchedAt.Add(-touchCache)
	must(t, signsP256(signer))
	if len(p.touches) != 2 || p.waiting != 0 {
		t.Errorf("asked for %d touches", len(p.touches))
	}
	if b.counters().Touches != 1 {
		t.Errorf("the card waited %d times", b.counters().Touches)
	}
	for _, request := range p.touches {
		if request.Seconds != 15 || request.Device.Serial != "14470876" || request.Device.TriesLeft != testTries {
			t.Errorf("asked %+v", request)
		}
	}
}

// A card that waits although no touch was expected is seen to wait.
func TestLateTouch(t *testing.T) {
	defer func(before time.Duration) { late = before }(late)
	late = testTouchWait / 4
	b := fresh(t, "5.4.3")
	b.generate(Signature, P256, PINOnce, TouchCached)
	tok := b.mustToken(Signature)
	p := &person{pin: testPIN}
	signer := mustSigner(t, tok, p)
	tok.touchedAt = time.Now() // which the card knows nothing of
	must(t, b.MissTouch())
	if err := signsP256(signer); !errors.Is(err, hsm.ErrTouchMissed) {
		t.Errorf("error is %v", err)
	}
	if len(p.touches) != 1 || p.waiting != 0 {
		t.Errorf("asked for %d touches, of which %d wait", len(p.touches), p.waiting)
	}
}

// A touch that comes in the middle of the wait is as good as one at once.
func TestTouchByHand(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Signature, P256, PINAlways, TouchAlways)
	must(t, b.TouchByHand(true))
	signer := mustSigner(t, b.mustToken(Signature), &person{pin: testPIN})
	go func() {
		for !b.counters().Waiting {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(testTouchWait / 2)
		_ = b.Touch() // the signature fails if not
	}()
	must(t, signsP256(signer))
}

// Pulled while it waits, it is gone, and the person is told that the wait is
// over.
func TestPulledWhileItWaits(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Signature, P256, PINOnce, TouchAlways)
	must(t, b.TouchByHand(true))
	events := b.events()
	tok := b.mustToken(Signature)
	p := &person{pin: testPIN}
	signer := mustSigner(t, tok, p)
	go func() {
		for !b.counters().Waiting {
			time.Sleep(5 * time.Millisecond)
		}
		_ = b.Unplug() // the test fails below if not
	}()
	if err := signsP256(signer); !errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("error is %v", err)
	}
	if p.waiting != 0 {
		t.Error("the person was not told that the wait is over")
	}
	must(t, tok.Close())
	must(t, b.Heal())
	b.replug(events)
	must(t, b.session(p))
}

// Nobody is asked for a touch that nobody can give.
func TestTouchWithoutPrompter(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(CardAuthentication, P256, PINNever, TouchAlways)
	tok := b.mustToken(CardAuthentication)
	signer := mustSigner(t, tok, nil)
	if err := signsP256(signer); err == nil || b.counters().Touches != 0 {
		t.Errorf("error is %v, and the card waited", err)
	}
}
