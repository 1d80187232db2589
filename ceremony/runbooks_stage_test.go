package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
)

// beginnings are the states from which runs of runbooks begin.
var beginnings = map[string]func(*rehearsal) error{
	"with nothing": func(*rehearsal) error { return nil },
	"after the first signing": func(r *rehearsal) error {
		return inTurn(r.genesisFolder, func() error { return r.hold("genesis", founders) })
	},
	"a year after the genesis":               genesisAYearAgo,
	"after the second signing":               func(r *rehearsal) error { return inTurn(r.genesis, r.rotation) },
	"after the root has expired":             afterExpiry,
	"with standby revocations":               withStandby,
	"with two keys for targets":              twoForTargets,
	"a rotation that one has signed":         halfSigned,
	"with new YubiKeys":                      newDevice,
	"at the table, on YubiKeys":              atTheTable,
	"with an index of projects":              indexOfProjects,
	"with an index of projects, on YubiKeys": indexOfProjects,
	"with nothing but YubiKeys":              func(*rehearsal) error { return nil },
	"a year after the genesis, on YubiKeys":  genesisAYearAgo,
	"a year after a genesis by PEP 458":      pep458AYearAgo,
}

func inTurn(acts ...func() error) error {
	for _, act := range acts {
		if err := act(); err != nil {
			return err
		}
	}
	return nil
}

// atTheTable is where holder-1 has a copy of the folder, and is to sign.
func atTheTable(r *rehearsal) error {
	return inTurn(r.genesisFolder,
		func() error { return r.types("coordinator", "draft", "genesis") },
		func() error { return r.carry("genesis", "holder-1", "genesis") })
}

// genesisAYearAgo is a genesis, and a clock that shows the next rotation's day.
func genesisAYearAgo(r *rehearsal) error {
	err := r.genesis()
	r.now = r.now.AddDate(0, 11, 0)
	return err
}

// newDevice has holder-1 think of a PIN and a PUK for a device that is still new.
func newDevice(r *rehearsal) error {
	r.tokens["holder-1"] = stock{pin: []byte("703918"), puk: []byte("49261735")}
	return nil
}

// states are beginnings on embedded tokens, each held once and then copied.
type states map[string]*rehearsal

func (h states) begin(t *testing.T, state string) *rehearsal {
	t.Helper()
	if strings.HasSuffix(state, "YubiKeys") {
		yubiKeys(t)
		return begin(t, state, t.TempDir())
	}
	if h[state] == nil {
		dir, err := os.MkdirTemp("", "ceremony-runbooks-") // it outlives this run
		if err != nil {
			t.Fatal(err)
		}
		h[state] = begin(t, state, dir)
	}
	r := *h[state]
	r.dir, r.tokens, r.maker = copyTree(t, r.dir), maps.Clone(r.tokens), &softMaker{&r}
	return &r
}

func (h states) remove() {
	for _, r := range h {
		_ = os.RemoveAll(r.dir)
	}
}

func begin(t *testing.T, state, dir string) *rehearsal {
	t.Helper()
	act, ok := beginnings[state]
	if !ok {
		t.Fatalf("there is no state %q", state)
	}
	now, err := time.Parse(time.RFC3339, rehearsed)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRehearsal(rehearsalEnv(io.Discard), rehearseOptions{seed: "runbooks", piv: strings.HasSuffix(state, "YubiKeys")}, now, dir)
	if errors.Is(err, hsm.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := inTurn(r.prepare, func() error { return r.places("witness", "stick", "new-repository") }, func() error { return act(r) }); err != nil {
		t.Fatalf("%s: %v", state, err)
	}
	return r
}

// places are folders that no rehearsal has.
func (r *rehearsal) places(names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(r.dir, name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// stages are what people do between two commands, at the places of a page that
// say so.
var stages = map[string]func(*player) error{
	"holders send their keys":         (*player).keysArrive,
	"the genesis plan is written":     func(p *player) error { return p.edit("genesis", p.genesisPlan) },
	"holder-2-new and holder-6 send":  func(p *player) error { return p.join("holder-2-new", "holder-6") },
	"the rotation plan is written":    func(p *player) error { return p.edit("rotation", p.rotationPlan) },
	"the targets plan is written":     (*player).targetsPlan,
	"holder-2-new sends":              func(p *player) error { return p.join("holder-2-new") },
	"the loss is written":             func(p *player) error { return p.edit("rotation", p.lossPlan) },
	"the genesis is copied":           func(p *player) error { return p.copied("genesis") },
	"the rotation is copied":          func(p *player) error { return p.copied("rotation") },
	"the promotion is copied":         func(p *player) error { return p.copied("promotion") },
	"the project is taken out":        func(p *player) error { return p.closes("requests", "flask", "zope.interface", "attrs", "scrapy") },
	"the targets are copied":          func(p *player) error { return p.copied("targets") },
	"the witness is given the folder": func(p *player) error { return p.carry("rotation", "witness", "rotation") },
	"the others sign":                 (*player).othersSign,
	"the holder hands the files over": func(p *player) error {
		return p.give("holder-1/genesis/keys/holder-1.pem", "coordinator/genesis/keys/holder-1.pem")
	},
	"both read the same digits":       (*player).sameDigits,
	"who was missing signs":           (*player).missingSign,
	"the policy is decided":           (*player).decidePolicy,
	"the threshold is written":        func(p *player) error { return p.changes("genesis", "threshold: 0", "threshold: 3") },
	"the name is corrected":           func(p *player) error { return p.changes("rotation", "holder-7", "holder-6") },
	"the witness brings a root":       func(p *player) error { return p.give("repository/root.json", "witness/root.json") },
	"the witness is given the bundle": func(p *player) error { return p.give("rotation.bundle", "witness/rotation.bundle") },
	"the replacement is planned":      (*player).replacement,
	"the bundle is destroyed":         func(p *player) error { return os.Remove(filepath.Join(p.dir, "rotation.bundle")) },
	"the old copies are collected":    (*player).collected,
	"somebody has the online key":     func(p *player) error { return p.attacked() },
	"somebody has targets as well":    func(p *player) error { return p.attacked("holder-1", "holder-2") },
	"the last good state is put back": (*player).putBack,
	"the new online key is handed on": (*player).handOnlineKey,
	"holder-2 and holder-3 sign":      func(p *player) error { return p.sign("holder-2", "holder-3") },
	"holder-4 and holder-5 sign":      func(p *player) error { return p.sign("holder-4", "holder-5") },
	"holder-2 and holder-6 sign":      func(p *player) error { return p.sign("holder-2", "holder-6") },
	"holder-6 signs if it is there":   func(p *player) error { return p.joinedSigns() },
	"the new first root is decided":   (*player).firstRootAnew,
	"the losses are written":          (*player).fireAtHome,
	"the stolen key is taken out": func(p *player) error {
		return p.changes(stick+"revocation", "[holder-1, holder-2, holder-3, ", "[holder-1, holder-2, ")
	},
	"a stranger gets the new root":  func(p *player) error { return p.give("new-repository/root.json", "stranger/root.json") },
	"the others sign standby":       (*player).othersSignStandby,
	"who was missing signs standby": func(p *player) error { p.late = false; return p.othersSignStandby() },
	"the one-time keys are made":    (*player).onceMade,
	"the old keys are lost again":   func(p *player) error { return p.restore("renewal") },
	"the renewal is copied":         (*player).renewalCopied,
	"the others sign the renewal":   (*player).othersSignRenewal,
	"the others destroy their keys": (*player).othersDestroy,
	"the last two are destroyed":    func(p *player) error { p.late = false; return p.othersDestroy() },
	"holder-6 joins for targets":    func(p *player) error { return p.newHolder(targetsAnew...) },
}

func (p *player) keysArrive() error {
	if err := p.policy("genesis"); err != nil {
		return err
	}
	if err := p.issue("genesis", founders...); err != nil {
		return err
	}
	online, err := p.onlineKey("online")
	if err != nil {
		return err
	}
	return p.send("genesis", "online.pem", online)
}

// join has holders of a rotation send the keys of new devices.
func (p *player) join(tokens ...string) error {
	if err := p.policy("rotation"); err != nil {
		return err
	}
	return p.issue("rotation", tokens...)
}

func (p *player) targetsPlan() error {
	if p.maker.policy() != "" {
		return p.policy("targets")
	}
	return p.edit("targets", p.marked)
}

// copied gives each holder in the plan a stick with the folder.
func (p *player) copied(event string) error {
	for _, token := range p.planned(event) {
		place := filepath.Join(p.dir, holderOf(token), event)
		if _, err := os.Stat(place); err == nil {
			continue
		}
		if err := p.carry(event, holderOf(token), event); err != nil {
			return err
		}
	}
	return nil
}

// planned are the tokens of a plan that are not lost.
func (p *player) planned(event string) []string {
	files, err := folder.Read(filepath.Join(p.dir, "coordinator", event))
	if err != nil {
		p.t.Fatal(err)
	}
	decided, err := plan.Parse(files[folder.Plan])
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, h := range decided.Roster.Holders {
		for _, token := range h.Tokens {
			if !token.Lost {
				names = append(names, token.Name)
			}
		}
	}
	return names
}

// othersSign has the other holders type the command that one has typed on the
// page. Who leaves and who joins stays at home.
func (p *player) othersSign() error {
	if p.late {
		return nil
	}
	who, command, _ := p.signs.Command()
	args := shellWords(command)
	event, by := args[2], p.signs
	for _, token := range p.planned(event) {
		switch {
		case token == who, event == "targets" && !slices.Contains(founders[:3], token),
			event == "promotion" && !slices.Contains(founders[2:], token),
			event == "rotation" && (token == "holder-5" || token == "holder-6"):
			continue
		}
		other := *by
		other.Console = slices.Clone(by.Console)
		other.Console[0] = holderOf(token) + "$ " + strings.ReplaceAll(command, who, token)
		for i := range other.Console[1:] {
			other.Console[i+1] = strings.ReplaceAll(other.Console[i+1], who, token)
		}
		_, _, want := other.Command()
		p.types(&other, want)
	}
	p.signs = by
	return nil
}

// missingSign is when those come who were not there.
func (p *player) missingSign() error {
	p.late = false
	return p.othersSign()
}

// sameDigits compares what two programs have said of one key.
func (p *player) sameDigits() error {
	data, err := os.ReadFile(filepath.Join(p.dir, "holder-1", "genesis", "keys", "holder-1.pem"))
	if err != nil {
		return err
	}
	key, err := tufmeta.ParsePEM(data)
	if err != nil {
		return err
	}
	fingerprint, err := tufmeta.Fingerprint(key)
	if err == nil && !strings.Contains(p.last, fingerprint) {
		err = fmt.Errorf("the key's fingerprint is %s, and the screen shows %s", fingerprint, p.last)
	}
	return err
}

// decidePolicy marks the plan of a rehearsal, with what devices must be.
func (p *player) decidePolicy() error {
	if err := p.rehearsal.types("coordinator", "init", "genesis", "--kind", "genesis"); err != nil {
		return err
	}
	if err := p.policy("genesis"); err != nil {
		return err
	}
	return p.carry("genesis", "holder-1", "genesis")
}

func (p *player) give(from, to string) error {
	data, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(from)))
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(p.dir, filepath.FromSlash(to)), data)
}

// changes writes one thing of a plan anew.
func (p *player) changes(event, old, new string) error {
	return p.edit(event, func(text string) (string, error) { return replace(text, old, new) })
}
