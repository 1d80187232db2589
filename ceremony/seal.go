package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/verify"
)

func sealCommand(env *environment) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "seal DIR -o FILE",
		Short: "assemble and verify the metadata, and write the bundle",
		Long: `seal puts payloads and signatures together, verifies the result as a stranger
would, and writes one file with everything that proves it. The same folder
always gives the same bytes. Below any threshold it refuses.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if output == "" {
				return usage(c, errors.New("seal: no output file is named"))
			}
			if len(standbys(args[0])) > 0 {
				return runSealStandbys(env, args[0], output)
			}
			return runSeal(env, args[0], output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write; it must not exist. Of a standby folder, a folder for one bundle each")
	return c
}

// runSealStandbys seals each standby revocation into a bundle of its own.
func runSealStandbys(env *environment, dir, output string) error {
	if err := os.MkdirAll(output, 0o755); err != nil {
		return hint(fmt.Errorf("sealing into %q: %w", output, err), "of a standby folder, -o is a folder: a bundle for each")
	}
	return eachStandby(env.out, dir, func(dir string) error {
		return runSeal(env, dir, filepath.Join(output, filepath.Base(dir)+".bundle"))
	})
}

func runSeal(env *environment, dir, output string) error {
	if _, err := os.Stat(filepath.Dir(output)); err != nil {
		return hint(fmt.Errorf("sealing into %q: its folder does not exist", output), "is the medium mounted? Name a file in a folder that is there")
	}
	files, _, c, err := collect(dir)
	if err != nil {
		return err
	}
	if err := check.Refuse(aborted(files)); err != nil {
		return err
	}
	metadata, err := c.Envelopes()
	if err != nil {
		if len(c.Dropped) > 0 {
			printResults(env.out, c.Dropped)
		}
		return &hinted{err, fmt.Sprintf("`ceremony status %s` names who is missing, and the signatures that do not count", dir)}
	}
	sealed, dropped := sealable(files, c, metadata)
	verified, err := verify.Files(sealed, trustedRoot(files, metadata), env.today())
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		if _, err := durable.Ensure(filepath.Join(dir, filepath.FromSlash(name)), metadata[name]); err != nil {
			return hint(err, "the folder was sealed before with other signatures: use that bundle, or remove metadata/ to seal again")
		}
	}
	wrote, size, digest, err := writeBundle(output, verified)
	if errors.Is(err, fs.ErrExist) {
		return hint(err, "name another file; a bundle is never overwritten")
	}
	if err != nil {
		return err
	}
	if len(dropped) > 0 {
		printResults(env.out, dropped)
		fmt.Fprintln(env.out)
	}
	facts, _ := verified.Facts()
	verb := "Sealed"
	if !wrote {
		verb = "Sealed before, with the same bytes:"
	}
	fmt.Fprintf(env.out, "%s %s, %s\n", verb, output, plural(size, "byte"))
	for _, r := range facts.Roles {
		for _, c := range r.Counts {
			fmt.Fprintf(env.out, "  %s under %s: %d valid signatures, %d needed\n", r.Version, c.Whose(), len(c.Signers), c.Threshold)
		}
	}
	printUnasked(env.out, facts)
	fmt.Fprintln(env.out, "  SHA-256 of the bundle:")
	printDigest(env.out, digest)
	wrapTo(env.out, "Next: ", "      ", fmt.Sprintf("write the SHA-256 into the minutes; then ceremony publish %s REPOSITORY", output))
	return nil
}

// writeBundle writes a bundle, or finds it there, and gives its size in bytes and its
// SHA-256.
func writeBundle(file string, verified verify.Verified) (wrote bool, size int, digest string, err error) {
	wrote, err = durable.EnsureBy(file, func(w io.Writer) error {
		sum := spool.NewHash()
		err := bundle.Write(io.MultiWriter(w, sum), verified)
		size, digest = sum.Size(), hex.EncodeToString(sum.Sum())
		return err
	})
	return wrote, size, digest, err
}

// sealable is what goes into a bundle: the folder without payloads, which the
// metadata contains, and without signatures that do not count.
func sealable(files folder.Files, c *assemble.Collection, metadata folder.Files) (folder.Files, []check.Result) {
	out := maps.Clone(files)
	for _, part := range []string{folder.Payload, folder.Metadata} {
		for _, name := range files.Names(part) {
			delete(out, name)
		}
	}
	for _, r := range c.Dropped {
		delete(out, r.Subject)
	}
	maps.Copy(out, metadata)
	return out, c.Dropped
}

// trustedRoot is the newest root in trusted/. A genesis has none, and begins
// with its own.
func trustedRoot(files, metadata folder.Files) []byte {
	var newest []byte
	versions, _ := files.Versions(folder.Trusted)
	for _, v := range versions {
		if v.Role == "root" {
			newest = files[folder.Trusted+"/"+v.File()]
		}
	}
	if newest == nil {
		newest = metadata[folder.Metadata+"/1.root.json"]
	}
	return newest
}
