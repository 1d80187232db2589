package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/hsm/pkcs11/pkcs11test"
)

// visible types secrets in order, and shows questions and stars where a terminal
// would.
type visible struct {
	types []string
	out   io.Writer
}

func (v *visible) Secret(prompt string) ([]byte, error) {
	if len(v.types) == 0 {
		return nil, io.EOF
	}
	text := v.types[0]
	v.types = v.types[1:]
	fmt.Fprintf(v.out, "%s%s\n", prompt, strings.Repeat("*", len(text)))
	return []byte(text), nil
}
func (v *visible) Line(string) (string, error)           { return "", io.EOF }
func (v *visible) Reveal(string, string) (string, error) { return "", errors.New("nothing is shown") }
func (v *visible) Countdown(int) (stopped func())        { return func() {} }

// docsHSM makes a key on an empty token, for the excerpts of that.
func docsHSM(t *testing.T) {
	pkcs11test.SoftHSM(t)
	dir, d := filepath.Join(t.TempDir(), "c"), &docs{}
	var screen bytes.Buffer
	env := rehearsalEnv(&screen)
	if status := run([]string{"init", dir, "--kind", "genesis"}, env); status != done {
		t.Fatal(screen.String())
	}
	screen.Reset()
	env.ask = &visible{[]string{"52907418", "52907418", "703918", "703918", "703918"}, &screen}
	for range 2 {
		status := run([]string{"token", "provision", dir, "--token", "holder-1", "--uri", "pkcs11:token=hsm-1;object=root?module-path=" + pkcs11test.SoftHSMModule}, env)
		if strings.Contains(screen.String(), "build it with cgo") {
			t.Skip("this build has no PKCS#11")
		}
		if status != done {
			t.Fatal(screen.String())
		}
	}
	d.excerpts(t, "console hsm", strings.Split(screen.String(), "\n"))
}
