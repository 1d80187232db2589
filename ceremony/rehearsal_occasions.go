package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// occasion is a rehearsal of its own. What came before is told in a few lines;
// what is typed from the day on that it is about is shown in full.
type occasion struct {
	name    string
	purpose string
	signers []string                 // of the genesis that came before
	happens []func(*rehearsal) error // what nobody wanted
	answer  []func(*rehearsal) error // what is done about it, to the publication
	proof   []func(*rehearsal) error // what anybody can see then
	end     string
	look    []string
}

// occasions lists what can be rehearsed by itself.
func occasions() []occasion {
	expired := expiredRoot()
	e := expired
	e.name, e.purpose = "revocation-e", "the same"
	return []occasion{
		rotationAlone(), lostDevice(), expired,
		revocationA(), revocationB(), revocationC(), revocationD(), e, revocationF(),
		standbyPublished(),
	}
}

func occasionNames() []string {
	var names []string
	for _, o := range occasions() {
		names = append(names, o.name)
	}
	return names
}

// occasionList is what `rehearse --help` says of them.
func occasionList() string {
	var list []string
	for _, o := range occasions() {
		list = append(list, fmt.Sprintf("%s (%s)", o.name, o.purpose))
	}
	return strings.Join(list, ", ")
}

func lookupOccasion(name string) (occasion, error) {
	all := occasions()
	i := slices.IndexFunc(all, func(o occasion) bool { return o.name == name })
	if i < 0 {
		return occasion{}, &usageError{fmt.Errorf("rehearse: there is no occasion %q", name), "the occasions: " + strings.Join(occasionNames(), ", ") + "; without one, a genesis and a rotation"}
	}
	return all[i], nil
}

// playOccasion holds one, from the day before to what there is to look at.
func (r *rehearsal) playOccasion(o occasion) error {
	r.about = o.name
	r.begins()
	for _, act := range slices.Concat([]func(*rehearsal) error{o.before}, o.happens, o.answer, o.proof) {
		if err := act(r); err != nil {
			return hint(err, keepHint)
		}
	}
	r.over(o.end, o.look)
	return nil
}

// before is the genesis, out of sight.
func (o occasion) before(r *rehearsal) error {
	r.say("WHAT CAME BEFORE, out of sight: a genesis, which `ceremony rehearse` shows. Five holders have a token each, holder-1 to holder-5. 3 of the 5 sign root, 2 of the first 3 sign targets, and the publisher has one online key for snapshot and timestamp. Root 1 is published, and clients have it.")
	return r.unseen(func() error {
		if err := r.prepare(); err != nil {
			return err
		}
		if err := r.genesisFolder(); err != nil {
			return err
		}
		if err := r.hold("genesis", o.signers); err != nil {
			return err
		}
		return r.publishGenesis()
	})
}

// unseen acts with nothing on the screen, unless something goes wrong.
func (r *rehearsal) unseen(act func() error) error {
	shown, hidden := r.env, bytes.Buffer{}
	quiet := *shown
	quiet.out = &hidden
	r.env = &quiet
	err := act()
	r.env, r.before, r.provisioned = shown, nil, false
	if err != nil {
		fmt.Fprint(r.env.out, hidden.String())
	}
	return err
}

// place makes a folder for somebody, or something, that joins.
func (r *rehearsal) place(name string) error {
	if err := os.Mkdir(filepath.Join(r.dir, name), 0o755); err != nil {
		return fmt.Errorf("rehearsing: %w", err)
	}
	return nil
}

// typing is an act in which an actor types one command.
func typing(actor string, args ...string) func(*rehearsal) error {
	return func(r *rehearsal) error { return r.types(actor, args...) }
}

// telling is an act in which nobody types.
func telling(format string, args ...any) func(*rehearsal) error {
	return func(r *rehearsal) error { r.say(format, args...); return nil }
}

// holding is the ceremony itself.
func holding(name string, signers ...string) func(*rehearsal) error {
	return func(r *rehearsal) error { return r.hold(name, signers) }
}

// planning has the coordinator edit a plan.
func planning(name string, change func(r *rehearsal, text string) (string, error)) func(*rehearsal) error {
	return func(r *rehearsal) error {
		return r.edit(name, func(text string) (string, error) { return change(r, text) })
	}
}

// rotationAlone is the rotation of the whole rehearsal.
func rotationAlone() occasion {
	return occasion{
		name: "rotation", purpose: "a holder leaves, one joins, one has a new device",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		answer:  []func(*rehearsal) error{(*rehearsal).rotation, (*rehearsal).publishRotation},
		end:     "The rehearsal is over: root 2 is published, and clients that began with root 1 follow it.",
		look: []string{
			"@coordinator/rotation/plan.yaml  # what was decided",
			"CEREMONY review @coordinator/rotation  # what was signed",
			"CEREMONY verify @rotation.bundle --trusted-root @repository/root.json",
		},
	}
}
