//go:build cgo

package virtual_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-piv/piv-go/v2/piv"

	"tufceremony/hsm/virtual"
)

// The tests in this file are clients themselves, by piv-go. libpcsclite asks
// once where pcscd is, and so they share one stack, and each has a reader.
const patience = 500 * time.Millisecond // of the card that waits to be touched

const (
	readerPull = iota
	readerTouch
	readerFault
	readerPlug
	readerPlain
	readerEmpty
	readerTwin
	readerNamed
	readerWait
)

var sharedCards = []virtual.Config{
	readerPull:  {Serial: 10000010},
	readerTouch: {Serial: 10000011, TouchWait: patience},
	readerFault: {Serial: 10000012},
	readerPlug:  {Serial: 10000013},
	readerPlain: {Plain: true},
	readerEmpty: {Empty: true},
	readerTwin:  {Serial: 10000013},
	readerWait:  {TouchWait: time.Hour},
	readerNamed: {Reader: "ACS ACR39U ICC Reader"},
}

var sharedStack *virtual.Stack

var startShared = sync.OnceValue(func() (err error) {
	if sharedStack, err = virtual.Start(sharedCards...); err != nil {
		return err
	}
	return os.Setenv("PCSCLITE_CSOCK_NAME", sharedStack.Socket())
})

func stopShared() error {
	if sharedStack == nil {
		return nil
	}
	return sharedStack.Stop()
}

func shared(t *testing.T) *virtual.Stack {
	t.Helper()
	err := startShared()
	if errors.Is(err, virtual.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sharedStack
}

// open gives the test a card and one key on it, without a PIN.
func open(t *testing.T, reader int, touch piv.TouchPolicy) (*virtual.Remote, *piv.YubiKey, crypto.Signer) {
	t.Helper()
	stack := shared(t)
	key, err := piv.Open(stack.ReaderName(reader))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { key.Close() })
	public, err := key.GenerateKey(piv.DefaultManagementKey, piv.SlotSignature,
		piv.Key{Algorithm: piv.AlgorithmEC256, PINPolicy: piv.PINPolicyNever, TouchPolicy: touch})
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.PrivateKey(piv.SlotSignature, public, piv.KeyAuth{PINPolicy: piv.PINPolicyNever})
	if err != nil {
		t.Fatal(err)
	}
	return stack.Card(reader), key, private.(crypto.Signer)
}

func sign(signer crypto.Signer) error {
	_, err := signer.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mention fails the test unless the error has these words.
func mention(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the error is %v, not %q", err, words)
	}
}

func counters(t *testing.T, card *virtual.Remote) virtual.Counters {
	t.Helper()
	c, err := card.Counters()
	must(t, err)
	return c
}

func TestReaders(t *testing.T) {
	t.Parallel()
	stack := shared(t)
	names, err := piv.Cards()
	must(t, err)
	for i := range sharedCards {
		if !slices.Contains(names, stack.ReaderName(i)) {
			t.Errorf("there is no reader %q among %q", stack.ReaderName(i), names)
		}
	}
	_, err = piv.Open(stack.ReaderName(readerEmpty))
	mention(t, err, "no Smart Card is currently in the device")
	_, err = piv.Open(stack.ReaderName(readerPlain))
	if !errors.Is(err, piv.ErrNotFound) {
		t.Errorf("selecting PIV on a plain card: %v", err)
	}
	named, err := piv.Open(stack.ReaderName(readerNamed))
	must(t, err)
	must(t, named.Close())
}

// A card can be pulled before it does what it is asked, or after.
func TestPull(t *testing.T) {
	t.Parallel()
	for _, when := range []virtual.Pull{virtual.Before, virtual.After} {
		card, key, signer := open(t, readerPull, piv.TouchPolicyNever)
		must(t, key.SetPIN(piv.DefaultPIN, "246810"))
		before := counters(t, card)
		must(t, card.PullAt(2, when))
		must(t, sign(signer))
		mention(t, key.VerifyPIN("999999"), "scard response too short: 0")
		if plugged, err := card.Plugged(); plugged || err != nil {
			t.Errorf("it is still plugged: %v", err)
		}
		mention(t, sign(signer), "")
		key.Close()
		must(t, card.Plug())
		if got := counters(t, card); got.Verifies != before.Verifies+1 || got.APDUs >= before.APDUs {
			t.Errorf("the counters are %+v, and were %+v", got, before)
		}
		key, err := piv.Open(shared(t).ReaderName(readerPull))
		must(t, err)
		left, err := key.Retries()
		must(t, err)
		if want := map[virtual.Pull]int{virtual.Before: 3, virtual.After: 2}[when]; left != want {
			t.Errorf("%d tries are left, not %d", left, want)
		}
		if _, err := key.Attest(piv.SlotSignature); err != nil { // what it kept is still there
			t.Error(err)
		}
		must(t, key.SetPIN("246810", piv.DefaultPIN))
		must(t, key.Close())
	}
}

// Nobody touches: the card gives up by itself. Somebody touches late: it signs.
func TestTouch(t *testing.T) {
	t.Parallel()
	card, _, signer := open(t, readerTouch, piv.TouchPolicyAlways)
	before := counters(t, card)
	must(t, card.MissTouch())
	start := time.Now()
	mention(t, sign(signer), "6982")
	if took := time.Since(start); took < patience {
		t.Errorf("it gave up after %s", took)
	}
	must(t, sign(signer))

	must(t, card.TouchByHand(true))
	touched := make(chan error, 1)
	go func() { touched <- card.Touch() }()
	must(t, sign(signer))
	must(t, <-touched)
	must(t, card.Heal())
	if got := counters(t, card).Touches - before.Touches; got != 3 {
		t.Errorf("it waited for %d touches, not 3", got)
	}
}

// A card that is pulled while it waits to be touched does not keep its client.
func TestUnplugWhileWaiting(t *testing.T) {
	t.Parallel()
	card, key, signer := open(t, readerWait, piv.TouchPolicyAlways) // whose patience is an hour
	must(t, card.MissTouch())
	signed := make(chan error, 1)
	go func() { signed <- sign(signer) }()
	for !counters(t, card).Waiting && len(signed) == 0 {
		time.Sleep(time.Millisecond)
	}
	must(t, card.Unplug())
	mention(t, <-signed, "scard response too short: 0")
	key.Close()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	card, key, signer := open(t, readerFault, piv.TouchPolicyNever)
	must(t, card.AnswerINS(0x87, 0x6f00))
	must(t, card.AnswerAt(3, 0x6a84))
	must(t, card.ForgetLog())
	if _, err := key.Serial(); err != nil {
		t.Error(err)
	}
	mention(t, sign(signer), "6f00")
	mention(t, sign(signer), "6a84")
	must(t, sign(signer))
	log, err := card.Log()
	must(t, err)
	var got []uint16
	for _, e := range log {
		got = append(got, e.SW)
	}
	if want := []uint16{0x9000, 0x6f00, 0x6a84, 0x9000}; !slices.Equal(got, want) {
		t.Errorf("the log has %04x, not %04x", got, want)
	}

	before := counters(t, card).Inside
	must(t, card.Slow(20*time.Millisecond))
	must(t, card.SlowINS(0x87, 50*time.Millisecond))
	must(t, sign(signer))
	if took := counters(t, card).Inside - before; took < 70*time.Millisecond {
		t.Errorf("the slow card took %s", took)
	}
	must(t, card.Heal())
}

// Another card in the same reader is another device, whatever number it says.
func TestReplace(t *testing.T) {
	t.Parallel()
	stack := shared(t)
	card := stack.Card(readerPlug)
	twin := attestationCertificate(t, readerTwin)
	first := attestationCertificate(t, readerPlug)
	if twin.Equal(first) {
		t.Error("two devices share an attestation key")
	}
	must(t, card.Unplug())
	if err := card.Unplug(); err == nil {
		t.Error("it was unplugged twice")
	}
	_, err := piv.Open(stack.ReaderName(readerPlug))
	mention(t, err, "no Smart Card is currently in the device")
	must(t, card.Plug())
	if err := card.Plug(); err == nil {
		t.Error("it was plugged twice")
	}
	if !attestationCertificate(t, readerPlug).Equal(first) {
		t.Error("the card came back as another one")
	}
	must(t, card.Replace(virtual.Config{Firmware: "4.3.5"}))
	key, err := piv.Open(stack.ReaderName(readerPlug))
	must(t, err)
	if v := key.Version(); v != (piv.Version{Major: 4, Minor: 3, Patch: 5}) {
		t.Errorf("the new card has firmware %v", v)
	}
	must(t, key.Close())
	must(t, card.Swap(virtual.Config{Serial: 7}))
	key, err = piv.Open(stack.ReaderName(readerPlug))
	must(t, err)
	if serial, err := key.Serial(); serial != 7 || err != nil {
		t.Errorf("the card swapped in has serial number %d, %v", serial, err)
	}
	must(t, key.Close())
}

func attestationCertificate(t *testing.T, reader int) *x509.Certificate {
	t.Helper()
	key, err := piv.Open(shared(t).ReaderName(reader))
	must(t, err)
	defer key.Close()
	certificate, err := key.AttestationCertificate()
	must(t, err)
	return certificate
}

// Other processes reach the cards by the path alone.
func TestDial(t *testing.T) {
	t.Parallel()
	client, err := virtual.Dial(shared(t).Control())
	must(t, err)
	defer client.Close()
	if _, err := client.Card(readerPull).Counters(); err != nil {
		t.Error(err)
	}
	if _, err := client.Card(99).Counters(); err == nil {
		t.Error("there is a reader 99")
	}
	if _, err := client.Card(readerEmpty).Log(); err == nil {
		t.Error("an empty reader has a log")
	}
}
