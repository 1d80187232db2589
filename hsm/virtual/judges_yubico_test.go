package virtual_test

import (
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
	for _, firmware := range []string{"4.3.5", "5.7.1"} {
		t.Run(firmware, func(t *testing.T) {
			j := newJudge(t, firmware, "ykman", "openssl")
			j.ykmanSays("Serial number: 14470876", "info")
			j.ykmanSays("", "piv", "keys", "generate", "-m", factoryManagement, "-a", "ECCP256",
				"--pin-policy", "ALWAYS", "--touch-policy", "ALWAYS", "9c", "9c.pem")
			j.ykmanSays("", "piv", "keys", "attest", "9c", "attestation.pem")
			j.ykmanSays("", "piv", "certificates", "export", "f9", "device.pem")
			j.chain("attestation.pem", "device.pem")
			j.ykmanSays("", "piv", "certificates", "generate", "-m", factoryManagement, "-P", factoryPIN,
				"-s", "CN=a key holder", "9c", "9c.pem")
			j.ykmanSays("Subject DN:\tCN=a key holder", "piv", "info")
			if firmware == "5.7.1" {
				j.changeSecrets()
			}
			j.ykmanSays("Success!", "piv", "reset", "--force")
			j.ykmanSays("PIN tries remaining: 3", "piv", "info")
		})
	}
}

func (j *judge) ykmanSays(words string, args ...string) {
	j.Helper()
	j.says(words, "ykman", append([]string{"--reader", j.reader()}, args...)...)
}

func (j *judge) changeSecrets() {
	j.Helper()
	key := strings.Repeat("0123456789abcdef", 4)
	j.ykmanSays("", "piv", "access", "change-management-key", "-m", factoryManagement, "-a", "AES256", "-n", key)
	j.ykmanSays("New PIN set", "piv", "access", "change-pin", "-P", factoryPIN, "-n", "246810")
	j.ykmanSays("PIN unblocked", "piv", "access", "unblock-pin", "-p", factoryPUK, "-n", "135790")
	j.ykmanSays("", "piv", "certificates", "generate", "-m", key, "-P", "135790", "-s", "CN=another", "9c", "9c.pem")
	j.ykmanSays("Management key algorithm: AES256", "piv", "info")
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
