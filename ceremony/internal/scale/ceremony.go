package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/soft"
)

// The ceremony that the commands are measured in: a rehearsal, since its tokens
// are software, in a folder beside the files of its size.
const (
	ceremonyDir = "ceremony"
	tokensDir   = "tokens"
	bundleFile  = "bundle"
	pin         = "123456"
)

func makeCeremony(s size, dir string) error {
	p, err := ceremonyPlan(s, dir)
	if err != nil {
		return err
	}
	for _, d := range []string{tokensDir, ceremonyDir + "/keys", ceremonyDir + "/lists", ceremonyDir + "/trusted"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	files := map[string][]byte{ceremonyDir + "/plan.yaml": p.Text()}
	for i, key := range private {
		public, err := publicPEM(key)
		if err != nil {
			return err
		}
		files[ceremonyDir+"/keys/"+holder(i)+".pem"] = public
		files[tokensDir+"/"+holder(i)+".pin"] = []byte(pin + "\n")
		if files[holder(i)+".pem"], err = privatePEM(key); err != nil { // for python-tuf
			return err
		}
		if err := soft.Create(filepath.Join(dir, tokensDir), holder(i), []byte(pin), key, soft.Options{}); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data, 0o600); err != nil {
			return err
		}
	}
	links := map[string]string{rootFile: "trusted/1.root.json", oldFile: "trusted/" + oldFile}
	if s.targets > 0 {
		links[listFile] = p.Targets.Manifest
	}
	for from, to := range links {
		if err := os.Link(filepath.Join(dir, from), filepath.Join(dir, ceremonyDir, filepath.FromSlash(to))); err != nil {
			return err
		}
	}
	return nil
}

// ceremonyPlan adds the list of targets. Delegations stay as they are, since a
// plan writes them out whole: there only version and expiry are new.
//
// The PINs come from files, or somebody would have to type them.
func ceremonyPlan(s size, dir string) (*plan.Plan, error) {
	tokens, err := filepath.Abs(filepath.Join(dir, tokensDir))
	if err != nil {
		return nil, err
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	expires, _ := time.Parse(tufmeta.TimeFormat, far)
	p := &plan.Plan{
		Kind: plan.Targets, Repository: "measured", Rehearsal: true, Opens: today.AddDate(0, 0, -1), Closes: today.AddDate(0, 0, 7),
		Targets: &plan.TargetsPlan{Version: newVersion, Expires: expires},
	}
	if s.targets > 0 {
		p.Targets.Manifest = "lists/targets.jsonl"
	}
	for i := range holders {
		name := holder(i)
		token := &roster.Token{Name: name, Holder: name, URI: "soft:" + name + "?pin-source=file:" + filepath.Join(tokens, name+".pin"), KeyFile: "keys/" + name + ".pem"}
		p.Roster.Holders = append(p.Roster.Holders, roster.Holder{Name: name, Tokens: []*roster.Token{token}})
	}
	return p, nil
}

// command is one of the program's, and what must be as it was before it.
type command struct {
	name   string
	args   func(c *ceremony) ([]string, error)
	before func(c *ceremony) error
}

// ceremony is the folder of one size.
type ceremony struct {
	dir  string // with the files of the size
	exec func(args []string) (outcome, error)
}

func (c *ceremony) path(name string) string {
	return filepath.Join(c.dir, ceremonyDir, filepath.FromSlash(name))
}

// commands are in the order in which people type them.
var commands = []command{
	{"start", func(*ceremony) ([]string, error) { return []string{"--version"}, nil }, func(*ceremony) error { return nil }},
	{"draft", func(c *ceremony) ([]string, error) { return []string{"draft", c.path("")}, nil }, (*ceremony).undrafted},
	{"review", func(c *ceremony) ([]string, error) { return []string{"review", c.path("")}, nil }, (*ceremony).drafted},
	{"sign", func(c *ceremony) ([]string, error) { return c.signing(0) }, (*ceremony).unsigned},
	{"seal", (*ceremony).sealing, (*ceremony).unsealed},
	{"verify", func(c *ceremony) ([]string, error) {
		return []string{"verify", filepath.Join(c.dir, bundleFile), "--trusted-root", filepath.Join(c.dir, rootFile)}, nil
	}, (*ceremony).sealed},
}

func (c *ceremony) clear(names ...string) error {
	var all error
	for _, name := range names {
		all = errors.Join(all, os.RemoveAll(c.path(name)))
	}
	return all
}

func (c *ceremony) undrafted() error {
	return errors.Join(c.clear("payload", "record", "signatures", "metadata"), os.RemoveAll(c.bundle()), os.RemoveAll(c.saved()))
}

func (c *ceremony) bundle() string { return filepath.Join(c.dir, bundleFile) }

// saved is the record as it was before anybody signed.
func (c *ceremony) saved() string { return filepath.Join(c.dir, "record.drafted") }

func (c *ceremony) payload() string { return "payload/" + fmt.Sprint(newVersion) + ".targets.json" }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// types runs a command that is not measured.
func (c *ceremony) types(args []string, err error) error {
	if err != nil {
		return err
	}
	o, err := c.exec(args)
	if err == nil && o.failure != "" {
		err = &failed{fmt.Sprintf("`ceremony %s` before it: %s", args[0], o.failure), o.message}
	}
	return err
}

// failed is why something could not be measured.
type failed struct{ failure, message string }

func (f *failed) Error() string { return f.failure }

func (c *ceremony) drafted() error {
	if !exists(c.path(c.payload())) {
		if err := c.types([]string{"draft", c.path("")}, nil); err != nil {
			return err
		}
	}
	if exists(c.saved()) {
		return nil
	}
	return os.CopyFS(c.saved(), os.DirFS(c.path("record")))
}

func (c *ceremony) unsigned() error {
	if err := c.drafted(); err != nil {
		return err
	}
	if err := errors.Join(c.clear("record", "signatures", "metadata"), os.RemoveAll(c.bundle())); err != nil {
		return err
	}
	return os.CopyFS(c.path("record"), os.DirFS(c.saved()))
}

// signing approves with the words of the event, as a holder does who was read
// them.
func (c *ceremony) signing(i int) ([]string, error) {
	words, err := c.words()
	return []string{"sign", c.path(""), "--token", holder(i), "--approve", words}, err
}

func (c *ceremony) words() (string, error) {
	chains, err := filepath.Glob(filepath.Join(c.saved(), "*.jsonl"))
	if err != nil || len(chains) != 1 {
		return "", fmt.Errorf("measuring: %d records, %w", len(chains), err)
	}
	f, err := os.Open(chains[0])
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return "", err
	}
	return approval(line)
}

// signed has three holders sign who have not.
func (c *ceremony) signed() error {
	if err := c.drafted(); err != nil {
		return err
	}
	for i := range threshold {
		have, err := filepath.Glob(c.path(folder.Signatures + "/8.targets/*.json"))
		if err != nil {
			return err
		}
		if len(have) > i {
			continue
		}
		if err := c.types(c.signing(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *ceremony) unsealed() error {
	if err := c.signed(); err != nil {
		return err
	}
	return errors.Join(c.clear("metadata"), os.RemoveAll(c.bundle()))
}

func (c *ceremony) sealing() ([]string, error) {
	return []string{"seal", c.path(""), "-o", c.bundle()}, nil
}

func (c *ceremony) sealed() error {
	if exists(c.bundle()) {
		return nil
	}
	if err := c.unsealed(); err != nil {
		return err
	}
	return c.types(c.sealing())
}
