package internal_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// noNetwork are packages with which a program could dial, or have another
// program dial for it.
var noNetwork = regexp.MustCompile(`^(net/(http|rpc|smtp|textproto)|crypto/tls|os/exec|plugin|golang\.org/x/net|google\.golang\.org/grpc|github\.com/theupdateframework/go-tuf/v2/metadata/(updater|fetcher|config))(/|$)`)

// noSymbols are functions without which no Go program opens a connection, in
// Go and as C knows them.
var noSymbols = regexp.MustCompile(`^(syscall\.(socket|Socket|socketpair|Socketpair|connect|Connect|bind|Bind|Listen|StartProcess|forkExec|Exec)|` +
	`golang\.org/x/sys/unix\.(socket|Socket|connect|Connect|IoctlIfreq)|` +
	`net\.(socket|sysSocket|internetSocket|unixSocket|Dial.*|Listen.*|\(\*Dialer\).*|\(\*Resolver\).*|cgo.*|_C.*)|` +
	`_?(socket|connect|getaddrinfo|gethostbyname|execve?|execvp|posix_spawn|system|popen)(@.*)?)$`)

// The dependencies of the command, with its drivers and without.
func TestNoNetworkPackage(t *testing.T) {
	for _, cgo := range []string{"0", "1"} {
		t.Setenv("CGO_ENABLED", cgo)
		packages := list(t, module+"/ceremony", "-deps", "-tags", "netgo,osusergo")
		if len(packages) < 100 {
			t.Fatalf("only %d packages were listed", len(packages))
		}
		for _, p := range packages {
			if noNetwork.MatchString(p.ImportPath) {
				t.Errorf("with CGO_ENABLED=%s the command links %s", cgo, p.ImportPath)
			}
		}
	}
}

// A package may be linked and its dialling parts not: what counts is the binary
// that scripts/build makes.
func TestBinaryCannotDial(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	for _, cgo := range []string{"0", "1"} {
		t.Run("CGO_ENABLED="+cgo, func(t *testing.T) {
			if _, err := exec.LookPath("cc"); cgo == "1" && err != nil {
				t.Skip("there is no C compiler")
			}
			symbols := build(t, cgo, module+"/ceremony")
			if !bytes.Contains(symbols, []byte(" main.main\n")) || !bytes.Contains(symbols, []byte(" syscall.read\n")) {
				t.Fatal("these are not the symbols of the command")
			}
			for _, name := range dialling(symbols) {
				t.Errorf("the binary has %s", name)
			}
		})
	}
}

// The test can fail: a program that dials is found out.
func TestDiallingIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	if runtime.GOOS != "linux" {
		t.Skip("symbols have other names elsewhere")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	program := "package main\nimport \"net\"\nfunc main() { net.Dial(\"tcp\", \"192.0.2.1:1\") }\n"
	if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	found := strings.Join(dialling(build(t, "0", file)), "\n")
	for _, want := range []string{"syscall.socket", "syscall.connect", "net.(*Dialer).DialContext"} {
		if !strings.Contains(found, want) {
			t.Errorf("%s was not found among\n%s", want, found)
		}
	}
}

func dialling(symbols []byte) []string {
	var found []string
	for _, line := range strings.Split(string(symbols), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && noSymbols.MatchString(fields[len(fields)-1]) {
			found = append(found, fields[len(fields)-1])
		}
	}
	return found
}

// build builds a program as scripts/build does and lists its symbols.
func build(t *testing.T, cgo, program string) []byte {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "netgo,osusergo", "-o", binary, program)
	c.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", binary).Output()
	if err != nil {
		t.Fatalf("listing symbols: %v", err)
	}
	return symbols
}
