// Package uri reads and prints PKCS#11 URIs (RFC 7512), strictly.
//
//	u, err := uri.Parse("pkcs11:token=holder-1;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so")
//
// A URI in a plan is read by people and decides which device signs, so it must
// mean one thing. The package refuses what the RFC leaves to the reader's
// discretion: attributes that it does not know, vendor attributes but one,
// attributes that stand twice or are empty, characters that ought to be
// percent-encoded, text that is not UTF-8 or holds control characters, module
// paths that are not absolute.
//
// The one vendor attribute is x-init-reserved, in the query. It is the reserved
// argument of C_Initialize, text that some modules want and others refuse; NSS
// has the folder of its keys there. It is how a token is reached, as the
// module's path is, so it goes where the path goes: into plans, after --uri,
// into lists of tokens. (p11-kit's configuration calls it the same.)
//
//	pkcs11:token=NAME?module-path=/usr/lib/x86_64-linux-gnu/libsoftokn3.so&x-init-reserved=configdir='sql:/srv/nss'%20flags=
//
// It will not take a PIN: pin-value is refused, and pin-source may only name a
// file, never a command. Errors name attributes and positions, never values,
// since a value may be a PIN in the wrong place.
package uri

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// URI is a PKCS#11 URI with its values decoded. Empty fields are attributes
// that were not given.
type URI struct {
	// What the token says of itself.
	Token        string
	Manufacturer string
	Serial       string
	Model        string

	// What the module says of itself.
	LibraryManufacturer string
	LibraryDescription  string
	LibraryVersion      string

	// Which object on the token.
	Object string
	Type   string // public, private, cert, secret-key or data
	ID     []byte

	// Which slot. Numbers change when tokens are initialised or readers are
	// plugged in, so they narrow a choice and never make it.
	SlotManufacturer string
	SlotDescription  string
	SlotID           *uint64

	// The query: how to reach it.
	ModulePath string
	ModuleName string
	PINSource  string // absolute path of the file that holds the PIN

	// InitReserved is x-init-reserved: the argument that the module is
	// initialised with.
	InitReserved string
}

const scheme = "pkcs11:"

// Parse reads a PKCS#11 URI.
func Parse(s string) (URI, error) {
	var u URI
	if err := u.parse(s); err != nil {
		return URI{}, fmt.Errorf("parsing PKCS#11 URI: %w", err)
	}
	return u, nil
}

func (u *URI) parse(s string) error {
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return errors.New(`it does not begin with "pkcs11:"`)
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	if path != "" {
		if err := u.parsePart(path, ";", pathPart); err != nil {
			return err
		}
	}
	if hasQuery {
		return u.parsePart(query, "&", queryPart)
	}
	return nil
}

func (u *URI) parsePart(s, separator string, p part) error {
	seen := make(map[string]bool)
	for i, pair := range strings.Split(s, separator) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf(`attribute %d of the %s is not name=value`, i+1, p)
		}
		if seen[name] {
			return fmt.Errorf("attribute %q stands twice", name)
		}
		seen[name] = true
		a, err := find(name, p)
		if err != nil {
			return err
		}
		if value == "" {
			return fmt.Errorf("attribute %q is empty", name)
		}
		if err := a.parse(u, value); err != nil {
			return fmt.Errorf("attribute %q: %w", name, err)
		}
	}
	return nil
}

// String prints the URI in one form: attributes in a fixed order, id wholly
// percent-encoded. Parse of the result gives an equal URI, if u came from
// Parse. There is never a PIN in it.
func (u URI) String() string {
	s := scheme + u.print(pathPart, ";")
	if query := u.print(queryPart, "&"); query != "" {
		s += "?" + query
	}
	return s
}

// WithoutQuery prints what is searched for, without how to reach it: the part
// that tells one token from another, for messages.
func (u URI) WithoutQuery() string {
	return scheme + u.print(pathPart, ";")
}

func (u URI) print(p part, separator string) string {
	var pairs []string
	for _, a := range attributes {
		if value := a.print(&u); a.part == p && value != "" {
			pairs = append(pairs, a.name+"="+value)
		}
	}
	return strings.Join(pairs, separator)
}

// Equal says whether two URIs have the same attributes with the same values.
func (u URI) Equal(v URI) bool {
	if !bytes.Equal(u.ID, v.ID) || (u.SlotID == nil) != (v.SlotID == nil) {
		return false
	}
	if u.SlotID != nil && *u.SlotID != *v.SlotID {
		return false
	}
	return u.String() == v.String()
}
