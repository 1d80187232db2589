package tufmeta

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Envelope is a metadata file as clients fetch it. Canonical is what its
// signatures are over.
type Envelope struct {
	Signed     map[string]any
	Canonical  []byte
	Signatures []Signature
}

// Common is what every role's metadata begins with. Expires is kept as the
// file has it; see ExpiresAt.
type Common struct {
	Type    string
	Spec    string
	Version int64
	Expires string
}

// Role is a list of key IDs and how many distinct keys must sign.
type Role struct {
	KeyIDs    []string
	Threshold int
}

// Root is the metadata of the root role.
type Root struct {
	Common
	ConsistentSnapshot bool
	Keys               map[string]*Key
	Roles              map[string]*Role
}

// ListedKeys gives the keys in the order of their IDs.
func (r *Root) ListedKeys() iter.Seq2[string, *Key] { return sorted(r.Keys) }

// TopRoles are the four roles that a root names, in the order in which people
// speak of them.
var TopRoles = []string{"root", "targets", "snapshot", "timestamp"}

// ParseEnvelope reads a metadata file. Errors name the byte or the member.
func ParseEnvelope(data []byte) (*Envelope, error) {
	v, err := Parse(data)
	if err != nil {
		return nil, err
	}
	r := reader{}
	top := r.object("metadata", v)
	r.known("metadata", top, "signatures", "signed")
	e := &Envelope{Signed: r.object("signed", top["signed"])}
	for i, v := range r.array("signatures", top["signatures"]) {
		at := fmt.Sprintf("signatures[%d]", i)
		s := r.object(at, v)
		r.known(at, s, "keyid", "sig")
		e.Signatures = append(e.Signatures, Signature{r.text(at+".keyid", s["keyid"]), r.text(at+".sig", s["sig"])})
	}
	if r.err != nil {
		return nil, r.err
	}
	e.Canonical, err = Encode(e.Signed)
	return e, err
}

// ParseSigned reads a payload file: canonical bytes of an object.
func ParseSigned(canonical []byte) (map[string]any, error) {
	v, err := ParseCanonical(canonical)
	if err != nil {
		return nil, err
	}
	r := reader{}
	signed := r.object("signed", v)
	return signed, r.err
}

// ParseCommon reads the fields that every role has.
func ParseCommon(signed map[string]any) (Common, error) {
	r := reader{}
	c := r.common(signed)
	return c, r.err
}

// ParseRoot reads the signed part of a root. It checks form only: thresholds,
// key IDs and times are kept as they stand.
func ParseRoot(signed map[string]any) (*Root, error) {
	r := reader{}
	root := &Root{Common: r.common(signed), Roles: map[string]*Role{}}
	r.kind(root.Type, "root")
	r.known("signed", signed, "consistent_snapshot", "keys", "roles")
	if v, ok := signed["consistent_snapshot"]; ok {
		root.ConsistentSnapshot = r.boolean("signed.consistent_snapshot", v)
	}
	root.Keys = r.keys("signed.keys", signed["keys"])
	for name, v := range sorted(r.object("signed.roles", signed["roles"])) {
		at := "signed.roles." + name
		object := r.object(at, v)
		role := r.role(at, object)
		root.Roles[name] = &role
	}
	if r.err != nil {
		return nil, r.err
	}
	return root, nil
}

// ExpiresAt reads the expiry. Published metadata with fractions of a second
// or an offset exists and is read; see WellFormedTime for what may be written.
func (c Common) ExpiresAt() (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, c.Expires)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the expiry \"%s\": not a date and time of RFC 3339", Printable(c.Expires))
	}
	return t.UTC(), nil
}

// RehearsalField marks root and targets metadata of a rehearsal. Clients pass
// over fields that they do not know; publishing does not.
const RehearsalField = "x-ceremony-rehearsal"

// IsRehearsal reports whether the signed part of a file is of a rehearsal.
func IsRehearsal(signed map[string]any) bool { return signed[RehearsalField] == true }

// SpecVersion is the version of the specification that new metadata follows.
const SpecVersion = "1.0.34"

// TimeFormat is the only form of time that is written: whole seconds, UTC.
const TimeFormat = "2006-01-02T15:04:05Z"

// Stamp writes a time as TUF does.
func Stamp(t time.Time) string { return t.UTC().Format(TimeFormat) }

// WellFormedTime reports whether text is a time exactly as TUF writes it.
func WellFormedTime(text string) bool {
	t, err := time.Parse(TimeFormat, text)
	return err == nil && t.Format(TimeFormat) == text
}

// reader collects the first error while it takes a JSON tree apart.
type reader struct{ err error }

// sorted walks an object by member name, so that of several faults it is
// always the same one that is told.
func sorted[V any](object map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if !yield(name, object[name]) {
				return
			}
		}
	}
}

func (r *reader) fail(at, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("reading metadata: %s %s", Printable(at), what)
	}
}

// kind refuses metadata of another role, before anything else is said of it.
func (r *reader) kind(have, want string) {
	if have != want {
		r.fail("signed._type", fmt.Sprintf("is \"%s\", and %s was wanted", Printable(have), want))
	}
}

// known refuses a member that differs in case only from a known one: readers
// that fold case would take it for that, so what is shown would not be what
// they verify.
func (r *reader) known(at string, object map[string]any, names ...string) {
	for member := range sorted(object) {
		for _, name := range names {
			if member != name && strings.EqualFold(member, name) {
				r.fail(at, fmt.Sprintf("has a member %q, which some clients read as %q", Printable(member), name))
			}
		}
	}
}

func (r *reader) object(at string, v any) map[string]any {
	object, ok := v.(map[string]any)
	if !ok {
		r.fail(at, "is not an object")
	}
	return object
}

func (r *reader) array(at string, v any) []any {
	array, ok := v.([]any)
	if !ok {
		r.fail(at, "is not an array")
	}
	return array
}

func (r *reader) text(at string, v any) string {
	s, ok := v.(string)
	if !ok {
		r.fail(at, "is not a string")
	}
	return s
}

func (r *reader) integer(at string, v any) int64 {
	n, ok := v.(int64)
	if !ok {
		r.fail(at, "is not an integer")
	}
	return n
}

func (r *reader) boolean(at string, v any) bool {
	b, ok := v.(bool)
	if !ok {
		r.fail(at, "is neither true nor false")
	}
	return b
}

func (r *reader) common(signed map[string]any) Common {
	r.known("signed", signed, "_type", "spec_version", "version", "expires")
	return Common{
		Type:    r.text("signed._type", signed["_type"]),
		Spec:    r.text("signed.spec_version", signed["spec_version"]),
		Version: r.integer("signed.version", signed["version"]),
		Expires: r.text("signed.expires", signed["expires"]),
	}
}

func (r *reader) keys(at string, v any) map[string]*Key {
	keys := map[string]*Key{}
	for id, v := range sorted(r.object(at, v)) {
		keys[id] = ParseKey(id, r.key(at+"."+id, v))
	}
	return keys
}

func (r *reader) key(at string, v any) map[string]any {
	object := r.object(at, v)
	r.known(at, object, "keytype", "scheme", "keyval")
	if value, ok := object["keyval"].(map[string]any); ok {
		r.known(at+".keyval", value, "public")
	}
	return object
}

func (r *reader) role(at string, object map[string]any) Role {
	r.known(at, object, "keyids", "threshold")
	threshold := r.integer(at+".threshold", object["threshold"])
	if threshold != int64(int32(threshold)) {
		r.fail(at+".threshold", "is beyond what any role has keys for") // and beyond an int on small machines
	}
	role := Role{Threshold: int(threshold)}
	for i, v := range r.array(at+".keyids", object["keyids"]) {
		role.KeyIDs = append(role.KeyIDs, r.text(fmt.Sprintf("%s.keyids[%d]", at, i), v))
	}
	return role
}
