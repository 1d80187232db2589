package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/projects"
)

// indexCmd goes on from a rehearsal with a role that is to delegate to projects:
// R/index is the folder of the ceremony that makes targets 3 and claimed 1, and
// R/index.bundle its bundle. The script's clock must be at that time.
func indexCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: index REHEARSAL")
	}
	r := ts.MkAbs(args[0])
	dir := filepath.Join(r, "index")
	ts.Check(ts.Exec("ceremony", "init", dir, "--kind", "targets", "--roster", filepath.Join(r, "rotation.bundle"),
		"--trusted-root", filepath.Join(r, "repository/metadata/2.root.json"), "--trusted-targets", filepath.Join(r, "repository/metadata/2.targets.json")))
	path := filepath.Join(dir, folder.Plan)
	data, err := os.ReadFile(path)
	ts.Check(err)
	text := string(data)
	for _, e := range [][2]string{
		{"\n\nwindow:", "\n" + rehearsalMark + "\nwindow:"},
		{"  remove: []\n", "  remove: []\n" + strings.ReplaceAll(indexDelegations, "[holder-3, holder-4, holder-5]", "[holder-3, holder-4, holder-6]")},
	} {
		text, err = replace(text, e[0], e[1])
		ts.Check(err)
	}
	text += strings.ReplaceAll(indexDelegated, "%s", "2029-06-01T09:00:00Z")
	ts.Check(os.WriteFile(path, []byte(text), 0o644))
	ts.Check(ts.Exec("ceremony", "draft", dir))
	for _, token := range []string{"holder-1", "holder-3"} {
		resignCmd(ts, false, []string{dir, "3.targets", token})
	}
	for _, token := range []string{"holder-3", "holder-4"} {
		resignCmd(ts, false, []string{dir, "1.claimed", token})
	}
	ts.Check(ts.Exec("ceremony", "seal", dir, "-o", filepath.Join(r, "index.bundle")))
}

// scriptIndex is what the projects of scripts are claimed of: their clocks are at June 2028.
var scriptIndex = ceremonytest.Index{Scope: projects.Scope{Repository: repositoryName, Role: "claimed", Rehearsal: true}, Until: "2028-12-31"}

// claimsCmd writes a list of projects with the keys of their developers, or with
// those of other projects', all of whom must sign: NAME=OTHER+OTHER.
func claimsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: claims FILE PROJECT...")
	}
	var entries []projects.Entry
	for _, arg := range args[1:] {
		arg, list, _ := strings.Cut(arg, "@") // flask@packages/flask/*,simple/flask
		var paths []string
		if list != "" {
			paths = strings.Split(list, ",")
		}
		project, of, other := strings.Cut(arg, "=")
		if !other {
			of = project
		}
		e, err := scriptIndex.Claim(project, of, paths...)
		ts.Check(err)
		entries = append(entries, e)
	}
	text, err := projects.Text(entries)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}
