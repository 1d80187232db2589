//go:build cgo

package pkcs11_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/hsmtest"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
)

const script = "../../scripts/modules"

// TestModules runs TestModule on every module that is installed, each in a
// process of its own, with fresh tokens that scripts/modules makes. By hand:
//
//	scripts/modules -n 3 tpm go test -race -count=1 -run TestModule$ ./hsm/pkcs11
func TestModules(t *testing.T) {
	for name := range modules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := exec.Command(script, "--check", name).CombinedOutput(); err != nil {
				t.Skipf("%s", out)
			}
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(script, "-n", "3", name, program, "-test.run=^TestModule$", "-test.v", "-test.timeout=2m")
			c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
			out, err := c.CombinedOutput()
			replay(t, string(out))
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// replay gives each skipped test of the other process to this one's output.
func replay(t *testing.T, out string) {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		name, skipped := strings.CutPrefix(strings.TrimSpace(line), "--- SKIP: TestModule/")
		if !skipped || i == 0 {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		t.Run(name, func(t *testing.T) { t.Skip(strings.TrimSpace(lines[i-1])) })
	}
}

// tokenUnderTest gives the n-th token that the script has made, and the rest of
// its URI's query.
func moduleTokens(t *testing.T) (tokens []uri.URI, pin string) {
	t.Helper()
	text, err := os.ReadFile(os.Getenv("MODULE_TOKENS"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		u, err := uri.Parse(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		u.PINSource = ""
		tokens = append(tokens, u)
	}
	return tokens, os.Getenv("MODULE_PIN")
}

func TestModule(t *testing.T) {
	m, ok := modules[os.Getenv("MODULE_NAME")]
	if !ok {
		t.Skip("TestModules runs it")
	}
	tokens, pin := moduleTokens(t)
	for i, u := range tokens {
		if u.ID != nil {
			tokens[i].ID = []byte{1} // slot 9a, which wants its PIN once
			continue
		}
		key, err := pkcs11.GenerateKey(u.String(), []byte(pin), "tuf")
		if err != nil {
			t.Fatal(err)
		}
		_ = key
	}
	t.Run("hsmtest", func(t *testing.T) {
		hsmtest.Run(t, hsmtest.Device{
			Lacks: m.lacks,
			New: func(t *testing.T) hsmtest.Instance {
				u := tokens[0]
				if strings.HasSuffix(t.Name(), "/locking") {
					u = tokens[1]
				}
				return hsmtest.Instance{
					Open:     func() (hsm.Token, error) { return pkcs11.Open(u.String()) },
					PIN:      []byte(pin),
					WrongPIN: bytes.Repeat([]byte("7"), len(pin)),
					Tries:    m.tries,
				}
			},
		})
	})
}

type realModule struct {
	tries int
	lacks map[hsmtest.Capability]string
}

var errNone = errors.New("")

var modules = map[string]realModule{
	"softhsm":      {lacks: none,},
	"p11-kit":      {lacks: none,},
	"tpm":          {lacks: none,},
	"nss":          {},
	"opencryptoki": {},
	"opensc":       {lacks: none,tries: 3},
	"ykcs11":       {lacks: none,tries: 3},
}

var none = map[hsmtest.Capability]string{hsmtest.Touch: "x", hsmtest.MissedTouch: "x", hsmtest.Removal: "x"}
