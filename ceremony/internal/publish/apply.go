package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/spool"
)

// Apply writes the publication. Killed anywhere and run again from Open, it
// completes.
func (p *Publication) Apply() error {
	if err := p.unchanged(filepath.Join(p.dir, metadata)); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	for _, step := range p.Steps {
		if p.Swap && strings.HasPrefix(step.Name, metadata+"/") {
			continue
		}
		put := durable.Create
		if step.replace {
			put = durable.Replace
			if err := p.asBefore(step); err != nil {
				return fmt.Errorf("publishing: %w", err)
			}
		}
		if err := put(filepath.Join(p.dir, filepath.FromSlash(step.Name)), step.data); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
	}
	if !p.Swap {
		return nil
	}
	if err := p.swap(); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return nil
}

// swap builds the whole metadata folder beside the old one and exchanges the
// two in one step of the kernel. Where the file system cannot, two renames
// must do, between which a client finds no folder.
func (p *Publication) swap() error {
	live := filepath.Join(p.dir, metadata)
	fresh, old := live+newSuffix, live+oldSuffix
	for _, left := range []string{fresh, old} {
		if err := os.RemoveAll(left); err != nil {
			return fmt.Errorf("removing what an earlier run left: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.next)) {
		if err := durable.Create(filepath.Join(fresh, name), p.next[name]); err != nil {
			return err
		}
	}
	if err := p.unchanged(live); err != nil {
		return err
	}
	switch err := durable.Exchange(live, fresh); {
	case err == nil:
		// Somebody may have written between the look and the exchange. What
		// was exchanged out is then newer than what was read: back it goes.
		if err := p.unchanged(fresh); err != nil {
			return errors.Join(err, durable.Exchange(live, fresh))
		}
		return os.RemoveAll(fresh)
	case !errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("exchanging the metadata folder: %w", err)
	}
	if err := os.Rename(live, old); err != nil {
		return err
	}
	if err := os.Rename(fresh, live); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// Names of the folders that an exchange leaves for a moment. Whatever has one
// is this program's, and may be removed.
const (
	newSuffix = ".ceremony-new"
	oldSuffix = ".ceremony-old"
)

// asBefore looks once more at a file that is to be replaced.
func (p *Publication) asBefore(step Step) error {
	dir, name := path.Split(step.Name)
	if dir != metadata+"/" {
		return nil
	}
	before, there := p.before[name]
	switch same, err := spool.Matches(filepath.Join(p.dir, filepath.FromSlash(step.Name)), before); {
	case errors.Is(err, fs.ErrNotExist) && !there:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case !same:
		return errMeanwhile
	}
	return nil
}

// errMeanwhile: an online signer has gone on since the repository was read.
var errMeanwhile = errors.New("somebody else has written to metadata/ meanwhile: stop the online signer, and run the command again")

// unchanged compares a metadata folder with what was read when the publication
// was prepared: an online signer may have gone on meanwhile.
func (p *Publication) unchanged(dir string) error {
	names, _, err := listMetadata(dir)
	if err != nil {
		return err
	}
	if !slices.Equal(names, slices.Sorted(maps.Keys(p.before))) {
		return errMeanwhile
	}
	for _, name := range names {
		same, err := spool.Matches(filepath.Join(dir, name), p.before[name])
		if err != nil {
			return err
		}
		if !same {
			return errMeanwhile
		}
	}
	return nil
}
