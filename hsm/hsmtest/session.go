package hsmtest

import (
	"errors"
	"testing"

	"tufceremony/hsm"
)

func testClosed(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	signer := mustSigner(t, token, &person{pin: i.PIN})
	mustClose(t, token)
	_, infoError := token.Info()
	_, keysError := token.Keys()
	_, signerError := token.Signer(key, nobody{t})
	_, _, signError := sign(signer, "after close")
	for name, err := range map[string]error{
		"Info": infoError, "Keys": keysError, "Signer": signerError, "Sign": signError,
	} {
		if err == nil {
			t.Errorf("%s works after Close", name)
		}
	}
	if err := token.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func testReopen(t *testing.T, i Instance) {
	for range 3 {
		token := mustOpen(t, i)
		p := &person{pin: i.PIN}
		signer := mustSigner(t, token, p)
		p.wantAsked(t, 1) // a login does not outlive its session
		mustSign(t, signer, signer.Public(), "message")
		mustClose(t, token)
	}
}

func testSecondOpener(t *testing.T, i Instance) {
	first := mustOpen(t, i)
	signer := mustSigner(t, first, &person{pin: i.PIN})
	second, err := i.Open()
	if err == nil {
		second.Close()
		t.Fatal("the token was opened twice")
	}
	if errors.Is(err, hsm.ErrNotFound) || errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("the second opener is told %q", err)
	}
	mustSign(t, signer, signer.Public(), "the first one goes on")
	mustClose(t, first)
	mustClose(t, mustOpen(t, i))
}

func testLocking(t *testing.T, i Instance) {
	token := mustOpen(t, i)
	key := mustKey(t, token)
	for try := 1; try <= i.Tries; try++ {
		_, err := token.Signer(key, &person{pin: i.WrongPIN})
		wantTry(t, err, try, i.Tries)
	}
	if _, err := token.Signer(key, nobody{t}); !errors.Is(err, hsm.ErrPINLocked) {
		t.Errorf("error is %v, want %q", err, hsm.ErrPINLocked)
	}
	wantTries(t, token, 0)
	mustClose(t, token)
	token = mustOpen(t, i)
	mustKey(t, token) // still tells what it is
	if _, err := token.Signer(key, nobody{t}); !errors.Is(err, hsm.ErrPINLocked) {
		t.Errorf("opened again: error is %v, want %q", err, hsm.ErrPINLocked)
	}
}

func wantTry(t *testing.T, err error, try, tries int) {
	t.Helper()
	var pinError *hsm.PINError
	wrong, locked := errors.As(err, &pinError), errors.Is(err, hsm.ErrPINLocked)
	if last := try == tries; wrong == last || locked != last {
		t.Fatalf("wrong PIN %d of %d: %v", try, tries, err)
	}
}

func testRemoval(t *testing.T, i Instance) {
	i.Remove(t)
	token := mustOpen(t, i)
	key := mustKey(t, token)
	signer := mustSigner(t, token, &person{pin: i.PIN})
	if _, _, err := sign(signer, "pulled"); !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("error is %v, want %q", err, hsm.ErrRemoved)
	}
	_, infoError := token.Info()
	_, keysError := token.Keys()
	_, signerError := token.Signer(key, nobody{t})
	_, _, signError := sign(signer, "still pulled")
	for name, err := range map[string]error{
		"Info": infoError, "Keys": keysError, "Signer": signerError, "Sign": signError,
	} {
		if !errors.Is(err, hsm.ErrRemoved) {
			t.Errorf("%s says %v, want %q", name, err, hsm.ErrRemoved)
		}
	}
	mustClose(t, token)
}

func testTouch(t *testing.T, i Instance) {
	i.WantTouch(t)
	token := mustOpen(t, i)
	p := &person{pin: i.PIN}
	signer := mustSigner(t, token, p)
	if len(p.touches) != 0 {
		t.Error("a touch was asked for before there was anything to sign")
	}
	for n := 1; n <= 2; n++ {
		mustSign(t, signer, signer.Public(), "message")
		if len(p.touches) != n {
			t.Errorf("%d signatures asked for %d touches", n, len(p.touches))
		}
		if p.waiting != 0 {
			t.Error("the person was not told that the wait is over")
		}
	}
	if p.touches[0].Device.Serial != mustInfo(t, token).Serial {
		t.Errorf("the touch was asked for serial %q", p.touches[0].Device.Serial)
	}
}

func testMissedTouch(t *testing.T, i Instance) {
	i.MissTouch(t)
	token := mustOpen(t, i)
	before := mustInfo(t, token)
	p := &person{pin: i.PIN}
	signer := mustSigner(t, token, p)
	if _, _, err := sign(signer, "missed"); !errors.Is(err, hsm.ErrTouchMissed) {
		t.Fatalf("error is %v, want %q", err, hsm.ErrTouchMissed)
	}
	if p.waiting != 0 {
		t.Error("the person was not told that the wait is over")
	}
	if after := mustInfo(t, token); after.TriesLeft != before.TriesLeft {
		t.Errorf("a missed touch left %d tries of %d", after.TriesLeft, before.TriesLeft)
	}
	mustSign(t, signer, signer.Public(), "with a touch")
	p.wantAsked(t, 1)
}
