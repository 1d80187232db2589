//go:build cgo && linux

package pkcs11_test

import (
	"bytes"
	"crypto"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"tufceremony/hsm/pkcs11"
)

// endurance is how many signatures TestEndurance makes: a second or two on
// SoftHSM, so all of them each time.
var endurance = flag.Int("pkcs11.signatures", 10_000, "how many signatures TestEndurance makes")

// usage is what a process must not grow by.
type usage struct {
	memory      int // resident, in KiB
	descriptors int
	goroutines  int
}

func measure(t *testing.T) usage {
	t.Helper()
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	memory, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{memory: memory, descriptors: len(files), goroutines: runtime.NumGoroutine()}
}

// Nothing grows with the number of signatures. SoftHSM does not tell how many
// sessions are open: the next test counts what was called.
func TestEndurance(t *testing.T) {
	newSoftHSM(t)
	createToken(t, "holder-1")
	addKeys(t, softHSM, "holder-1", kinds...)
	signers := signersOf(t, tokenURI("holder-1"), &person{})
	sign := func(n int) {
		t.Helper()
		for i := range n {
			r := requests[0]
			if i%100 == 0 { // the slow kinds now and then
				r = requests[i/100%len(requests)]
			}
			if err := r.sign(signers[r.key], strconv.Itoa(i), i%2 == 0); err != nil {
				t.Fatalf("signature %d, %s, %s: %v", i, r.key, r.name, err)
			}
		}
	}
	sign(*endurance / 10) // heaps and caches fill
	before := measure(t)
	sign(*endurance)
	after := measure(t)
	t.Logf("before %+v, after %d signatures %+v", before, *endurance, after)
	if after.descriptors > before.descriptors || after.goroutines > before.goroutines {
		t.Errorf("before %+v, after %+v", before, after)
	}
	// The race detector keeps a shadow of what it has seen.
	if limit := map[bool]int{false: 4 << 10, true: 64 << 10}[raceDetector]; after.memory > before.memory+limit {
		t.Errorf("memory grew from %d KiB to %d", before.memory, after.memory)
	}
}

// All signatures of one login are made in one session.
func TestOneSession(t *testing.T) {
	fake, uri := kindsDevice(t)
	signers := signersOf(t, uri, &person{})
	for i := range 200 {
		r := requests[i%len(requests)]
		if err := r.sign(signers[r.key], "message", false); err != nil {
			t.Fatal(err)
		}
	}
	if fake.Count("C_OpenSession") != 1 || fake.Count("C_Login") != 1 || fake.Count("C_Sign") != 200 {
		t.Errorf("%d sessions, %d logins, %d signatures", fake.Count("C_OpenSession"), fake.Count("C_Login"), fake.Count("C_Sign"))
	}
}

// Opening and closing leave nothing either, errors on the way included.
func TestOpeningLeavesNothing(t *testing.T) {
	fake, uri := device(t)
	once := func(i int) {
		if i%3 == 0 {
			fake.Faults(t, "C_Sign rv 0x32")
		} else {
			fake.Faults(t)
		}
		_, _, err := use(t, uri, &person{}, nothing)
		if (err != nil) != (i%3 == 0) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	for i := range 10 {
		once(i)
	}
	descriptors := func() int { files, _ := os.ReadDir("/proc/self/fd"); return len(files) }
	before, goroutines := descriptors(), runtime.NumGoroutine()
	for i := range 100 {
		once(i)
	}
	for end := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // a timer's, which ends by itself
	}
	if n, g := descriptors(), runtime.NumGoroutine(); n > before || g > goroutines {
		t.Errorf("%d descriptors became %d, %d goroutines %d", before, n, goroutines, g)
	}
	if fake.Count("C_OpenSession") != fake.Count("C_CloseSession") {
		t.Errorf("%d sessions opened, %d closed", fake.Count("C_OpenSession"), fake.Count("C_CloseSession"))
	}
}

// Eight goroutines on one token, which modules answer with a crash, and on
// eight tokens of one module.
func TestSoftHSMGoroutines(t *testing.T) {
	const goroutines, each = 8, 50
	newSoftHSM(t)
	var uris []string
	for i := range goroutines {
		label := fmt.Sprintf("holder-%d", i)
		createToken(t, label)
		addKeys(t, softHSM, label, kinds[0], kinds[2])
		uris = append(uris, tokenURI(label))
	}
	run := func(signers []map[string]crypto.Signer) {
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() {
				for i := range each {
					r := requests[i%2*2] // P-256 and Ed25519 in turns
					if err := r.sign(signers[g%len(signers)][r.key], fmt.Sprint(g, i), false); err != nil {
						t.Errorf("goroutine %d, signature %d: %v", g, i, err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	t.Run("one token", func(t *testing.T) {
		run([]map[string]crypto.Signer{signersOf(t, uris[0], &person{})})
	})
	t.Run("eight tokens", func(t *testing.T) {
		var signers []map[string]crypto.Signer
		for _, uri := range uris {
			signers = append(signers, signersOf(t, uri, &person{}))
		}
		run(signers)
	})
	t.Run("opening and closing", func(t *testing.T) {
		var all sync.WaitGroup
		for _, uri := range uris {
			all.Go(func() {
				for range 5 {
					token, err := pkcs11.Open(uri)
					if err != nil {
						t.Error(err)
						return
					}
					keys, err := token.Keys()
					if err != nil || len(keys) != 2 {
						t.Errorf("%d keys, %v", len(keys), err)
					}
					_, infoError := token.Info()
					_, listError := pkcs11.List(softHSM)
					for _, err := range []error{infoError, listError, token.Close()} {
						if err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
	})
}
