package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// Text writes a plan as people edit it: every field with a comment that says
// what it means. Where everything that must be decided has been decided,
// Parse reads the result back to an equal plan.
func (p *Plan) Text() []byte {
	w := &writer{}
	w.line("# The plan of this ceremony. Read it aloud before anybody signs: what stands here")
	w.line("# is what will be signed. All times are UTC. `ceremony draft` says what is missing.")
	w.line("format: %s", Format)
	w.line("kind: %s", p.Kind)
	w.line("repository: %s  # the name by which people know it", quoted(p.Repository))
	if p.Rehearsal {
		w.line("rehearsal: true  # nothing of it can be published for real")
	}
	w.line("")
	w.line("window:  # signing is refused before and after")
	w.line("  opens:  %s", tufmeta.Stamp(p.Opens))
	w.line("  closes: %s", tufmeta.Stamp(p.Closes))
	if p.ModuleTimeout > 0 {
		w.line("")
		w.line("module-timeout: %d  # seconds for which a PKCS#11 module may be silent before it is given up", p.ModuleTimeout/time.Second)
	}
	w.compromise(p)
	w.holders(p)
	w.online(p)
	w.policy(p.Policy)
	w.externals(p.Externals)
	if p.Root != nil {
		w.root(p)
	}
	if p.Targets != nil {
		w.line("")
		w.line("targets:")
		w.targets("  ", p.Targets)
	}
	w.delegated(p.Delegated)
	w.lifetimes(p)
	w.waivers(p)
	w.supersedes(p.Supersedes)
	return []byte(w.String())
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// quoted is a YAML string that nothing can break out of.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(tufmeta.Printable(s)) + `"`
}

// named writes the name of a token: in quotes where YAML would take it for
// something else, as 007 for 7.
func named(name string) string {
	if plainName.MatchString(name) && !slices.Contains([]string{"true", "false", "null"}, name) {
		return name
	}
	return quoted(name)
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9._-]*$`)

func (w *writer) holders(p *Plan) {
	w.line("")
	w.line("# Everybody who may sign, those who leave included. A token is one key on one device;")
	w.line("# its name is what is typed after `sign --token`.")
	w.line("holders:")
	for _, h := range p.Roster.Holders {
		w.line("  - name: %s", quoted(h.Name))
		w.line("    tokens:")
		for _, t := range h.Tokens {
			w.token(t)
		}
	}
}

func (w *writer) token(t *roster.Token) {
	w.line("      - name: %s", named(t.Name))
	if t.URI == "" {
		w.line("        uri: \"\"  # where: piv:serial=…;slot=9c, or pkcs11:token=…;object=…?module-path=/…")
	} else {
		w.line("        uri: %s", quoted(t.URI))
	}
	if t.Model != "" {
		w.line("        model: %s", quoted(t.Model))
	}
	w.line("        serial: %s  # as the device itself reports it; empty is not compared", quoted(t.Serial))
	if t.Lost {
		w.line("        lost: true  # cannot sign any more")
	}
	if t.OneTime {
		what := "for this ceremony alone: destroyed when it has signed"
		if t.Lost {
			what = "of an earlier ceremony, which was to destroy it"
			if t.End != "" {
				what = "of an earlier ceremony, whose evidence says: " + tufmeta.Printable(t.End)
			}
		}
		w.line("        one-time: true  # %s", what)
	}
	w.line("        key: %s", t.KeyFile)
	if t.EvidenceFile != "" {
		w.line("        attestation: %s  # what the device says of the key, signed by its maker", t.EvidenceFile)
	}
}

func (w *writer) online(p *Plan) {
	if len(p.Roster.Online) == 0 {
		return
	}
	w.line("")
	w.line("online:  # keys that a machine holds, for snapshot and timestamp")
	for _, t := range p.Roster.Online {
		w.line("  - name: %s", named(t.Name))
		w.line("    key: %s", t.KeyFile)
	}
}

func (w *writer) root(p *Plan) {
	w.line("")
	w.line("root:")
	w.line("  version: %d", p.Root.Version)
	w.line("  expires: %s", tufmeta.Stamp(p.Root.Expires))
	w.line("")
	w.line("roles:  # after this ceremony; threshold says how many of the keys must sign")
	for _, name := range tufmeta.TopRoles {
		r := p.Root.Roles[name]
		w.line("  %s:", name)
		if r.Threshold == 0 {
			w.line("    threshold: 0  # decide")
		} else {
			w.line("    threshold: %d", r.Threshold)
		}
		w.line("    keys: [%s]", list(r.Tokens, named))
	}
}

func (w *writer) lifetimes(p *Plan) {
	if p.Lifetimes == nil {
		return
	}
	w.line("")
	w.line("lifetimes:  # days for which `publish --online-key` signs them; your own signer has its own")
	w.line("  snapshot: %d", p.Lifetimes["snapshot"])
	w.line("  timestamp: %d", p.Lifetimes["timestamp"])
}

func (w *writer) waivers(p *Plan) {
	w.line("")
	if len(p.Waivers) == 0 {
		w.line("waivers: []  # each with check, subject and reason; see `ceremony checks`")
		return
	}
	w.line("waivers:  # read each aloud, with its reason")
	for _, x := range p.Waivers {
		w.line("  - check: %s", x.Check)
		w.line("    subject: %s", quoted(x.Subject))
		w.line("    reason: %s", quoted(x.Reason))
	}
}
