package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/tufmeta"
)

// Each rehearsal of its own ends in a repository that three clients accept, with
// the state that they kept from before: where a next root restores trust, by
// themselves; where none does, with the new root and without what they kept.
func TestOccasions(t *testing.T) {
	quiet, ahead := versions{1, 1, 1, 1}, int64(1+farAhead)
	for name, row := range map[string]struct {
		under, after versions // none: the clients refuse
		outOfBand    bool
	}{
		"rotation":     {under: quiet, after: versions{2, 2, 2, 2}},
		"lost-device":  {under: quiet, after: versions{2, 2, 2, 2}},
		"expired-root": {after: versions{2, 2, 2, 2}},
		"revocation-a": {under: quiet, after: versions{2, 1, 1, 1}},
		"revocation-b": {under: versions{1, ahead, ahead, ahead}, after: versions{2, 1, 2, 2}},
		"revocation-c": {under: versions{1, ahead, ahead, 1}, after: versions{2, 1, 2, 1}},
		"revocation-d": {under: versions{2, 2, 2, 2}, outOfBand: true},
		"revocation-e": {after: versions{2, 2, 2, 2}},
		"revocation-f": {under: quiet, outOfBand: true},
		"standby":      {under: quiet, after: versions{2, 1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			o, r := onTheDayBefore(t, name)
			p := newPeers(t, r)
			p.trust("before", quiet)
			acts(t, r, o.happens)
			if row.under == (versions{}) {
				t.Setenv(clientClock, r.now.Format(tufmeta.TimeFormat)) // it is the day on which root has expired
				p.refuse("afterwards")
			} else {
				p.trust("under attack", row.under)
			}
			acts(t, r, o.answer)
			acts(t, r, o.proof)
			if row.outOfBand {
				p.elsewhere("new-repository", row.under, name == "revocation-f")
				return
			}
			p.trust("afterwards", row.after)
		})
	}
	if want := len(occasionNames()); want != 10 {
		t.Errorf("there are %d occasions", want)
	}
}

// onTheDayBefore is an occasion of which nothing has happened yet. Clients go by
// the machine's clock, but for what expires: that is held in the past.
func onTheDayBefore(t *testing.T, name string) (occasion, *rehearsal) {
	t.Helper()
	o, err := lookupOccasion(name)
	must(t, err)
	return o, staged(t, o.before)
}

func acts(t *testing.T, r *rehearsal, list []func(*rehearsal) error) {
	t.Helper()
	for _, act := range list {
		must(t, act(r))
	}
}

// elsewhere wants clients that are given the root of another repository, with
// nothing kept, to take it. Those with the old root and their state never take
// it. Where the online keys are the same, their timestamp looks like no news.
func (p *peers) elsewhere(place string, stay versions, sameOnline bool) {
	there := filepath.Join(p.r.dir, place)
	base := serve(p.t, there)
	for name, refresh := range clients {
		p.t.Run("out of band, "+name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			if got, err := refresh(t, base, filepath.Join(there, "root.json"), t.TempDir(), "hello.txt", out); err != nil || got != (versions{1, 1, 1, 1}) {
				t.Errorf("given the new root: %+v, %v", got, err)
			}
			if got, err := refresh(t, base, filepath.Join(p.r.dir, "repository", "root.json"), p.had[name], "hello.txt", out); (err == nil) != sameOnline {
				t.Errorf("with the old one: %+v, %v", got, err)
			}
			kept, err := os.ReadFile(filepath.Join(p.had[name], "root.json"))
			must(t, err)
			given, err := os.ReadFile(filepath.Join(there, "root.json"))
			must(t, err)
			if bytes.Equal(kept, given) {
				t.Error("a client that was not given the new root trusts it")
			}
		})
	}
	p.trust("at the old place", stay)
}

// On devices as well, those that were stolen included: thieves sign with them.
func TestOccasionsOnDevices(t *testing.T) {
	for kind, args := range map[string][]string{"SoftHSM": {"--pkcs11", softHSM}, "YubiKeys": {"--piv"}} {
		for _, name := range []string{"lost-device", "revocation-b", "revocation-d", "standby"} {
			t.Run(name+" on "+kind, func(t *testing.T) {
				if kind == "YubiKeys" {
					yubiKeys(t)
				} else if err := softHSMAvailable(); err != nil {
					t.Skip("SoftHSM is not there; scripts/test installs it: ", err)
				}
				t.Chdir(t.TempDir())
				dir := rehearse(t, append([]string{name}, args...)...)
				repository, want := filepath.Join(dir, "repository"), map[string]versions{
					"lost-device": {2, 2, 2, 2}, "revocation-b": {2, 1, 2, 2}, "revocation-d": {1, 1, 1, 1}, "standby": {2, 1, 1, 1}}
				if name == "revocation-d" {
					repository = filepath.Join(dir, "new-repository")
				}
				base, root := serve(t, repository), filepath.Join(repository, "root.json")
				got, err := goTUF(t, base, root, t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "out"))
				if err != nil || got != want[name] {
					t.Errorf("trusts %+v, %v; want %+v", got, err, want[name])
				}
			})
		}
	}
}

// One seed and time are one rehearsal: the same screen, the same bundles, the
// same metadata. Online keys sign with randomness, so what they sign differs.
func TestOccasionsRepeat(t *testing.T) {
	for _, name := range occasionNames() {
		t.Run(name, func(t *testing.T) {
			first, second := repeatable(t, name), repeatable(t, name)
			if len(first) < 5 {
				t.Fatalf("it left %d files", len(first))
			}
			for path, data := range first {
				if second[path] != data {
					t.Errorf("%s differs:\n%s\n%s", path, data, second[path])
				}
			}
		})
	}
}

// repeatable holds an occasion and gives its screen and what it made.
func repeatable(t *testing.T, name string) map[string]string {
	t.Helper()
	t.Chdir(t.TempDir())
	var screen bytes.Buffer
	if status := run([]string{"rehearse", name, "--keep", "k", "--seed", "alpha", "--time", rehearsed}, rehearsalEnv(&screen)); status != done {
		t.Fatalf("exit status %d:\n%s", status, screen.String())
	}
	made := map[string]string{"the screen": screen.String()}
	offline := regexp.MustCompile(`\.bundle$|^(new-)?repository/metadata/\d+\.(root|targets)\.json$`)
	for path, data := range tree(t, "k") {
		if offline.MatchString(path) {
			made[path] = data
		}
	}
	return made
}

// typedBy finds a command on the screen of a rehearsal, and who types it.
var typedBy = regexp.MustCompile(`(?m)^(coordinator|publisher|holder-\d)\$ ceremony (\S+)`)

// How many commands an emergency takes, from the decision to the publication.
// docs/emergency.md says so.
func TestEmergencyCommands(t *testing.T) {
	for name, want := range map[string][]string{
		"revocation-a": {"init", "sign", "sign", "sign", "seal", "publish"},
		"standby":      {"publish"},
	} {
		t.Run(name, func(t *testing.T) {
			o, r := onTheDayBefore(t, name)
			acts(t, r, o.happens)
			var screen bytes.Buffer
			shown := *r.env
			shown.out = &screen
			r.env = &shown
			acts(t, r, o.answer)
			var typed []string
			for _, command := range typedBy.FindAllStringSubmatch(screen.String(), -1) {
				typed = append(typed, command[2])
			}
			if !slices.Equal(typed, want) {
				t.Errorf("typed: %s; want: %s", strings.Join(typed, ", "), strings.Join(want, ", "))
			}
			if _, err := os.Stat(filepath.Join(r.dir, "repository", "metadata", "2.root.json")); err != nil {
				t.Error("root 2 is not published: ", err)
			}
		})
	}
}
