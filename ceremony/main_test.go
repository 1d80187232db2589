package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/soft"
	"tufceremony/hsm/virtual"
)

// The scripts in testdata run the very program, in a process of its own. What
// a test must choose, and a user must not, comes in here: the clock, the write
// at which the process is killed, and which modules are registered.
const (
	clockVariable    = "CEREMONY_TEST_CLOCK"    // a time
	killVariable     = "CEREMONY_TEST_KILL"     // a number: the n-th durable step
	registerVariable = "CEREMONY_TEST_REGISTER" // a folder: which PKCS#11 modules there are
	typedVariable    = "CEREMONY_TEST_TYPED"    // what is typed as a line, and as a secret
)

// rehearsed is when the scripts' rehearsals take place.
const rehearsed = "2027-01-31T09:00:00Z"

func TestMain(m *testing.M) {
	virtual.Init() // virtual YubiKeys are this program, in another process
	// A program that is built with the race detector sleeps for a second when
	// it ends, and hundreds are started here.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"ceremony": func() {
		status := start(os.Args[1:], testSystem())
		notePeak()
		os.Exit(status)
	}})
}

func testSystem() *environment {
	env := system()
	// A copy of a folder elsewhere is the same place to a test.
	env.sitting = func(dir string) string {
		place, _ := filepath.Abs(dir)
		return record.Sitting("test", filepath.Base(filepath.Dir(place)), filepath.Base(place))
	}
	// What else is installed on this machine is no part of a test.
	registers = filepath.SplitList(os.Getenv(registerVariable))
	if t, err := time.Parse(tufmeta.TimeFormat, os.Getenv(clockVariable)); err == nil {
		env.now = func() time.Time { return t }
	}
	if line, secret, ok := strings.Cut(os.Getenv(typedVariable), " "); ok {
		env.ask = typedBefore{env.ask, line, secret}
	}
	if n, err := strconv.Atoi(os.Getenv(killVariable)); err == nil {
		durable.Step = func(string, string) {
			if n--; n == 0 {
				if p, err := os.FindProcess(os.Getpid()); err == nil {
					_ = p.Kill() // SIGKILL: nothing runs after it
				}
				select {}
			}
		}
	}
	return env
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv(clockVariable, rehearsed)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("SHARED", sharedData())
			docs, err := filepath.Abs(docsDir)
			e.Setenv("DOCS", docs)
			e.Setenv("PYTHONDONTWRITEBYTECODE", "1")
			return err
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"rehearsal": rehearsals(t), "unsigned": unsignedCmd, "flip": flipCmd, "cut": cutCmd, "fault": faultCmd, "words": wordsCmd,
			"pin": pinCmd, "typed": typedCmd, "edit": editCmd, "tree": treeCmd, "forge": forgeCmd, "resign": resignCmd, "real": realCmd, "onlinekey": onlineKeyCmd, "touch": touchCmd,
			"yubikeys": yubikeys(t), "evidence": evidenceCmd(t), "hsmevidence": hsmEvidenceCmd(t), "attestedbundle": attestedBundle(t),
			"index": indexCmd, "claims": claimsCmd, "issued": issuedCmd,
			"otherroot": otherRootCmd(t), "plugin": pluginCmd, "softhsm": softHSMCmd, "bind": bindCmd, "card": cardCmd, "pivpin": pivpinCmd,
			"shown": said("stdout"), "told": said("stderr"), "narrow": narrow,
		},
	})
}

// condition: [shared] where ../shared/data is, [piv] where virtual YubiKeys can
// be had (TestYubiKeys says why not), [softhsm] where SoftHSM is, [userns] where a script may
// mount a file system of its own.
func condition(name string) (bool, error) {
	switch name {
	case "shared":
		return sharedData() != "", nil
	case "piv":
		return pcscAvailable() == nil, nil
	case "softhsm":
		return softHSMAvailable() == nil, nil
	case "userns":
		return exec.Command("unshare", "-rm", "true").Run() == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// sharedData is the folder with real ceremonies beside the checkout, or "".
func sharedData() string {
	dir, err := filepath.Abs("../../shared/data")
	if err != nil {
		return ""
	}
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// narrow wants what a command wrote to fit a terminal of 80 columns, but for
// lines with a path, a digest or a URL, which stay whole, and to have no
// control character in it.
func narrow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: narrow")
	}
	whole := regexp.MustCompile(`\S*/\S*|[0-9a-f]{16,}`)
	for _, stream := range []string{"stdout", "stderr"} {
		for _, line := range strings.Split(ts.ReadFile(stream), "\n") {
			if utf8.RuneCountInString(line) > width && !whole.MatchString(line) {
				ts.Fatalf("%s: a line of %d columns: %s", stream, utf8.RuneCountInString(line), line)
			}
			if tufmeta.Unsafe(line) {
				ts.Fatalf("%s: a control character: %q", stream, line)
			}
		}
	}
}

// rehearsals gives the command that puts a whole rehearsal into a folder. It
// is always the same one, held once.
func rehearsals(t *testing.T) func(*testscript.TestScript, bool, []string) {
	var once sync.Once
	held := filepath.Join(t.TempDir(), "r")
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: rehearsal DIR")
		}
		once.Do(func() {
			c := exec.Command("ceremony", "rehearse", "--keep", held, "--seed", "scripts", "--time", rehearsed)
			out, err := c.CombinedOutput()
			if err != nil {
				ts.Fatalf("holding a rehearsal: %v\n%s", err, out)
			}
		})
		ts.Check(os.CopyFS(ts.MkAbs(args[0]), os.DirFS(held)))
	}
}

// said matches what a command wrote for people, however its lines were broken.
func said(stream string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) != 1 {
			ts.Fatalf("usage: a pattern is wanted")
		}
		text := strings.Join(strings.Fields(ts.ReadFile(stream)), " ")
		if regexp.MustCompile(args[0]).MatchString(text) == neg {
			ts.Fatalf("%s: %q, and the pattern is %q", stream, text, args[0])
		}
	}
}

// unsignedCmd copies a ceremony folder as it was when it had been drafted.
func unsignedCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unsigned FROM TO")
	}
	ts.Check(unsigned(ts.MkAbs(args[0]), ts.MkAbs(args[1])))
}

func unsigned(from, to string) error {
	files, err := folder.Read(from)
	if err != nil {
		return err
	}
	for name, data := range files {
		switch part, _, _ := strings.Cut(name, "/"); part {
		case folder.Signatures, folder.Metadata:
			continue
		case folder.Record:
			if !strings.Contains(string(data), `"act":"draft"`) {
				continue
			}
			line, _, _ := strings.Cut(string(data), "\n")
			data = []byte(line + "\n")
		}
		if err := durable.Create(filepath.Join(to, filepath.FromSlash(name)), data); err != nil {
			return err
		}
	}
	return nil
}

// flipCmd changes one byte of a file, counted from 0, or from the end.
func flipCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 1
	ts.Check(os.WriteFile(path, data, 0o644))
}

// cutCmd takes bytes off the end of a file.
func cutCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-n))
}

// faultCmd has an embedded token fail at its n-th signature.
func faultCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: fault TOKENS NAME KIND N")
	}
	n, err := strconv.Atoi(args[3])
	ts.Check(err)
	ts.Check(soft.SetFault(ts.MkAbs(args[0]), args[1], soft.Fault{Kind: soft.FaultKind(args[2]), Signature: n}))
}

// wordsCmd sets $EVENT to the ID of a folder's event, and $WORDS to its first
// four words.
func wordsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: words DIR")
	}
	files, err := folder.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("WORDS", files.Event().Words())
	ts.Setenv("EVENT", files.Event().String())
}

// pinCmd writes what the holder of a token, or of the online key, types.
func pinCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pin TOKEN FILE")
	}
	pin, err := (&rehearsal{seed: []byte("scripts")}).pin(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), append(pin, '\n'), 0o600))
}
