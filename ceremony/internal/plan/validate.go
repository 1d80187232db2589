package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// validator turns the file's form into a Plan and keeps the first fault.
type validator struct {
	at        *locator
	err       *Error
	externals map[string]bool // names of other repositories
}

const formatRemedy = "write `format: " + Format + "`; another number is for another version of ceremony"

func validate(f *file, at *locator) (*Plan, error) {
	v := &validator{at: at}
	p := &Plan{Kind: Kind(f.Kind), Repository: f.Repository, Rehearsal: f.Rehearsal}
	v.want(f.Format == Format, "format", fmt.Sprintf("is %q", f.Format), formatRemedy)
	v.want(slices.Contains([]Kind{Genesis, Rotation, Targets, Revocation}, p.Kind), "kind", fmt.Sprintf("is %q", f.Kind), "write genesis, rotation, targets or revocation")
	v.want(f.Repository != "", "repository", "is empty", "write the name by which people know the repository")
	v.want(f.Repository == "" || repositoryName.MatchString(f.Repository) && !tufmeta.Padded(f.Repository), "repository", fmt.Sprintf("is %q", f.Repository), "write 60 letters at most, with no quotes and single spaces")
	p.Opens = v.time("window.opens", f.Window.Opens)
	p.Closes = v.time("window.closes", f.Window.Closes)
	v.want(p.Closes.After(p.Opens), "window.closes", "is not after window.opens", "write when signing begins and when it must be done, in UTC")
	v.want(!p.Closes.After(p.Opens.AddDate(0, 0, 31)), "window.closes", "is more than 31 days after window.opens", "a ceremony takes a day or a few; end it sooner")
	v.devices(f, p)
	v.compromise(f.Compromise, p)
	v.readExternals(f, p)
	v.sections(f, p)
	v.waivers(f, p)
	v.supersedes(f, p)
	if v.err != nil {
		return nil, v.err
	}
	return p, nil
}

func (v *validator) want(ok bool, field, problem, remedy string) {
	if !ok && v.err == nil {
		v.err = &Error{Line: v.at.line(field), Field: field, Problem: problem, Remedy: remedy}
	}
}

func (v *validator) time(field, text string) time.Time {
	v.want(tufmeta.WellFormedTime(text), field, fmt.Sprintf("is %q", text), "write a time in UTC, to the second, like 2027-01-31T09:00:00Z")
	t, _ := time.Parse(tufmeta.TimeFormat, text)
	return t
}

var tokenName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

func (v *validator) holders(f *file, p *Plan) {
	names := map[string]bool{}
	unique := func(field, name string) {
		v.want(!names[name], field, fmt.Sprintf("is %q, which another token has", name), "give each token a name of its own")
		names[name] = true
	}
	people := map[string]bool{}
	for i, h := range f.Holders {
		at := fmt.Sprintf("holders[%d]", i)
		v.want(h.Name != "", at+".name", "is empty", "write the holder's name")
		v.want(personName.MatchString(h.Name) && !tufmeta.Padded(h.Name), at+".name", fmt.Sprintf("is %q", h.Name), "write the holder's name, of 40 letters at most, with no comma, colon, quote or bracket in it: screens show it among other words")
		v.want(!people[h.Name], at+".name", fmt.Sprintf("is %q, which stands twice", h.Name), "list each holder once, with all tokens")
		v.want(composed(h.Name), at+".name", fmt.Sprintf("is %q, with a letter and its accent apart", h.Name), "type the name anew, each letter with its accent as one")
		v.want(len(h.Tokens) > 0, at+".tokens", "is empty", "list at least one token of the holder")
		people[h.Name] = true
		holder := roster.Holder{Name: h.Name}
		for j, t := range h.Tokens {
			at := fmt.Sprintf("%s.tokens[%d]", at, j)
			v.token(at, t)
			v.want(f.Rehearsal || !strings.HasPrefix(t.URI, "soft:"), at+".uri", "is a software token, which only a rehearsal may use", "write the URI of a device, or `rehearsal: true`")
			unique(at+".name", t.Name)
			holder.Tokens = append(holder.Tokens, &roster.Token{Name: t.Name, Holder: h.Name, URI: t.URI, Model: t.Model, Serial: t.Serial, KeyFile: t.Key, EvidenceFile: t.Attestation, Lost: t.Lost, OneTime: t.OneTime})
		}
		p.Roster.Holders = append(p.Roster.Holders, holder)
	}
	for i, o := range f.Online {
		at := fmt.Sprintf("online[%d]", i)
		v.token(at, tok{Name: o.Name, Key: o.Key})
		unique(at+".name", o.Name)
		p.Roster.Online = append(p.Roster.Online, &roster.Token{Name: o.Name, KeyFile: o.Key})
	}
}

// personName and deviceName are text that stands in a line with other words on
// the screens that people approve from.
var (
	personName     = regexp.MustCompile(`^[^,;:"()\[\]]{1,40}$`)
	repositoryName = regexp.MustCompile(`^[^"]{1,60}$`)
	deviceName     = regexp.MustCompile(`^[^,;:"\[\]]{0,60}$`)
)

func (v *validator) token(at string, t tok) {
	v.want(deviceName.MatchString(t.Model) && !tufmeta.Padded(t.Model), at+".model", fmt.Sprintf("is %q", t.Model), "write the model as the device reports it, with no comma, colon, quote or bracket")
	v.want(deviceName.MatchString(t.Serial) && !tufmeta.Padded(t.Serial), at+".serial", fmt.Sprintf("is %q", t.Serial), "write the serial as the device reports it")
	v.want(tokenName.MatchString(t.Name), at+".name", fmt.Sprintf("is %q", t.Name), "use lower-case letters, digits, dot, dash and underscore: it is typed after `sign --token`")
	v.want(inKeys(t.Key), at+".key", fmt.Sprintf("is %q", t.Key), "name the file with the public key, like keys/"+t.Name+".pem")
	scheme, _, _ := strings.Cut(t.URI, ":")
	v.want(t.URI == "" || slices.Contains([]string{"soft", "pkcs11", roster.PIVScheme}, scheme), at+".uri", fmt.Sprintf("is %q", t.URI), "write a token URI: piv:serial=…;slot=9c or pkcs11:token=…;object=…?module-path=/…")
	v.want(!strings.Contains(t.URI, "pin-value"), at+".uri", "has a PIN in it", "take pin-value out, and change that PIN: it has been written down")
}

// sections checks that the parts which this kind of ceremony signs are there,
// and no others.
func (v *validator) sections(f *file, p *Plan) {
	if p.Kind == Targets {
		v.want(f.Root == nil, "root", "has no place in a targets ceremony", "remove the section; root is not signed")
		v.want(f.Roles == nil, "roles", "has no place in a targets ceremony", "remove the section; the trusted root says who signs targets")
	} else {
		v.want(f.Root != nil, "root", "is missing", "write root: with version and expires")
		v.want(f.Roles != nil, "roles", "is missing", "write roles: with root, targets, snapshot and timestamp")
	}
	v.want(f.Targets != nil || p.Kind == Rotation || p.Kind == Revocation || p.Kind == Targets && len(f.Delegated) > 0, "targets", "is missing", "write targets: with version and expires")
	if p.Kind == Genesis {
		v.want(f.Root == nil || f.Root.Version == 1, "root.version", "is not 1", "a genesis makes version 1")
		v.want(f.Targets == nil || f.Targets.Version == 1, "targets.version", "is not 1", "a genesis makes version 1")
	}
	if v.err != nil {
		return
	}
	if f.Root != nil {
		v.want(f.Root.Version >= 1, "root.version", fmt.Sprintf("is %d", f.Root.Version), "write the version that is to be made, one more than the trusted one")
		p.Root = &Root{Version: int64(f.Root.Version), Expires: v.time("root.expires", f.Root.Expires), Roles: map[string]Role{}}
		v.left(f, p)
		v.role(p, "root", f.Roles.Root)
		v.role(p, "targets", f.Roles.Targets)
		v.role(p, "snapshot", f.Roles.Snapshot)
		v.role(p, "timestamp", f.Roles.Timestamp)
	}
	if f.Targets != nil {
		p.Targets = v.targets("targets", f.Targets, p)
	}
	v.delegated(f.Delegated, p)
	if f.Lifetimes != nil {
		p.Lifetimes = map[string]int{"snapshot": int(f.Lifetimes.Snapshot), "timestamp": int(f.Lifetimes.Timestamp)}
		for _, name := range []string{"snapshot", "timestamp"} {
			days := p.Lifetimes[name]
			v.want(days >= 1 && days <= 366, "lifetimes."+name, fmt.Sprintf("is %d", days), "write for how many days each is good, 1 to 366")
		}
	}
}

func (v *validator) role(p *Plan, name string, r roleKeys) {
	p.Root.Roles[name] = v.keys(p, "roles."+name, name, r, OnlineRoles[name])
}

// keys reads threshold and tokens of a role. Where a machine may sign it, online
// keys may be among them.
func (v *validator) keys(p *Plan, at, name string, r roleKeys, online bool) Role {
	v.want(len(r.Keys) > 0, at+".keys", "is empty", "list the names of the tokens that may sign "+name)
	v.want(r.Threshold >= 1, at+".threshold", fmt.Sprintf("is %d", r.Threshold), fmt.Sprintf("write how many of the %d keys must sign", len(r.Keys)))
	v.want(int(r.Threshold) <= len(r.Keys), at+".threshold", fmt.Sprintf("is %d, and the role has %d keys", r.Threshold, len(r.Keys)), "lower the threshold or list more keys")
	for i, key := range r.Keys {
		field := fmt.Sprintf("%s.keys[%d]", at, i)
		t, known := p.Roster.Token(key)
		v.want(!known || t.Holder != "" || online, field, fmt.Sprintf("is %q, which is an online key", key), "people sign "+name+": list tokens of holders")
		v.want(!known || !t.OneTime || !permanent[name], field, fmt.Sprintf("is %q, which is a one-time key", key), "a key that is destroyed when the ceremony ends signs targets, or a delegated role: "+name+" is signed again before all others")
		v.want(known, field, fmt.Sprintf("is %q, and no holder has a token of that name", key), "list it under holders: or online:, or correct the name")
		v.want(!slices.Contains(r.Keys[:i], key), field, fmt.Sprintf("is %q, which stands twice", key), "list each token once a role")
	}
	return Role{int(r.Threshold), r.Keys}
}

// permanent are the roles that a one-time key does not sign: root, whose next
// version its holders must sign, and those that a machine signs every day.
var permanent = map[string]bool{"root": true, "snapshot": true, "timestamp": true}

func (v *validator) waivers(f *file, p *Plan) {
	for i, w := range f.Waivers {
		v.waiver(fmt.Sprintf("waivers[%d]", i), w)
		p.Waivers = append(p.Waivers, check.Waiver(w))
	}
}

func (v *validator) waiver(at string, w waiver) {
	row, ok := check.Lookup(w.Check)
	v.want(ok, at+".check", fmt.Sprintf("is %q", w.Check), "`ceremony checks` lists the IDs")
	v.want(row.Waivable(), at+".check", "is "+w.Check+", which cannot be waived", "mend what it finds: "+row.Do)
	v.want(w.Subject != "", at+".subject", "is empty", "write what the waiver is for, as the finding names it")
	v.want(len(strings.Fields(w.Reason)) >= 3, at+".reason", fmt.Sprintf("is %q", w.Reason), "write a reason that stands up when it is read aloud")
}

// composed reports whether letters that exist with their accents are written
// so: the same name written in two ways would look like two people.
func composed(name string) bool {
	var before rune
	for _, r := range name {
		if unicode.Is(unicode.Mn, r) && unicode.In(before, unicode.Latin, unicode.Greek, unicode.Cyrillic) {
			return false
		}
		before = r
	}
	return true
}
