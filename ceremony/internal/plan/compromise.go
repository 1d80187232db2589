package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// Compromise is what a revocation answers.
type Compromise struct {
	Case   string   // "A" to "F", but E, which is an ordinary rotation
	Tokens []string // in other hands: in no role afterwards, and they do not sign
	Weak   []string // in no role afterwards; they sign once more
	Why    string   // the selectors as they were typed
	// Standby: it was made beforehand, and nothing is compromised yet.
	Standby bool
}

// Cases are those that a plan can answer.
var Cases = []string{"A", "B", "C", "D", "F"}

// OutOfBand reports that no next root restores trust.
func (c *Compromise) OutOfBand() bool { return c != nil && (c.Case == "D" || c.Case == "F") }

type answers struct {
	Case    string   `yaml:"case"`
	Tokens  []string `yaml:"tokens"`
	Weak    []string `yaml:"weak"`
	Why     string   `yaml:"why"`
	Standby bool     `yaml:"standby"`
}

const compromiseRemedy = "`ceremony init --kind revocation` writes the section; without a compromise the kind is rotation"

// compromise reads what a revocation answers.
func (v *validator) compromise(f *answers, p *Plan) {
	v.want(f != nil || p.Kind != Revocation && !v.at.has("compromise"), "compromise", "is missing", compromiseRemedy)
	v.want(f == nil || p.Kind != Targets, "compromise", "has no place in a targets ceremony", "revoke keys of targets with `kind: revocation`: the root says who signs targets")
	if f == nil {
		return
	}
	v.want(slices.Contains(Cases, f.Case), "compromise.case", fmt.Sprintf("is %q", f.Case), "write A, B, C, D or F; E, a root that has expired, is an ordinary rotation")
	v.want(len(f.Tokens)+len(f.Weak) > 0, "compromise.tokens", "is empty", "name the tokens whose keys are in other hands, or under weak: those that are to be replaced")
	v.want(f.Why != "", "compromise.why", "is empty", "write why, as it was typed after --compromised")
	p.Compromise = &Compromise{f.Case, append([]string(nil), f.Tokens...), append([]string(nil), f.Weak...), f.Why, f.Standby}
}

// marks marks the tokens that a compromise names.
func (v *validator) marks(f *answers, p *Plan) {
	if f == nil {
		return
	}
	v.marked(p, "compromise.tokens", f.Tokens, func(t *roster.Token) { t.Compromised = true })
	v.marked(p, "compromise.weak", f.Weak, func(t *roster.Token) { t.Weak = true })
}

func (v *validator) marked(p *Plan, at string, names []string, mark func(*roster.Token)) {
	for i, name := range names {
		field := fmt.Sprintf("%s[%d]", at, i)
		t, known := p.Roster.Token(name)
		v.want(known, field, fmt.Sprintf("is %q, and no holder has a token of that name", name), "list the token under holders: or online:, with its key, or correct the name")
		if !known {
			continue
		}
		v.want(!t.Compromised && !t.Weak, field, fmt.Sprintf("is %q, which stands twice", name), "list each token once, under tokens: or under weak:")
		mark(t)
	}
}

// left says who and what is missing where a revocation leaves a role of people
// with fewer keys than must sign. That is known before anything is drafted.
func (v *validator) left(f *file, p *Plan) {
	if p.Compromise == nil {
		return
	}
	at := ""
	var short, wanted []string
	for _, role := range []struct {
		name string
		roleKeys
	}{{"root", f.Roles.Root}, {"targets", f.Roles.Targets}} {
		missing := int(role.Threshold) - len(role.Keys)
		if missing <= 0 {
			continue
		}
		if at == "" {
			at = "roles." + role.name + ".keys"
		}
		short = append(short, fmt.Sprintf("%s has %d of the %d keys that must sign", role.name, len(role.Keys), role.Threshold))
		wanted = append(wanted, fmt.Sprintf("%d for %s", missing, role.name))
	}
	v.want(at == "", at, fmt.Sprintf("new tokens are missing, %s: %s. Taken out: %s", strings.Join(wanted, ", "), strings.Join(short, ", "), strings.Join(p.takenOut(), "; ")),
		"list new tokens, of the same holders or of others, under holders:, and name them in the roles; `ceremony token provision` makes their keys")
}

// takenOut names the holders' tokens that this ceremony revokes, with device
// and reason.
func (p *Plan) takenOut() []string {
	var out []string
	for _, h := range p.Roster.Holders {
		for _, t := range h.Tokens {
			switch {
			case t.Compromised:
				out = append(out, t.Describe()+" (in other hands)")
			case t.Weak:
				out = append(out, t.Describe()+" (weak)")
			}
		}
	}
	return out
}

// Revoke takes compromised, weak and lost tokens out of every role, but for one-time
// ones that rest there: destroyed, and in a role that is not signed now. Where the
// online roles have to change, each of their keys is replaced by one that is
// still to be made: draft looks for its file.
func (p *Plan) Revoke(c *Compromise, online bool, resting ...string) {
	p.Compromise = c
	next := map[string]string{}
	for _, name := range []string{"snapshot", "timestamp"} {
		for _, old := range p.Root.Roles[name].Tokens {
			if _, done := next[old]; online && !done {
				next[old] = p.successor(old)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Root.Roles)) {
		role := p.Root.Roles[name]
		var keep []string
		for _, token := range role.Tokens {
			t, _ := p.Roster.Token(token)
			switch {
			case OnlineRoles[name] && next[token] != "":
				keep = append(keep, next[token])
			case !slices.Contains(c.Tokens, token) && !slices.Contains(c.Weak, token) && (!t.Lost || slices.Contains(resting, token)):
				keep = append(keep, token)
			}
		}
		p.Root.Roles[name] = Role{role.Threshold, keep}
	}
}

// successor lists a new online token in the place of an old one.
func (p *Plan) successor(old string) string {
	base := old + "-new"
	if len(base) > 36 || !plainName.MatchString(base) {
		base = "online-new"
	}
	name := base
	for n := 2; p.named(name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	p.Roster.Online = append(p.Roster.Online, &roster.Token{Name: name, KeyFile: keyFile(name)})
	return name
}

func (p *Plan) named(name string) bool {
	_, ok := p.Roster.Token(name)
	return ok
}

// Anew makes a plan for the first root of a repository that is trusted anew:
// the same repository and people, and nothing that leads on from the old root.
// Thresholds that are no longer reached are left for people to decide.
func (p *Plan) Anew(old *tufmeta.Targets) {
	p.Kind, p.Root.Version = Genesis, 1
	for name, role := range p.Root.Roles {
		if len(role.Tokens) < role.Threshold {
			p.Root.Roles[name] = Role{0, role.Tokens}
		}
	}
	p.Targets = &TargetsPlan{Version: 1, Expires: p.Root.Expires}
	if old == nil {
		return
	}
	for _, path := range slices.Sorted(maps.Keys(old.Files)) {
		f := old.Files[path]
		if sum := f.Hashes["sha256"]; sha256hex.MatchString(sum) {
			p.Targets.Add = append(p.Targets.Add, File{Path: path, Length: f.Length, SHA256: sum, SHA512: f.Hashes["sha512"], Custom: f.Custom})
		}
	}
}

// Dead are keys of a delegated role that cannot sign any more.
type Dead struct {
	Role   string
	Tokens []string
}

// RevokeDelegated takes compromised and weak tokens out of the delegations that
// targets spells out. Under a new first root, where each role is signed anew, lost
// ones and one-time ones of an earlier ceremony go too, and are given; else they
// stay, since what they have signed is to verify. Thresholds that are no longer
// reached are left to decide.
func (p *Plan) RevokeDelegated() []Dead {
	var all []Dead
	for i := range p.Targets.Delegations.Roles {
		d := &p.Targets.Delegations.Roles[i]
		dead := Dead{Role: d.Name}
		d.Role.Tokens = slices.DeleteFunc(slices.Clone(d.Role.Tokens), func(name string) bool {
			if slices.Contains(p.Compromise.Tokens, name) || slices.Contains(p.Compromise.Weak, name) {
				return true
			}
			t, ok := p.Roster.Token(name)
			if !ok || !t.Lost || p.Kind != Genesis {
				return false
			}
			dead.Tokens = append(dead.Tokens, name)
			return true
		})
		if d.External == "" && len(d.Role.Tokens) < d.Role.Threshold {
			d.Role.Threshold = 0
		}
		if len(dead.Tokens) > 0 {
			all = append(all, dead)
		}
	}
	return all
}

func (w *writer) compromise(p *Plan) {
	c := p.Compromise
	if c == nil {
		return
	}
	w.line("")
	if c.OutOfBand() && p.Kind == Genesis {
		w.line("# No next root restores trust. This makes a new first root of the same repository,")
		w.line("# which users get in another way, with BULLETIN.md.")
		for i, name := range p.Dropped {
			if i == 0 {
				w.line("# The old targets delegates to these roles, and the new one does not:")
			}
			w.line("#   %s", tufmeta.Printable(name))
		}
	}
	w.line("compromise:  # what this ceremony answers; STEPS.md says what to do, and who")
	w.line("  case: %s", c.Case)
	w.line("  tokens: [%s]  # taken to be in other hands: in no role afterwards, and they do not sign", list(c.Tokens, named))
	w.line("  weak: [%s]  # to be replaced: in no role afterwards; they sign once more", list(c.Weak, named))
	w.line("  why: %s", quoted(c.Why))
	if c.Standby {
		w.line("  standby: true  # made beforehand; published only if the key is lost or in other hands")
	}
}
