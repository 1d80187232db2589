package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/verify"
)

// passphrase gives the same secret whenever one is asked for.
type passphrase string

func (p passphrase) Secret(string) ([]byte, error)         { return []byte(p), nil }
func (p passphrase) Line(string) (string, error)           { return "", io.EOF }
func (p passphrase) Reveal(string, string) (string, error) { return "", errors.New("nobody is asked") }

func (p passphrase) Countdown(int) (stopped func()) { return func() {} }

// Some devices have keys on P-384 already, and some have RSA alone. What they
// and such online keys sign is accepted by the clients that verify it: RSA by
// all, P-384 by all but one. The second implementation of the formats reads both.
func TestKindsPublished(t *testing.T) {
	for name, k := range map[string]struct {
		c       *ceremonytest.Ceremony
		tokens  []string
		online  string
		refuses string // the client that does not verify it
	}{
		"P-384": {ceremonytest.P384(t), []string{"holder-1", "holder-2-p384", "holder-3-p384"}, "online-p384", "tuf-js"},
		"RSA":   {ceremonytest.RSA(t), []string{"holder-1", "holder-2-rsa2048", "holder-3-rsa4096"}, "online-rsa3072", ""},
	} {
		t.Run(name, func(t *testing.T) {
			k.c.Draft()
			k.c.Sign(k.tokens...)
			dir := published(t, k.c, k.online)
			file, root := filepath.Join(dir, "genesis.bundle"), filepath.Join(dir, "root.json")
			base := serve(t, filepath.Join(dir, "repository"))
			for name, refresh := range clients {
				t.Run(name, func(t *testing.T) {
					got, err := refresh(t, base, root, t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "hello.txt"))
					switch want := (versions{1, 1, 1, 1}); {
					case name == k.refuses && err == nil:
						t.Error("it verifies the scheme: KEY-PORTABLE says that it does not")
					case name != k.refuses && (err != nil || got != want):
						t.Errorf("trusts %+v, %v; want %+v", got, err, want)
					}
				})
			}
			t.Run("formats.py", func(t *testing.T) { secondReaderAccepts(t, file, root) })
		})
	}
}

// published seals a genesis that is signed and publishes it, with an online key.
// The folder has the bundle, root.json, and repository/.
func published(t *testing.T, c *ceremonytest.Ceremony, online string) string {
	t.Helper()
	sealed, dir := c.Seal(), t.TempDir()
	root := sealed[folder.Metadata+"/1.root.json"]
	der, err := pkcs8.MarshalPrivateKey(ceremonytest.Key(t, online), []byte("a secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string][]byte{"genesis.bundle": bundled(t, sealed, root), "root.json": root, "files/hello.txt": []byte("hello\n"),
		"online.pem": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})} {
		if err := durable.Create(at(name), content); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(at("repository"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := rehearsalEnv(t.Output())
	env.ask = passphrase("a secret")
	args := []string{"publish", at("genesis.bundle"), at("repository"), "--event", c.Files.Event().String(), "--online-key", at("online.pem"), "--targets", at("files")}
	if status := run(args, env); status != done {
		t.Fatalf("publish: exit status %d", status)
	}
	return dir
}

func bundled(t *testing.T, sealed folder.Files, root []byte) []byte {
	t.Helper()
	verified, err := verify.Files(sealed, root, ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	err = bundle.Write(&data, verified)
	if err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// The second reader verifies RSA-PSS with its own code: with a salt of any
// length, and nothing that is another signature.
func TestSecondReaderPSS(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there; scripts/test installs it")
	}
	payload := []byte("payload")
	digest, other := sha256.Sum256(payload), sha256.Sum256([]byte("another"))
	key := ceremonytest.Key(t, "a-rsa2048")
	sign := func(digest [32]byte, opts crypto.SignerOpts) string {
		sig, err := key.Sign(rand.Reader, digest[:], opts)
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(sig)
	}
	pss := func(salt int) crypto.SignerOpts { return &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256} }
	good := sign(digest, pss(32))
	bad := strings.Map(func(r rune) rune { return rune("123456789abcdef0"[strings.IndexRune("0123456789abcdef", r)]) }, good[len(good)-1:])
	sigs := []string{good, sign(digest, pss(1)), sign(digest, pss(rsa.PSSSaltLengthAuto)),
		good[:len(good)-1] + bad, sign(other, pss(32)), sign(digest, crypto.SHA256), good[2:], strings.Repeat("ff", 256), strings.Repeat("00", 256), ""}
	in, err := json.Marshal([]any{string(ceremonytest.PEM(t, "a-rsa2048")), string(payload), sigs})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(python, "-c", `
import json, sys
sys.path.insert(0, sys.argv[1])
import formats
pem, payload, sigs = json.load(sys.stdin)
der = formats.spki({"scheme": formats.PSS, "keyval": {"public": pem}})
print([formats.verifies(formats.PSS, der, payload.encode(), bytes.fromhex(s)) for s in sigs])
`, docsDir)
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	c.Stdin = bytes.NewReader(in)
	out, err := c.CombinedOutput()
	if want := "[True, True, True, False, False, False, False, False, False, False]\n"; err != nil || string(out) != want {
		t.Errorf("%s, %v; want %s", out, err, want)
	}
}

func secondReaderAccepts(t *testing.T, file, root string) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there; scripts/test installs it")
	}
	c := exec.Command(python, docsDir+"/formats.py", file, root)
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	theirs, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, theirs)
	}
	var screen bytes.Buffer
	if status := run([]string{"verify", "--json", "--at", attestedClock, file, "--trusted-root", root}, rehearsalEnv(&screen)); status != done {
		t.Fatal(screen.String())
	}
	if ours := proof(t, screen.Bytes(), true); ours != proof(t, theirs, false) || !strings.Contains(ours, "root") {
		t.Errorf("formats.py says\n%s\nand verify\n%s", theirs, screen.String())
	}
}
