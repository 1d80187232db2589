//go:build cgo

package virtual_test

import (
	"maps"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const pivGo = "github.com/go-piv/piv-go/v2/piv"

// What piv-go's own suite may fail, and why.
var (
	pivGoFails = map[string]string{
		"TestYubiKeyAttestation":       "it trusts Yubico's roots, and so must not trust this card",
		"TestSetRSAPrivateKey":         "for its part rsa_512",
		"TestSetRSAPrivateKey/rsa_512": "Go refuses to make a key of 512 bits",
	}
	pivGoFailsBefore57 = map[string]string{
		"TestYubiKeyX25519ECDH": "it asks every firmware for X25519",
	}
)

// What is left out because it takes seconds. TestKeyInfo makes large RSA keys
// whatever the firmware: once is enough, and then they are not needed elsewhere.
func pivGoLeftOut(firmware string) string {
	if firmware != "5.7.1" {
		return "^TestKeyInfo$"
	}
	return "^(TestYubiKeySignRSA|TestYubiKeySignRSAPSS|TestYubiKeyDecryptRSA|TestYubiKeyGenerateKey)$/^rsa_?(3072|4096)$"
}

// pivGoSkip says whether a test may be skipped with this firmware. Upstream
// looks at the version in most of its tests, and has some for a reader of
// fingerprints.
func pivGoSkip(name, firmware string) bool {
	old := firmware != "5.7.1"
	switch {
	case strings.HasPrefix(name, "TestPINPolicyMatch"):
		return true
	case regexp.MustCompile(`(?i)ed2551[79]|x2551[79]|rsa_?(3072|4096)`).MatchString(name):
		return old
	case name == "TestPINPolicy": // by metadata
		return firmware < "5.3"
	}
	return false
}

// piv-go's suite is the judge of most of what the card answers.
func TestJudgePIVGo(t *testing.T) {
	folder, err := exec.Command("go", "list", "-f", "{{.Dir}}", pivGo).Output()
	if err != nil {
		t.Skipf("asking go for the folder of piv-go: %v", err)
	}
	suite := t.TempDir() + "/piv.test"
	if out, err := exec.Command("go", "test", "-c", "-o", suite, pivGo).CombinedOutput(); err != nil {
		t.Skipf("building piv-go's tests: %v\n%s", err, out)
	}
	for _, firmware := range []string{"4.3.5", "5.2.4", "5.4.3", "5.7.1"} {
		t.Run(firmware, func(t *testing.T) {
			j := newJudge(t, firmware)
			cmd := j.command(suite, "-wipe-yubikey", "-test.v", "-test.skip", pivGoLeftOut(firmware))
			cmd.Dir = strings.TrimSpace(string(folder))
			out, _ := cmd.CombinedOutput() // it fails, by the tests above
			j.judge(string(out), firmware)
		})
	}
}

var verdict = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+)`)

func (j *judge) judge(out, firmware string) {
	j.Helper()
	fails := map[string]bool{}
	passed := 0
	for _, line := range verdict.FindAllStringSubmatch(out, -1) {
		switch name := line[2]; {
		case line[1] == "PASS":
			passed++
		case line[1] == "FAIL":
			fails[name] = true
		case !pivGoSkip(name, firmware):
			j.Errorf("%s was skipped", name)
		}
	}
	expected := maps.Clone(pivGoFails)
	if firmware != "5.7.1" {
		maps.Copy(expected, pivGoFailsBefore57)
	}
	for name := range fails {
		if expected[name] == "" {
			j.Errorf("%s failed", name)
		}
	}
	for name, why := range expected {
		if !fails[name] {
			j.Errorf("%s passed, although %s", name, why)
		}
	}
	if passed < 90 || j.Failed() {
		j.Errorf("%d tests passed:\n%s", passed, out)
	}
}
