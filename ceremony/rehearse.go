package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

type rehearseOptions struct {
	keep   string
	pkcs11 string
	tokens string
	piv    bool
	seed   string
	time   string
}

func rehearseCommand(env *environment) *cobra.Command {
	var o rehearseOptions
	c := &cobra.Command{
		Use:   "rehearse [OCCASION]",
		Short: "hold a whole ceremony with tokens made for the occasion",
		Long: `rehearse holds a genesis ceremony, the rotation eleven months later, and publishes both.
It runs the commands of the real day, and shows who types them and what they
see. Five holders, root 3 of 5, targets 2 of 3, one online key; in the rotation
one holder leaves, one joins and one has a new device. Nothing that it makes can
be published anywhere but in the repository that it makes.

With an OCCASION it holds that alone: the genesis is told in a few lines, and what
happens then, with every command that answers it, is shown in full. Occasions: ` + occasionList() + ".",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeOccasion,
		RunE: func(c *cobra.Command, args []string) error {
			now, err := judgeAt(env, o.time)
			if err != nil {
				return usage(c, err)
			}
			play := (*rehearsal).play
			if len(args) == 1 {
				held, err := lookupOccasion(args[0])
				if err != nil {
					return err
				}
				play = func(r *rehearsal) error { return r.playOccasion(held) }
			}
			return runRehearse(env, o, now, play)
		},
	}
	c.Flags().StringVar(&o.keep, "keep", "", "leave every folder and bundle in `DIR`, which must be new or empty")
	c.Flags().StringVar(&o.pkcs11, "pkcs11", "", "give the holders SoftHSM tokens, through this `MODULE`")
	c.Flags().StringVar(&o.tokens, "tokens", "", "give the holders the PKCS#11 tokens whose URIs stand in `FILE`, one a line, each with pin-source; scripts/modules makes such")
	c.Flags().BoolVar(&o.piv, "piv", false, "give the holders virtual YubiKeys, which scripts/rehearse --piv plugs in; with --pkcs11 or --tokens, every other holder")
	c.Flags().StringVar(&o.seed, "seed", "", "make the keys of embedded tokens from this `TEXT`, to repeat a rehearsal")
	c.Flags().StringVar(&o.time, "time", "", "hold it at this `TIME` (UTC, 2027-01-31T09:00:00Z) instead of now")
	return c
}

func completeOccasion(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return occasionNames(), cobra.ShellCompDirectiveNoFileComp
}

func runRehearse(env *environment, o rehearseOptions, now time.Time, play func(*rehearsal) error) (err error) {
	dir, tidy, err := rehearsalFolder(o.keep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tidy(err == nil)) }()
	r, err := newRehearsal(env, o, now, dir)
	if err != nil {
		return err
	}
	back, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("rehearsing: %w", err)
	}
	defer func() { err = errors.Join(err, os.Chdir(back)) }()
	return play(r)
}

func newRehearsal(env *environment, o rehearseOptions, now time.Time, dir string) (r *rehearsal, err error) {
	r = &rehearsal{env: env, now: now, dir: dir, kept: o.keep, seed: []byte(o.seed), tokens: map[string]stock{}}
	if o.seed == "" {
		r.seed = make([]byte, 32)
		if _, err := io.ReadFull(env.random, r.seed); err != nil {
			return nil, fmt.Errorf("rehearsing: %w", err)
		}
	}
	if r.binary, err = env.binary(); err != nil {
		return nil, err
	}
	r.maker, err = newMaker(r, o)
	return r, err
}

func newMaker(r *rehearsal, o rehearseOptions) (maker, error) {
	var makers []maker
	if o.piv {
		m, err := newPIVMaker(r)
		if err != nil {
			return nil, err
		}
		makers = append(makers, m)
	}
	if o.pkcs11 != "" {
		m, err := newPKCS11Maker(r, o.pkcs11)
		if err != nil {
			return nil, err
		}
		makers = append(makers, m)
	}
	if o.tokens != "" {
		m, err := newGivenMaker(r, o.tokens)
		if err != nil {
			return nil, err
		}
		makers = append(makers, m)
	}
	switch len(makers) {
	case 0:
		return &softMaker{r}, nil
	case 1:
		return makers[0], nil
	}
	return &turns{makers: makers}, nil
}

// rehearsalFolder gives the folder to work in, and what to do with it at the
// end: one that was not asked for is removed, unless something went wrong.
func rehearsalFolder(keep string) (string, func(ok bool) error, error) {
	if keep == "" {
		dir, err := os.MkdirTemp("", "ceremony-rehearsal-")
		if err != nil {
			return "", nil, fmt.Errorf("making a folder for the rehearsal: %w", err)
		}
		return dir, func(bool) error { return os.RemoveAll(dir) }, nil
	}
	dir, err := filepath.Abs(keep)
	if err != nil {
		return "", nil, fmt.Errorf("making the folder %q: %w", keep, err)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", nil, hint(fmt.Errorf("rehearsing in %q: the folder is not empty", keep), "name a new folder")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("making the folder %q: %w", keep, err)
	}
	return dir, func(bool) error { return nil }, nil
}

// derive gives bytes that depend on the seed and on a name.
func (r *rehearsal) derive(name string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, r.seed, nil, "ceremony rehearsal: "+name, n)
}

// pin is six digits for a token.
func (r *rehearsal) pin(name string) ([]byte, error) { return r.digits("pin "+name, 6) }

// digits are decimal digits that depend on the seed and on a name.
func (r *rehearsal) digits(name string, n int) ([]byte, error) {
	raw, err := r.derive(name, n)
	for i := range raw {
		raw[i] = '0' + raw[i]%10
	}
	return raw, err
}
