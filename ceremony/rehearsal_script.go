package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
)

// holders of the genesis. In the rotation holder-5 leaves, holder-6 joins, and
// holder-2 comes with a new device.
var founders = []string{"holder-1", "holder-2", "holder-3", "holder-4", "holder-5"}

const repositoryName = "rehearsal repository"

const keepHint = "`ceremony rehearse --keep DIR` leaves the folders to look at"

func (r *rehearsal) begins() {
	r.say("A rehearsal at %s. Every line with a $ is typed on the real day as well; who types it stands before the $. Lines with a # are what people do besides.", r.now.Format("2006-01-02 15:04 UTC"))
}

// play holds both ceremonies, and says in the end what there is to look at.
func (r *rehearsal) play() error {
	r.begins()
	for _, act := range []func() error{r.prepare, r.genesis, r.rotation, r.publishRotation} {
		if err := act(); err != nil {
			return hint(err, keepHint)
		}
	}
	r.epilogue()
	return nil
}

// prepare gives everybody a folder and puts the files of two targets in place.
func (r *rehearsal) prepare() error {
	for _, actor := range append([]string{"coordinator", "publisher", "stranger", "repository", "holder-6"}, founders...) {
		if err := os.MkdirAll(filepath.Join(r.dir, actor), 0o755); err != nil {
			return fmt.Errorf("rehearsing: %w", err)
		}
	}
	for _, file := range []struct{ path, text string }{
		{"files/first/hello.txt", "hello from the first ceremony\n"},
		{"files/second/news.txt", "news from the second ceremony\n"},
	} {
		if err := durable.Create(filepath.Join(r.dir, filepath.FromSlash(file.path)), []byte(file.text)); err != nil {
			return err
		}
	}
	return nil
}

// issue gives each token's holder a device with a key, and puts what the
// holders send where the plan expects it.
func (r *rehearsal) issue(ceremony string, tokens ...string) error {
	if m, ok := r.maker.(interface{ explain() string }); ok {
		r.say("%s", m.explain())
	}
	for _, token := range tokens {
		s, err := r.maker.make(ceremony, holderOf(token), token)
		if err != nil {
			return fmt.Errorf("making token %s: %w", token, err)
		}
		r.tokens[token] = s
		if err := r.send(ceremony, token+".pem", s.pem); err != nil {
			return err
		}
		if s.evidence == nil {
			continue
		}
		if err := r.send(ceremony, token+".attestation.pem", s.evidence); err != nil {
			return err
		}
	}
	return nil
}

// send puts a file of a holder's or the publisher's into a ceremony's keys/.
func (r *rehearsal) send(ceremony, name string, text []byte) error {
	return durable.Create(filepath.Join(r.dir, "coordinator", ceremony, folder.Keys, name), text)
}

// policy has the coordinator say what devices are asked for, before the first
// is provisioned: the command that does it takes that from the plan.
func (r *rehearsal) policy(ceremony string) error {
	policy := r.maker.policy()
	if policy == "" {
		return nil
	}
	return r.edit(ceremony, func(text string) (string, error) {
		if strings.Contains(text, "\npolicy:") { // it came from the ceremony before
			return replace(text, "\n\nwindow:", "\n"+rehearsalMark+"\nwindow:")
		}
		return replace(text, "\n\nwindow:", "\n"+rehearsalMark+"\n"+policy+"\nwindow:")
	})
}

// rehearsalMark stands in every plan of a rehearsal.
const rehearsalMark = "rehearsal: true  # nothing of it can be published for real\n"

// marked adds the mark to a plan that does not have it yet.
func (r *rehearsal) marked(text string) (string, error) {
	if r.maker.policy() != "" {
		return text, nil
	}
	return replace(text, "\n\nwindow:", "\n"+rehearsalMark+"\nwindow:")
}

func (r *rehearsal) genesis() error {
	if err := r.genesisFolder(); err != nil {
		return err
	}
	if err := r.hold("genesis", []string{"holder-1", "holder-2", "holder-4"}); err != nil {
		return err
	}
	return r.publishGenesis()
}

func (r *rehearsal) genesisFolder() error {
	r.say("GENESIS. The coordinator begins, on the air-gapped machine.")
	if err := r.types("coordinator", "init", "genesis", "--kind", "genesis", "--add", "../files/first"); err != nil {
		return err
	}
	if err := r.policy("genesis"); err != nil {
		return err
	}
	if err := r.issue("genesis", founders...); err != nil {
		return err
	}
	r.say("Each holder has sent a public key, and the publisher that of the online key.")
	online, err := r.onlineKey("online")
	if err != nil {
		return err
	}
	if err := r.send("genesis", "online.pem", online); err != nil {
		return err
	}
	return r.edit("genesis", r.genesisPlan)
}

func (r *rehearsal) publishGenesis() error {
	r.say("A new repository trusts nothing yet. The publisher has the minutes, and types the whole event ID.")
	if err := r.types("publisher", "publish", "../genesis.bundle", "../repository", "--online-key", "online.pem", "--targets", "../files/first"); err != nil {
		return err
	}
	r.say("Anybody who has root.json, as clients ship it, can check the ceremony.")
	return r.types("stranger", "verify", "../genesis.bundle", "--trusted-root", "../repository/root.json")
}

func (r *rehearsal) genesisPlan(text string) (string, error) {
	text, err := r.marked(text)
	if err != nil {
		return "", err
	}
	edits := [][2]string{
		{`repository: ""`, fmt.Sprintf("repository: %q", repositoryName)},
		{"  root:\n    threshold: 0  # decide\n", "  root:\n    threshold: 3\n"},
		{"  targets:\n    threshold: 0  # decide\n", "  targets:\n    threshold: 2\n"},
		{"waivers: []  # each with check, subject and reason; see `ceremony checks`", waiverText},
	}
	for _, e := range edits {
		if text, err = replace(text, e[0], e[1]); err != nil {
			return "", err
		}
	}
	for _, name := range founders {
		if text, err = r.describe(text, name); err != nil {
			return "", err
		}
	}
	return text, nil
}

// waiverText shows what a waiver looks like: 2 of 3 leaves a margin of one key.
const waiverText = `waivers:  # read each aloud, with its reason
  - check: THRESHOLD-MARGIN
    subject: "targets"
    reason: "three holders sign targets, and a spare is provisioned"`

// describe fills in where a token is, after the line with its name.
func (r *rehearsal) describe(text, token string) (string, error) {
	s := r.tokens[token]
	head, rest, named := strings.Cut(text, "      - name: "+token+"\n")
	_, tail, keyed := strings.Cut(rest, "        key: keys/"+token+".pem\n")
	if !named || !keyed {
		return "", fmt.Errorf("rehearsing: the plan has no token %q", token)
	}
	return head + s.entry(token) + tail, nil
}

// hold is the ceremony itself, the same for both occasions: draft and review,
// a copy for each holder, signatures, merge, seal.
func (r *rehearsal) hold(name string, signers []string) error {
	for _, args := range [][]string{{"draft", name}, {"review", name}} {
		if err := r.types("coordinator", args...); err != nil {
			return err
		}
	}
	r.say("The event ID is read aloud and written into the minutes. The folder is copied to a stick for each holder who signs.")
	merge := []string{"merge", name}
	carried := map[string]bool{}
	for _, token := range signers {
		holder := holderOf(token)
		if !carried[holder] {
			if err := r.carry(name, holder, name); err != nil {
				return err
			}
			carried[holder] = true
			merge = append(merge, "../"+holder+"/"+name)
		}
		if err := r.types(holder, "sign", name, "--token", token); err != nil {
			return err
		}
	}
	r.say("The sticks come back.")
	for _, args := range [][]string{merge, {"status", name}, {"seal", name, "-o", "../" + name + ".bundle"}} {
		if err := r.types("coordinator", args...); err != nil {
			return err
		}
	}
	return nil
}

// holderOf a token: holder-2 has a second one, holder-2-new.
func holderOf(token string) string { return strings.TrimSuffix(token, "-new") }

func (r *rehearsal) rotation() error {
	if err := r.rotationFolder(); err != nil {
		return err
	}
	return r.hold("rotation", []string{"holder-1", "holder-2", "holder-2-new", "holder-3", "holder-6"})
}

func (r *rehearsal) rotationFolder() error {
	r.now = r.now.AddDate(0, 11, 0)
	r.say("ROTATION, eleven months later: the rehearsal's clock is at %s. holder-5 leaves, holder-6 joins, and holder-2 has a new device. The old device signs once more, so that the old root vouches for the new.", r.now.Format(time.DateOnly))
	if err := r.types("coordinator", "init", "rotation", "--kind", "rotation",
		"--trusted-root", "../repository/metadata/1.root.json", "--trusted-targets", "../repository/metadata/1.targets.json",
		"--roster", "../genesis.bundle", "--add", "../files/second"); err != nil {
		return err
	}
	if err := r.policy("rotation"); err != nil {
		return err
	}
	if err := r.issue("rotation", "holder-2-new", "holder-6"); err != nil {
		return err
	}
	return r.edit("rotation", r.rotationPlan)
}

func (r *rehearsal) publishRotation() error {
	r.say("A stranger still has the root of the year before, and needs no other.")
	if err := r.types("stranger", "verify", "../rotation.bundle", "--trusted-root", "../repository/root.json"); err != nil {
		return err
	}
	return r.types("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", "online.pem", "--targets", "../files/second")
}

func (r *rehearsal) rotationPlan(text string) (string, error) {
	before := map[string]string{"holder-2-new": "  - name: \"holder-3\"\n", "holder-6": "\nonline:"}
	text, err := r.marked(text)
	if err != nil {
		return "", err
	}
	for _, token := range []string{"holder-2-new", "holder-6"} {
		entry := r.tokens[token].entry(token)
		if token == holderOf(token) {
			entry = fmt.Sprintf("  - name: %q\n    tokens:\n%s", token, entry)
		}
		if text, err = replace(text, before[token], entry+before[token]); err != nil {
			return "", err
		}
	}
	edits := [][2]string{
		{"keys: [holder-1, holder-2, holder-3, holder-4, holder-5]", "keys: [holder-1, holder-2-new, holder-3, holder-4, holder-6]"},
		{"keys: [holder-1, holder-2, holder-3]", "keys: [holder-1, holder-2-new, holder-3]"},
		{"waivers: []  # each with check, subject and reason; see `ceremony checks`", waiverText},
	}
	for _, e := range edits {
		if text, err = replace(text, e[0], e[1]); err != nil {
			return "", err
		}
	}
	return text, nil
}

// epilogue names what is worth a look.
func (r *rehearsal) epilogue() {
	r.over("The rehearsal is over: root 2 is published, and clients that began with root 1 follow it.", []string{
		"@coordinator/rotation/plan.yaml  # what was decided",
		"CEREMONY review @coordinator/rotation  # what was signed",
		"CEREMONY inspect @repository/metadata/1.root.json @repository/metadata/2.root.json",
		"CEREMONY verify @rotation.bundle --trusted-root @repository/root.json",
		"tar -tf @rotation.bundle  # what a bundle has",
		"@repository  # what clients ship with and fetch",
	})
}

// over says what is true in the end, and what to look at: @ stands for the
// folder that was kept.
func (r *rehearsal) over(end string, look []string) {
	r.say("%s", end)
	if r.kept == "" {
		r.say("Nothing was kept. `%s --keep DIR` leaves everything to look at.", strings.TrimSpace(os.Args[0]+" rehearse "+r.about))
		return
	}
	fmt.Fprintln(r.env.out, "\nWhat to look at:")
	at := strings.NewReplacer("CEREMONY", os.Args[0], "@", strings.TrimSuffix(filepath.ToSlash(filepath.Join(r.kept, "x")), "x"))
	for _, line := range look {
		fmt.Fprintln(r.env.out, "  "+at.Replace(line))
	}
}
