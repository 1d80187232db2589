package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// Cases A to C: a next root restores trust.

// revoking begins the folder of a revocation; more are its selectors and flags.
func revoking(dir string, more ...string) func(*rehearsal) error {
	return typing("coordinator", append([]string{"init", dir, "--kind", "revocation",
		"--trusted-root", "../repository/metadata/1.root.json", "--trusted-targets", "../repository/metadata/1.targets.json"}, more...)...)
}

func revocationA() occasion {
	acts := []func(*rehearsal) error{
		revoking("revocation", "--roster", "../genesis.bundle", "--compromised", "holder:holder-5", "--draft"),
		telling("Five keys less one, and three must sign: nothing is left to decide, so --draft drafted at once. The plan and the event ID are read aloud. One stick with the folder goes round."),
	}
	at := "coordinator"
	for _, holder := range []string{"holder-1", "holder-2", "holder-3"} {
		acts = append(acts, handing("revocation", at, holder), typing(holder, "sign", "revocation", "--token", holder))
		at = holder
	}
	acts = append(acts, handing("revocation", at, "coordinator"),
		telling("The stick is back with the coordinator, with three signatures on it: there is nothing to merge."),
		typing("coordinator", "seal", "revocation", "-o", "../revocation.bundle"),
		typing("publisher", "publish", "../revocation.bundle", "../repository"))
	return occasion{
		name: "revocation-a", purpose: "one key is stolen",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		happens: []func(*rehearsal) error{later(0, 2, 0), telling("WHAT HAPPENED, two months later: holder-5's bag was stolen, with the device, and perhaps with the PIN. No standby revocations were made. The page is `ceremony runbook emergency`.")},
		answer:  acts,
		proof:   []func(*rehearsal) error{typing("stranger", "verify", "../revocation.bundle", "--trusted-root", "../repository/root.json")},
		end:     "The rehearsal is over: root 2 is published without holder-5's key, after six commands, and clients that began with root 1 follow it.",
		look: []string{
			"@coordinator/revocation/STEPS.md  # what init said",
			"CEREMONY review @coordinator/revocation  # what was signed",
			"CEREMONY inspect @repository/metadata/1.root.json @repository/metadata/2.root.json",
		},
	}
}

// handing takes the one folder there is to whoever is next.
func handing(name, from, to string) func(*rehearsal) error {
	return func(r *rehearsal) error {
		if err := os.Rename(filepath.Join(r.dir, from, name), filepath.Join(r.dir, to, name)); err != nil {
			return fmt.Errorf("rehearsing: %w", err)
		}
		return nil
	}
}

func revocationB() occasion {
	return occasion{
		name: "revocation-b", purpose: "a threshold of targets is stolen, with the online key",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		happens: []func(*rehearsal) error{
			later(0, 2, 0), (*rehearsal).backUp,
			func(r *rehearsal) error {
				r.say("WHAT HAPPENED, two months later: somebody has the devices of holder-1 and holder-2, with their PINs, and broke into the publisher's machine, where the online key is. They have signed targets %d, with a file that nobody has reviewed, and a snapshot and a timestamp that lead clients to it.", 1+farAhead)
				if err := r.forgeTargets(1+farAhead, r.stolenToken("holder-1"), r.stolenToken("holder-2")); err != nil {
					return err
				}
				return r.fastForward(r.stolenKey("online"), 1+farAhead, 1+farAhead)
			},
			typing("stranger", "inspect", "../repository/metadata/1.root.json", fmt.Sprintf("../repository/metadata/%d.targets.json", 1+farAhead)),
			telling("All of it is signed as it must be: clients take it."),
		},
		answer: []func(*rehearsal) error{
			(*rehearsal).putBack,
			revoking("revocation", "--roster", "../genesis.bundle", "--compromised", "holder:holder-1", "--compromised", "holder:holder-2", "--compromised", "role:timestamp"),
			renewing("revocation"),
			telling("The trusted targets are compared with the state that is known to be good, entry by entry: nothing is to be taken out. holder-4 and holder-5 sign targets from now on."),
			planning("revocation", func(_ *rehearsal, text string) (string, error) {
				text, err := signedBy(text, "targets", 2, "holder-3", "holder-4", "holder-5")
				if err != nil {
					return "", err
				}
				return waived(text, "targets")
			}),
			holding("revocation", "holder-3", "holder-4", "holder-5"),
			typing("publisher", "publish", "../revocation.bundle", "../repository", "--online-key", "online-new.pem"),
		},
		proof: []func(*rehearsal) error{typing("stranger", "verify", "../revocation.bundle", "--trusted-root", "../repository/root.json")},
		end:   "The rehearsal is over: root 2 and targets 2 are published, and both online keys are others, so that clients forget the versions from far ahead and follow.",
		look: []string{
			"@publisher/evidence/metadata  # what the others had published",
			"CEREMONY review @coordinator/revocation  # what was signed",
			"CEREMONY inspect @repository/metadata/1.root.json @repository/metadata/2.root.json @repository/metadata/2.targets.json",
		},
	}
}

func revocationC() occasion {
	return occasion{
		name: "revocation-c", purpose: "the online key is stolen, and versions are a million ahead",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		happens: []func(*rehearsal) error{
			later(0, 2, 0), (*rehearsal).backUp,
			func(r *rehearsal) error {
				r.say("WHAT HAPPENED, two months later: somebody broke into the publisher's machine, where the online key is, and has signed a snapshot and a timestamp of version %d. What they list is right. But clients remember the version, and refuse all that is older: everything that the publisher can sign.", 1+farAhead)
				return r.fastForward(r.stolenKey("online"), 1+farAhead, 1)
			},
			typing("stranger", "inspect", "../repository/metadata/1.root.json", "../repository/metadata/timestamp.json"),
		},
		answer: []func(*rehearsal) error{
			(*rehearsal).putBack,
			revoking("revocation", "--roster", "../genesis.bundle", "--compromised", "role:timestamp", "--compromised", "role:snapshot"),
			renewing("revocation"),
			holding("revocation", "holder-1", "holder-2", "holder-3"),
			typing("publisher", "publish", "../revocation.bundle", "../repository", "--online-key", "online-new.pem"),
		},
		proof: []func(*rehearsal) error{
			typing("stranger", "verify", "../revocation.bundle", "--trusted-root", "../repository/root.json"),
			typing("stranger", "inspect", "../repository/metadata/1.root.json", "../repository/metadata/2.root.json", "../repository/metadata/timestamp.json"),
		},
		end: "The rehearsal is over: both online keys are others, so versions of timestamp begin anew, and clients that have seen the millionth follow.",
		look: []string{
			"@publisher/evidence/metadata  # what the others had published",
			"CEREMONY review @coordinator/revocation  # what was signed",
			"CEREMONY inspect @repository/metadata/1.root.json @repository/metadata/2.root.json @repository/metadata/timestamp.json",
		},
	}
}

// renewing has the publisher make another online key, which the plan of a
// revocation calls online-new.
func renewing(ceremony string) func(*rehearsal) error {
	return func(r *rehearsal) error {
		r.say("The publisher makes a new online key on a machine that nobody broke into, and sends the public half: keys/online-new.pem.")
		public, err := r.onlineKey("online-new")
		if err != nil {
			return err
		}
		return r.send(ceremony, "online-new.pem", public)
	}
}

// backUp is the publisher's copy of what is published.
func (r *rehearsal) backUp() error {
	return os.CopyFS(filepath.Join(r.dir, "publisher", "backup"), os.DirFS(filepath.Join(r.dir, "repository")))
}

// putBack keeps what the others have published as evidence, and publishes the
// copy again.
func (r *rehearsal) putBack() error {
	r.say("The publisher stops the online signer, keeps what is published in publisher/evidence, and puts back the last state that is known to be good.")
	repository := filepath.Join(r.dir, "repository")
	if err := os.Rename(repository, filepath.Join(r.dir, "publisher", "evidence")); err != nil {
		return fmt.Errorf("rehearsing: %w", err)
	}
	return os.CopyFS(repository, os.DirFS(filepath.Join(r.dir, "publisher", "backup")))
}
