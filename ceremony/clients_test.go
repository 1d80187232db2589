package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/tufmeta"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// versions is what a client trusts after a refresh.
type versions struct{ Root, Timestamp, Snapshot, Targets int64 }

// clientClock is a variable with the time by which clients go, where it is not
// the machine's.
const clientClock = "CLIENT_CLOCK"

// client refreshes from a repository, takes a target, and says what it trusts.
type client func(t *testing.T, url, root, state, target, out string) (versions, error)

var clients = map[string]client{
	"go-tuf":     goTUF,
	"python-tuf": program("../.peers/python/bin/python", "testdata/peers/client.py"),
	"tuf-js":     program("node", "testdata/peers/client.mjs"),
}

func goTUF(t *testing.T, base, root, state, target, out string) (versions, error) {
	trusted, err := os.ReadFile(root)
	if err != nil {
		return versions{}, err
	}
	c, err := config.New(base+"/metadata", trusted)
	if err != nil {
		return versions{}, err
	}
	c.LocalMetadataDir, c.LocalTargetsDir, c.RemoteTargetsURL = state, state, base+"/targets"
	u, err := updater.New(c)
	if err != nil {
		return versions{}, err
	}
	if at, err := time.Parse(tufmeta.TimeFormat, os.Getenv(clientClock)); err == nil {
		u.UnsafeSetRefTime(at)
	}
	if err := u.Refresh(); err != nil {
		return versions{}, err
	}
	info, err := u.GetTargetInfo(target)
	if err != nil {
		return versions{}, err
	}
	if _, _, err := u.DownloadTarget(info, out, ""); err != nil {
		return versions{}, err
	}
	set := u.GetTrustedMetadataSet()
	return versions{set.Root.Signed.Version, set.Timestamp.Signed.Version, set.Snapshot.Signed.Version, set.Targets["targets"].Signed.Version}, nil
}

// here is the folder of the tests: rehearsals change the working folder.
var here, _ = filepath.Abs(".")

// peer finds what clients in other languages need.
func peer(path string) string { return filepath.Join(here, filepath.FromSlash(path)) }

// program is a client in another language, which scripts/peers installs.
func program(interpreter, script string) client {
	script = peer(script)
	if strings.Contains(interpreter, "/") {
		interpreter = peer(interpreter)
	}
	return func(t *testing.T, base, root, state, target, out string) (versions, error) {
		if _, err := exec.LookPath(interpreter); err != nil {
			t.Skipf("%s is not there; scripts/test installs the clients", interpreter)
		}
		c := exec.Command(interpreter, script, base+"/metadata", base+"/targets", root, state, target, out)
		var v versions
		text, err := c.Output()
		if exit, ok := err.(*exec.ExitError); ok {
			return v, fmt.Errorf("%s: %s", script, exit.Stderr)
		} else if err != nil {
			return v, err
		}
		return v, json.Unmarshal(text, &v)
	}
}

// rehearsalEnv is an environment in which nobody is asked.
func rehearsalEnv(out io.Writer) *environment {
	env := system()
	env.out, env.err = guard{out}, guard{out}
	return env
}

// rehearse holds a rehearsal and gives its folder.
func rehearse(t *testing.T, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kept")
	if status := run(append([]string{"rehearse", "--keep", dir}, args...), rehearsalEnv(t.Output())); status != done {
		t.Fatalf("rehearse: exit status %d", status)
	}
	return dir
}

// staged is a rehearsal that has come as far as its acts bring it. Its clock is
// the machine's, which clients go by.
func staged(t *testing.T, acts ...func(*rehearsal) error) *rehearsal {
	t.Helper()
	t.Chdir(t.TempDir())
	env := rehearsalEnv(t.Output())
	r, err := newRehearsal(env, rehearseOptions{}, env.today(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, act := range acts {
		if err := act(r); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func serve(t *testing.T, dir string) string {
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s.URL
}

// What a rehearsal publishes is accepted by three independent clients, from the
// first root on, with every sort of token.
func TestClientsAcceptRehearsal(t *testing.T) {
	for name, args := range map[string][]string{
		"embedded": nil, "SoftHSM": {"--pkcs11", softHSM}, "YubiKeys": {"--piv"}, "YubiKeys and SoftHSM": {"--piv", "--pkcs11", softHSM},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(softHSM); slices.Contains(args, softHSM) && err != nil {
				t.Skip("SoftHSM is not there; scripts/test installs it")
			}
			if slices.Contains(args, "--piv") {
				yubiKeys(t)
			}
			dir := rehearse(t, args...)
			base := serve(t, filepath.Join(dir, "repository"))
			for name, refresh := range clients {
				t.Run(name, func(t *testing.T) {
					out := filepath.Join(t.TempDir(), "hello.txt")
					got, err := refresh(t, base, filepath.Join(dir, "repository", "root.json"), t.TempDir(), "hello.txt", out)
					if want := (versions{2, 2, 2, 2}); err != nil || got != want {
						t.Fatalf("trusts %+v, %v; want %+v", got, err, want)
					}
					if text, _ := os.ReadFile(out); string(text) != "hello from the first ceremony\n" {
						t.Errorf("the target is %q", text)
					}
				})
			}
		})
	}
}

// A client that reads after any step of a publication is served: one that is
// new, and one that has kept its state since the state before.
func TestClientsDuringPublication(t *testing.T) {
	for name, online := range map[string]string{"the same online key": "online.pem", "another online key": "other.pem"} {
		t.Run(name, func(t *testing.T) {
			r := beforePublication(t, online)
			repository := filepath.Join(r.dir, "repository")
			base, root := serve(t, repository), filepath.Join(repository, "root.json")
			state := t.TempDir()
			steps, trusted := 0, versions{}
			check := func(step string) {
				steps++
				for kind, state := range map[string]string{"new": t.TempDir(), "with state": state} {
					got, err := goTUF(t, base, root, state, "hello.txt", filepath.Join(t.TempDir(), "out"))
					if err != nil {
						t.Errorf("after %s a %s client is refused: %v", step, kind, err)
					}
					trusted = got
				}
			}
			check("nothing")
			if want := (versions{1, 1, 1, 1}); trusted != want {
				t.Fatalf("before, clients trust %+v", trusted)
			}
			durable.Step = func(act, path string) { check(act + " " + filepath.Base(path)) }
			defer func() { durable.Step = func(string, string) {} }()
			if err := r.types("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", online, "--targets", "../files/second"); err != nil {
				t.Fatal(err)
			}
			check("everything")
			want := versions{2, 2, 2, 2}
			if online == "other.pem" {
				want.Timestamp = 1 // both online keys are others, so versions begin anew
			}
			if trusted != want {
				t.Errorf("after %d steps clients trust %+v", steps, trusted)
			}
			if steps < 10 {
				t.Errorf("only %d steps were looked at", steps)
			}
		})
	}
}

// beforePublication holds a rehearsal up to the publication of the rotation,
// which may bring another online key.
func beforePublication(t *testing.T, online string) *rehearsal {
	t.Helper()
	r := staged(t, (*rehearsal).prepare, (*rehearsal).genesis, (*rehearsal).rotationFolder)
	if name, other := strings.CutSuffix(online, ".pem"); other && name != "online" {
		public, err := r.onlineKey(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := durable.Replace(filepath.Join(r.dir, "coordinator", "rotation", "keys", "online.pem"), public); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.hold("rotation", []string{"holder-1", "holder-2", "holder-3", "holder-4"}); err != nil {
		t.Fatal(err)
	}
	return r
}
