package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/piv"
)

// seenDevice is a device as list and show print it.
type seenDevice struct {
	Driver     string    `json:"driver"`
	URI        string    `json:"uri"`
	Model      string    `json:"model"`
	Label      string    `json:"label,omitempty"`
	Serial     string    `json:"serial"`
	Firmware   string    `json:"firmware"`
	FormFactor string    `json:"form_factor,omitempty"`
	TriesLeft  *int      `json:"tries_left"` // null: the device does not tell
	Holders    []string  `json:"holders,omitempty"`
	Keys       []seenKey `json:"keys"`
	Problem    string    `json:"problem,omitempty"`
}

// seenKey is a key that can be seen without a PIN, in the device's own words.
type seenKey struct {
	ID          string `json:"id"`
	Label       string `json:"label,omitempty"`
	Type        string `json:"type"`
	Fingerprint string `json:"fingerprint,omitempty"`
	PIN         string `json:"pin,omitempty"`
	Touch       string `json:"touch,omitempty"`
	Origin      string `json:"origin,omitempty"`
	Token       string `json:"token,omitempty"` // in the plan
	Holder      string `json:"holder,omitempty"`
	Problem     string `json:"problem,omitempty"`
}

func describeYubiKey(d piv.Device, people *roster.Roster) seenDevice {
	seen := describeDevice(d.Info, people)
	if d.Info.Serial == "" {
		seen.Model = strings.TrimSpace(seen.Model + " in reader " + d.Reader)
	}
	for _, slot := range d.Slots {
		seen.Keys = append(seen.Keys, describeSlot(slot, people))
	}
	if d.Err != nil {
		seen.Problem = d.Err.Error()
	}
	return seen
}

func describeDevice(info hsm.Info, people *roster.Roster) seenDevice {
	seen := seenDevice{Driver: info.Driver, URI: info.URI, Model: info.Model, Label: info.Label, Serial: info.Serial,
		Firmware: info.Firmware, FormFactor: info.FormFactor, Keys: []seenKey{}}
	if info.TriesLeft != hsm.Unknown {
		seen.TriesLeft = &info.TriesLeft
	}
	for _, t := range people.Tokens() {
		if t.Serial != "" && t.Serial == info.Serial && !slices.Contains(seen.Holders, t.Holder) {
			seen.Holders = append(seen.Holders, t.Holder)
		}
	}
	return seen
}

func describeSlot(slot piv.SlotInfo, people *roster.Roster) seenKey {
	key := describeKey(hsm.Key{ID: slot.Slot.String(), Public: slot.Public}, people)
	key.Type, key.PIN, key.Touch, key.Origin = slot.Algorithm.String(), slot.PINPolicy.String(), slot.TouchPolicy.String(), slot.Origin.String()
	if slot.Err != nil {
		key.Problem = slot.Err.Error()
	}
	return key
}

func describeKey(k hsm.Key, people *roster.Roster) seenKey {
	key := seenKey{ID: k.ID, Label: k.Label, Type: keyType(k.Public)}
	fingerprint, err := tufmeta.Fingerprint(k.Public)
	if err != nil {
		return key
	}
	key.Fingerprint = fingerprint
	if t, ok := people.ByFingerprint(fingerprint); ok {
		key.Token, key.Holder = t.Name, t.Holder
	}
	return key
}

func (d *seenDevice) print(w io.Writer) {
	wrapTo(w, "", "    ", d.title())
	if d.URI != "" {
		fmt.Fprintf(w, "    %s\n", tufmeta.Printable(d.URI))
	}
	if len(d.Holders) > 0 {
		fmt.Fprintf(w, "    in the plan: %s\n", tufmeta.Printable(strings.Join(d.Holders, ", ")))
	}
	for _, k := range d.Keys {
		wrapTo(w, "    ", "        ", k.line())
	}
	switch {
	case d.Problem != "":
		wrapTo(w, "    ! ", "      ", tufmeta.Printable(d.Problem))
	case len(d.Keys) == 0 && d.Driver == "piv":
		fmt.Fprintln(w, "    holds no key")
	case len(d.Keys) == 0:
		fmt.Fprintln(w, "    no key can be seen without a PIN")
	}
}

// title is the device in one line: "YubiKey 5, serial 14470876, firmware 5.7.1,
// usb-c-keychain, 3 PIN tries left".
func (d *seenDevice) title() string {
	parts := []string{tufmeta.Printable(d.Model)}
	if d.Label != "" {
		parts[0] += fmt.Sprintf(" %q", tufmeta.Printable(d.Label))
	}
	for _, p := range []struct{ format, value string }{{"serial %s", d.Serial}, {"firmware %s", d.Firmware}, {"%s", d.FormFactor}} {
		if p.value != "" {
			parts = append(parts, fmt.Sprintf(p.format, tufmeta.Printable(p.value)))
		}
	}
	switch {
	case d.TriesLeft == nil:
		parts = append(parts, "PIN tries not told")
	case *d.TriesLeft == 0:
		parts = append(parts, "PIN locked")
	default:
		parts = append(parts, triesLeft("PIN ", *d.TriesLeft))
	}
	return strings.Join(parts, ", ")
}

// line is a key in one line: "9c  P-256, PIN always, touch always, generated;
// key 1a2b-…, holder-1".
func (k *seenKey) line() string {
	text := tufmeta.Printable(k.ID)
	if k.Label != "" {
		text += fmt.Sprintf(" %q", tufmeta.Printable(k.Label))
	}
	parts := []string{k.Type}
	if k.PIN != "" {
		parts = append(parts, "PIN "+k.PIN, "touch "+k.Touch, k.Origin)
	}
	text += ": " + strings.Join(parts, ", ")
	if k.Fingerprint != "" {
		text += "; key " + roster.Short(k.Fingerprint)
	}
	if k.Token != "" {
		text += ", token " + k.Token
	}
	if k.Problem != "" {
		text += "; " + tufmeta.Printable(k.Problem)
	}
	return text
}
