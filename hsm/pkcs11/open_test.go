//go:build cgo

package pkcs11_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/hsm/pkcs11"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, uri, want string }{
		{"no URI", "soft:holder-1", "does not begin"},
		{"no module", "pkcs11:token=a", "module-path is missing"},
		{"module by name", "pkcs11:token=a?module-name=softhsm2", "module-name is not searched for"},
		{"absent module", "pkcs11:token=a?module-path=" + dir + "/none.so", "no such file"},
		{"folder as module", "pkcs11:token=a?module-path=" + dir, "not a regular file"},
		{"text as module", "pkcs11:token=a?module-path=" + text, "loader refused it"},
		{"library without PKCS#11", "pkcs11:token=a?module-path=/lib64/ld-linux-x86-64.so.2", "no PKCS#11 module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if path := "/lib64/ld-linux-x86-64.so.2"; strings.Contains(c.uri, path) {
				if _, err := os.Stat(path); err != nil {
					t.Skipf("this system has another loader: %v", err)
				}
			}
			token, err := pkcs11.Open(c.uri)
			if err == nil || token != nil {
				t.Fatalf("opened %v", token)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %q, want %q in it", err, c.want)
			}
		})
	}
}
