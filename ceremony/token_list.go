package main

import (
	"fmt"
	"io"
	"path/filepath"
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
a PIN. To ask a PKCS#11 module is to run its code, so it asks those that the plan names
and those after --module; others that are registered on this machine are named. It asks
for no PIN and changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runTokenList(env, o) },
	}
	c.Flags().StringVar(&o.plan, "plan", "", "say whose each device is, by the plan in the ceremony folder `DIR`")
	c.Flags().StringArrayVar(&o.modules, "module", nil, "ask the PKCS#11 `MODULE` as well, by its path, or all that are registered here: all; can be repeated")
	c.Flags().BoolVar(&o.json, "json", false, "write JSON")
	return c
}

// sight is everything that was seen, and what could not be looked at.
type sight struct {
	Devices []seenDevice `json:"devices"`
	Problem string       `json:"problem,omitempty"` // why YubiKeys could not be looked for
	Notes   []string     `json:"notes"`
}

func runTokenList(env *environment, o listOptions) error {
	people, options, err := readDevices(o.plan)
	if err != nil {
		return err
	}
	var s sight
	s.yubiKeys(people)
	s.modules(people, options, o.modules)
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
		s.Problem = err.Error()
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

// modules asks PKCS#11 modules: the plan's, and those that were typed. A module
// is code that runs in this process: what the plan names must lie where this
// machine's owner has put it, and one that nobody named is not run.
func (s *sight) modules(people *roster.Roster, o pkcs11.Options, typed []string) {
	registered := registeredModules()
	var all []uri.URI
	for _, t := range people.Tokens() {
		if u, err := uri.Parse(t.URI); err == nil && trustedModule(t.URI, false) == nil {
			all = append(all, uri.URI{ModulePath: u.ModulePath, InitReserved: u.InitReserved})
		}
	}
	paths := slices.DeleteFunc(slices.Clone(typed), func(name string) bool { return name == "all" })
	if len(paths) < len(typed) {
		paths = append(paths, registered...)
	}
	for _, path := range paths {
		// The plan knows how a module is to be initialised.
		if !slices.ContainsFunc(all, func(u uri.URI) bool { return u.ModulePath == path }) {
			all = append(all, uri.URI{ModulePath: path})
		}
	}
	asked := map[string]bool{}
	for _, u := range all {
		if u.ModulePath = resolved(u.ModulePath); !asked[u.String()] {
			asked[u.String()] = true
			s.module(people, o, u)
		}
	}
	registered = slices.DeleteFunc(registered, func(path string) bool {
		return slices.ContainsFunc(all, func(u uri.URI) bool { return resolved(u.ModulePath) == resolved(path) })
	})
	if len(registered) > 0 {
		s.note("%s registered on this machine and not asked (--module asks one, --module all asks them all): %s.", plural(len(registered), "PKCS#11 module"), strings.Join(registered, ", "))
	}
}

func (s *sight) module(people *roster.Roster, o pkcs11.Options, u uri.URI) {
	path := u.ModulePath
	infos, err := listModule(u, o)
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
		keys, err := visibleKeys(info.URI, o)
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

// listModule lists the tokens of a module. A path that was typed may be relative,
// which no URI can say.
func listModule(u uri.URI, o pkcs11.Options) ([]hsm.Info, error) {
	path, err := filepath.Abs(u.ModulePath)
	if err != nil {
		return nil, err
	}
	u.ModulePath = path
	return pkcs11.ListAt(u.String(), o)
}

func visibleKeys(uri string, o pkcs11.Options) ([]hsm.Key, error) {
	device, err := openToken(uri, ".", o)
	if err != nil {
		return nil, err
	}
	defer device.Close()
	return device.Keys()
}

func (s *sight) print(w io.Writer) {
	switch {
	case s.Problem != "":
		wrapTo(w, "YubiKeys could not be looked for: ", "  ", tufmeta.Printable(s.Problem))
	case len(s.Devices) == 0:
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
