package pkcs11test

import (
	"os"
	"os/exec"
	"testing"
)

const aloneVariable = "PKCS11_TEST_ALONE"

// Alone has the rest of a test run in a process of its own, with the
// environment of this one: what it does ends a process, or is for good.
func Alone(t testing.TB, more ...string) (output string, err error) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(append(os.Environ(), aloneVariable+"=1", "GORACE=atexit_sleep_ms=0"), more...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// IsAlone reports whether this is that process.
func IsAlone() bool { return os.Getenv(aloneVariable) != "" }
