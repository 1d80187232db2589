package plan

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// FillGenesis writes a first proposal of a genesis into p: five holders with a
// token each, one online key. Thresholds are left at 0, which Parse refuses:
// they are for people to decide.
func FillGenesis(p *Plan, expires time.Time) {
	var all []string
	for i := 1; i <= 5; i++ {
		name := fmt.Sprintf("holder-%d", i)
		all = append(all, name)
		p.Roster.Holders = append(p.Roster.Holders, roster.Holder{Name: name, Tokens: []*roster.Token{{Name: name, Holder: name, KeyFile: keyFile(name)}}})
	}
	p.Roster.Online = []*roster.Token{{Name: "online", KeyFile: keyFile("online")}}
	p.Root = &Root{Version: 1, Expires: expires, Roles: map[string]Role{
		"root": {0, all}, "targets": {0, all[:3]}, "snapshot": {1, []string{"online"}}, "timestamp": {1, []string{"online"}},
	}}
}

func keyFile(name string) string { return folder.Keys + "/" + name + ".pem" }

// FillFrom writes the state of a trusted root into p, as the proposal for the
// next, and the public keys into files. Names and devices come from an earlier
// plan, where it has the public key.
func FillFrom(p *Plan, root *tufmeta.Root, earlier *Plan, expires time.Time, files folder.Files) error {
	f := &filler{p: p, root: root, earlier: earlier, files: files, names: map[string]string{}}
	for _, role := range tufmeta.TopRoles {
		if err := f.role(role); err != nil {
			return err
		}
	}
	if p.Kind == Targets {
		return nil
	}
	p.Root = &Root{Version: root.Version + 1, Expires: expires, Roles: map[string]Role{}}
	for _, name := range tufmeta.TopRoles {
		if root.Roles[name] != nil {
			p.Root.Roles[name] = Role{root.Roles[name].Threshold, f.tokens(name)}
		}
	}
	return nil
}

// CarryPolicy goes on with what an earlier plan asks of devices, and with what
// they have attested before: p's tokens are named as there, from is what lies in
// the earlier folder, and to takes the files.
func CarryPolicy(p, earlier *Plan, from, to folder.Files) {
	if earlier == nil || earlier.Policy == nil {
		return
	}
	policy := *earlier.Policy
	policy.FormFactors = slices.Clone(policy.FormFactors)
	p.Policy = &policy
	if data, ok := from[policy.Roots]; ok {
		to[policy.Roots] = data
	}
	for _, t := range p.Roster.Tokens() {
		known, ok := earlier.Roster.Token(t.Name)
		if !ok {
			continue
		}
		if data, ok := from[known.EvidenceFile]; ok {
			t.EvidenceFile = folder.Keys + "/" + t.Name + ".attestation.pem"
			to[t.EvidenceFile] = data
		}
	}
}

type filler struct {
	p       *Plan
	root    *tufmeta.Root
	earlier *Plan
	files   folder.Files
	names   map[string]string // token by fingerprint
}

func (f *filler) role(name string) error {
	role := f.root.Roles[name]
	if role == nil {
		return fmt.Errorf("the root has no role %q", name)
	}
	return f.keys(name, f.root.Keys, role.KeyIDs, OnlineRoles[name])
}

// keys adds the keys of a role to the roster, and writes them into files.
func (f *filler) keys(name string, keys map[string]*tufmeta.Key, ids []string, online bool) error {
	for _, id := range ids {
		key := keys[id]
		if key == nil || key.Err != nil {
			return fmt.Errorf("key %s of role %s cannot be used", tufmeta.Printable(id), tufmeta.Printable(name))
		}
		if f.names[key.Fingerprint()] != "" {
			continue
		}
		token := f.token(key, online)
		f.names[key.Fingerprint()] = token.Name
		der, err := x509.MarshalPKIXPublicKey(key.Public)
		if err != nil {
			return err
		}
		f.files[token.KeyFile] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	return nil
}

// token adds a key to the plan's roster: under its holder's name where an
// earlier plan knows it, else under a number. What was a one-time key there was
// to be destroyed there, and does not sign again: that it was, only that event's
// bundle can show.
func (f *filler) token(key *tufmeta.Key, online bool) *roster.Token {
	r := &f.p.Roster
	if f.earlier != nil {
		if t, ok := f.earlier.Roster.ByFingerprint(key.Fingerprint()); ok {
			return f.add(&roster.Token{Name: t.Name, Holder: t.Holder, URI: t.URI, Model: t.Model, Serial: t.Serial, Lost: t.Lost || t.OneTime, OneTime: t.OneTime})
		}
	}
	if online {
		name := "online"
		for n := 2; f.taken(name); n++ {
			name = fmt.Sprintf("online-%d", n)
		}
		return f.add(&roster.Token{Name: name})
	}
	n := len(r.Holders) + 1
	for f.taken(fmt.Sprintf("holder-%d", n)) {
		n++
	}
	name := fmt.Sprintf("holder-%d", n)
	return f.add(&roster.Token{Name: name, Holder: name})
}

// taken looks at the earlier plan as well, so that a number never means
// somebody else than it did last time.
func (f *filler) taken(name string) bool {
	_, here := f.p.Roster.Token(name)
	if f.earlier == nil || here {
		return here
	}
	_, there := f.earlier.Roster.Token(name)
	return there
}

func (f *filler) add(t *roster.Token) *roster.Token {
	r := &f.p.Roster
	t.KeyFile = keyFile(t.Name)
	if t.Holder == "" {
		r.Online = append(r.Online, t)
		return t
	}
	i := slices.IndexFunc(r.Holders, func(h roster.Holder) bool { return h.Name == t.Holder })
	if i < 0 {
		r.Holders = append(r.Holders, roster.Holder{Name: t.Holder})
		i = len(r.Holders) - 1
	}
	r.Holders[i].Tokens = append(r.Holders[i].Tokens, t)
	return t
}

func (f *filler) tokens(role string) []string {
	return f.tokensOf(f.root.Keys, f.root.Roles[role].KeyIDs)
}

func (f *filler) tokensOf(keys map[string]*tufmeta.Key, ids []string) []string {
	var names []string
	for _, id := range ids {
		if name := f.names[keys[id].Fingerprint()]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
