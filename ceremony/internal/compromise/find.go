package compromise

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// listed is a key of the trusted root, or of trusted delegations, by its public
// key.
type listed struct {
	token *roster.Token
	ids   []string // under which it is listed
	roles []string // of the root
	below roster.Below
}

// keys lists the keys of the four roles, once each, in the order of the root, and
// after them those of delegations.
func (a *Assessment) keys() []*listed {
	var all []*listed
	index := map[string]*listed{}
	for _, name := range tufmeta.TopRoles {
		for _, f := range inspect.Fingerprints(a.known.Root, name) {
			l := index[f]
			if l == nil {
				t, ok := a.known.Roster.ByFingerprint(f)
				if !ok {
					continue
				}
				l = &listed{token: t}
				index[f], all = l, append(all, l)
			}
			l.roles = append(l.roles, name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.known.Root.Keys)) {
		if l := index[a.known.Root.Keys[id].Fingerprint()]; l != nil {
			l.ids = append(l.ids, id)
		}
	}
	for _, t := range a.known.Roster.Tokens() {
		below, ok := a.known.Below[t.Name]
		if !ok || t.Key == nil {
			continue
		}
		l := index[t.Key.Fingerprint()]
		if l == nil {
			l = &listed{token: t}
			index[t.Key.Fingerprint()], all = l, append(all, l)
		}
		l.below, l.ids = below, append(l.ids, below.IDs...)
	}
	return all
}

// find adds what a selector selects. One that selects nothing is an error: it
// is a slip, and the one whose name was meant goes on signing.
func (a *Assessment) find(s Selector) error {
	found := false
	for _, l := range a.keys() {
		if !a.selects(s, l) || a.gone(s, l.token) {
			continue
		}
		found = true
		a.add(s, l)
	}
	if found {
		return nil
	}
	return &Error{fmt.Sprintf("looking for what is compromised: %q: %s", s.Typed, a.nothing(s)), a.there(s)}
}

// inRoot wants one of the keys in the root: else there is nothing that a next root
// could take out.
func (a *Assessment) inRoot() error {
	if len(a.Hits) == 0 || slices.ContainsFunc(a.Hits, func(h Hit) bool { return len(h.Roles) > 0 }) {
		return nil
	}
	h := a.Hits[0]
	return &Error{fmt.Sprintf("looking for what is compromised: %q: root %d does not know the key of %s: it stands in a delegation alone, and signs %s", h.By[0], a.Root, h.Token.Describe(), printable(h.Below.Roles)),
		fmt.Sprintf("change the delegation, in a ceremony that signs %s: `ceremony init DIR --kind targets --delegations`", printable(h.Below.By))}
}

func printable(names []string) string {
	var list []string
	for _, name := range names {
		list = append(list, tufmeta.Printable(name))
	}
	return strings.Join(list, ", ")
}

// gone reports whether a key was destroyed before somebody got hold of its device.
// Of a holder nobody can say since when: he had the key while it was there. Who
// names the key itself, or its role, may know of a copy.
func (a *Assessment) gone(s Selector, t *roster.Token) bool {
	return s.kind == "device" && a.known.Destroyed[t.Name].Gone
}

func (a *Assessment) selects(s Selector, l *listed) bool {
	t := l.token
	switch s.kind {
	case "key":
		return t.Key.Fingerprint() == s.value || slices.Contains(l.ids, s.value)
	case "holder":
		return t.Holder != "" && t.Holder == s.value
	case "device":
		return sameSerial(t.DeviceSerial(), s.value) || sameSerial(a.known.Firmware[t.Name].Serial, s.value)
	case "role":
		return slices.Contains(l.roles, s.value)
	case "firmware":
		return t.Holder != "" && s.span.has(a.known.Firmware[t.Name])
	}
	return false
}

// sameSerial compares serials as review does: labels and modules may put zeros
// in front, attestations do not.
func sameSerial(a, b string) bool {
	plain := func(s string) string { return strings.TrimLeft(strings.ToLower(strings.TrimSpace(s)), "0") }
	return a != "" && b != "" && plain(a) == plain(b)
}

// add notes a key. Who has it in other hands has it, however weak it is.
func (a *Assessment) add(s Selector, l *listed) {
	weak := s.kind == "firmware"
	h := a.hit(l.token)
	if h == nil {
		a.Hits = append(a.Hits, Hit{Token: l.token, Roles: l.roles, Below: l.below, Weak: weak})
		h = &a.Hits[len(a.Hits)-1]
	}
	h.Weak = h.Weak && weak
	if !slices.Contains(h.By, s.Typed) {
		h.By = append(h.By, s.Typed)
	}
}

// nothing says why a selector selects nothing.
func (a *Assessment) nothing(s Selector) string {
	root := fmt.Sprintf("root %d", a.Root)
	var gone []string
	for _, l := range a.meant(s) {
		gone = append(gone, l.token.Name+" was "+a.known.Destroyed[l.token.Name].Words)
	}
	if len(gone) > 0 {
		return "the only keys in " + root + " that it could mean are gone: " + strings.Join(gone, "; ")
	}
	switch s.kind {
	case "key":
		return root + " has no such key"
	case "holder":
		if slices.ContainsFunc(a.known.Roster.Holders, func(h roster.Holder) bool { return h.Name == s.value }) {
			return "the holder has no key in " + root
		}
		return "no holder of a key in " + root + " has that name"
	case "device":
		return "no key in " + root + " is known to be in a device of that serial"
	case "role":
		if t := a.known.Targets; t != nil && t.Delegations.Lists(s.value) {
			return "targets delegates that role, and its keys are changed there, by whoever makes delegations: root does not know them"
		}
		return root + " has no such role"
	}
	return "no device that has attested its firmware has one in that range"
}

// meant are the keys that a selector fits and does not count, since they are gone.
func (a *Assessment) meant(s Selector) []*listed {
	return slices.DeleteFunc(a.keys(), func(l *listed) bool { return !a.selects(s, l) || !a.gone(s, l.token) })
}

// there names what can be selected in that way, and of keys that are gone how each
// is named by itself.
func (a *Assessment) there(s Selector) string {
	var list []string
	for _, l := range a.meant(s) {
		list = append(list, "key:"+l.token.Key.Fingerprint()+" ("+l.token.Name+")")
	}
	if len(list) > 0 {
		return "if somebody may have a copy, or had the device before that day, name the key itself: " + strings.Join(list, ", ")
	}
	add := func(text string) {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, l := range a.keys() {
		t := l.token
		switch {
		case s.kind == "key":
			add(t.Key.Fingerprint() + " (" + t.Describe() + ")")
		case s.kind == "role":
			for _, role := range l.roles {
				add(role)
			}
		case t.Holder == "":
		case s.kind == "holder":
			add(tufmeta.Printable(t.Holder))
		case s.kind == "device" && t.DeviceSerial() != "":
			add(tufmeta.Printable(t.DeviceSerial()) + " (" + tufmeta.Printable(t.Holder) + ")")
		case s.kind == "firmware":
			add(t.Describe() + ": " + a.firmware(t))
		}
	}
	if len(list) == 0 {
		return "nothing can be selected so: no device is known; --roster EARLIER says whose the keys are"
	}
	if len(a.known.Below) > 0 && s.kind != "role" {
		return fmt.Sprintf("root %d and the trusted delegations have: %s", a.Root, strings.Join(list, "; "))
	}
	return fmt.Sprintf("root %d has: %s", a.Root, strings.Join(list, "; "))
}

func (a *Assessment) firmware(t *roster.Token) string {
	f := a.known.Firmware[t.Name]
	switch {
	case f.Version == "" && f.Why != "":
		return "unknown, " + f.Why
	case f.Version == "":
		return "unknown"
	}
	return f.Version
}
