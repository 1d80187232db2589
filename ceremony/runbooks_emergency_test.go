package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tufceremony/ceremony/internal/durable"
)

// stick is what goes from hand to hand on the bad days: one folder on it, that
// everybody signs in.
const stick = "../stick/"

// afterExpiry is a genesis, and a clock past the expiry of its root.
func afterExpiry(r *rehearsal) error {
	err := r.genesis()
	r.now = r.now.AddDate(1, 1, 0)
	return err
}

// withStandby is a genesis after which standby revocations were made, and a night
// months later.
func withStandby(r *rehearsal) error {
	if err := r.genesis(); err != nil {
		return err
	}
	if err := r.types("coordinator", "standby", "../genesis.bundle", "-o", "../stick/standby"); err != nil {
		return err
	}
	p := &player{rehearsal: r}
	for _, holder := range founders {
		args := []string{"sign", stick + "standby", "--token", holder}
		if err := p.typedBy(holder, args); err != nil {
			return err
		}
	}
	r.now = r.now.AddDate(0, 5, 0)
	return r.types("coordinator", "seal", "../stick/standby", "-o", "../sealed")
}

// twoForTargets is a genesis whose targets count on two keys, and on both.
func twoForTargets(r *rehearsal) error {
	if err := r.genesisFolder(); err != nil {
		return err
	}
	err := r.edit("genesis", func(text string) (string, error) {
		return replace(text, "keys: [holder-1, holder-2, holder-3]", "keys: [holder-1, holder-4]")
	})
	if err != nil {
		return err
	}
	if err := inTurn(func() error { return r.hold("genesis", []string{"holder-1", "holder-2", "holder-4"}) }, r.publishGenesis); err != nil {
		return err
	}
	r.now = r.now.AddDate(0, 5, 0)
	return nil
}

// halfSigned is a rotation that one holder has signed, and the others have not.
func halfSigned(r *rehearsal) error {
	return inTurn(r.genesis, r.rotationFolder,
		func() error { return r.types("coordinator", "draft", "rotation") },
		func() error { return r.carry("rotation", "holder-1", "rotation") },
		func() error { return r.types("holder-1", "sign", "rotation", "--token", "holder-1") })
}

// typedBy has somebody type a command that stands on the page for another.
func (p *player) typedBy(who string, args []string) error {
	if err := os.Chdir(filepath.Join(p.dir, who)); err != nil {
		return err
	}
	ask := &reader{p: p, args: args, screen: &bytes.Buffer{}}
	var status int
	if err := p.plugged(who, args, func() { status = run(args, p.machine(who, ask.screen, ask)) }); err != nil {
		return err
	}
	if status != done {
		return fmt.Errorf("%s: %v:\n%s", who, args, ask.screen)
	}
	return nil
}

// plugged has the holder's device where the stick is, while a command runs that
// signs on it: an embedded token is looked for beside the ceremony folder.
func (p *player) plugged(who string, args []string, do func()) error {
	if args[0] != "sign" || !strings.HasPrefix(args[1], stick) {
		do()
		return nil
	}
	mine, there := filepath.Join(p.dir, who, "tokens"), filepath.Join(p.dir, "stick", "tokens")
	if err := os.Rename(mine, there); errors.Is(err, fs.ErrNotExist) { // a device is not in a folder
		do()
		return nil
	} else if err != nil {
		return err
	}
	do()
	return os.Rename(there, mine)
}

// sign has holders type what one of them has typed on the page.
func (p *player) sign(tokens ...string) error {
	by := p.signs
	who, command, want := by.Command()
	for _, token := range tokens {
		other := *by
		other.Console = []string{holderOf(token) + "$ " + strings.ReplaceAll(command, who, token)}
		for _, line := range want {
			other.Console = append(other.Console, strings.ReplaceAll(line, who, token))
		}
		_, _, seen := other.Command()
		p.types(&other, seen)
	}
	p.signs = by
	return nil
}

// attacked is what somebody does who has the online key: versions far ahead. Who
// has keys of holders too signs targets.
func (p *player) attacked(holders ...string) error {
	if err := p.backup("repository", "backup"); err != nil {
		return err
	}
	online := p.stolenKey("online")
	if len(holders) == 0 {
		return p.fastForward(online, farAhead+1, 1)
	}
	var by []stolen
	for _, token := range holders {
		by = append(by, p.stolenToken(token))
	}
	if err := p.forgeTargets(farAhead+1, by...); err != nil {
		return err
	}
	return p.fastForward(online, farAhead+1, farAhead+1)
}

// putBack is the last good state of what is published, and nothing besides.
func (p *player) putBack() error {
	if p.late {
		p.late = false // the second time they do
		return nil
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "repository", "metadata")); err != nil {
		return err
	}
	return p.backup("backup/metadata", "repository/metadata")
}

func (p *player) backup(from, to string) error {
	from, to = filepath.Join(p.dir, filepath.FromSlash(from)), filepath.Join(p.dir, filepath.FromSlash(to))
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return durable.Create(filepath.Join(to, name), data)
	})
}

// handOnlineKey takes the public half of the publisher's new key to the stick.
func (p *player) handOnlineKey() error {
	return p.give("publisher/online-new.pem", "stick/revocation/keys/online-new.pem")
}

// newHolder gives the plan a holder and the roles that it names.
func (p *player) newHolder(roles ...[2]string) error {
	const token = "holder-6"
	if err := p.issue(stick+"revocation", token); err != nil {
		return err
	}
	return p.edit(stick+"revocation", func(text string) (string, error) {
		text, err := p.holderEntry(text, token)
		for _, edit := range append(roles, [2]string{"waivers: []  # each with check, subject and reason; see `ceremony checks`", nightWaiver}) {
			if err == nil && strings.Contains(text, edit[0]) {
				text = strings.Replace(text, edit[0], edit[1], 1)
			}
		}
		return text, err
	})
}

const nightWaiver = `waivers:
  - check: THRESHOLD-MARGIN
    subject: "targets"
    reason: "two sign targets until the next rotation, which is in a month"`

// targetsAnew has holder-6 sign targets, whoever else is left there.
var targetsAnew = [][2]string{
	{"    keys: [holder-3]", "    keys: [holder-3, holder-6]"},
	{"    keys: [holder-1]", "    keys: [holder-1, holder-6]"},
}

// joinedSigns is when the plan has a new holder.
func (p *player) joinedSigns() error {
	if _, ok := p.tokens["holder-6"]; !ok {
		return nil
	}
	return p.sign("holder-6")
}

func (p *player) holderEntry(text, token string) (string, error) {
	entry := fmt.Sprintf("  - name: %q\n    tokens:\n%s", token, p.tokens[token].entry(token))
	return replace(text, "\nonline:", entry+"\nonline:")
}

// firstRootAnew decides what is open in the plan of a new first root.
func (p *player) firstRootAnew() error {
	joined := []string{"holder-6", "holder-7", "holder-8"}
	if err := p.issue(stick+"revocation", joined...); err != nil {
		return err
	}
	return p.edit(stick+"revocation", func(text string) (string, error) {
		for _, token := range joined {
			var err error
			if text, err = p.holderEntry(text, token); err != nil {
				return "", err
			}
		}
		for _, edit := range [][2]string{
			{"  root:\n    threshold: 0  # decide\n    keys: [holder-1, holder-2]", "  root:\n    threshold: 3\n    keys: [holder-1, holder-2, holder-6, holder-7, holder-8]"},
			{"  targets:\n    threshold: 2\n    keys: [holder-1, holder-2]", "  targets:\n    threshold: 2\n    keys: [holder-1, holder-2, holder-6, holder-7]"},
		} {
			var err error
			if text, err = replace(text, edit[0], edit[1]); err != nil {
				return "", err
			}
		}
		return text, nil
	})
}

// fireAtHome has two holders of the last ceremony without a device.
func (p *player) fireAtHome() error {
	if err := p.backup("coordinator/genesis", "coordinator/earlier"); err != nil {
		return err
	}
	return p.edit("earlier", func(text string) (string, error) {
		return regexp.MustCompile(`        key: keys/holder-[34]\.pem\n`).ReplaceAllString(text, "        lost: true\n${0}"), nil
	})
}

// replacement writes the plan of the event that takes the place of another: what
// was decided, and why the other one was given up.
func (p *player) replacement() error {
	old, err := os.ReadFile(filepath.Join(p.dir, "coordinator", "rotation-given-up", "plan.yaml"))
	if err != nil {
		return err
	}
	for _, token := range []string{"holder-2-new", "holder-6"} {
		if err := p.give("coordinator/rotation-given-up/keys/"+token+".pem", "coordinator/rotation/keys/"+token+".pem"); err != nil {
			return err
		}
	}
	return p.edit("rotation", func(text string) (string, error) {
		_, section, found := strings.Cut(text, "\nsupersedes:")
		if !found {
			return "", errors.New("the plan supersedes nothing")
		}
		section, err := replace(section, `reason: ""  # decide: why it was given up`, `reason: "a holder was left out by mistake"`)
		return string(old) + "\nsupersedes:" + section, err
	})
}

// collected has nobody keep a copy of the event that was given up.
func (p *player) collected() error {
	for _, holder := range append([]string{"holder-6"}, founders...) {
		if err := os.RemoveAll(filepath.Join(p.dir, holder, "rotation")); err != nil {
			return err
		}
	}
	return nil
}

// othersSignStandby has them sign until enough have.
func (p *player) othersSignStandby() error {
	if p.late {
		return nil
	}
	return p.sign("holder-2-new", "holder-3", "holder-4")
}

// publishedAlready is a publisher whom nobody has reached in time.
func (p *player) publishedAlready() error {
	return p.typedBy("publisher", []string{"publish", "../rotation.bundle", "../repository", "--online-key", "online.pem", "--targets", "../files/second"})
}
