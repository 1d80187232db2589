package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/piv"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
)

type listOptions struct {
	plan    string
	modules []string
	json    bool
}

func tokenListCommand(env *environment) *cobra.Command {
	var o listOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "list every device that this machine sees",
		Long: `list shows the YubiKeys that are plugged in and the tokens of PKCS#11 modules: model,
serial, firmware, form factor, PIN tries left, and the keys that can be seen without
a PIN. It asks the modules that are registered on this machine, those that the plan
names, and those after --module. It asks for no PIN and changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runTokenList(env, o) },
	}
	c.Flags().StringVar(&o.plan, "plan", "", "say whose each device is, by the plan in the ceremony folder `DIR`")
	c.Flags().StringArrayVar(&o.modules, "module", nil, "ask the PKCS#11 `MODULE` as well; can be repeated")
	c.Flags().BoolVar(&o.json, "json", false, "write JSON")
	return c
}

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

// sight is everything that was seen, and what could not be looked at.
type sight struct {
	Devices []seenDevice `json:"devices"`
	Notes   []string     `json:"notes"`
}

func runTokenList(env *environment, o listOptions) error {
	people, err := readRoster(o.plan)
	if err != nil {
		return err
	}
	var s sight
	s.yubiKeys(people)
	s.modules(people, o.modules)
	if o.json {
		if s.Devices == nil {
			s.Devices = []seenDevice{}
		}
		return printJSON(env.out, s)
	}
	s.print(env.out)
	return nil
}

func (s *sight) note(format string, args ...any) {
	s.Notes = append(s.Notes, tufmeta.Printable(fmt.Sprintf(format, args...)))
}

// yubiKeys asks the smart card service.
func (s *sight) yubiKeys(people *roster.Roster) {
	devices, err := piv.List()
	if err != nil {
		s.note("YubiKeys: %v", err)
		return
	}
	readers, _ := piv.Readers()
	for _, r := range readers {
		if r.Holds != piv.YubiKey {
			s.note("Reader %q holds %s.", r.Name, r.Holds)
		}
	}
	for _, d := range devices {
		s.Devices = append(s.Devices, describeYubiKey(d, people))
	}
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

// modules asks PKCS#11 modules: the machine's, the plan's, and those that were
// typed. A module is code that runs in this process: what the plan names must
// lie where this machine's owner has put it.
func (s *sight) modules(people *roster.Roster, typed []string) {
	all := append(registeredModules(), typed...)
	for _, t := range people.Tokens() {
		if u, err := uri.Parse(t.URI); err == nil && trustedModule(t.URI, false) == nil {
			all = append(all, u.ModulePath)
		}
	}
	asked := map[string]bool{}
	for _, path := range all {
		if !asked[path] {
			asked[path] = true
			s.module(people, path)
		}
	}
}

func (s *sight) module(people *roster.Roster, path string) {
	infos, err := pkcs11.List(path)
	if err != nil {
		s.note("PKCS#11 module %s: %v", path, err)
		return
	}
	twice := 0
	for _, info := range infos {
		if info.Model == "PKCS#15 emulated" && info.Manufacturer == "piv_II" {
			twice++ // OpenSC's view of a PIV card, which is listed with its serial above
			continue
		}
		seen := describeDevice(info, people)
		keys, err := visibleKeys(info.URI)
		if err != nil {
			seen.Problem = err.Error()
		}
		for _, k := range keys {
			seen.Keys = append(seen.Keys, describeKey(k, people))
		}
		s.Devices = append(s.Devices, seen)
	}
	if twice > 0 {
		s.note("PKCS#11 module %s shows %s as well, without serial numbers.", path, plural(twice, "PIV card"))
	}
}

func visibleKeys(uri string) ([]hsm.Key, error) {
	device, err := openToken(uri, ".")
	if err != nil {
		return nil, err
	}
	defer device.Close()
	return device.Keys()
}

func (s *sight) print(w io.Writer) {
	if len(s.Devices) == 0 {
		fmt.Fprintln(w, "No device is plugged in.")
	}
	for i, d := range s.Devices {
		if i > 0 {
			fmt.Fprintln(w)
		}
		d.print(w)
	}
	for i, note := range s.Notes {
		if i == 0 {
			fmt.Fprintln(w)
		}
		wrapTo(w, "Note: ", "  ", note)
	}
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
	case *d.TriesLeft == 1:
		parts = append(parts, "1 PIN try left")
	default:
		parts = append(parts, fmt.Sprintf("%d PIN tries left", *d.TriesLeft))
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
