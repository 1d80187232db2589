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
		r := benchRehearsal(b, "")
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

func benchRehearsal(b *testing.B, module string) *rehearsal {
	b.StopTimer()
	defer b.StartTimer()
	env := rehearsalEnv(io.Discard)
	r, err := newRehearsal(env, rehearseOptions{pkcs11: module}, env.today(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if err := r.prepare(); err != nil {
		b.Fatal(err)
	}
	return r
}

// pinClock notes when the PIN was given.
type pinClock struct {
	actorPrompter
	at time.Time
}

func (p *pinClock) Secret(prompt string) ([]byte, error) {
	pin, err := p.actorPrompter.Secret(prompt)
	p.at = time.Now()
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
	r := benchRehearsal(b, softHSM)
	if err := r.genesis(); err != nil {
		b.Fatal(err)
	}
	var total, raw time.Duration
	signed := filepath.Join(r.dir, "holder-1", "genesis")
	for b.Loop() {
		b.StopTimer()
		for _, part := range []string{"signatures", "record"} {
			if err := os.RemoveAll(filepath.Join(signed, part)); err != nil {
				b.Fatal(err)
			}
		}
		raw += rawSign(b, r, 2)
		b.StartTimer()
		total += benchSign(b, r, filepath.Dir(signed))
	}
	n := float64(b.N)
	b.ReportMetric(total.Seconds()*1000/n, "ms-PIN-to-disk")
	b.ReportMetric(raw.Seconds()*1000/n, "ms-raw-module")
	b.ReportMetric((total-raw).Seconds()*1000/n, "ms-above")
}

func benchSign(b *testing.B, r *rehearsal, dir string) time.Duration {
	if err := os.Chdir(dir); err != nil {
		b.Fatal(err)
	}
	args := []string{"sign", "genesis", "--token", "holder-1"}
	env := rehearsalEnv(io.Discard)
	p := &pinClock{actorPrompter: actorPrompter{r, args, &bytes.Buffer{}}}
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
