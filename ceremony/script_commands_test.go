package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/soft"
)

// editCmd replaces a text that a file has exactly once. \n and \e stand for a
// line feed and an escape character.
func editCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	escapes := strings.NewReplacer(`\n`, "\n", `\e`, "\x1b")
	text, err := replace(ts.ReadFile(args[0]), escapes.Replace(args[1]), escapes.Replace(args[2]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// treeCmd lists a folder's files with their SHA-256, for cmp.
func treeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tree DIR FILE")
	}
	root, list := ts.MkAbs(args[0]), ""
	ts.Check(filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		list += fmt.Sprintf("%s  %s\n", tufmeta.Digest(data), filepath.ToSlash(strings.TrimPrefix(path, root)))
		return err
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(list), 0o644))
}

// forgeCmd puts a stranger's signature into a ceremony folder: well made, of
// this very event, and by a key that nobody knows. $FORGED is its key ID.
func forgeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: forge DIR VERSION.ROLE")
	}
	private, err := (&rehearsal{seed: []byte("stranger")}).key("stranger")
	ts.Check(err)
	ts.Setenv("FORGED", signAs(ts, args[0], args[1], private))
}

// resignCmd has a rehearsal's token sign a payload once more, around all that
// `ceremony sign` looks at. What is there is overwritten.
func resignCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: resign DIR VERSION.ROLE TOKEN")
	}
	private, err := (&rehearsal{seed: []byte("scripts")}).key("token " + args[2])
	ts.Check(err)
	signAs(ts, args[0], args[1], private)
}

func signAs(ts *testscript.TestScript, dir, payload string, private *ecdsa.PrivateKey) (keyID string) {
	files, err := folder.Read(ts.MkAbs(dir))
	ts.Check(err)
	v, err := folder.ParseVersion(payload + ".json")
	ts.Check(err)
	key, err := tufmeta.NewKey(&private.PublicKey)
	ts.Check(err)
	data := files[folder.Payload+"/"+v.File()]
	digest := sha256.Sum256(data)
	sig, err := private.Sign(rand.Reader, digest[:], crypto.SHA256) // never the same twice
	ts.Check(err)
	f := sign.File{Event: files.Event().String(), KeyID: key.ID, Payload: tufmeta.Digest(data), Role: v.Role, Sig: hex.EncodeToString(sig), Version: v.Version}
	ts.Check(durable.Replace(filepath.Join(ts.MkAbs(dir), filepath.FromSlash(f.Name())), f.Encode()))
	return key.ID
}

// realCmd makes a genesis like the rehearsal's that is no rehearsal, signed by
// the keys of its tokens.
func realCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: real REHEARSAL TO")
	}
	from, to := filepath.Join(ts.MkAbs(args[0]), "coordinator", "genesis"), ts.MkAbs(args[1])
	files, err := folder.Read(from)
	ts.Check(err)
	text := regexp.MustCompile(`(?m)^rehearsal:.*\n`).ReplaceAll(files[folder.Plan], nil)
	text = regexp.MustCompile(`uri: ".*"`).ReplaceAll(text, []byte(`uri: ""`))
	ts.Check(durable.Create(filepath.Join(to, folder.Plan), text))
	ts.Check(os.CopyFS(filepath.Join(to, folder.Keys), os.DirFS(filepath.Join(from, folder.Keys))))
	ts.Check(ts.Exec("ceremony", "draft", to))
	for _, token := range []string{"holder-1", "holder-2", "holder-3"} {
		resignCmd(ts, false, []string{args[1], "1.root", token})
		resignCmd(ts, false, []string{args[1], "1.targets", token})
	}
}

// onlineKeyCmd makes another online key: encrypted, for the publisher, and its
// public half, for a plan. The passphrase is that of every online key.
func onlineKeyCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: onlinekey REHEARSAL NAME PUBLIC")
	}
	r := &rehearsal{seed: []byte("scripts"), dir: ts.MkAbs(args[0]), tokens: map[string]stock{}}
	public, err := r.onlineKey(args[1])
	ts.Check(err)
	ts.Check(durable.Create(ts.MkAbs(args[2]), public))
}

// touchCmd makes a rehearsal's token anew, as one that wants a finger for each
// signature.
func touchCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: touch TOKENS NAME")
	}
	place, name, r := ts.MkAbs(args[0]), args[1], &rehearsal{seed: []byte("scripts")}
	private, err := r.key("token " + name)
	ts.Check(err)
	pin, err := r.pin(name)
	ts.Check(err)
	old, err := soft.Open(place, name)
	ts.Check(err)
	info, err := old.Info()
	ts.Check(errors.Join(err, old.Close(), os.Remove(filepath.Join(place, name+".json"))))
	ts.Check(soft.Create(place, name, pin, private, soft.Options{Serial: info.Serial, Model: info.Model, TouchRequired: true}))
}

// typedCmd writes what a token's holder types to sign all that waits in a
// standby folder: of each the words, and the PIN.
func typedCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: typed STANDBY TOKEN FILE")
	}
	pin, err := (&rehearsal{seed: []byte("scripts")}).pin(args[1])
	ts.Check(err)
	text := ""
	for _, dir := range standbys(ts.MkAbs(args[0])) {
		why, err := standsBy(dir, args[1])
		ts.Check(err)
		if why == "" {
			files, err := folder.Read(dir)
			ts.Check(err)
			text += files.Event().Words() + "\n" + string(pin) + "\n"
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}
