package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
)

// The benchmarks that scripts/bench runs. Times are the machine's: what people
// take to read and type is not in them.

// BenchmarkGenesis is a genesis ceremony of 3 of 5, from the plan to the
// sealed bundle and its publication, on embedded tokens.
func BenchmarkGenesis(b *testing.B) {
	b.Chdir(b.TempDir())
	for b.Loop() {
		r := benchRehearsal(b, rehearseOptions{})
		if err := r.genesis(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		info, err := os.Stat(filepath.Join(r.dir, "genesis.bundle"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size()), "bundle-bytes")
		b.StartTimer()
	}
}

// BenchmarkEmergency is what is typed after a key was stolen, from the decision to
// the published root: in case A, and with a standby revocation. What a machine
// takes is little beside what people take.
func BenchmarkEmergency(b *testing.B) {
	for _, name := range []string{"revocation-a", "standby"} {
		b.Run(name, func(b *testing.B) {
			b.Chdir(b.TempDir())
			o, err := lookupOccasion(name)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				r := emergency(b, o)
				for _, act := range o.answer {
					if err := act(r); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// emergency is the moment at which it has happened.
func emergency(b *testing.B, o occasion) *rehearsal {
	b.StopTimer()
	defer b.StartTimer()
	env := rehearsalEnv(io.Discard)
	r, err := newRehearsal(env, rehearseOptions{}, env.today(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for _, act := range slices.Concat([]func(*rehearsal) error{o.before}, o.happens) {
		if err := act(r); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

func benchRehearsal(b *testing.B, o rehearseOptions) *rehearsal {
	b.StopTimer()
	defer b.StartTimer()
	env := rehearsalEnv(io.Discard)
	r, err := newRehearsal(env, o, env.today(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if err := r.prepare(); err != nil {
		b.Fatal(err)
	}
	return r
}

// pinClock notes when the first PIN was given.
type pinClock struct {
	actorPrompter
	first func() // called just before
	at    time.Time
}

func (p *pinClock) Secret(prompt string) ([]byte, error) {
	pin, err := p.actorPrompter.Secret(prompt)
	if p.at.IsZero() {
		p.first()
		p.at = time.Now()
	}
	return pin, err
}

// BenchmarkPINToDisk is the time from the PIN to two signatures and the record
// on disk, on SoftHSM, beside what the module itself takes to log in and to
// sign the same digests.
func BenchmarkPINToDisk(b *testing.B) {
	if _, err := os.Stat(softHSM); err != nil {
		b.Skip("SoftHSM is not there; scripts/bench installs it")
	}
	b.Chdir(b.TempDir())
	r := benchRehearsal(b, rehearseOptions{pkcs11: softHSM})
	if err := r.genesis(); err != nil {
		b.Fatal(err)
	}
	var total, raw time.Duration
	for b.Loop() {
		b.StopTimer()
		unsign(b, r)
		raw += rawSign(b, r, 2)
		b.StartTimer()
		total += benchSign(b, r, func() {})
	}
	reportAbove(b, total, raw, "ms-raw-module")
}

// BenchmarkPINToDiskYubiKey is the same on a virtual YubiKey whose key wants
// PIN and touch for each signature, beside the time that the card itself takes.
func BenchmarkPINToDiskYubiKey(b *testing.B) {
	card := yubiKeys(b).Card(0)
	b.Chdir(b.TempDir())
	r := benchRehearsal(b, rehearseOptions{piv: true})
	if err := r.genesis(); err != nil {
		b.Fatal(err)
	}
	inside := func() time.Duration {
		counters, err := card.Counters()
		if err != nil {
			b.Fatal(err)
		}
		return counters.Inside
	}
	var total, own time.Duration
	for b.Loop() {
		b.StopTimer()
		unsign(b, r)
		b.StartTimer()
		var before time.Duration
		total += benchSign(b, r, func() { before = inside() })
		own += inside() - before
	}
	reportAbove(b, total, own, "ms-card")
}

// BenchmarkTokenList is `ceremony token list` with five virtual YubiKeys.
func BenchmarkTokenList(b *testing.B) {
	stack := yubiKeys(b)
	b.Chdir(b.TempDir())
	r := benchRehearsal(b, rehearseOptions{piv: true})
	if err := r.genesisFolder(); err != nil { // five of the seven have a key then
		b.Fatal(err)
	}
	for _, n := range []int{5, 6} {
		if err := stack.Card(n).Unplug(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		var screen bytes.Buffer
		if status := run([]string{"token", "list"}, rehearsalEnv(&screen)); status != done || bytes.Count(screen.Bytes(), []byte("9c: P-256")) != 5 {
			b.Fatalf("exit status %d:\n%s", status, screen.Bytes())
		}
	}
}

func reportAbove(b *testing.B, total, below time.Duration, unit string) {
	n := float64(b.N)
	b.ReportMetric(total.Seconds()*1000/n, "ms-PIN-to-disk")
	b.ReportMetric(below.Seconds()*1000/n, unit)
	b.ReportMetric((total-below).Seconds()*1000/n, "ms-above")
}

// unsign takes back what holder-1 has signed.
func unsign(b *testing.B, r *rehearsal) {
	for _, part := range []string{"signatures", "record"} {
		if err := os.RemoveAll(filepath.Join(r.dir, "holder-1", "genesis", part)); err != nil {
			b.Fatal(err)
		}
	}
}

// benchSign has holder-1 sign, and gives the time from the first PIN on.
func benchSign(b *testing.B, r *rehearsal, first func()) time.Duration {
	if err := os.Chdir(filepath.Join(r.dir, "holder-1")); err != nil {
		b.Fatal(err)
	}
	args := []string{"sign", "genesis", "--token", "holder-1"}
	env := rehearsalEnv(io.Discard)
	p := &pinClock{actorPrompter: actorPrompter{r, args, &bytes.Buffer{}}, first: first}
	env.ask = p
	if status := run(args, env); status != done {
		b.Fatalf("sign: exit status %d", status)
	}
	return time.Since(p.at)
}

// rawSign opens the same token and has it sign n digests, with nothing around.
func rawSign(b *testing.B, r *rehearsal, n int) time.Duration {
	s := r.tokens["holder-1"]
	token, err := pkcs11.Open(s.uri)
	if err != nil {
		b.Fatal(err)
	}
	defer token.Close()
	keys, err := token.Keys()
	if err != nil || len(keys) != 1 {
		b.Fatal("the token has no key: ", err)
	}
	p := &rawPIN{pin: s.pin}
	signer, err := token.Signer(keys[0], p)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		digest := sha256.Sum256([]byte{byte(i)})
		if _, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(p.at)
}

type rawPIN struct {
	pin []byte
	at  time.Time
}

func (p *rawPIN) PIN(hsm.PINRequest) ([]byte, error) {
	p.at = time.Now()
	return append([]byte{}, p.pin...), nil
}

func (p *rawPIN) Touch(hsm.TouchRequest) func() { return func() {} }

// BenchmarkStart is the start of the program that scripts/build leaves, to the
// end of `ceremony --version`, beside that of a program that does nothing.
func BenchmarkStart(b *testing.B) {
	binary, err := filepath.Abs("../bin/ceremony")
	if err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Skip("bin/ceremony is not there; scripts/bench builds it")
	}
	var nothing time.Duration
	for b.Loop() {
		if err := exec.Command(binary, "--version").Run(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		if err := exec.Command("true").Run(); err != nil {
			b.Fatal(err)
		}
		nothing += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(nothing.Seconds()*1000/float64(b.N), "ms-true")
	b.ReportMetric(float64(info.Size()), "binary-bytes")
}
