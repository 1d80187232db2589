package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// bindCmd gives the tokens of a folder the published attestations of their keys,
// by public key, with the serial of the device, and asks for them.
func bindCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bind DIR ATTESTATIONS")
	}
	dir := ts.MkAbs(args[0])
	files, err := folder.Read(dir)
	ts.Check(err)
	p, err := plan.Parse(files[folder.Plan])
	ts.Check(err)
	ts.Check(p.Roster.LoadKeys(files))
	text := strings.Replace(string(files[folder.Plan]), "\nroot:\n", "\npolicy:\n  attestation: required\n\nroot:\n", 1)
	serials, err := os.ReadDir(args[1])
	ts.Check(err)
	for _, e := range serials {
		at := filepath.Join(args[1], e.Name(), e.Name())
		key, err := os.ReadFile(at + "_key_cert.pem")
		ts.Check(err)
		device, err := os.ReadFile(at + "_device_cert.pem")
		ts.Check(err)
		block, _ := pem.Decode(key)
		slot, err := x509.ParseCertificate(block.Bytes)
		ts.Check(err)
		fingerprint, err := tufmeta.Fingerprint(slot.PublicKey)
		ts.Check(err)
		token, ok := p.Roster.ByFingerprint(fingerprint)
		if !ok {
			continue
		}
		evidence := folder.Keys + "/" + token.Name + ".attestation.pem"
		ts.Check(durable.Create(filepath.Join(dir, filepath.FromSlash(evidence)), append(key, device...)))
		head, rest, _ := strings.Cut(text, "      - name: "+token.Name+"\n")
		_, rest, _ = strings.Cut(rest, "        key: ")
		text = fmt.Sprintf("%s      - name: %s\n        uri: \"\"\n        model: \"YubiKey\"\n        serial: %q\n        attestation: %s\n        key: %s", head, token.Name, e.Name(), evidence, rest)
	}
	ts.Check(durable.Replace(filepath.Join(dir, folder.Plan), []byte(text)))
}
