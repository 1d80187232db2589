// Package publish puts a verified bundle into a repository folder, so that a
// client that reads at any moment accepts the state before or the state after.
//
//	repository, err := publish.Open(dir)
//	verified, err := verify.Files(files, repository.Root, now)
//	p, err := publish.Prepare(repository, verified, options)
//	for _, line := range p.Steps { ... }        // what will be done
//	err = p.Apply()
//
// A repository is a folder with root.json, the root that clients ship with,
// metadata/ and targets/ as clients fetch them. Trust comes from there: from
// root.json through metadata/2.root.json and so on to the newest.
//
// Which order of writing is safe is not assumed but tried: Prepare plays a
// client against the state after each step. Where no order of single files is
// safe, as when the online keys change, metadata/ is built anew beside itself
// and exchanged as a whole.
//
// It will not replace a version that is published with another one of the same
// number, take a step back, or publish a rehearsal where the real thing is.
package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
)

// Names inside a repository.
const (
	rootFile = "root.json"
	metadata = "metadata"
	targets  = "targets"
)

// state is the metadata that a client can fetch, by file name.
type state map[string][]byte

// Repository is a repository folder as it was read.
type Repository struct {
	dir   string
	First []byte // root.json, nil in a folder that has none yet
	Root  []byte // the newest root that First leads to
	files state
	other []string // what else lies in metadata/
}

// ErrNoRepository is a folder that is no repository, and none that could become
// one: it has files of something else, or does not exist.
var ErrNoRepository = errors.New("it is no repository")

// Open reads a repository: a folder with root.json, or an empty one, which is
// to become one. What a killed publication has left halfway is put right first.
func Open(dir string) (*Repository, error) {
	r := &Repository{dir: dir}
	if err := plausible(dir); err != nil {
		return nil, fmt.Errorf("opening the repository %q: %w", dir, err)
	}
	if err := r.recover(); err != nil {
		return nil, fmt.Errorf("opening the repository %q: %w", dir, err)
	}
	var err error
	if r.files, r.other, err = readMetadata(filepath.Join(dir, metadata)); err != nil {
		return nil, fmt.Errorf("opening the repository %q: %w", dir, err)
	}
	r.First, err = os.ReadFile(filepath.Join(dir, rootFile))
	if errors.Is(err, fs.ErrNotExist) {
		r.First = nil
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the repository %q: %w", dir, err)
	}
	all, err := roots(r.First, r.files)
	if err != nil {
		return nil, fmt.Errorf("opening the repository %q: %w", dir, err)
	}
	r.Root = all[len(all)-1].data
	return r, nil
}

// plausible refuses a folder that was named by mistake. The first thing that
// is written into a new repository is root.json, so one that has something and
// no root.json is something else.
func plausible(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the folder does not exist", ErrNoRepository)
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == rootFile {
			return nil
		}
	}
	for _, e := range entries {
		if !durable.IsPartial(e.Name()) {
			return fmt.Errorf("%w: it has no %s, and it has %q", ErrNoRepository, rootFile, e.Name())
		}
	}
	return nil
}

// readMetadata reads what clients can fetch, and names what else lies there.
func readMetadata(dir string) (files state, other []string, err error) {
	names, other, err := listMetadata(dir)
	if err != nil {
		return nil, nil, err
	}
	files = state{}
	for _, name := range names {
		if files[name], err = spool.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, nil, err
		}
	}
	return files, other, nil
}

// listMetadata names what clients can fetch, sorted, and what else lies there.
func listMetadata(dir string) (names, other []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, e := range entries {
		switch {
		case durable.IsPartial(e.Name()):
		case !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".json"):
			other = append(other, e.Name())
		default:
			names = append(names, e.Name())
		}
	}
	return names, other, nil
}

// recover puts back the folder that a kill between two renames has left aside.
func (r *Repository) recover() error {
	live := filepath.Join(r.dir, metadata)
	_, err := os.Lstat(live)
	if _, old := os.Lstat(live + oldSuffix); errors.Is(err, fs.ErrNotExist) && old == nil {
		return os.Rename(live+oldSuffix, live)
	}
	return nil
}

// Rehearsal reports whether the repository began from a rehearsal.
func (r *Repository) Rehearsal() bool {
	env, err := tufmeta.ParseEnvelope(r.First)
	return err == nil && tufmeta.IsRehearsal(env.Signed)
}

// root is a root with its file.
type root struct {
	*tufmeta.Root
	data []byte
}

// roots goes from a first root through all that follow it, in version order.
func roots(first []byte, files state) ([]root, error) {
	chain, err := inspect.Chain([]inspect.File{{Name: rootFile, Data: first}}, readAsPublished)
	if err != nil {
		return nil, err
	}
	all := []root{{chain.Last().Root, first}}
	for {
		newest := all[len(all)-1]
		name := folder.Version{Role: "root", Version: newest.Version + 1}.File()
		data, ok := files[name]
		if !ok {
			return all, nil
		}
		chain, err := inspect.Chain([]inspect.File{{Name: "root", Data: newest.data}, {Name: name, Data: data}}, readAsPublished)
		if err != nil {
			return nil, err
		}
		if len(chain.Broken) > 0 {
			return nil, fmt.Errorf("%s: %s", chain.Broken[0].Subject, chain.Broken[0].Detail)
		}
		all = append(all, root{chain.Last().Root, data})
	}
}
