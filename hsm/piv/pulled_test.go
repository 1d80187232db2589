//go:build cgo && linux

package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tufceremony/hsm"
	"tufceremony/hsm/virtual"
)

// person types one PIN, and counts.
type person struct {
	pin     string
	typed   int
	touches []hsm.TouchRequest
	waiting int
}

func (p *person) PIN(hsm.PINRequest) ([]byte, error) {
	p.typed++
	return []byte(p.pin), nil
}

func (p *person) Touch(r hsm.TouchRequest) func() {
	p.touches = append(p.touches, r)
	p.waiting++
	return func() { p.waiting-- }
}

var digest = sha256.Sum256([]byte("message"))

// session is one signing session, from Open to Close. A signature that does
// not verify is an error of its own kind.
func (b bench) session(p *person) (err error) {
	token, err := Open(b.uri(Signature))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, token.Close()) }()
	if _, err := token.Info(); err != nil {
		return err
	}
	keys, err := token.Keys()
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k hsm.Key) bool { return k.ID != Signature.String() })
	if len(keys) != 1 {
		return fmt.Errorf("%d keys in the slot", len(keys))
	}
	signer, err := token.Signer(keys[0], p)
	if err != nil {
		return err
	}
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(keys[0].Public.(*ecdsa.PublicKey), digest[:], signature) {
		return errWrong
	}
	return nil
}

var errWrong = errors.New("the signature is wrong")

// shards is how many processes share the work, each with a stack of its own:
// most of the time is spent waiting for pcscd to look at its readers. They are
// started before all tests, so that those wait with them.
const (
	shards        = 20
	shardVariable = "TEST_PIV_SHARD"
)

type shardResult struct {
	out []byte
	err error
}

// shardResults waits for all shards. It is nil where none were started.
var shardResults func() []shardResult

func startShards() {
	pattern, _, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	wanted, err := regexp.MatchString(pattern, "TestPulledAtEveryAPDU")
	if os.Getenv(shardVariable) != "" || err != nil || !wanted {
		return
	}
	results := make([]shardResult, shards)
	var group sync.WaitGroup
	for shard := range results {
		group.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestPulledAtEveryAPDU$", "-test.v")
			cmd.Env = append(os.Environ(), shardVariable+"="+strconv.Itoa(shard))
			results[shard].out, results[shard].err = cmd.CombinedOutput()
		})
	}
	shardResults = func() []shardResult {
		group.Wait()
		return results
	}
}

// The card is pulled at every APDU of a signing session, before and after it
// has done what it was asked.
func TestPulledAtEveryAPDU(t *testing.T) {
	fresh(t, "5.7.1")
	if shard := os.Getenv(shardVariable); shard != "" {
		n, err := strconv.Atoi(shard)
		must(t, err)
		pullShard(t, n)
		return
	}
	if shardResults == nil {
		t.Fatal("no shards were started")
	}
	cells := 0
	for shard, r := range shardResults() {
		if r.err != nil {
			t.Errorf("shard %d: %v\n%s", shard, r.err, r.out)
		}
		cells += strings.Count(string(r.out), "pulled at")
	}
	if cells < 200 {
		t.Errorf("pulled %d times", cells)
	}
}

func pullShard(t *testing.T, shard int) {
	cell := 0
	for _, firmware := range firmwares {
		b := fresh(t, firmware)
		if firmware == "4.3.5" || firmware == "5.7.1" {
			b.generate(Signature, P256, PINAlways, TouchAlways)
		} else {
			b.generate(Signature, P256, PINOnce, TouchNever)
		}
		must(t, b.ForgetLog())
		must(t, b.session(&person{pin: testPIN}))
		log, err := b.Log()
		must(t, err)
		for n := range log {
			if firmware != "5.7.1" && isReading(log, n) {
				continue
			}
			for _, when := range []virtual.Pull{virtual.Before, virtual.After} {
				if cell++; cell%shards == shard {
					b.pulledAt(n+1, when, firmware)
				}
			}
		}
	}
}

// isReading says whether an APDU is in the middle of reading slot after slot.
// For one firmware all of those are tried, and for the others none.
func isReading(log []virtual.Entry, n int) bool {
	reads := func(i int) bool {
		return i >= 0 && i < len(log) && slices.Contains([]byte{0xF7, 0xF9, 0xCB}, log[i].INS)
	}
	return reads(n) && (reads(n-1) || reads(n+1))
}

func (b bench) pulledAt(n int, when virtual.Pull, firmware string) {
	t := b.t
	name := fmt.Sprintf("pulled at APDU %d (%v) of firmware %s", n, when, firmware)
	before, events := b.counters(), b.events()
	must(t, b.PullAt(n, when))
	p := &person{pin: testPIN}
	err := b.session(p)
	t.Logf("%s: %v", name, err)
	if errors.Is(err, errWrong) {
		t.Errorf("%s: %v", name, err)
	}
	if plugged, _ := b.Plugged(); plugged {
		t.Errorf("%s: it was not pulled", name)
		return
	}
	if err != nil && !errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("%s: error is %v", name, err)
	}
	if p.waiting != 0 {
		t.Errorf("%s: still told to touch", name)
	}
	if spent := b.counters().Verifies - before.Verifies; spent > 2*p.typed {
		t.Errorf("%s: %d PINs were given and %d typed", name, spent, p.typed)
	}
	b.replug(events)
	if err := b.session(&person{pin: testPIN}); err != nil {
		t.Errorf("%s: afterwards: %v", name, err)
	}
}

// wait waits for something that takes pcscd a moment.
func (b bench) wait(until func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !until(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatal("waited in vain")
		}
	}
}

// replug puts the card back when pcscd has seen it go: what shows is the count
// of its events, since it calls a card that does not answer absent before it
// has looked.
func (b bench) replug(events uint16) {
	b.t.Helper()
	b.wait(func() bool { return b.events() != events })
	must(b.t, b.Plug())
	b.wait(func() bool {
		readers, err := Readers()
		return err == nil && readers[first].Holds == YubiKey
	})
}

func (b bench) events() uint16 {
	b.t.Helper()
	readers, err := survey()
	must(b.t, err)
	return readers[first].state.Events
}
