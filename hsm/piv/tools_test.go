//go:build cgo && linux

package piv

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool is a program of others in front of the first card, or a reason to skip.
func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: %v", name, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), stack.Env(), "LC_ALL=C.UTF-8", "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func ykman(t *testing.T, args ...string) string {
	t.Helper()
	return tool(t, t.TempDir(), "ykman", append([]string{"--reader", stack.ReaderName(first)}, args...)...)
}

// ykman uses the management key that was stored on the device, and this package
// the one that ykman stored, and a key that it generated.
func TestYkman(t *testing.T) {
	for firmware, algorithm := range map[string]string{"4.3.5": "TDES", "5.2.4": "TDES", "5.4.3": "AES256", "5.7.1": "AES256"} {
		t.Run(firmware, func(t *testing.T) {
			b := fresh(t, firmware)
			a := mustAdmin(t, serial)
			must(t, newHolder().provision(a))
			must(t, a.Close())
			if out := ykman(t, "piv", "info"); !strings.Contains(out, "Management key is stored on the YubiKey, protected by PIN") {
				t.Errorf("ykman says\n%s", out)
			}
			ykman(t, "piv", "keys", "generate", "--pin", newPIN, "--algorithm", "ECCP256", "--pin-policy", "ONCE", "9a", "-")
			tok := b.mustToken(Authentication)
			key := tok.key(t)
			must(t, signsP256(mustSigner(t, tok, &person{pin: newPIN})))
			chain, err := tok.Attest(key)
			must(t, err)
			must(t, facts(t, chain).Bind(key.Public))
			must(t, tok.Close())

			ykman(t, "piv", "access", "change-management-key", "--generate", "--protect", "--pin", newPIN, "--algorithm", algorithm)
			a = mustAdmin(t, serial)
			stored, err := a.ProtectedManagementKey([]byte(newPIN))
			must(t, err)
			_, err = a.Generate(KeyManagement, P256, PINOnce, TouchNever, stored)
			must(t, err)
		})
	}
}

// Other programs find a key by its placeholder certificate, and sign with it.
func TestPlaceholder(t *testing.T) {
	for module, programs := range map[string][]string{
		"OpenSC": {"/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "/usr/lib/*/opensc-pkcs11.so"},
		"Yubico": {"/usr/lib/x86_64-linux-gnu/libykcs11.so", "/usr/lib/*/libykcs11.so"},
	} {
		t.Run(module, func(t *testing.T) {
			fresh(t, "5.4.3")
			var found []string
			for _, pattern := range programs {
				some, _ := filepath.Glob(pattern)
				found = append(found, some...)
			}
			if len(found) == 0 {
				t.Skipf("the PKCS#11 module of %s is not installed", module)
			}
			a := mustAdmin(t, serial)
			public, err := a.Generate(Authentication, P256, PINOnce, TouchNever, FactoryManagementKey())
			must(t, err)
			der, err := PlaceholderCertificate(public, "holder-1", rand.Reader)
			must(t, err)
			must(t, a.StoreCertificate(Authentication, FactoryManagementKey(), der))
			must(t, a.Close())
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "public.der"), marshalPublic(public), 0o600))
			must(t, os.WriteFile(filepath.Join(dir, "message"), []byte("message"), 0o600))
			tool(t, dir, "pkcs11-tool", "--module", found[0], "--login", "--pin", factoryPIN, "--id", "01",
				"--sign", "--mechanism", "ECDSA-SHA256", "--signature-format", "openssl", "-i", "message", "-o", "signature")
			out := tool(t, dir, "openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", "public.der", "-signature", "signature", "message")
			if !strings.Contains(out, "Verified OK") {
				t.Errorf("openssl says %q", out)
			}
		})
	}
}
