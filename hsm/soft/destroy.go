package soft

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tufceremony/hsm"
)

// erased is what a file is overwritten with before it is removed. A process that
// is killed between the two leaves it, and Open finds no token in it.
var erased = append(bytes.Repeat([]byte(" "), blockSize-1), '\n')

// Destroy implements hsm.Destroyer: it overwrites the token's file, has the disk
// keep that, and removes the file. No key takes its place.
func (t *Token) Destroy(key hsm.Key, prompter hsm.Prompter) error {
	if err := t.alive(); err != nil {
		return err
	}
	public, err := t.contents.public()
	if err != nil {
		return err
	}
	if key.ID != keyID || !public.Equal(key.Public) {
		return fmt.Errorf("looking for key %q on soft token %q: %w", key.ID, t.name, hsm.ErrNotFound)
	}
	if err := t.login(prompter); err != nil {
		return fmt.Errorf("logging in to soft token %q: %w", t.name, err)
	}
	if err := t.erase(); err != nil {
		return fmt.Errorf("destroying soft token %q: %w", t.name, err)
	}
	return nil
}

func (t *Token) erase() error {
	path := t.file.Name()
	if _, err := t.file.WriteAt(erased, 0); err != nil {
		return err
	}
	if err := t.file.Sync(); err != nil {
		return err
	}
	if err := t.Close(); err != nil { // an open file cannot be removed everywhere
		return err
	}
	t.ended = errors.New("its key was destroyed")
	return errors.Join(os.Remove(path), syncDir(filepath.Dir(path)))
}

// Sweep removes the file that a Destroy has left which was stopped when it had
// overwritten it. It touches no other: where there is a token, or nothing, it
// does nothing.
func Sweep(dir, uri string) error {
	name, _, err := ParseURI(uri)
	if err != nil {
		return err
	}
	path, err := tokenPath(dir, name)
	if err != nil {
		return err
	}
	file, err := openLocked(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		left := (&Token{file: file}).isErased()
		if err = file.Close(); err == nil && left {
			err = errors.Join(os.Remove(path), syncDir(dir))
		}
	}
	if err != nil {
		return fmt.Errorf("removing what is left of soft token %q: %w", name, err)
	}
	return nil
}

func (t *Token) isErased() bool {
	contents, err := io.ReadAll(io.NewSectionReader(t.file, 0, blockSize+1))
	return err == nil && bytes.Equal(contents, erased)
}
