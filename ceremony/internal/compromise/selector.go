package compromise

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"tufceremony/ceremony/internal/tufmeta"
)

// Selector is one answer to "what is compromised?", as somebody typed it.
type Selector struct {
	Typed string
	kind  string // "key", "holder", "device", "role" or "firmware"
	value string
	span  span // of firmware
}

// Names reports whether the selector names a key itself, by its fingerprint or key
// ID.
func (s Selector) Names(fingerprint, id string) bool {
	return s.kind == "key" && (s.value == fingerprint || s.value == id)
}

// Error is a selector that cannot be read, or that finds nothing.
type Error struct{ Problem, Remedy string }

func (e *Error) Error() string { return e.Problem }

// Hint says what can be selected.
func (e *Error) Hint() string { return e.Remedy }

// Forms are the selectors, for messages.
const Forms = "key:FINGERPRINT-or-key-ID, holder:NAME, device:SERIAL, role:NAME or firmware:RANGE, as in firmware:<5.7"

// ParseSelector reads a selector strictly.
func ParseSelector(typed string) (Selector, error) {
	fail := func(problem, remedy string) (Selector, error) {
		return Selector{}, &Error{fmt.Sprintf("reading what is compromised: %q: %s", typed, problem), remedy}
	}
	kind, value, ok := strings.Cut(typed, ":")
	s := Selector{Typed: typed, kind: kind, value: value}
	switch {
	case !ok || !wellKnown[kind]:
		return fail("it does not say of what kind it is", "write "+Forms)
	case value == "" || tufmeta.Padded(value) || tufmeta.Unsafe(value):
		return fail("after the colon nothing stands that could be looked for", "write "+Forms+", without blanks around it")
	case kind == "firmware":
		if s.span, ok = parseSpan(value); !ok {
			return fail("it is no range of firmware", "write firmware:<5.7 (below), firmware:5.4.3 (this one), firmware:5.4 (all of 5.4) or firmware:5.2-5.6.9 (from, to), of YubiHSMs with yubihsm2 before it, as in firmware:yubihsm2<2.4")
		}
	}
	return s, nil
}

var wellKnown = map[string]bool{"key": true, "holder": true, "device": true, "role": true, "firmware": true}

// span is a range of firmware of one kind of device: YubiKeys and YubiHSMs are
// numbered apart. Both ends belong to it.
type span struct {
	device   string
	from, to [3]int
}

// Kinds of devices, as their evidence names them.
const (
	YubiKey  = "yubikey"
	YubiHSM2 = "yubihsm2"
)

const most = 255 // a part of a number is a byte

var spanForm = regexp.MustCompile(`^(yubikey|yubihsm2)?(<)?([0-9.]+)(?:-([0-9.]+))?$`)

func parseSpan(text string) (span, bool) {
	m := spanForm.FindStringSubmatch(text)
	if m == nil || m[2] != "" && m[4] != "" {
		return span{}, false
	}
	s := span{device: YubiKey}
	if m[1] != "" {
		s.device = m[1]
	}
	from, last, ok := version(m[3])
	switch {
	case !ok:
		return span{}, false
	case m[2] != "":
		s.to, ok = before(from)
		return s, ok
	case m[4] == "":
		s.from, s.to = from, last
		return s, true
	}
	_, to, ok := version(m[4])
	s.from, s.to = from, to
	return s, ok && !less(to, from)
}

// version reads "5.7.1", or "5.7", which stands for all from 5.7.0 on.
func version(text string) (first, last [3]int, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return first, last, false
	}
	last[2] = most
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n > most || strconv.Itoa(n) != part {
			return first, last, false
		}
		first[i], last[i] = n, n
	}
	return first, last, true
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// before gives the number before one; there is none before 0.0.0.
func before(v [3]int) ([3]int, bool) {
	for i := 2; i >= 0; i-- {
		if v[i] > 0 {
			v[i]--
			return v, true
		}
		v[i] = most
	}
	return v, false
}

// has reports whether firmware of a device lies in the range.
func (s span) has(f Firmware) bool {
	at, _, ok := version(f.Version)
	return ok && f.Device == s.device && !less(at, s.from) && !less(s.to, at)
}
