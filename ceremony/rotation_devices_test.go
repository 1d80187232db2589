package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// changers are holders of root, as many as its threshold, who all have a new
// device at one rotation.
var changers = []string{"holder-1", "holder-2", "holder-3"}

// A threshold of holders changes devices at once. The old root is signed for by
// the old devices and the new root by the new ones: each holder is asked for
// both, by device, and neither half is enough.
func TestThresholdChangesDevices(t *testing.T) {
	r := first(t)
	p := newPeers(t, r)
	p.trust("before", versions{1, 1, 1, 1})
	r.now = r.now.AddDate(0, 0, 1)
	changeDevices(t, r)

	screen := screenOf(t, r, done, "coordinator", "draft", "rotation")
	_, brings, _ := strings.Cut(screen, "\nBring:\n")
	brings, _, asked := strings.Cut(brings, "\n\n")
	if !asked {
		t.Fatalf("nobody is asked for a device:\n%s", screen)
	}
	brings = strings.Join(strings.Fields(brings), " ")
	for _, holder := range changers {
		of := holder + " - embedded token serial " + r.tokens[holder].serial + " (token " + holder + "): 2.root under the old root" +
			" - embedded token serial " + r.tokens[holder+"-new"].serial + " (token " + holder + "-new): 2.root under the new root, 2.targets under root 2"
		if !strings.Contains(brings, of) {
			t.Errorf("%s is not asked for two devices, as in %q:\n%s", holder, of, brings)
		}
	}
	byKeyID := regexp.MustCompile(`\bkey(ID)? [0-9a-f]{4}|[0-9a-f]{16}`)
	status := screenOf(t, r, done, "coordinator", "status", "rotation")
	for asks, screen := range map[string]string{"draft": brings, "status": status} {
		if found := byKeyID.FindString(screen); found != "" {
			t.Errorf("%s asks for a key by its ID, %q:\n%s", asks, found, screen)
		}
	}
	for _, holder := range changers {
		for token, signs := range map[string]string{holder: `2\.root`, holder + "-new": `2\.root, 2\.targets`} {
			if !regexp.MustCompile(`(?m)^` + token + ` +- +` + signs + `$`).MatchString(status) {
				t.Errorf("status does not wait for %s to sign %s:\n%s", token, signs, status)
			}
		}
	}

	half(t, r, "new", "THRESHOLD-OLD, 2.root: 0 of 3 signatures under root 1", `2\.root +under root 1 +0 signed, 3 needed`, changed("-new")...)
	half(t, r, "old", "THRESHOLD-NEW, 2.root: 0 of 3 signatures under root 2", `2\.root +under root 2 +0 signed, 3 needed`, changed("")...)
	must(t, r.types("coordinator", "merge", "rotation", "../new/rotation", "../old/rotation"))
	must(t, r.types("coordinator", "seal", "rotation", "-o", "../rotation.bundle"))
	must(t, r.types("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", "online.pem"))
	p.trust("afterwards", versions{2, 2, 2, 2})
}

func changed(suffix string) []string {
	var tokens []string
	for _, holder := range changers {
		tokens = append(tokens, holder+suffix)
	}
	return tokens
}

// changeDevices makes the folder of the rotation.
func changeDevices(t *testing.T, r *rehearsal) {
	t.Helper()
	must(t, rotating()(r))
	must(t, r.issue("rotation", changed("-new")...))
	must(t, r.edit("rotation", func(text string) (string, error) {
		text, err := r.marked(text)
		for _, holder := range changers {
			if err == nil {
				text, err = r.beside(text, holder, holder+"-new")
			}
		}
		if err == nil {
			text, err = signedBy(text, "root", 3, slices.Concat(changed("-new"), founders[3:])...)
		}
		if err == nil {
			text, err = signedBy(text, "targets", 2, changed("-new")...)
		}
		if err != nil {
			return "", err
		}
		return waived(text, "targets")
	}))
}

// half has one device of each holder sign a copy of the folder. That is too
// little to seal, and status says under which root.
func half(t *testing.T, r *rehearsal, place, refusal, missing string, tokens ...string) {
	t.Helper()
	must(t, r.place(place))
	for _, token := range tokens {
		holder := strings.TrimSuffix(token, "-new")
		must(t, r.carry("rotation", holder, place))
		must(t, r.types(holder, "sign", place, "--token", token))
	}
	must(t, r.carry("rotation", place, "rotation"))
	merge := []string{"merge", "rotation"}
	for _, holder := range changers {
		merge = append(merge, filepath.ToSlash(filepath.Join("..", holder, place)))
	}
	must(t, r.types(place, merge...))
	if status := screenOf(t, r, done, place, "status", "rotation"); !regexp.MustCompile(missing).MatchString(status) {
		t.Errorf("with the %s devices, status does not say %q:\n%s", place, missing, status)
	}
	screen := screenOf(t, r, refused, place, "seal", "rotation", "-o", "early.bundle")
	if !strings.Contains(screen, refusal) {
		t.Errorf("with the %s devices alone, seal says:\n%s", place, screen)
	}
}

// screenOf is what an actor sees who types a command, which ends as wanted.
func screenOf(t *testing.T, r *rehearsal, want int, actor string, args ...string) string {
	t.Helper()
	shown := r.env
	defer func() { r.env = shown }()
	var screen bytes.Buffer
	quiet := *shown
	quiet.out = &screen
	r.env = &quiet
	if status, err := r.typed(actor, args); err != nil || status != want {
		t.Fatalf("%s: exit status %d, %v:\n%s", quoteArgs(args), status, err, screen.String())
	}
	return screen.String()
}
