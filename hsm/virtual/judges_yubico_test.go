package virtual_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// yubico-piv-tool 2.2 knows no AES management key, and so no card of 5.7.
var pivToolFirmware = []string{"4.3.5", "5.2.4", "5.4.3"}

func TestJudgePIVTool(t *testing.T) {
	for _, firmware := range pivToolFirmware {
		t.Run(firmware, func(t *testing.T) {
			j := newJudge(t, firmware, "yubico-piv-tool", "openssl")
			j.says("Version:\t"+firmware, "yubico-piv-tool", "-r", j.reader(), "-a", "status")
			j.generate("9c", "ECCP256")
			j.generate("9d", "ECCP384")
			j.run("yubico-piv-tool", "-r", j.reader(), "-a", "read-certificate", "-s", "f9", "-o", "device.pem")
			for _, slot := range []string{"9c", "9d"} {
				leaf := slot + ".attestation.pem"
				j.run("yubico-piv-tool", "-r", j.reader(), "-a", "attest", "-s", slot, "-o", leaf)
				j.chain(leaf, "device.pem")
			}
			j.says("Serial Number:\t14470876", "yubico-piv-tool", "-r", j.reader(), "-a", "status")
		})
	}
}

// generate makes a key, whose public half is then in SLOT.pem.
func (j *judge) generate(slot, algorithm string) {
	j.Helper()
	j.run("yubico-piv-tool", "-r", j.reader(), "-a", "generate", "-s", slot, "-A", algorithm,
		"--pin-policy=always", "--touch-policy=never", "-o", slot+".pem")
}

// generateCertified adds a certificate, in the slot as well.
func (j *judge) generateCertified(slot, algorithm string) {
	j.Helper()
	j.generate(slot, algorithm)
	j.certify(slot+".pem", slot+".certificate.pem")
	j.run("yubico-piv-tool", "-r", j.reader(), "-a", "import-certificate", "-s", slot, "-i", slot+".certificate.pem")
}

// Yubico's PKCS #11 module looks at no reader that is not named after Yubico.
func TestJudgeYKCS11(t *testing.T) {
	modules, _ := filepath.Glob("/usr/lib/*/libykcs11.so")
	if len(modules) == 0 {
		t.Skip("libykcs11.so is not installed; scripts/packages judges does that")
	}
	j := newJudge(t, "5.4.3", "yubico-piv-tool", "pkcs11-tool", "openssl")
	j.generateCertified("9c", "ECCP256")
	j.says("YubiKey PIV #14470876", "pkcs11-tool", "--module", modules[0], "--list-slots")
	j.sign("9c.pem", "--module", modules[0], "--id", "02", "--mechanism", "ECDSA-SHA256", "--signature-format", "openssl")
}

func TestJudgeYkman(t *testing.T) {
	for firmware, algorithm := range map[string]string{"4.3.5": "TDES", "5.7.1": "AES256"} {
		t.Run(firmware, func(t *testing.T) {
			j := newJudge(t, firmware, "ykman", "openssl")
			ykman := func(args ...string) string {
				j.Helper()
				return j.run("ykman", append([]string{"--reader", j.reader()}, args...)...)
			}
			if out := ykman("info"); !strings.Contains(out, "Serial number: 14470876") ||
				!strings.Contains(out, "Firmware version: "+firmware) {
				t.Errorf("ykman info:\n%s", out)
			}
			ykman("piv", "keys", "generate", "-m", factoryManagement, "-a", "ECCP256", "--pin-policy", "ALWAYS",
				"--touch-policy", "ALWAYS", "9c", "9c.pem")
			ykman("piv", "certificates", "generate", "-m", factoryManagement, "-P", factoryPIN, "-s", "CN=a key holder", "9c", "9c.pem")
			ykman("piv", "certificates", "export", "9c", "certificate.pem")
			j.says("certificate.pem: OK", "openssl", "verify", "-CAfile", "certificate.pem", "certificate.pem")
			ykman("piv", "keys", "attest", "9c", "attestation.pem")
			ykman("piv", "certificates", "export", "f9", "device.pem")
			j.chain("attestation.pem", "device.pem")

			length := map[string]int{"TDES": 24, "AES256": 32}[algorithm]
			newKey := fmt.Sprintf("%0*x", 2*length, 0x1122334455667788)
			if algorithm == "TDES" { // with the parity that DES wants of every byte
				newKey = strings.Repeat("0123456789abcdef", 3)
			}
			ykman("piv", "access", "change-management-key", "-m", factoryManagement, "-a", algorithm, "-n", newKey)
			ykman("piv", "access", "change-pin", "-P", factoryPIN, "-n", "246810")
			ykman("piv", "access", "unblock-pin", "-p", factoryPUK, "-n", "135790")
			ykman("piv", "keys", "generate", "-m", newKey, "-a", "ECCP384", "9a", "9a.pem")
			ykman("piv", "reset", "--force")
			if out := ykman("piv", "info"); strings.Contains(out, "9c") || !strings.Contains(out, "PIN tries remaining: 3") {
				t.Errorf("after a reset ykman says:\n%s", out)
			}
			if _, err := os.Stat(j.path("9a.pem")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestJudgeOpenSC(t *testing.T) {
	j := newJudge(t, "5.4.3", "opensc-tool", "pkcs15-tool", "pkcs11-tool", "yubico-piv-tool", "openssl")
	j.generateCertified("9c", "ECCP256")
	j.generateCertified("9a", "RSA2048")
	j.says("3b:fd:13:00:00:81:31:fe:15:80:73:c0:21:c0:57:59:75:62:69:4b:65:79:40",
		"opensc-tool", "--reader", j.reader(), "--atr")
	j.says("Personal Identity Verification Card", "opensc-tool", "--reader", j.reader(), "--name")
	j.says("Private EC Key [SIGN key]", "pkcs15-tool", "--reader", j.reader(), "-D")
	j.sign("9c.pem", "--id", "02", "--mechanism", "ECDSA-SHA256", "--signature-format", "openssl")
	j.sign("9a.pem", "--id", "01", "--mechanism", "SHA256-RSA-PKCS")
}
