package tufmeta

import (
	"fmt"
	"maps"

	"tufceremony/ceremony/internal/spool"
)

const atDelegations = "signed.delegations"

// Gathering takes in what a role delegates entry by entry, as a pass over its
// canonical bytes comes to them. Each is held to what ParseTargets asks for.
// ParseGathered makes Delegations of them, or says what was wrong with the first that
// is.
type Gathering struct {
	r reader
	d Delegations
}

// NewGathering begins with none.
func NewGathering() *Gathering {
	return &Gathering{d: Delegations{roles: &placed{name: nameOfRole, between: 1}, keys: &placed{name: idOfKey}}}
}

// Key takes in a member of signed.delegations.keys, whose value lies at a place of the
// canonical bytes, in bytes from their beginning.
func (g *Gathering) Key(id, value []byte, at int64) {
	if g.r.err == nil && !plainKey(value) {
		v, err := ParseCanonical(value)
		if err != nil {
			g.r.fail(atDelegations+".keys", "has a key that is not canonical") // which a pass has said
			return
		}
		g.r.key(atDelegations+".keys."+string(id), v)
	}
	before := len(`{"":`) + len(id)
	for _, c := range id {
		if c == '"' || c == '\\' {
			before++
		}
	}
	g.d.keys.add(at-int64(before), before+len(value))
}

// Role takes in an element of signed.delegations.roles, which lies at a place of the
// canonical bytes.
func (g *Gathering) Role(value []byte, at int64) {
	var d Delegated
	if g.r.err == nil && !plainRole(value, &d, false) {
		v, err := ParseCanonical(value)
		if err != nil {
			g.r.fail(atDelegations+".roles", "has a role that is not canonical") // which a pass has said
			return
		}
		d = g.r.delegated(fmt.Sprintf("%s.roles[%d]", atDelegations, g.d.roles.len()), v)
	}
	if d.Prefixes != nil {
		if g.d.explicit++; g.d.explicit == 1 {
			g.d.first = string(nameOfRole(value))
		}
	}
	g.d.roles.add(at, len(value))
}

// tree gathers out of a JSON tree, and gives the bytes.
func (g *Gathering) tree(delegations, keys map[string]any) (text []byte) {
	put := func(at string, v any, before string) (from int, ok bool) {
		text = append(text, before...)
		from = len(text)
		var err error
		if text, err = encode(text, v); err != nil {
			g.r.fail(at, "cannot be written: "+err.Error())
		}
		return from, err == nil
	}
	for id, v := range sorted(keys) {
		if from, ok := put(atDelegations+".keys."+id, v, `,"`+quote.Replace(id)+`":`); ok {
			g.Key([]byte(id), text[from:], int64(from))
		}
	}
	if v, ok := delegations["roles"]; ok {
		for i, v := range g.r.array(atDelegations+".roles", v) {
			if from, ok := put(fmt.Sprintf("%s.roles[%d]", atDelegations, i), v, ","); ok {
				g.Role(text[from:], int64(from))
			}
		}
	}
	return text
}

// delegations reads what is delegated. What was gathered lies in canonical bytes.
func (r *reader) delegations(v any, g *Gathering, canonical []byte) *Delegations {
	object := r.object(atDelegations, v)
	r.known(atDelegations, object, "keys", "roles", "succinct_roles")
	keys := r.object(atDelegations+".keys", object["keys"])
	if g == nil {
		g = NewGathering()
		canonical = g.tree(object, keys)
	}
	if r.err == nil {
		r.err = g.r.err
	}
	g.d.roles.parts, g.d.keys.parts = spool.NewParts(canonical), spool.NewParts(canonical)
	if v, ok := object["succinct_roles"]; ok {
		g.d.bins = r.succinct(atDelegations+".succinct_roles", v)
	}
	return &g.d
}

// ParseDelegations reads the tree of signed.delegations.
func ParseDelegations(tree map[string]any) (*Delegations, error) {
	r := reader{}
	d := r.delegations(tree, nil, nil)
	if r.err != nil {
		return nil, r.err
	}
	return d, nil
}

// Emptied is the tree of signed.delegations with no delegated roles and no keys.
func Emptied(delegations map[string]any) map[string]any {
	rest := maps.Clone(delegations)
	if _, ok := rest["keys"]; ok {
		rest["keys"] = map[string]any{}
	}
	if _, ok := rest["roles"]; ok {
		rest["roles"] = []any{}
	}
	return rest
}

func (r *reader) succinct(at string, v any) *Delegated {
	s := r.object(at, v)
	r.known(at, s, "bit_length", "name_prefix")
	bits := r.integer(at+".bit_length", s["bit_length"])
	if bits < 1 || bits > 32 {
		r.fail(at+".bit_length", "is not between 1 and 32")
		bits = 1
	}
	d := &Delegated{Role: r.role(at, s), Name: r.text(at+".name_prefix", s["name_prefix"]), Bits: int(bits), Bins: 1 << bits}
	if r.err == nil {
		d.Raw, r.err = Encode(v)
	}
	return d
}

func (r *reader) delegated(at string, v any) Delegated {
	object := r.object(at, v)
	r.known(at, object, "name", "terminating", "paths", "path_hash_prefixes")
	d := Delegated{Role: r.role(at, object), Name: r.text(at+".name", object["name"])}
	if v, ok := object["terminating"]; ok {
		d.Terminating = r.boolean(at+".terminating", v)
	}
	d.Paths = r.texts(at, object, "paths")
	d.Prefixes = r.texts(at, object, "path_hash_prefixes")
	return d
}

// texts reads a member that is an array of strings, or nothing where there is
// none.
func (r *reader) texts(at string, object map[string]any, member string) []string {
	v, ok := object[member]
	if !ok {
		return nil
	}
	out := []string{}
	for i, v := range r.array(at+"."+member, v) {
		out = append(out, r.text(fmt.Sprintf("%s.%s[%d]", at, member, i), v))
	}
	return out
}

// parseDelegated reads a role that was gathered.
func parseDelegated(raw []byte) *Delegated {
	d := &Delegated{}
	if !plainRole(raw, d, true) {
		v, _ := ParseCanonical(raw)
		*d = (&reader{}).delegated("", v)
	}
	d.Raw = raw
	return d
}

func parseListed(id string, raw []byte) *Key {
	v, _ := ParseCanonical(raw)
	object, _ := v.(map[string]any)
	return ParseKey(id, object)
}
