//go:build !race

// Nothing here is concurrent, and the race detector makes it ten times as slow:
// scripts/test runs it without.

package verify_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
)

// TestWalks goes from a genesis through random rotations and revocations, each
// from the root that the one before has made: holders leave, join, lose a device
// or bring another, keys are stolen or turn out to be weak, thresholds move,
// online keys change. What draft accepts, a quorum
// that is chosen at random signs, and go-tuf accepts it; what breaks a rule is
// refused before anybody has signed. The rules are said once more in
// rotation.broken, from the plan alone.
func TestWalks(t *testing.T) {
	const walks, steps = 20, 50
	var mu sync.Mutex
	accepted, revocations, refused := 0, 0, map[string]int{}
	t.Run("walks", func(t *testing.T) {
		for seed := range uint64(walks) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				walkOn(t, rand.New(rand.NewPCG(seed, 5)), steps, func(r *rotation, broken []string) {
					mu.Lock()
					defer mu.Unlock()
					if len(broken) == 0 {
						accepted++
					}
					if len(broken) == 0 && r.p.Kind == plan.Revocation {
						revocations++
					}
					for _, rule := range broken {
						refused[rule]++
					}
				})
			})
		}
	})
	t.Logf("%d of %d accepted, %d of them revocations; refused: %v", accepted, walks*steps, revocations, refused)
	if accepted < walks*steps/4 || revocations < walks*steps/20 {
		t.Errorf("only %d of %d were accepted, %d of them revocations", accepted, walks*steps, revocations)
	}
	for _, rule := range []string{"THRESHOLD-OLD", "THRESHOLD-NEW", "TARGETS-STALE", "VERSION-SEQUENCE", "EXPIRES-PAST", "HOLDER-DUPLICATE", "DEVICE-LOST", "ROLE-KEY-REUSE", "REVOKED-KEPT", "ONLINE-KEPT", "OUT-OF-BAND"} {
		if refused[rule] == 0 {
			t.Errorf("no step breaks %s", rule)
		}
	}
}

// walkOn goes some steps, and tells of each which rules it broke.
func walkOn(t *testing.T, random *rand.Rand, steps int, tell func(r *rotation, broken []string)) {
	w := startWalk(t, random)
	for step := range steps {
		r := w.plan()
		broken := r.broken()
		err := w.hold(r)
		if len(broken) == 0 && err != nil {
			t.Fatalf("step %d breaks no rule, and is refused: %v\n%s", step, err, r.p.Text())
		}
		if len(broken) > 0 && err == nil {
			t.Fatalf("step %d was accepted, and breaks %v\n%s", step, broken, r.p.Text())
		}
		tell(r, broken)
		if r.p.Compromise == nil && slices.Contains(broken, "THRESHOLD-OLD") { // for ever
			w = startWalk(t, random)
		}
	}
}

// walk is a repository on its way through rotations.
type walk struct {
	t       *testing.T
	rand    *rand.Rand
	set     *trustedmetadata.TrustedMetadata // go-tuf's
	people  []*roster.Token                  // every token that ever was, the lost ones included
	online  []*roster.Token
	root    *plan.Root        // the newest
	trusted map[string][]byte // its file, and that of targets, by role
	targets int64             // version of targets
	signed  map[string]bool   // tokens that have signed targets
	number  int               // of the last token
	hit     plan.Compromise   // what is stolen or weak in this step; nothing in a rotation
}

// rotation is a plan for the next step, and what it goes on from.
type rotation struct {
	p      *plan.Plan
	old    *plan.Root
	signed map[string]bool
}

func startWalk(t *testing.T, random *rand.Rand) *walk {
	t.Helper()
	w := &walk{t: t, rand: random, trusted: map[string][]byte{}}
	p := ceremonytest.GenesisPlan()
	for _, h := range p.Roster.Holders {
		w.people = append(w.people, h.Tokens...)
	}
	w.online, w.number = p.Roster.Online, len(w.people)
	if err := w.hold(&rotation{p: p}); err != nil {
		t.Fatal(err)
	}
	return w
}

// chance is true once in n times.
func (w *walk) chance(n int) bool { return w.rand.IntN(n) == 0 }

// plan draws the next step. Now and then it breaks a rule.
func (w *walk) plan() *rotation {
	for _, t := range w.people {
		t.Lost = t.Lost || w.chance(30)
	}
	w.forget(nil) // those of a step that was refused
	w.hit = w.compromise()
	p := ceremonytest.RotationPlan()
	p.Targets = nil
	p.Root = &plan.Root{Version: w.root.Version + 1, Expires: p.Root.Expires, Roles: map[string]plan.Role{
		"root": w.role("root"), "targets": w.role("targets"), "snapshot": w.machine("snapshot"), "timestamp": w.machine("timestamp"),
	}}
	if w.chance(2) {
		p.Targets = &plan.TargetsPlan{Version: w.targets + 1, Expires: p.Root.Expires}
	}
	if w.chance(30) {
		p.Root.Version += 1 - 2*w.rand.Int64N(2)
	}
	if w.chance(30) {
		p.Root.Expires = p.Closes.Add(-time.Hour)
	}
	if w.chance(30) {
		p.Root.Roles["snapshot"] = plan.Role{Threshold: 1, Tokens: p.Root.Roles["root"].Tokens[:1]}
	}
	w.forget(p.Root.Roles)
	p.Roster = w.roster()
	if len(w.hit.Tokens)+len(w.hit.Weak) > 0 {
		p.Kind, p.Compromise = plan.Revocation, &w.hit
	}
	return &rotation{p, w.root, w.signed}
}

// compromise draws whose keys are stolen or weak: nobody's in most steps.
func (w *walk) compromise() plan.Compromise {
	c := plan.Compromise{Case: "A", Why: "drawn"}
	if !w.chance(3) {
		return c
	}
	for _, t := range w.people {
		switch w.rand.IntN(8) {
		case 0:
			c.Tokens = append(c.Tokens, t.Name)
		case 1:
			c.Weak = append(c.Weak, t.Name)
		}
	}
	for _, t := range w.online {
		if w.chance(5) {
			c.Case, c.Tokens = "C", append(c.Tokens, t.Name)
		}
	}
	if w.chance(20) {
		c.Case = "D"
	}
	return c
}

// gone reports whether a token should leave: it is lost, stolen or weak.
func (w *walk) gone(t *roster.Token) bool {
	return t.Lost || slices.Contains(w.hit.Tokens, t.Name) || slices.Contains(w.hit.Weak, t.Name)
}

// role draws who signs a role: most stay, some leave, come with another device,
// or join. A lost device leaves, but for the one that is forgotten.
func (w *walk) role(name string) plan.Role {
	old := w.root.Roles[name]
	var names []string
	for _, name := range old.Tokens {
		t := w.token(name)
		switch {
		case w.gone(t) && !w.chance(8), w.chance(8):
			if w.chance(2) {
				names = append(names, w.another(t.Holder).Name)
			}
			continue
		case w.chance(40):
			names = append(names, w.another(t.Holder).Name) // beside the old one
		}
		names = append(names, name)
	}
	for len(names) == 0 || len(names) < 7 && w.chance(3) {
		names = append(names, w.another("").Name)
	}
	threshold := old.Threshold + w.rand.IntN(3) - 1
	if most := len(names); threshold > most && !w.chance(4) {
		threshold = most
	}
	return plan.Role{Threshold: max(threshold, 1), Tokens: names}
}

func (w *walk) machine(name string) plan.Role {
	fallen := w.hit.Case == "C" && !w.chance(8)
	if !fallen && !w.chance(4) {
		return w.root.Roles[name]
	}
	w.number++
	t := &roster.Token{Name: fmt.Sprintf("online-%d", w.number)}
	t.KeyFile = folder.Keys + "/" + t.Name + ".pem"
	w.online = append(w.online, t)
	return plan.Role{Threshold: 1, Tokens: []string{t.Name}}
}

// another is a new device, of a holder or of somebody new.
func (w *walk) another(holder string) *roster.Token {
	w.number++
	name := fmt.Sprintf("device-%d", w.number)
	if holder == "" {
		holder = fmt.Sprintf("holder-%d", w.number)
	}
	t := &roster.Token{Name: name, Holder: holder, URI: "pkcs11:token=" + name, Serial: fmt.Sprint(5000 + w.number), KeyFile: folder.Keys + "/" + name + ".pem"}
	w.people = append(w.people, t)
	return t
}

func (w *walk) token(name string) *roster.Token {
	all := slices.Concat(w.people, w.online)
	return all[slices.IndexFunc(all, func(t *roster.Token) bool { return t.Name == name })]
}

// forget leaves out the tokens that neither the old root has nor the new.
func (w *walk) forget(planned map[string]plan.Role) {
	needed := map[string]bool{}
	for _, roles := range []map[string]plan.Role{w.root.Roles, planned} {
		for _, role := range roles {
			for _, name := range role.Tokens {
				needed[name] = true
			}
		}
	}
	unneeded := func(t *roster.Token) bool { return !needed[t.Name] }
	w.people, w.online = slices.DeleteFunc(w.people, unneeded), slices.DeleteFunc(w.online, unneeded)
}

// roster lists whom the old root has, and whom the new.
func (w *walk) roster() roster.Roster {
	r := roster.Roster{Online: w.online}
	for _, t := range w.people {
		i := slices.IndexFunc(r.Holders, func(h roster.Holder) bool { return h.Name == t.Holder })
		if i < 0 {
			i = len(r.Holders)
			r.Holders = append(r.Holders, roster.Holder{Name: t.Holder})
		}
		r.Holders[i].Tokens = append(r.Holders[i].Tokens, t)
	}
	return r
}

// broken says which rules the plan breaks, by the check that must find it.
func (r *rotation) broken() []string {
	broken := map[string]bool{}
	p, hit := r.p, plan.Compromise{}
	if p.Compromise != nil {
		hit = *p.Compromise
	}
	stolen := func(name string) bool { return slices.Contains(hit.Tokens, name) }
	able := func(role plan.Role) int {
		return len(slices.DeleteFunc(slices.Clone(role.Tokens), func(name string) bool {
			t, _ := p.Roster.Token(name)
			return t.Lost || stolen(name)
		}))
	}
	r.unanswered(hit, able, broken)
	broken["VERSION-SEQUENCE"] = p.Root.Version != r.old.Version+1
	broken["EXPIRES-PAST"] = !p.Root.Expires.After(p.Closes)
	broken["THRESHOLD-OLD"] = able(r.old.Roles["root"]) < r.old.Roles["root"].Threshold
	for name, role := range p.Root.Roles {
		broken["THRESHOLD-NEW"] = broken["THRESHOLD-NEW"] || role.Threshold > len(role.Tokens)
		if plan.OnlineRoles[name] {
			continue
		}
		if name == "root" || p.Targets != nil {
			broken["THRESHOLD-NEW"] = broken["THRESHOLD-NEW"] || able(role) < role.Threshold
		}
		holders := map[string]bool{}
		for _, token := range role.Tokens {
			t, _ := p.Roster.Token(token)
			broken["DEVICE-LOST"] = broken["DEVICE-LOST"] || t.Lost
			broken["HOLDER-DUPLICATE"] = broken["HOLDER-DUPLICATE"] || holders[t.Holder]
			holders[t.Holder] = true
		}
	}
	for _, token := range p.Root.Roles["snapshot"].Tokens {
		broken["ROLE-KEY-REUSE"] = slices.Contains(p.Root.Roles["root"].Tokens, token)
	}
	if role := p.Root.Roles["targets"]; p.Targets == nil {
		left := slices.DeleteFunc(slices.Clone(role.Tokens), func(name string) bool { return !r.signed[name] })
		broken["TARGETS-STALE"] = len(left) < role.Threshold
	}
	maps.DeleteFunc(broken, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(broken))
}

// unanswered says which rules of revocations the plan breaks.
func (r *rotation) unanswered(hit plan.Compromise, able func(plan.Role) int, broken map[string]bool) {
	if r.p.Compromise == nil {
		return
	}
	out := func(name string) bool { return slices.Contains(hit.Tokens, name) || slices.Contains(hit.Weak, name) }
	fallen, had := hit.Case == "C", map[string]bool{}
	for name, role := range r.old.Roles {
		if plan.OnlineRoles[name] {
			fallen = fallen || slices.Contains(hit.Tokens, role.Tokens[0])
			had[role.Tokens[0]] = true
		}
	}
	for name, role := range r.p.Root.Roles {
		broken["REVOKED-KEPT"] = broken["REVOKED-KEPT"] || slices.ContainsFunc(role.Tokens, out)
		broken["ONLINE-KEPT"] = broken["ONLINE-KEPT"] || fallen && plan.OnlineRoles[name] && had[role.Tokens[0]]
	}
	root := r.old.Roles["root"]
	stolen := slices.DeleteFunc(slices.Clone(root.Tokens), func(name string) bool { return !slices.Contains(hit.Tokens, name) })
	broken["OUT-OF-BAND"] = len(stolen) >= root.Threshold || able(root) < root.Threshold || hit.OutOfBand()
}
