package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/roster"
	"tufceremony/hsm"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/piv"
	"tufceremony/hsm/pkcs11"
)

func tokenShowCommand(env *environment) *cobra.Command {
	var dir string
	var json bool
	c := &cobra.Command{
		Use:   "show URI",
		Short: "show one device in full",
		Long: `show says all that one device tells without a PIN: what list says, and what it attests
about each key. Nothing is changed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runTokenShow(env, args[0], dir, json) },
	}
	c.Flags().StringVar(&dir, "plan", "", "say whose the device is, by the plan in the ceremony folder `DIR`")
	c.Flags().BoolVar(&json, "json", false, "write JSON")
	return c
}

// shown is a device with the evidence that it gives.
type shown struct {
	seenDevice
	Attested []attestedKey `json:"attested"`
}

type attestedKey struct {
	ID      string        `json:"id"`
	Facts   *attest.Facts `json:"facts,omitempty"`
	Problem string        `json:"problem,omitempty"`
}

func runTokenShow(env *environment, uri, dir string, json bool) error {
	people, options, err := readDevices(dir)
	if err != nil {
		return err
	}
	if !isURI(uri) {
		return hint(fmt.Errorf("showing %q: that is no URI of a device", uri), "%s", uriHint(uri))
	}
	s, err := lookAt(env, uri, people, options)
	if err != nil {
		return lookHint(fmt.Errorf("showing %q: %w", uri, err))
	}
	if json {
		return printJSON(env.out, s)
	}
	s.print(env.out)
	for _, a := range s.Attested {
		fmt.Fprintf(env.out, "\nOf the key in %s the device attests:\n", a.ID)
		switch {
		case a.Problem != "":
			wrapTo(env.out, "  nothing: ", "      ", a.Problem)
		default:
			printFacts(env.out, *a.Facts)
			if a.Facts.Rehearsal {
				fmt.Fprintln(env.out, "      This is a virtual card, made for rehearsals. It protects nothing.")
			}
		}
	}
	return nil
}

// lookAt reads a device. A YubiKey is read as for the list, since only a key is
// opened, and it may have none yet.
func lookAt(env *environment, uri string, people *roster.Roster, o pkcs11.Options) (*shown, error) {
	if !strings.HasPrefix(uri, "piv:") {
		return lookAtToken(uri, people, o)
	}
	u, err := piv.ParseDevice(uri)
	if err != nil {
		return nil, err
	}
	devices, err := piv.List()
	if err != nil {
		return nil, err
	}
	devices = slices.DeleteFunc(devices, func(d piv.Device) bool { return d.Info.Serial != u.SerialText() })
	if len(devices) > 1 {
		return nil, hint(fmt.Errorf("%d devices say that they are the one with serial number %s", len(devices), u.SerialText()), "one of them lies: pull one, and look at the other")
	}
	if len(devices) == 1 {
		s := &shown{seenDevice: describeYubiKey(devices[0], people), Attested: []attestedKey{}}
		if len(s.Keys) > 0 {
			u.Slot = devices[0].Slots[0].Slot
			err = s.attestAll(env, u.String())
		}
		return s, err
	}
	return nil, fmt.Errorf("no YubiKey has serial number %s: %w", u.SerialText(), hsm.ErrNotFound)
}

func lookAtToken(uri string, people *roster.Roster, o pkcs11.Options) (*shown, error) {
	device, err := openToken(uri, ".", o)
	if err != nil {
		return nil, err
	}
	defer device.Close()
	info, err := device.Info()
	if err != nil {
		return nil, err
	}
	keys, err := device.Keys()
	if err != nil {
		return nil, err
	}
	s := &shown{seenDevice: describeDevice(info, people), Attested: []attestedKey{}}
	for _, k := range keys {
		s.Keys = append(s.Keys, describeKey(k, people))
	}
	return s, nil
}

// attestAll adds what a device says of each of its keys.
func (s *shown) attestAll(env *environment, uri string) error {
	device, err := openToken(uri, ".", pkcs11.Options{})
	if err != nil {
		return err
	}
	defer device.Close()
	keys, err := device.Keys()
	for _, k := range keys {
		s.attest(env, device, k)
	}
	return err
}

// attest adds what a device says of a key, where it says anything.
func (s *shown) attest(env *environment, device hsm.Token, key hsm.Key) {
	a := attestedKey{ID: key.ID}
	evidence, err := fetchEvidence(device, key)
	if err == nil {
		var facts attest.Facts
		facts, err = judgeEvidence(evidence, key, attest.Yubico(), env.today())
		if errors.Is(err, attest.ErrRehearsal) {
			facts, err = judgeEvidence(evidence, key, attest.Rehearsal(), env.today())
		}
		a.Facts = &facts
	}
	if err != nil {
		a.Facts, a.Problem = nil, err.Error()
	}
	s.Attested = append(s.Attested, a)
}

// slotOf is the slot that a URI names, or nothing.
func slotOf(uri string) string {
	if u, err := piv.Parse(uri); err == nil {
		return u.Slot.String()
	}
	return ""
}

// lookHint says what to do where a device could not be looked at.
func lookHint(err error) error {
	switch {
	case errors.Is(err, piv.ErrNoService), errors.Is(err, piv.ErrInUse):
		return hint(err, "nothing was asked of the device; run the command again then")
	case errors.Is(err, hsm.ErrNotFound):
		return hint(err, "insert the device; `ceremony token list` shows those that are there")
	}
	return hint(err, "`ceremony token list` shows the devices and their URIs")
}

// uriHint says how a device is named, to somebody who typed something else.
func uriHint(typed string) string {
	switch serial, _ := strings.CutPrefix(typed, "piv:serial="); {
	case digits(typed):
		return fmt.Sprintf("a YubiKey is named by the serial number on its back: piv:serial=%s", typed)
	case serial != typed && digits(serial):
		return fmt.Sprintf("write \"%s;slot=9c\", in quotes: without them the shell ends the command at the semicolon", typed)
	}
	return "`ceremony token list` shows the devices and their URIs"
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// keyType names a public key as people do.
func keyType(public any) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}
