//go:build cgo && linux

package piv

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"tufceremony/hsm/virtual"
)

// The tests speak to virtual cards through a pcscd of their own. libpcsclite
// reads once where the service is, so that there is one stack for all tests,
// and each test has a fresh card put in.
var (
	stack   *virtual.Stack
	noStack error // why there is none, for tests to skip with
)

// Readers of the stack.
const (
	first = iota // holds the card of most tests
	plain        // holds a card that is no YubiKey
	second
	third
	fourth
	fifth
	readerCount
)

// testTouchWait is how long the cards wait for a finger.
const testTouchWait = 300 * time.Millisecond

func TestMain(m *testing.M) {
	virtual.Init()
	flag.Parse()
	touchWait = testTouchWait
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if os.Getenv(serviceVariable) != "" {
		return m.Run()
	}
	cards := make([]virtual.Config, readerCount)
	for i := second; i < readerCount; i++ {
		cards[i].Empty = true
	}
	cards[plain] = virtual.Config{Plain: true, Reader: "Some Other Reader"}
	if os.Getenv(shardVariable) != "" {
		cards = cards[:1]
	}
	stack, noStack = virtual.Start(cards...)
	switch {
	case errors.Is(noStack, virtual.ErrUnavailable):
		return m.Run()
	case noStack != nil:
		fmt.Fprintln(os.Stderr, noStack)
		return 1
	}
	defer stack.Stop()
	os.Setenv("PCSCLITE_CSOCK_NAME", stack.Socket())
	startShards()
	return m.Run()
}

// serial is the serial number of the card of most tests.
const serial = 14470876

var firmwares = []string{"4.3.5", "5.2.4", "5.4.3", "5.7.1"}

const (
	testPIN      = "123456"
	testWrongPIN = "654321"
	testTries    = 3
)

// bench is one fresh card in the first reader.
type bench struct {
	*virtual.Remote
	t      testing.TB
	serial uint32
}

// fresh puts a fresh card into the first reader, or skips the test.
func fresh(t testing.TB, firmware string) bench {
	return freshCard(t, virtual.Config{Firmware: firmware})
}

func freshCard(t testing.TB, config virtual.Config) bench {
	t.Helper()
	if noStack != nil {
		t.Skip(noStack)
	}
	if config.Serial == 0 {
		config.Serial = serial
	}
	config.TouchWait = testTouchWait
	b := bench{stack.Card(first), t, config.Serial}
	if plugged, err := b.Plugged(); err != nil {
		t.Fatal(err)
	} else if plugged {
		must(t, b.Swap(config))
	} else {
		must(t, b.Replace(config))
	}
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b bench) uri(slot Slot) string { return URI{Serial: b.serial, Slot: slot}.String() }

// generate makes a key with the factory's management key.
func (b bench) generate(slot Slot, algorithm Algorithm, pin PINPolicy, touch TouchPolicy) {
	b.t.Helper()
	a, err := OpenAdmin(b.serial, rand.Reader)
	must(b.t, err)
	_, err = a.Generate(slot, algorithm, pin, touch, FactoryManagementKey())
	must(b.t, err)
	must(b.t, a.Close())
}

func (b bench) counters() virtual.Counters {
	b.t.Helper()
	counters, err := b.Counters()
	must(b.t, err)
	return counters
}
