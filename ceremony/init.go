package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
)

type initOptions struct {
	kind    string
	roots   []string
	targets []string
	roster  string
	add     string
	list    string   // a manifest
	spell   bool     // write the delegations out
	others  []string // NAME=FILE: roots of other repositories
	profile string   // of a first plan
	revocationOptions
	old string // the folder of an event that was given up
}

func initCommand(env *environment) *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use:   "init DIR --kind genesis|rotation|targets|revocation",
		Short: "make a ceremony folder with a commented plan",
		Long: `init writes plan.yaml for people to complete and read aloud, filled in from the
trusted root, and puts what is trusted beside it. Nothing is decided by it: draft
names the next field that is still open. Of a revocation it says first which of
the cases A to F it is, what that means and what to do, in order and by whom;
STEPS.md keeps it. Where no next root restores trust (D and F) it makes none, but a
plan for a new first root and a bulletin. --dry-run answers without writing: what
if holder-3's key is stolen tonight? --draft drafts at once what the plan says, where
nothing is left to decide, and else says what is. --profile writes the roles of
PEP 458 or PEP 480 into the plan of a genesis, with one-time keys for targets and
bins; where an earlier ceremony had such keys, and --roster names it, those that
are signed again get new ones.`,
		Args: cobra.RangeArgs(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !o.dryRun {
				return usage(c, errors.New("init: wrong number of arguments"))
			}
			if !slices.Contains([]plan.Kind{plan.Genesis, plan.Rotation, plan.Targets, plan.Revocation}, plan.Kind(o.kind)) {
				return usage(c, fmt.Errorf("init: kind %q: genesis, rotation, targets or revocation is wanted", o.kind))
			}
			if err := o.usage(plan.Kind(o.kind)); err != nil {
				return usage(c, err)
			}
			if err := o.profiled(); err != nil {
				return usage(c, err)
			}
			if (len(o.roots) == 0) != (plan.Kind(o.kind) == plan.Genesis) {
				return usage(c, errors.New("init: a rotation, a revocation and a targets ceremony go on from --trusted-root, a genesis from nothing"))
			}
			if plan.Kind(o.kind) == plan.Revocation {
				return runRevocation(env, strings.Join(args, ""), o)
			}
			return runInit(env, args[0], o)
		},
	}
	c.Flags().StringVar(&o.kind, "kind", "", "the `OCCASION`: genesis, rotation, targets or revocation")
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"genesis", "rotation", "targets", "revocation"}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().StringArrayVar(&o.roots, "trusted-root", nil, "the published root `FILE` to go on from; earlier ones may be named too")
	c.Flags().StringArrayVar(&o.targets, "trusted-targets", nil, "the published targets `FILE` to go on from; of each delegated role that is to be signed too, its VERSION.ROLE.json")
	c.Flags().BoolVar(&o.spell, "delegations", false, "write the delegations of these files into the plan, where they can be changed")
	c.Flags().StringArrayVar(&o.others, "external", nil, "`NAME=FILE`: a root of another repository, to whose targets keys something is delegated; or a folder with all of them, from the one that is believed to the newest")
	c.Flags().StringVar(&o.roster, "roster", "", "take names, devices and what is asked of them from this earlier ceremony `FOLDER` or bundle")
	c.Flags().StringVar(&o.add, "add", "", "list the files below `FOLDER` as targets to add")
	c.Flags().StringVar(&o.list, "manifest", "", "list the targets in this `FILE`: JSON lines, or with --add, whose files are compared with it, what sha256sum prints")
	c.Flags().StringVar(&o.profile, "profile", "", "of a genesis: the `LAYOUT` of roles of a PEP, pep458 or pep480, written out into the plan")
	_ = c.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions([]string{"pep458", "pep480"}, cobra.ShellCompDirectiveNoFileComp))
	o.flags(c)
	c.Flags().StringVar(&o.old, "supersedes", "", "take the place of the event in this ceremony `FOLDER`, which was given up: its record comes along, and the plan names it")
	return c
}

func runInit(env *environment, dir string, o initOptions) error {
	now := env.now().UTC().Truncate(time.Hour)
	files := folder.Files{}
	p := &plan.Plan{Kind: plan.Kind(o.kind), Opens: now, Closes: now.AddDate(0, 0, 7), Lifetimes: map[string]int{"snapshot": 7, "timestamp": 1}}
	before, err := lookBack(o.roster, o.roots)
	if err != nil {
		return err
	}
	known, had := before.plan, before.files
	if known != nil {
		p.Repository = known.Repository
		if known.Lifetimes != nil {
			p.Lifetimes = maps.Clone(known.Lifetimes)
		}
	}
	root, err := takeRoots(files, o.roots, now)
	if err != nil {
		return err
	}
	old, err := takeTargets(files, o.targets)
	if err != nil {
		return err
	}
	if err := completeTargets(old); err != nil {
		return err
	}
	expires := now.AddDate(1, 0, 0)
	if root == nil {
		plan.FillGenesis(p, expires)
	} else {
		if err := plan.FillFrom(p, root, known, expires, files); err != nil {
			return hint(fmt.Errorf("making a plan from the trusted root: %w", err), "`ceremony inspect` shows its keys")
		}
		plan.CarryPolicy(p, known, had, files)
		carryClaims(p, known, had, files)
	}
	advice, err := fillTargets(p, files, old, expires, o)
	if err != nil {
		return err
	}
	imported, err := takeExternals(p, files, o.others, known, had, old, now)
	if err != nil {
		return err
	}
	if err := fillDelegated(p, files, old, known, expires, o.spell); err != nil {
		return err
	}
	more, err := fillOneTime(p, files, old, root, known, expires, o)
	if err != nil {
		return err
	}
	before.tellEnds(p)
	advice = append(advice, more...)
	supersedes, err := supersede(p, files, o.old)
	if err != nil {
		return err
	}
	files[folder.Plan] = p.Text()
	if err := writeFolder(dir, files); err != nil {
		return err
	}
	fmt.Fprintf(env.out, "Made %s for a %s ceremony.\n", filepath.Join(dir, folder.Plan), p.Kind)
	if root == nil {
		fmt.Fprintln(env.out, "Put each public key into keys/, as PEM, under the name that the plan gives.")
	}
	for _, advice := range slices.Concat(advice, imported, supersedes, before.said()) {
		wrapTo(env.out, "", "", advice)
	}
	if len(before.once) > 0 {
		printOnce(env.out, before.once)
		fmt.Fprintln(env.out)
	}
	fmt.Fprintln(env.out, "Edit the plan until it says what you have decided, and read it aloud.")
	fmt.Fprintf(env.out, "Next: ceremony draft %s\n", dir)
	return nil
}

// writeFolder writes a ceremony folder. The plan comes last: a folder that has
// one is complete.
func writeFolder(dir string, files folder.Files) error {
	names := slices.Sorted(maps.Keys(files))
	slices.SortStableFunc(names, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	if err := untouched(dir, files); err != nil {
		return hint(err, "name a new folder; what lies in this one is kept as it is")
	}
	for _, name := range names {
		if _, err := durable.Ensure(filepath.Join(dir, filepath.FromSlash(name)), files[name]); err != nil {
			return hint(err, "name a new folder; what lies in this one is kept as it is")
		}
	}
	return nil
}

// carryClaims takes along what modules said of keys that stay.
func carryClaims(p, earlier *plan.Plan, from, to folder.Files) {
	if earlier == nil {
		return
	}
	for _, t := range p.Roster.Tokens() {
		known, ok := earlier.Roster.Token(t.Name)
		if !ok {
			continue
		}
		if data, ok := from[evidence.ClaimsFile(known.KeyFile)]; ok {
			to[evidence.ClaimsFile(t.KeyFile)] = data
		}
	}
}

// untouched looks for files that are in the way before one is written: another
// root in trusted/ would be another event.
func untouched(dir string, files folder.Files) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if same, err := spool.Matches(path, files[name]); err == nil && !same {
			return fmt.Errorf("making a ceremony folder: %q: %w with other content", path, fs.ErrExist)
		}
	}
	return nil
}

// takeRoots puts the trusted roots into the folder, byte for byte, and gives
// the newest.
func takeRoots(files folder.Files, names []string, now time.Time) (*tufmeta.Root, error) {
	var given []inspect.File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, hint(fmt.Errorf("reading the trusted root: %w", err), "name the newest root that is published, like 12.root.json")
		}
		given = append(given, inspect.File{Name: name, Data: data})
	}
	chain, err := inspect.Chain(given, now)
	if err != nil {
		return nil, err
	}
	if len(chain.Broken) > 0 {
		return nil, hint(fmt.Errorf("reading the trusted roots: %s: %s", chain.Broken[0].Subject, chain.Broken[0].Detail), "`ceremony inspect` checks them; name the roots as they were published, with none left out")
	}
	if len(chain.Links) == 0 {
		return nil, nil
	}
	for _, l := range chain.Links {
		i := slices.IndexFunc(given, func(f inspect.File) bool { return f.Name == l.Name })
		v := folder.Version{Role: "root", Version: l.Root.Version}
		files[folder.Trusted+"/"+v.File()] = given[i].Data
	}
	return chain.Last().Root, nil
}
