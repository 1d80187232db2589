package soft_test

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"tufceremony/hsm"
	"tufceremony/hsm/soft"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "good", soft.Options{})
	good := readToken(t, dir, "good")
	replace := func(old, new string) []byte {
		changed := bytes.Replace(good, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, good) {
			t.Fatalf("there is no %q in the file", old)
		}
		if grown := len(changed) - len(good); grown > 0 { // the padding gives way
			changed = append(changed[:len(good)-1], '\n')
		} else {
			changed = append(bytes.TrimSuffix(changed, []byte("\n")), bytes.Repeat([]byte(" "), -grown)...)
			changed = append(changed, '\n')
		}
		return changed
	}
	trailing := bytes.Clone(good)
	trailing[len(trailing)-2] = '1'
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "4096 bytes"},
		{"cut", good[:1000], "4096 bytes"},
		{"longer", append(bytes.Clone(good), ' '), "4096 bytes"},
		{"trailing data", trailing, "not in the form"},
		{"unknown field", replace(`"serial"`, `"serials"`), "unknown field"},
		{"field of other case", replace(`"serial"`, `"Serial"`), "not in the form"},
		{"field twice", replace(`"tries": 3,`, `"tries": 3, "tries": 3,`), "not in the form"},
		{"format", replace("token 1", "token 2"), "format must be"},
		{"negative tries", replace(`"tries_left": 3`, `"tries_left": -1`), "tries_left"},
		{"tries added", replace(`"tries_left": 3`, `"tries_left": 4`), "tries_left"},
		{"null faults", replace(`"faults": []`, `"faults": null`), "faults is missing"},
		{"not JSON", bytes.Repeat([]byte("x"), 4096), "decoding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "bad.json"), c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			token, err := soft.Open(dir, "bad")
			if token != nil {
				t.Error("opened")
			}
			wantError(t, err, c.want)
			wantError(t, err, `opening soft token "bad"`)
		})
	}
	if _, err := soft.Open(dir, "none"); !errors.Is(err, hsm.ErrNotFound) {
		t.Errorf("error is %v, want %q", err, hsm.ErrNotFound)
	}
	_, err := soft.Open(dir, "../good")
	wantError(t, err, "full stop")
}

// Editing what the encryption vouches for makes the right PIN wrong.
func TestEditedFileDoesNotLogIn(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{Serial: "0001"})
	edited := bytes.Replace(readToken(t, dir, "a"), []byte(`"0001"`), []byte(`"0002"`), 1)
	if err := os.WriteFile(filepath.Join(dir, "a.json"), edited, 0o600); err != nil {
		t.Fatal(err)
	}
	token := open(t, dir, "a")
	_, err := token.Signer(keyOf(t, token), pin)
	var pinError *hsm.PINError
	if !errors.As(err, &pinError) {
		t.Errorf("error is %v, want a *hsm.PINError", err)
	}
}

func TestSymlinkIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	if err := os.Symlink("a.json", filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := soft.Open(dir, "b"); err == nil {
		t.Error("opened a token by a second name")
	}
}

func TestPINSource(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	path := filepath.Join(dir, "pin")
	uri := "soft:a?pin-source=file:" + path
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openURI := func() *soft.Token {
		token, err := soft.OpenURI(dir, uri)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { token.Close() })
		return token
	}
	write("123456\r\n")
	token := openURI()
	if info, err := token.Info(); err != nil || info.URI != uri || info.PINSource != path {
		t.Errorf("info is %+v, %v", info, err)
	}
	signerOf(t, token, nil)
	token.Close()
	write("123456\n\n")
	token = openURI()
	_, err := token.Signer(keyOf(t, token), nil)
	var pinError *hsm.PINError
	if !errors.As(err, &pinError) || pinError.TriesLeft != 2 {
		t.Errorf("error is %v, want a wrong PIN", err)
	}
	write("\n")
	_, err = token.Signer(keyOf(t, token), nil)
	wantError(t, err, "it holds no PIN")
	write("654321\n")
	_, err = token.Signer(keyOf(t, token), nil)
	if !errors.As(err, &pinError) || pinError.TriesLeft != 1 {
		t.Errorf("error is %v, want a wrong PIN", err)
	}
	_, err = token.Signer(keyOf(t, token), nil)
	if info, _ := token.Info(); !errors.Is(err, hsm.ErrLastTry) || info.TriesLeft != 1 {
		t.Errorf("error is %v with %d tries left, want the last try kept", err, info.TriesLeft)
	}
}

func TestFaultsHappenOnceAndSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{TouchRequired: true})
	setFault(t, dir, "a", soft.Fault{Kind: soft.WrongSignature, Signature: 2})
	setFault(t, dir, "a", soft.Fault{Kind: soft.TouchMissed, Signature: 4})
	setFault(t, dir, "a", soft.Fault{Kind: soft.Removed, Signature: 5})
	digest := sha256.Sum256([]byte("message"))
	for n, want := range []struct {
		err      error
		verifies bool
	}{{nil, true}, {nil, false}, {nil, true}, {hsm.ErrTouchMissed, false}, {hsm.ErrRemoved, false}, {nil, true}} {
		token := open(t, dir, "a")
		signer := signerOf(t, token, pin)
		signature, err := signer.Sign(nil, digest[:], crypto.SHA256)
		if !errors.Is(err, want.err) {
			t.Errorf("signature %d: error is %v, want %v", n+1, err, want.err)
		}
		public := signer.Public().(*ecdsa.PublicKey)
		if ecdsa.VerifyASN1(public, digest[:], signature) != want.verifies {
			t.Errorf("signature %d verifies: %v", n+1, !want.verifies)
		}
		token.Close()
	}
}

func TestSetFaultRefuses(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	setFault(t, dir, "a", soft.Fault{Kind: soft.Removed, Signature: 1})
	before := readToken(t, dir, "a")
	for want, fault := range map[string]soft.Fault{
		"wants no touch":   {Kind: soft.TouchMissed, Signature: 2},
		"unknown kind":     {Kind: "on-fire", Signature: 2},
		"must be 1 to":     {Kind: soft.Removed, Signature: 0},
		"there is another": {Kind: soft.WrongSignature, Signature: 1},
	} {
		wantError(t, soft.SetFault(dir, "a", fault), want)
	}
	if !bytes.Equal(before, readToken(t, dir, "a")) {
		t.Error("the token was changed")
	}
	open(t, dir, "a")
	wantError(t, soft.SetFault(dir, "a", soft.Fault{Kind: soft.Removed, Signature: 2}), "already open")
	if err := soft.SetFault(dir, "none", soft.Fault{}); !errors.Is(err, hsm.ErrNotFound) {
		t.Errorf("error is %v, want %q", err, hsm.ErrNotFound)
	}
}

// holdVariable makes the test binary open a token and wait to be killed.
const holdVariable = "SOFT_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	token, err := soft.Open(dir, "a")
	if err != nil {
		os.Exit(1)
	}
	keys, err := token.Keys()
	if err != nil {
		os.Exit(1)
	}
	_, _ = token.Signer(keys[0], typist("wrong"))
	os.Stdout.WriteString("open\n")
	time.Sleep(time.Minute)
	os.Exit(1)
}

func TestKilledProcessLeavesNoLockAndWinsNoTry(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "a", soft.Options{})
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), holdVariable+"="+dir)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { command.Process.Kill(); command.Wait() }
	t.Cleanup(kill)
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "open\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	_, err = soft.Open(dir, "a")
	wantError(t, err, "already open")
	kill()
	if info, err := open(t, dir, "a").Info(); err != nil || info.TriesLeft != 2 {
		t.Errorf("info is %+v, %v", info, err)
	}
}

// Sweep removes a file of blanks, as a Destroy leaves it that was stopped between
// its two writes, and nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, "good", soft.Options{})
	blank := append(bytes.Repeat([]byte(" "), 4095), '\n')
	for name, content := range map[string][]byte{"blank": blank, "short": blank[1:], "letter": append([]byte("x"), blank[1:]...)} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, stays := range map[string]bool{"good": true, "short": true, "letter": true, "blank": false, "nothing": false} {
		if err := soft.Sweep(dir, "soft:"+name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, name+".json")); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}
