//go:build cgo && linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/hsm/pkcs11/uri"
)

// provisionModules are those on which a key is provisioned, with what each says
// of it: LOCAL, NEVER_EXTRACTABLE, ALWAYS_SENSITIVE. The others refuse.
var provisionModules = []struct{ name, says, refuses string }{
	{name: "softhsm", says: "true true true"},
	{name: "nss", says: "false true true"},
	{name: "p11-kit", says: "true true true"},
	{name: "tpm", says: "true true true"},
	{name: "opencryptoki", refuses: "no key was made ceremony: hint: the token cannot make keys for TUF, which are on P-256"},
	{name: "opensc", refuses: "this is a PIV card, whose slots cannot be set up through PKCS#11"},
	{name: "ykcs11", refuses: "this is a PIV card, whose slots cannot be set up through PKCS#11"},
}

const (
	provisionFolder = "TEST_PROVISION_FOLDER"
	provisionURI    = "TEST_PROVISION_URI" // of the one run that TestProvisionRun is
)

// TestProvisionOnModules makes a key on a token of each module, and reads it back
// in another process.
func TestProvisionOnModules(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range provisionModules {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			skipWithoutModule(t, m.name)
			dir := filepath.Join(t.TempDir(), "c")
			if out, err := exec.Command("ceremony", "init", dir, "--kind", "genesis").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if m.name != "ykcs11" { // which calls its tokens as it likes
				inRehearsal(t, dir)
			}
			tokens := "1"
			if m.name == "opensc" || m.name == "ykcs11" {
				tokens = "4"
			}
			c := exec.Command(modulesScript, "-n", tokens, m.name, program, "-test.run=^TestProvisionTwice$", "-test.v")
			c.Env = append(os.Environ(), provisionFolder+"="+dir)
			out, err := c.CombinedOutput()
			screen := strings.Join(strings.Fields(string(out)), " ")
			if m.refuses != "" {
				wants(t, screen, regexp.QuoteMeta(m.refuses))
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			wants(t, screen, "it is not believed yet.*It is the one that was reported then.*The signature is good.*Done")
			text, err := os.ReadFile(filepath.Join(dir, folder.Keys, "holder-1.attributes.json"))
			if err != nil {
				t.Fatal(err)
			}
			claims, err := evidence.ParseClaims(text)
			if err != nil {
				t.Fatal(err)
			}
			says := strings.Join([]string{claims.Attributes["CKA_LOCAL"], claims.Attributes["CKA_NEVER_EXTRACTABLE"], claims.Attributes["CKA_ALWAYS_SENSITIVE"]}, " ")
			if says != m.says {
				t.Errorf("the module says %q, and is known for %q", says, m.says)
			}
			if shared := strings.Contains(screen, `serial: ""`); shared != (strings.Trim(claims.Token.Serial, "0") == "") {
				t.Errorf("serial %q: %s", claims.Token.Serial, screen)
			}
		})
	}
}

func inRehearsal(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, folder.Plan)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("\n\nwindow:"), []byte("\nrehearsal: true\n\nwindow:"), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestProvisionTwice has the first token of a module, and starts two processes.
func TestProvisionTwice(t *testing.T) {
	tokens := os.Getenv("MODULE_TOKENS")
	if os.Getenv(provisionFolder) == "" || tokens == "" {
		t.Skip("TestProvisionOnModules runs it")
	}
	text, err := os.ReadFile(tokens)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	u, err := uri.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	u.Object, u.ID, u.PINSource = "root", nil, ""
	if u.Token == "" { // cards have a serial alone
		u.Token = "YubiKey PIV #" + u.Serial
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := exec.Command(program, "-test.run=^TestProvisionRun$", "-test.v")
		c.Env = append(os.Environ(), provisionURI+"="+u.String())
		out, err := c.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestProvisionRun is one process that runs the command.
func TestProvisionRun(t *testing.T) {
	at := os.Getenv(provisionURI)
	if at == "" {
		t.Skip("TestProvisionTwice runs it")
	}
	env := rehearsalEnv(os.Stdout)
	env.ask = passphrase(os.Getenv("MODULE_PIN"))
	if status := run([]string{"token", "provision", os.Getenv(provisionFolder), "--token", "holder-1", "--uri", at}, env); status != done {
		t.Fatalf("exit status %d", status)
	}
}
