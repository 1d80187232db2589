package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/ceremony/internal/durable"
)

// issuedCmd gives each token of an unfinished plan a software token beside the
// ceremony folder, marks the plan as a rehearsal's, and decides what init leaves
// open: three of five sign root, and two claimed.
func issuedCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: issued DIR")
	}
	dir := ts.MkAbs(args[0])
	r := &rehearsal{seed: []byte("scripts"), dir: filepath.Dir(dir), tokens: map[string]stock{}}
	r.maker = &softMaker{r}
	ts.Check(r.issued(dir, func(string) string { return "" }))
}

// issued is issuedCmd; place is the folder of each token's holder.
func (r *rehearsal) issued(dir string, place func(token string) string) error {
	path := filepath.Join(dir, "plan.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(data)
	if !strings.Contains(text, "\nrehearsal: true") {
		text = strings.Replace(text, "\n\nwindow:", "\nrehearsal: true\n\nwindow:", 1)
	}
	for old, new := range map[string]string{
		"repository: \"\"": "repository: \"rehearsal repository\"",
		"    threshold: 0  # decide\n    keys: [holder-1": "    threshold: 3\n    keys: [holder-1",
		"      threshold: 0  # decide\n":                  "      threshold: 2\n",
	} {
		text = strings.Replace(text, old, new, 1)
	}
	for _, m := range unissued.FindAllStringSubmatch(text, -1) {
		s, err := r.maker.make(filepath.Base(dir), place(m[1]), m[1])
		if err != nil {
			return err
		}
		r.tokens[m[1]] = s
		rest := fmt.Sprintf("      - name: %s\n        uri: %q\n        model: %q\n        serial: %q\n", m[1], s.uri, s.model, s.serial)
		text = strings.Replace(text, m[0], rest, 1)
		if err := durable.Create(filepath.Join(dir, "keys", m[1]+".pem"), s.pem); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "keys", "online.pem")); err != nil {
		online, err := r.onlineKey("online")
		if err == nil {
			err = durable.Create(filepath.Join(dir, "keys", "online.pem"), online)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(os.WriteFile(path, []byte(text), 0o644))
}

// unissued finds tokens of which a plan says nothing but the name.
var unissued = regexp.MustCompile(`      - name: (\S+)\n        uri: ""[^\n]*\n        serial: ""[^\n]*\n`)
