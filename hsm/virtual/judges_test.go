package virtual_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tufceremony/hsm/virtual"
)

// The judges are programs of others, which know the real devices: they decide
// whether the virtual one is like them. Each has a stack and a folder.
type judge struct {
	*testing.T
	stack *virtual.Stack
	dir   string
}

const (
	factoryPIN        = "123456"
	factoryPUK        = "12345678"
	factoryManagement = "010203040506070801020304050607080102030405060708"
	rehearsalRoot     = "../attest/certs/rehearsal.pem"
)

func newJudge(t *testing.T, firmware string, programs ...string) *judge {
	t.Helper()
	t.Parallel()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed; scripts/packages judges does that: %v", name, err)
		}
	}
	return &judge{t, start(t, virtual.Config{Firmware: firmware, Serial: 14470876}), t.TempDir()}
}

// command is a program of others as a client of the stack, in the folder.
func (j *judge) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), j.stack.Env(), "LC_ALL=C.UTF-8", "HOME="+j.dir)
	return cmd
}

// run wants the program to succeed, and returns what it said.
func (j *judge) run(name string, args ...string) string {
	j.Helper()
	out, err := j.command(name, args...).CombinedOutput()
	if err != nil {
		j.Fatalf("%s %q: %v\n%s\n%s", name, args, err, out, j.stack.LogText())
	}
	return string(out)
}

// says is run, and wants these words among what the program said.
func (j *judge) says(words, name string, args ...string) {
	j.Helper()
	if out := j.run(name, args...); !strings.Contains(out, words) {
		j.Errorf("%s %q did not say %q:\n%s", name, args, words, out)
	}
}

func (j *judge) path(name string) string { return filepath.Join(j.dir, name) }

func (j *judge) reader() string { return j.stack.ReaderName(0) }

// chain lets OpenSSL follow an attestation to the rehearsals' root.
func (j *judge) chain(leaf, device string) {
	j.Helper()
	root, err := filepath.Abs(rehearsalRoot)
	if err != nil {
		j.Fatal(err)
	}
	j.says(leaf+": OK", "openssl", "verify", "-CAfile", root, "-untrusted", device, leaf)
}

// sign signs by a PKCS #11 module, and lets OpenSSL verify.
func (j *judge) sign(public string, args ...string) {
	j.Helper()
	if err := os.WriteFile(j.path("words"), []byte("some words"), 0o600); err != nil {
		j.Fatal(err)
	}
	args = append(args, "--login", "--pin", factoryPIN, "--sign", "--input-file", "words", "--output-file", "signature")
	j.run("pkcs11-tool", args...)
	j.says("Verified OK", "openssl", "dgst", "-sha256", "-verify", public, "-signature", "signature", "words")
}

// certify writes a certificate over a public key, for programs that find keys
// by their certificates.
func (j *judge) certify(publicFile, certificateFile string) {
	j.Helper()
	text, err := os.ReadFile(j.path(publicFile))
	if err != nil {
		j.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		j.Fatalf("%s is no PEM:\n%s", publicFile, text)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		j.Fatal(err)
	}
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		j.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a key holder"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, issuer)
	if err != nil {
		j.Fatal(err)
	}
	text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(j.path(certificateFile), text, 0o600); err != nil {
		j.Fatal(err)
	}
}
