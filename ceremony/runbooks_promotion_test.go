package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tufceremony/ceremony/internal/durable"
)

// indexOfProjects is a repository with a role for projects, and the first list of
// those that are claimed.
func indexOfProjects(r *rehearsal) error {
	if err := r.index(); err != nil {
		return err
	}
	return r.closes("requests", "numpy", "flask", "zope.interface", "attrs")
}

// closes has the administrators write the list.
func (r *rehearsal) closes(names ...string) error {
	text, err := r.claimsOf(names...)
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(r.dir, "claimed.jsonl"), text)
}

// unproved takes the proof of numpy's developer out of the list.
func (p *player) unproved() error {
	path := filepath.Join(p.dir, "claimed.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(data), "\n")
	head, rest, _ := strings.Cut(lines[1], `"proof":"`)
	_, tail, found := strings.Cut(rest, `",`)
	if !found || !strings.Contains(lines[1], "numpy") {
		return fmt.Errorf("the list has no proof of numpy's: %s", lines[1])
	}
	lines[1] = head + tail
	return durable.Replace(path, []byte(strings.Join(lines, "")))
}
