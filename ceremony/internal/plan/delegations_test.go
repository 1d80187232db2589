package plan_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
)

// A plan with delegations is read back as it was written.
func TestDelegatedText(t *testing.T) {
	p := ceremonytest.DelegatedPlan()
	p.Delegated[0].Delegations.Roles = []plan.Delegation{{Name: "bin", Role: plan.Role{Threshold: 1, Tokens: []string{"holder-1", "online"}}, Bits: 14}}
	p.Delegated[1].Delegator, p.Delegated[1].Role = "claimed", "bin-3fff"
	p.Delegated[1].Delegations = &plan.Delegations{}
	read, err := plan.Parse(p.Text())
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Text())
	}
	if !reflect.DeepEqual(read, p) {
		t.Errorf("%+v\nis written as\n%s", read, p.Text())
	}
}

// In each row, text of a good plan is replaced once.
func TestDelegatedRefuses(t *testing.T) {
	good := string(ceremonytest.DelegatedPlan().Text())
	const bins = "    - name: bins\n      threshold: 1\n      keys: [online]\n      path-hash-prefixes: [\"0\", \"f\"]\n      terminating: true"
	for _, row := range []struct{ name, old, new, field, problem string }{
		{"a role twice", "- name: bins", "- name: claimed", "targets.delegations[1].name", "stands twice"},
		{"a role that delegates to itself", "      - name: old", "      - name: claimed", "delegated[0].delegations[0].name", "the role itself"},
		{"the name of a top-level role", "- name: bins", "- name: snapshot", "targets.delegations[1].name", "which the root names"},
		{"a name with a slash", "- name: bins", `- name: "a/b"`, "targets.delegations[1].name", `is "a/b"`},
		{"a name in capitals", "- name: bins", "- name: Bins", "targets.delegations[1].name", `is "Bins"`},
		{"a name that is that of a root's file", "- name: bins", `- name: "1.root"`, "targets.delegations[1].name", "looks like a version and a role"},
		{"a long name", "- name: bins", "- name: " + strings.Repeat("b", 61), "targets.delegations[1].name", "is "},
		{"paths and prefixes", `      paths: ["a/*", "b/?/*"]`, `      paths: ["a/*"]` + "\n" + `      path-hash-prefixes: ["00"]`, "targets.delegations[0]", "or two of them"},
		{"neither", `      paths: ["a/*", "b/?/*"]` + "\n", "", "targets.delegations[0]", "has none of paths"},
		{"a path twice", `"b/?/*"`, `"a/*"`, "targets.delegations[0].paths[1]", "stands twice"},
		{"an absolute path", `"b/?/*"`, `"/b"`, "targets.delegations[0].paths[1]", `is "/b"`},
		{"a path that goes up", `"b/?/*"`, `"b/../c"`, "targets.delegations[0].paths[1]", `is "b/../c"`},
		{"two stars", `"b/?/*"`, `"b/**"`, "targets.delegations[0].paths[1]", `is "b/**"`},
		{"braces", `"b/?/*"`, `"{a,b}/c"`, "targets.delegations[0].paths[1]", `is "{a,b}/c"`},
		{"a negation", `"b/?/*"`, `"!b/c"`, "targets.delegations[0].paths[1]", `is "!b/c"`},
		{"a prefix in capitals", `"0", "f"`, `"0", "F"`, "targets.delegations[1].path-hash-prefixes[1]", `is "F"`},
		{"a prefix twice", `"0", "f"`, `"0", "0"`, "targets.delegations[1].path-hash-prefixes[1]", "stands twice"},
		{"prefixes of two lengths", `"0", "f"`, `"0", "f0"`, "targets.delegations[1].path-hash-prefixes[1]", "of another length"},
		{"a prefix that YAML reads as a number", `["0", "f"]`, `[00, "ff"]`, "targets.delegations[1].path-hash-prefixes[0]", "which YAML reads as 0"},
		{"no terminating", "\n      terminating: true", "", "targets.delegations[1].terminating", "is missing"},
		{"no keys", "keys: [online]", "keys: []", "targets.delegations[1].keys", "is empty"},
		{"succinct beside roles", bins, "    - succinct: {bits: 2, prefix: bin}\n      threshold: 1\n      keys: [online]", "targets.delegations[1].succinct", "stands beside other delegations"},
		{"succinct with a name", bins, bins + "\n      succinct: {bits: 2, prefix: bin}", "targets.delegations[1].succinct", "stands beside"},
		{"nothing in the list", "      - name: old\n        threshold: 1\n        keys: [holder-1, holder-2, holder-3]\n        paths: [\"a/old-*\"]\n        terminating: false", "", "delegated[0].delegations", "has nothing in it"},
		{"a role of targets", "targets:\n", "targets:\n  role: claimed\n", "targets", "has a role or a delegator"},
		{"a list elsewhere", "manifest: lists/claimed.jsonl", "manifest: ../claimed.jsonl", "delegated[0].manifest", `is "../claimed.jsonl"`},
		{"a list in keys", "manifest: lists/claimed.jsonl", "manifest: keys/claimed.jsonl", "delegated[0].manifest", `is "keys/claimed.jsonl"`},
		{"one list for two", "    delegator: claimed\n", "    delegator: claimed\n    manifest: lists/claimed.jsonl\n", "delegated[1].manifest", "which claimed has too"},
		{"a role signed twice", "- role: old", "- role: claimed", "delegated[1].role", "stands twice"},
		{"a delegator that does not name it", "delegator: claimed", "delegator: targets", "delegated[1].delegator", `whose delegations have no role "old"`},
		{"its own delegator", "delegator: claimed", "delegator: old", "delegated[1].delegator", "the role itself"},
		{"version 0", "    delegator: claimed\n    version: 1", "    delegator: claimed\n    version: 0", "delegated[1].version", "is 0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			refusedAt(t, good, row.old, row.new, row.field, row.problem)
		})
	}
}

// refusedAt reads a plan in which one text is another, and wants the field and what
// is wrong with it to be named.
func refusedAt(t *testing.T, text, old, replacement, field, problem string) {
	t.Helper()
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("the plan has %q %d times", old, n)
	}
	_, err := plan.Parse([]byte(strings.Replace(text, old, replacement, 1)))
	var fault *plan.Error
	if !errors.As(err, &fault) || fault.Field != field || !strings.Contains(fault.Problem, problem) || fault.Remedy == "" {
		t.Errorf("%v, want %s: %s", err, field, problem)
	}
}

// Lists and the plan must agree on what there is.
func TestLoadLists(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(p *plan.Plan, files folder.Files)
		want   string
	}{
		{"all is well", func(*plan.Plan, folder.Files) {}, ""},
		{"no such file", func(_ *plan.Plan, files folder.Files) { delete(files, "lists/claimed.jsonl") }, "the folder has no such file"},
		{"a file that nobody names", func(_ *plan.Plan, files folder.Files) { files["lists/other.jsonl"] = ceremonytest.List }, "lists/other.jsonl: the plan does not name it"},
		{"added twice", func(p *plan.Plan, _ folder.Files) { p.Delegated[0].Add = []plan.File{{Path: "a/two.txt"}} }, `lists/claimed.jsonl, line 2: path "a/two.txt" is one that the plan adds as well`},
		{"added and removed", func(p *plan.Plan, _ folder.Files) { p.Delegated[0].Remove = []string{"a/one.txt"} }, `line 1: path "a/one.txt" is one that the plan removes as well`},
	} {
		p, files := ceremonytest.DelegatedPlan(), folder.Files{"lists/claimed.jsonl": ceremonytest.List}
		row.change(p, files)
		err := p.LoadLists(files)
		if row.want == "" && (err != nil || len(p.Delegated[0].Files()) != 2) || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}
