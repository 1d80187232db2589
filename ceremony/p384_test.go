package main

import (
	"bytes"
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

// Some devices have keys on P-384 already. What they and such an online key
// sign is accepted by the clients that verify P-384, refused by the one that
// does not, and read by the second implementation of the formats.
func TestP384Published(t *testing.T) {
	c := ceremonytest.P384(t)
	c.Draft()
	c.Sign("holder-1", "holder-2-p384", "holder-3-p384")
	sealed, dir := c.Seal(), t.TempDir()
	root := sealed[folder.Metadata+"/1.root.json"]
	verified, err := verify.Files(sealed, root, ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.Encode(verified)
	if err != nil {
		t.Fatal(err)
	}
	der, err := pkcs8.MarshalPrivateKey(ceremonytest.Key(t, "online-p384"), []byte("a secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string][]byte{"p384.bundle": data, "root.json": root, "files/hello.txt": []byte("hello\n"),
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
	args := []string{"publish", at("p384.bundle"), at("repository"), "--event", c.Files.Event().String(), "--online-key", at("online.pem"), "--targets", at("files")}
	if status := run(args, env); status != done {
		t.Fatalf("publish: exit status %d", status)
	}
	base := serve(t, at("repository"))
	for name, refresh := range clients {
		t.Run(name, func(t *testing.T) {
			got, err := refresh(t, base, at("root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "hello.txt"))
			switch want := (versions{1, 1, 1, 1}); {
			case name == "tuf-js" && err == nil:
				t.Error("it verifies P-384: KEY-PORTABLE says that it does not")
			case name != "tuf-js" && (err != nil || got != want):
				t.Errorf("trusts %+v, %v; want %+v", got, err, want)
			}
		})
	}
	t.Run("formats.py", func(t *testing.T) { secondReaderAccepts(t, at("p384.bundle"), at("root.json")) })
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
