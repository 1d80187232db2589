package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The occasions on which nothing is in other hands: a rotation answers them.

// rotating begins the folder of a rotation from what is published.
func rotating() func(*rehearsal) error {
	return typing("coordinator", "init", "rotation", "--kind", "rotation",
		"--trusted-root", "../repository/metadata/1.root.json", "--trusted-targets", "../repository/metadata/1.targets.json",
		"--roster", "../genesis.bundle")
}

func lostDevice() occasion {
	return occasion{
		name: "lost-device", purpose: "a device is broken",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		happens: []func(*rehearsal) error{
			later(0, 5, 0),
			telling("WHAT HAPPENED, five months later: holder-2's device is broken. Nobody else has had it; had somebody, this would be an emergency. The runbook is `ceremony runbook lost-device`."),
		},
		answer: []func(*rehearsal) error{
			typing("stranger", "verify", "../genesis.bundle", "--trusted-root", "../repository/root.json"),
			telling("Four devices of root are in their bags, and three must sign: a rotation can be held."),
			rotating(),
			func(r *rehearsal) error { return r.policy("rotation") },
			func(r *rehearsal) error { return r.issue("rotation", "holder-2-new") },
			planning("rotation", (*rehearsal).lossPlan),
			holding("rotation", "holder-1", "holder-2-new", "holder-3", "holder-4"),
			typing("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", "online.pem"),
		},
		proof: []func(*rehearsal) error{typing("stranger", "verify", "../rotation.bundle", "--trusted-root", "../repository/root.json")},
		end:   "The rehearsal is over: root 2 is published with holder-2's new device. The old device signed nothing, and three of the four others vouched for the new one.",
		look: []string{
			"@coordinator/rotation/plan.yaml  # lost: true, and the new token below it",
			"CEREMONY inspect @repository/metadata/1.root.json @repository/metadata/2.root.json",
		},
	}
}

// later moves the rehearsal's clock.
func later(years, months, days int) func(*rehearsal) error {
	return func(r *rehearsal) error {
		r.now = r.now.AddDate(years, months, days)
		return nil
	}
}

// lossPlan marks the broken device, and lists the new one.
func (r *rehearsal) lossPlan(text string) (string, error) {
	text, err := r.marked(text)
	if err != nil {
		return "", err
	}
	if text, err = markedLost(text, "holder-2"); err != nil {
		return "", err
	}
	if text, err = r.beside(text, "holder-2", "holder-2-new"); err != nil {
		return "", err
	}
	if text, err = signedBy(text, "root", 3, "holder-1", "holder-2-new", "holder-3", "holder-4", "holder-5"); err != nil {
		return "", err
	}
	if text, err = signedBy(text, "targets", 2, "holder-1", "holder-2-new", "holder-3"); err != nil {
		return "", err
	}
	return waived(text, "targets")
}

// expiredAfter is longer than the year for which the genesis' root is good.
const expiredAfter = 400

func expiredRoot() occasion {
	return occasion{
		name: "expired-root", purpose: "nobody thought of the rotation",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		happens: []func(*rehearsal) error{
			later(0, 0, expiredAfter),
			func(r *rehearsal) error {
				r.say("WHAT HAPPENED: nobody thought of the rotation. The rehearsal's clock is at %s, and root 1 has expired: clients take nothing new.", r.now.Format(time.DateOnly))
				return r.refused("publisher", "schedule", "--margin", "60d", "../repository")
			},
		},
		answer: []func(*rehearsal) error{
			telling("Nothing is in other hands, so this is an ordinary rotation: the threshold of the expired root can still sign the next one, and clients accept it (case E)."),
			rotating(),
			func(r *rehearsal) error { return r.policy("rotation") },
			planning("rotation", func(r *rehearsal, text string) (string, error) {
				text, err := r.marked(text)
				if err != nil {
					return "", err
				}
				return waived(text, "targets")
			}),
			holding("rotation", "holder-1", "holder-2", "holder-3"),
			typing("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", "online.pem"),
		},
		proof: []func(*rehearsal) error{typing("stranger", "verify", "../rotation.bundle", "--trusted-root", "../repository/root.json")},
		end:   "The rehearsal is over: root 2 is published, and clients that have kept the expired root 1 follow it. `ceremony schedule`, typed by a monitor every day, says beforehand when the next ceremony must be held.",
		look: []string{
			"CEREMONY review @coordinator/rotation  # with the finding EXPIRES-PAST",
			"CEREMONY inspect @repository/metadata/1.root.json @repository/metadata/2.root.json",
		},
	}
}

// keyLine ends what a plan says of a token.
func keyLine(token string) *regexp.Regexp {
	return regexp.MustCompile(`        key: keys/` + regexp.QuoteMeta(token) + `\.pem\n(?:        attestation: .*\n)?(?:        lost: true.*\n)?`)
}

// after writes lines into a plan, after those of a token.
func after(text, token, lines string) (string, error) {
	at := keyLine(token).FindAllStringIndex(text, -1)
	if len(at) != 1 {
		return "", fmt.Errorf("rehearsing: the plan does not have token %q once", token)
	}
	return text[:at[0][1]] + lines + text[at[0][1]:], nil
}

// markedLost says of a token that it cannot sign.
func markedLost(text, token string) (string, error) {
	return after(text, token, "        lost: true\n")
}

// beside lists a new token of the holder who has the old one.
func (r *rehearsal) beside(text, old, token string) (string, error) {
	return after(text, old, r.tokens[token].entry(token))
}

// signedBy decides who signs a role.
func signedBy(text, role string, threshold int, keys ...string) (string, error) {
	at := regexp.MustCompile(`(?m)^  ` + role + `:\n    threshold: .*\n    keys: \[.*\]$`)
	if len(at.FindAllString(text, -1)) != 1 {
		return "", fmt.Errorf("rehearsing: the plan does not have role %q once", role)
	}
	return at.ReplaceAllString(text, fmt.Sprintf("  %s:\n    threshold: %d\n    keys: [%s]", role, threshold, strings.Join(keys, ", "))), nil
}

// waived accepts that one more lost key leaves a role with no key to spare.
func waived(text string, roles ...string) (string, error) {
	reasons := map[string]string{
		"root":    "two devices are on order, and the next rotation adds them",
		"targets": "three holders sign targets, and a spare is provisioned",
	}
	list := "waivers:  # read each aloud, with its reason"
	for _, role := range roles {
		reason, ok := reasons[role]
		if !ok {
			return "", errors.New("rehearsing: nobody has a reason to waive the margin of " + role)
		}
		list += fmt.Sprintf("\n  - check: THRESHOLD-MARGIN\n    subject: %q\n    reason: %q", role, reason)
	}
	return replace(text, "waivers: []  # each with check, subject and reason; see `ceremony checks`", list)
}
