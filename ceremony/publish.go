package main

import (
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/youmark/pkcs8"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/publish"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
	"tufceremony/hsm/secret"
)

type publishOptions struct {
	onlineKey string
	targets   string
	event     string
}

func publishCommand(env *environment) *cobra.Command {
	var o publishOptions
	c := &cobra.Command{
		Use:   "publish FILE REPOSITORY",
		Short: "verify a bundle against the repository's own root, and publish it",
		Long: `publish trusts what the repository trusts: its root.json and the roots that follow
it. It verifies the bundle from there and writes what is new, in an order in
which a client that reads at any moment accepts the old state or the new. An
empty repository trusts nothing yet: the whole event ID, from the minutes of the
ceremony, stands in for it. Publishing again changes nothing.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return runPublish(env, args[0], args[1], o) },
	}
	c.Flags().StringVar(&o.onlineKey, "online-key", "", "also sign snapshot and timestamp with this key `FILE` (encrypted PKCS#8, PEM)")
	c.Flags().StringVar(&o.targets, "targets", "", "copy the files of new targets from this `FOLDER`")
	c.Flags().StringVar(&o.event, "event", "", "for an empty repository: the event `ID`, 64 digits, from the minutes")
	return c
}

func runPublish(env *environment, file, dir string, o publishOptions) error {
	now := env.today()
	repository, err := publish.Open(dir)
	if errors.Is(err, publish.ErrNoRepository) {
		return hint(err, "name the folder that has root.json and metadata/ in it; for a new repository, make an empty folder first: mkdir %s", dir)
	}
	if err != nil {
		return hint(err, "publish trusts nothing else; `ceremony inspect` looks at its roots")
	}
	files, _, err := readBundle(file) // once: what is approved is what is published
	if err != nil {
		return err
	}
	trusted := repository.Root
	if trusted == nil {
		if trusted, err = firstRoot(env, files, dir, o.event); err != nil {
			return err
		}
	}
	verified, err := verify.Files(files, trusted, now)
	if err != nil {
		return equivocates(repository, files, refusedHint(err))
	}
	if err := publish.Admits(repository, verified); err != nil {
		return err
	}
	options := publish.Options{Targets: o.targets}
	if options.Online, err = online(env, o.onlineKey, verified, now); err != nil {
		return err
	}
	p, err := publish.Prepare(repository, verified, options)
	if err != nil {
		return refusedToPublish(err)
	}
	if p.Window != "" {
		wrapTo(env.out, "WINDOW: ", "  ", "once this is written, clients refuse the repository until its signer has put snapshot and timestamp for it: "+p.Window)
	}
	if err := p.Apply(); err != nil {
		return hint(err, "run the same command again: it goes on where it stopped")
	}
	printPublished(env.out, p, dir, options.Online != nil)
	facts, _ := verified.Facts()
	printUnasked(env.out, facts)
	if standbyOf(facts.Report.Plan) != "" {
		wrapTo(env.out, "", "", fmt.Sprintf("It was a standby revocation. All others for root %d are dead now: clients have this one. Destroy them, and plan a rotation, at which new ones are made.", facts.Report.Plan.Root.Version))
	}
	return nil
}

// refusedToPublish says what comes first: forged targets are in the way of what
// revokes the keys that signed them.
func refusedToPublish(err error) error {
	if forged := (*publish.ForgedError)(nil); errors.As(err, &forged) {
		return &hinted{err, forged.Hint()}
	}
	return refusedHint(hint(err, "nothing was written"))
}

// equivocates gives the graver reason to refuse a bundle, where there is one.
func equivocates(r *publish.Repository, files folder.Files, refused error) error {
	if err := publish.Equivocates(r, files); err != nil {
		return err
	}
	return refused
}

// firstRoot takes the first root of a new repository from a genesis bundle, on
// the word of somebody who was at the ceremony. All of the event ID is wanted:
// whoever hands in a bundle of their own can make its first words be any.
func firstRoot(env *environment, files folder.Files, dir, id string) ([]byte, error) {
	root, ok := files[folder.Metadata+"/1.root.json"]
	if !ok {
		return nil, hint(errors.New("publishing: the repository has no root.json to trust, and the bundle is no genesis"),
			"put the root that your clients ship with into the repository as root.json, and the roots that follow it into metadata/")
	}
	if id == "" {
		var err error
		id, err = env.ask.Line(fmt.Sprintf("Repository %q is new: it trusts nothing yet. Type the event ID,\nall 64 digits, from the minutes of the ceremony: ", dir))
		if err != nil {
			return nil, hint(err, "publish at a terminal, or give --event ID")
		}
	}
	event, err := verify.Event(files)
	if err != nil {
		return nil, err
	}
	if digits := strings.ToLower(strings.Join(strings.Fields(id), "")); digits != event.String() && !tufmeta.SameWords(id, tufmeta.Words(event[:])) {
		return nil, hint(errors.New("publishing: this is not the event ID of the bundle"), "nothing was written; the ID stands in the minutes, and under the review of every copy of the folder")
	}
	return root, nil
}

// online reads the software key for snapshot and timestamp.
func online(env *environment, file string, v verify.Verified, now time.Time) (*publish.Online, error) {
	if file == "" {
		return nil, nil
	}
	facts, _ := v.Facts()
	days := facts.Report.Plan.Lifetimes
	if days == nil {
		return nil, hint(errors.New("publishing with --online-key: the plan has no lifetimes for snapshot and timestamp"), "let the repository's own signer sign them, or plan lifetimes: next time")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the online key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "ENCRYPTED PRIVATE KEY" {
		return nil, hint(fmt.Errorf("reading the online key %q: no PEM block \"ENCRYPTED PRIVATE KEY\"", file), "`openssl pkcs8 -topk8 -v2 aes256` encrypts a key")
	}
	passphrase, err := env.ask.Secret(fmt.Sprintf("Passphrase of %s: ", file))
	if err != nil {
		return nil, hint(err, "the passphrase is typed at a terminal")
	}
	defer secret.Free(passphrase)
	key, _, err := pkcs8.ParsePrivateKey(block.Bytes, passphrase)
	if err != nil {
		return nil, hint(fmt.Errorf("reading the online key %q: wrong passphrase, or not a key", file), "nothing was written; run the command again")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading the online key %q: it cannot sign", file)
	}
	return &publish.Online{Signer: signer, Now: now, Days: days}, nil
}

func printPublished(w io.Writer, p *publish.Publication, dir string, signed bool) {
	if len(p.Steps) == 0 {
		fmt.Fprintln(w, "Everything in the bundle is published already. Nothing was changed.")
	}
	for _, step := range p.Steps {
		fmt.Fprintf(w, "Wrote %s\n", filepath.ToSlash(filepath.Join(dir, step.Name)))
	}
	if p.Swap {
		wrapTo(w, "", "", "No order of single files is safe for this change, so metadata/ was exchanged as a whole.")
	}
	if len(p.Missing) > 0 {
		fmt.Fprintln(w, "Put the files of new targets in place before snapshot lists them:")
		for _, name := range p.Missing {
			fmt.Fprintf(w, "  %s\n", tufmeta.Printable(name))
		}
	}
	if len(p.Findings) > 0 {
		printResults(w, p.Findings)
		fmt.Fprintln(w)
	}
	if !signed && len(p.Steps) > 0 {
		wrapTo(w, "Next: ", "      ", "have the repository's signer sign snapshot and timestamp; until then clients do not see new targets.")
	}
}
