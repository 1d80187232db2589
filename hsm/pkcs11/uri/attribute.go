package uri

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tufceremony/hsm"
	"tufceremony/hsm/internal/pct"
)

type part string

const (
	pathPart  part = "path"
	queryPart part = "query"
)

// Characters that may stand for themselves in a value, besides unreserved
// ones: pk11-pchar and pk11-qchar of RFC 7512.
const (
	reserved      = ":[]@!$'()*+,="
	pathReserved  = reserved + "&"
	queryReserved = reserved + "/?|"
)

type attribute struct {
	name  string
	part  part
	parse func(u *URI, value string) error
	print func(u *URI) string  // empty if the attribute is not there
	field func(u *URI) *string // of text
}

// attributes stand in the order in which they are printed.
var attributes = []attribute{
	text("token", pathPart, func(u *URI) *string { return &u.Token }, checkText),
	text("manufacturer", pathPart, func(u *URI) *string { return &u.Manufacturer }, checkText),
	text("serial", pathPart, func(u *URI) *string { return &u.Serial }, checkText),
	text("model", pathPart, func(u *URI) *string { return &u.Model }, checkText),
	text("library-manufacturer", pathPart, func(u *URI) *string { return &u.LibraryManufacturer }, checkText),
	text("library-description", pathPart, func(u *URI) *string { return &u.LibraryDescription }, checkText),
	text("library-version", pathPart, func(u *URI) *string { return &u.LibraryVersion }, checkVersion),
	text("slot-manufacturer", pathPart, func(u *URI) *string { return &u.SlotManufacturer }, checkText),
	text("slot-description", pathPart, func(u *URI) *string { return &u.SlotDescription }, checkText),
	{name: "slot-id", part: pathPart, parse: parseSlotID, print: printSlotID},
	text("object", pathPart, func(u *URI) *string { return &u.Object }, checkText),
	text("type", pathPart, func(u *URI) *string { return &u.Type }, checkType),
	{name: "id", part: pathPart, parse: parseID, print: func(u *URI) string { return pct.EncodeAll(u.ID) }},
	text("module-path", queryPart, func(u *URI) *string { return &u.ModulePath }, checkModulePath),
	text("module-name", queryPart, func(u *URI) *string { return &u.ModuleName }, checkModuleName),
	text("x-init-reserved", queryPart, func(u *URI) *string { return &u.InitReserved }, checkInitReserved),
	{name: "pin-source", part: queryPart, parse: parsePINSource, print: printPINSource},
}

func find(name string, p part) (attribute, error) {
	if name == "pin-value" {
		return attribute{}, errors.New("attribute \"pin-value\" is refused: a PIN must not stand in a URI; " +
			"leave it out and be asked, or write pin-source=file:/absolute/path")
	}
	for _, a := range attributes {
		switch {
		case a.name != name:
		case a.part != p:
			return attribute{}, fmt.Errorf("attribute %q belongs in the %s, not in the %s", name, a.part, p)
		default:
			return a, nil
		}
	}
	if strings.HasPrefix(name, "x-") {
		return attribute{}, fmt.Errorf("vendor attribute %q is refused: what it asks for would be ignored", name)
	}
	return attribute{}, fmt.Errorf("unknown attribute %q", name)
}

// text makes an attribute of one that is kept as a decoded string.
func text(name string, p part, field func(*URI) *string, check func(string) error) attribute {
	allowed := pathReserved
	if p == queryPart {
		allowed = queryReserved
	}
	return attribute{
		name:  name,
		part:  p,
		field: field,
		parse: func(u *URI, value string) error {
			decoded, err := pct.Decode(value, allowed)
			if err != nil {
				return err
			}
			*field(u) = string(decoded)
			return check(string(decoded))
		},
		print: func(u *URI) string { return pct.Encode(*field(u), allowed) },
	}
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("it is not UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("it holds a control character")
	}
	return nil
}

func checkType(s string) error {
	switch s {
	case "public", "private", "cert", "secret-key", "data":
		return nil
	}
	return errors.New("it must be public, private, cert, secret-key or data")
}

// checkVersion takes major, or major.minor: each is one byte in PKCS#11.
func checkVersion(s string) error {
	major, minor, hasMinor := strings.Cut(s, ".")
	if !hasMinor {
		minor = "0"
	}
	for _, number := range []string{major, minor} {
		n, err := strconv.ParseUint(number, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != number {
			return errors.New("it must be a version such as 2 or 2.40")
		}
	}
	return nil
}

// checkModulePath wants an absolute path: a bare name would let the dynamic
// loader's search path choose whose code is run next to a PIN.
func checkModulePath(s string) error {
	if err := checkText(s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "|") {
		return errors.New("it names a command, and commands are not run")
	}
	if !strings.HasPrefix(s, "/") && !filepath.IsAbs(s) {
		return errors.New("it must be an absolute path")
	}
	return nil
}

func checkModuleName(s string) error {
	if strings.ContainsAny(s, `/\|`) {
		return errors.New("it must be a name, not a path or a command")
	}
	return checkText(s)
}

// maxInitReserved is more than any module's argument needs.
const maxInitReserved = 1024

// checkInitReserved wants text that looks like what it is: a module parses it
// in C, by rules of its own, and people read it in a review.
func checkInitReserved(s string) error {
	if len(s) > maxInitReserved {
		return fmt.Errorf("it has more than %d bytes", maxInitReserved)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("it must be printable ASCII")
	}
	return nil
}

func parseSlotID(u *URI, value string) error {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != value {
		return errors.New("it must be a decimal number, not negative and without leading zeros")
	}
	u.SlotID = &n
	return nil
}

func printSlotID(u *URI) string {
	if u.SlotID == nil {
		return ""
	}
	return strconv.FormatUint(*u.SlotID, 10)
}

func parseID(u *URI, value string) (err error) {
	u.ID, err = pct.Decode(value, pathReserved)
	return err
}

func parsePINSource(u *URI, value string) error {
	decoded, err := pct.Decode(value, queryReserved)
	if err != nil {
		return err
	}
	if err := checkText(string(decoded)); err != nil {
		return err
	}
	u.PINSource, err = hsm.PINSourcePath(string(decoded))
	return err
}

func printPINSource(u *URI) string {
	if u.PINSource == "" {
		return ""
	}
	return pct.Encode("file:"+u.PINSource, queryReserved)
}
