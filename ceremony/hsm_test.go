package main

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/hsm/pkcs11/pkcs11test"
)

// softHSMAvailable says why scripts cannot have a SoftHSM.
func softHSMAvailable() error {
	_, err := os.Stat(pkcs11test.SoftHSMModule)
	return err
}

// softHSMCmd gives a script an empty SoftHSM of its own, and another one by
// another name. $SOFTHSM is the module.
func softHSMCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: softhsm DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Join(dir, "tokens"), 0o700))
	text := "directories.tokendir = " + filepath.Join(dir, "tokens") + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	ts.Check(os.WriteFile(filepath.Join(dir, "softhsm2.conf"), []byte(text), 0o600))
	ts.Setenv("SOFTHSM2_CONF", filepath.Join(dir, "softhsm2.conf"))
	ts.Setenv("SOFTHSM", pkcs11test.SoftHSMModule)
}
