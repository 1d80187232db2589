package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/verify"
)

// attestedClock lies in the signing window of the folders that yubikeys makes.
const attestedClock = "2027-01-12T09:00:00Z"

// yubikeys gives the command that makes a ceremony folder whose keys are all in
// YubiKeys, not drafted yet, and sets the clock into its window: a rehearsal
// with cards for rehearsals, a real one with devices of a maker whom the plan
// names, or the devices of real holders. With hsms they are YubiHSMs of such a
// maker, with psf the HSMs of a real ceremony, where nothing but attestation is
// asked, and with psf-rotation a rotation to them from software keys.
func yubikeys(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: yubikeys DIR rehearsal|real|sigstore|docker|hsms|psf|psf-rotation")
		}
		var c *ceremonytest.Ceremony
		policy := plan.Policy{Attestation: plan.Required, PIN: "always", Touch: "always"}
		switch args[1] {
		case "sigstore":
			c = ceremonytest.Real(t, policy, ceremonytest.Sigstore...)
		case "docker":
			c = ceremonytest.Real(t, policy, ceremonytest.Docker...)
		case "hsms":
			c = ceremonytest.HSMs(t)
		case "psf":
			c = ceremonytest.PSF(t, plan.Policy{Attestation: plan.Required})
		case "psf-rotation":
			c = ceremonytest.PSFRotation(t, plan.Policy{Attestation: plan.Required})
		default:
			c = ceremonytest.Attested(t, args[1] == "rehearsal")
		}
		for name, data := range c.Files {
			ts.Check(durable.Create(filepath.Join(ts.MkAbs(args[0]), filepath.FromSlash(name)), data))
		}
		ts.Setenv(clockVariable, attestedClock)
	}
}

// attestedBundle gives the command that seals what yubikeys makes, signed by
// three of its holders, and writes its root beside it.
func attestedBundle(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 3 {
			ts.Fatalf("usage: attestedbundle rehearsal|real|hsms FILE ROOT")
		}
		c := ceremonytest.HSMs(t)
		if args[0] != "hsms" {
			c = ceremonytest.Attested(t, args[0] == "rehearsal")
		}
		c.Draft()
		c.Sign("holder-1", "holder-2", "holder-3")
		sealed := c.Seal()
		root := sealed[folder.Metadata+"/1.root.json"]
		verified, err := verify.Files(sealed, root, ceremonytest.Now)
		ts.Check(err)
		var data bytes.Buffer
		err = bundle.Write(&data, verified)
		ts.Check(err)
		ts.Check(durable.Create(ts.MkAbs(args[1]), data.Bytes()))
		ts.Check(durable.Create(ts.MkAbs(args[2]), root))
		ts.Setenv(clockVariable, attestedClock)
	}
}

// evidenceCmd gives the command that writes what a card for rehearsals attests of a
// token's key. Words behind say how it differs: serial=9, slot=9a,
// firmware=5.4.3, pin=2, touch=1, form=4, without=8; forged: the card has
// certified itself.
func evidenceCmd(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: evidence FILE TOKEN [NAME=VALUE…] [forged]")
		}
		last, err := strconv.Atoi(strings.TrimPrefix(args[1], "holder-"))
		ts.Check(err)
		card := ceremonytest.YubiKey(uint32(1000 + last))
		m := ceremonytest.Rehearsals(t)
		issue := m.Evidence
		for _, word := range args[2:] {
			name, value, _ := strings.Cut(word, "=")
			if name == "forged" {
				issue = m.Forged
				continue
			}
			ts.Check(differs(&card, name, value))
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), issue(t, ceremonytest.Key(t, args[1]).Public(), card), 0o644))
	}
}

// hsmEvidenceCmd gives the command that writes what a YubiHSM 2 of the plan's
// maker attests of a token's key. Words behind say how it differs: serial=9,
// firmware=2.1.2, origin=2, can=0x10080, label=TEXT; forged: the device has
// certified itself.
func hsmEvidenceCmd(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: hsmevidence FILE TOKEN [NAME=VALUE…] [forged]")
		}
		last, err := strconv.Atoi(strings.TrimPrefix(args[1], "holder-"))
		ts.Check(err)
		h := ceremonytest.YubiHSM(uint32(1000 + last))
		m := ceremonytest.NewMaker(t, "Example Maker Root")
		issue := m.HSMEvidence
		for _, word := range args[2:] {
			name, value, _ := strings.Cut(word, "=")
			n, err := strconv.ParseUint(value, 0, 64)
			switch name {
			case "forged":
				issue, err = m.HSMForged, nil
			case "firmware":
				_, err = fmt.Sscanf(value, "%d.%d.%d", &h.Firmware[0], &h.Firmware[1], &h.Firmware[2])
			case "label":
				h.Label, err = strconv.Unquote(`"` + value + `"`)
			case "serial":
				h.Serial = uint32(n)
			case "origin":
				h.Origin = byte(n)
			case "can":
				h.Capabilities = n
			default:
				ts.Fatalf("an HSM has no %q", name)
			}
			ts.Check(err)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), issue(t, ceremonytest.Key(t, args[1]).Public(), h), 0o644))
	}
}

func differs(c *ceremonytest.Card, name, value string) error {
	if name == "slot" {
		c.Slot = value
		return nil
	}
	if name == "firmware" {
		_, err := fmt.Sscanf(value, "%d.%d.%d", &c.Firmware[0], &c.Firmware[1], &c.Firmware[2])
		return err
	}
	n, err := strconv.Atoi(value)
	switch name {
	case "serial":
		c.Serial = uint32(n)
	case "pin":
		c.PIN = byte(n)
	case "touch":
		c.Touch = byte(n)
	case "form":
		c.Form = byte(n)
	case "without":
		c.Without = append(c.Without, n)
	default:
		return fmt.Errorf("a card has no %q", name)
	}
	return err
}
