package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/hsm/virtual"
)

// TestPulledBehindModules runs TestPulledBehindModule with the virtual YubiKeys
// of both modules that reach some.
func TestPulledBehindModules(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"opensc", "ykcs11"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			skipWithoutModule(t, name)
			out, err := exec.Command(modulesScript, "-n", "7", name, program, "-test.run=^TestPulledBehindModule$", "-test.v").CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("--- PASS: TestPulledBehindModule")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// putsBack is a holder whose card comes loose at one signature, and who puts it
// back when told so.
type putsBack struct {
	passphrase
	card  *virtual.Remote
	loose int // the question for the PIN at which that is
	asked int
	told  []string
}

func (h *putsBack) Secret(string) ([]byte, error) {
	const generalAuthenticate = 0x87
	if h.asked++; h.asked == h.loose {
		if err := h.card.PullAtINS(generalAuthenticate, virtual.Before); err != nil {
			return nil, err
		}
	}
	return []byte(h.passphrase), nil
}

func (h *putsBack) Line(prompt string) (string, error) {
	h.told = append(h.told, prompt)
	return "", h.card.Plug()
}

// A card that is pulled at its second signature and put back while the command
// waits goes on from there, behind a module as with the driver for YubiKeys. No
// PIN is given to it that nobody typed.
func TestPulledBehindModule(t *testing.T) {
	if os.Getenv("MODULE_NAME") == "" {
		t.Skip("TestPulledBehindModules runs it")
	}
	dir := filepath.Join(t.TempDir(), "again")
	r := rehearse(t, "--tokens", os.Getenv("MODULE_TOKENS"))
	if err := unsigned(filepath.Join(r, "coordinator", "genesis"), dir); err != nil {
		t.Fatal(err)
	}
	files, err := folder.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := virtual.Dial(os.Getenv("CEREMONY_VIRTUAL_CONTROL"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// The key wants the PIN at the login, and for each of the two signatures.
	holder := &putsBack{passphrase: passphrase(os.Getenv("MODULE_PIN")), card: client.Card(0), loose: 3}
	before, err := holder.card.Counters()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	env := rehearsalEnv(&out)
	env.ask = holder
	status := run([]string{"sign", dir, "--token", "holder-1", "--approve", files.Event().Words()}, env)
	if status != done || !strings.Contains(out.String(), "Signed and verified, with token holder-1") {
		t.Errorf("status %d, %s", status, out.String())
	}
	if len(holder.told) != 1 || !strings.Contains(holder.told[0], "The device was removed; signed and kept so far: 1.root.") {
		t.Errorf("the holder was told %q", holder.told)
	}
	after, err := holder.card.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if given := after.Verifies - before.Verifies; holder.asked != 5 || given != holder.asked {
		t.Errorf("the PIN was asked for %d times and given %d times", holder.asked, given)
	}
}
