package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

type promoteOptions struct {
	initOptions
	file            string // the list of projects
	withdraw        []string
	role, delegator string
	dryRun, asJSON  bool
}

func promoteCommand(env *environment) *cobra.Command {
	var o promoteOptions
	c := &cobra.Command{
		Use:   "promote DIR --projects FILE",
		Short: "take claimed projects into the role that delegates to them",
		Long: `promote takes the projects that developers have claimed since the last ceremony, with
their keys and their proofs that the keys are theirs, into the role that delegates to
projects (PEP 480 calls it claimed). It says what is wrong with the list: names that are
mixed up, keys that are shared, weak or no proof of which is there, paths that two
projects would have, a project that is delegated to already with another key. Where
nothing refuses, it makes the ceremony folder, with the list in it, and drafts at once
the next version of the role; all that the role delegates besides stays as it is. What a
plan may waive leaves the folder without a draft, for the coordinator to decide.
--dry-run judges the list and writes nothing.`,
		Args: cobra.RangeArgs(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !o.dryRun {
				return usage(c, errors.New("promote: wrong number of arguments"))
			}
			if err := o.usage(); err != nil {
				return usage(c, err)
			}
			return runPromote(env, slices.Concat(args, []string{""})[0], o)
		},
	}
	c.Flags().StringVar(&o.file, "projects", "", "the list of projects: a `FILE` of JSON lines")
	c.Flags().StringArrayVar(&o.withdraw, "withdraw", nil, "delegate to this `PROJECT` no more; may be repeated")
	c.Flags().StringArrayVar(&o.roots, "trusted-root", nil, "the published root `FILE` to go on from; earlier ones may be named too")
	c.Flags().StringArrayVar(&o.targets, "trusted-targets", nil, "the published targets `FILE`, and the VERSION.ROLE.json of the role and of each on the way to it")
	c.Flags().StringVar(&o.roster, "roster", "", "take names, devices and the repository's name from this earlier ceremony `FOLDER` or bundle")
	c.Flags().StringVar(&o.role, "role", "", "the `ROLE` that is to delegate to the projects, where the trusted files leave that open")
	c.Flags().StringVar(&o.delegator, "delegator", "", "the `ROLE` that delegates to it, where several do")
	c.Flags().StringVar(&o.old, "supersedes", "", "take the place of the event in this ceremony `FOLDER`, which was given up: its record comes along, and the plan names it")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "judge the list, and write nothing; DIR may be left out")
	c.Flags().BoolVar(&o.asJSON, "json", false, "for machines")
	return c
}

func (o *promoteOptions) usage() error {
	switch {
	case o.file == "" && len(o.withdraw) == 0:
		return errors.New("promote: --projects is missing, or --withdraw")
	case len(o.roots) == 0 || len(o.targets) == 0:
		return errors.New("promote: it goes on from --trusted-root and --trusted-targets")
	case o.roster == "":
		return errors.New("promote: --roster is missing: proofs of possession name the repository as earlier plans do")
	}
	return nil
}

// promotion is what is to be made of a list.
type promotion struct {
	plan    *plan.Plan
	section *plan.TargetsPlan // of the role that is to delegate
	files   folder.Files
	linter  *projects.Linter
	results []check.Result
	drafted bool
	from    string // that nothing ties the earlier ceremony to the trusted root
}

func runPromote(env *environment, dir string, o promoteOptions) error {
	p, err := promoted(env.now().UTC().Truncate(time.Hour), o)
	if err != nil {
		return err
	}
	refused := check.Refuse(p.results)
	if o.dryRun || fixed(p.results) {
		if err := p.tell(env.out, o.asJSON); err != nil {
			return err
		}
		if refused == nil && !o.asJSON {
			fmt.Fprintln(env.out, "\nThis was a dry run: nothing was written.")
		}
		return refused
	}
	advice, err := supersede(p.plan, p.files, o.old)
	if err != nil {
		return err
	}
	p.files[folder.Plan] = p.plan.Text()
	if err := writeFolder(dir, p.files); err != nil {
		return err
	}
	if refused != nil {
		if err := p.tell(env.out, o.asJSON); err != nil {
			return err
		}
		return &hinted{refused, fmt.Sprintf("nothing was drafted. Take these projects out of the list, and promote into a new folder; or, where you know why, write a waiver for each into %s, then: ceremony draft %s", filepath.Join(dir, folder.Plan), dir)}
	}
	return p.draft(env, dir, advice, o.asJSON)
}

// fixed reports whether there are refusals that no plan can waive.
func fixed(results []check.Result) bool {
	return slices.ContainsFunc(check.Refusals(results), func(r check.Result) bool {
		row, _ := check.Lookup(r.Check)
		return !row.Waivable()
	})
}

// draft goes on to what `ceremony draft` does, in the same words.
func (p *promotion) draft(env *environment, dir string, advice []string, asJSON bool) error {
	made, screen := *env, env.out
	if asJSON {
		made.out = io.Discard
	} else {
		p.summary(env.out)
		fmt.Fprintf(screen, "Made %s for a %s ceremony. The draft:\n", filepath.Join(dir, folder.Plan), p.plan.Kind)
		for _, line := range advice {
			wrapTo(screen, "", "", line)
		}
	}
	if err := runDraft(&made, dir); err != nil {
		return hint(err, "complete %s, then: ceremony draft %s", filepath.Join(dir, folder.Plan), dir)
	}
	if p.drafted = true; asJSON {
		return p.tell(screen, true)
	}
	return nil
}

// promoted reads what is trusted and the list, and judges the list.
func promoted(now time.Time, o promoteOptions) (*promotion, error) {
	p := &promotion{files: folder.Files{}}
	past, err := lookBack(o.roster, o.roots)
	if err != nil {
		return nil, err
	}
	known, had := past.plan, past.files
	if !past.verified {
		p.from = past.words
	}
	root, err := takeRoots(p.files, o.roots, now)
	if err != nil {
		return nil, err
	}
	old, err := takeTargets(p.files, o.targets)
	if err != nil {
		return nil, err
	}
	if err := completeTargets(old); err != nil {
		return nil, err
	}
	by, role, err := o.promotes(old)
	if err != nil {
		return nil, err
	}
	p.plan = &plan.Plan{Kind: plan.Targets, Repository: known.Repository, Rehearsal: ofRehearsal(p.files), Opens: now, Closes: now.AddDate(0, 0, 7), Lifetimes: map[string]int{"snapshot": 7, "timestamp": 1}}
	if err := plan.FillFrom(p.plan, root, known, now.AddDate(1, 0, 0), p.files); err != nil {
		return nil, hint(fmt.Errorf("making a plan from the trusted root: %w", err), "`ceremony inspect` shows its keys")
	}
	for _, d := range by {
		if err := plan.FillSigners(p.plan, d, role, known, p.files); err != nil {
			return nil, hint(fmt.Errorf("making a plan from the trusted %s: %w", d.Name, err), "%s has to be mended first, in a targets ceremony", tufmeta.Printable(d.Name))
		}
	}
	plan.CarryPolicy(p.plan, known, had, p.files)
	carryClaims(p.plan, known, had, p.files)
	return p, p.judge(o, review.Trusted{Root: root, Targets: old}, role, by, now.AddDate(1, 0, 0))
}

// judge writes the section of the role, takes the list into the folder, and
// looks at it.
func (p *promotion) judge(o promoteOptions, trusted review.Trusted, role string, by []tufmeta.Delegator, expires time.Time) error {
	p.section = &plan.TargetsPlan{Version: 1, Expires: expires, Withdraw: o.withdraw}
	before := trusted.Targets[role]
	if before == nil {
		before = &tufmeta.Targets{}
	}
	p.section.Version += before.Version
	if role == "targets" {
		p.plan.Targets = p.section
	} else {
		p.section.Role, p.section.Delegator = role, by[0].Name
		p.plan.Delegated = []*plan.TargetsPlan{p.section}
	}
	if o.file != "" {
		data, err := os.ReadFile(o.file)
		if err != nil {
			return hint(fmt.Errorf("reading the list of projects: %w", err), "name a file of JSON lines, one for each project")
		}
		if _, err := projects.Parse(o.file, data); err != nil {
			return err
		}
		p.section.Projects = folder.Lists + "/" + role + ".projects.jsonl"
		p.files[p.section.Projects] = data
	}
	if err := p.plan.LoadLists(p.files); err != nil {
		return err
	}
	if err := p.withdrawn(before); err != nil {
		return err
	}
	p.plan.Roster.LoadKeysThere(p.files)
	p.linter = review.Projects(p.plan, p.section, trusted)
	p.results = check.Draft.Weigh(p.linter.Results())
	return nil
}

// withdrawn wants projects that go to be there.
func (p *promotion) withdrawn(before *tufmeta.Targets) error {
	for _, project := range p.section.Withdraw {
		if before.Delegations.Find(projects.Role(project)) == nil {
			return hint(fmt.Errorf("withdrawing %q: %s does not delegate to it", project, p.section.Name()), "`ceremony inspect` lists what a role delegates; a project stands there as %s", tufmeta.Printable(projects.Role(project)))
		}
	}
	return nil
}

// promotes finds the role that is to delegate to the projects, and who delegates
// to it: the one that was named, or the last on the way from targets.
func (o *promoteOptions) promotes(old map[string]*tufmeta.Targets) (by []tufmeta.Delegator, role string, err error) {
	if role = o.role; role == "" {
		last := lastOf(old)
		if len(last) != 1 {
			return nil, "", hint(fmt.Errorf("finding the role: the trusted files leave open which is to delegate to the projects%s", among(last)), "name it with --role; where it is published, its file belongs to --trusted-targets too")
		}
		role = last[0]
	}
	if role == "targets" {
		return nil, role, nil
	}
	by = tufmeta.Delegators(old, role)
	if i := slices.IndexFunc(by, func(d tufmeta.Delegator) bool { return d.Name == o.delegator }); i >= 0 {
		by[0], by[i] = by[i], by[0]
		return by, role, nil
	}
	switch {
	case o.delegator != "":
		return nil, "", hint(fmt.Errorf("finding the role: nothing in the trusted files says that %q delegates to %q", o.delegator, tufmeta.Printable(role)), "`ceremony inspect` shows what a role delegates")
	case len(by) == 0:
		return nil, "", hint(fmt.Errorf("finding the role: nothing in the trusted files delegates to %q", tufmeta.Printable(role)), "name the published targets with --trusted-targets, and each role on the way")
	case len(by) > 1:
		return nil, "", hint(fmt.Errorf("finding the delegator: %s and %s both delegate to %q", by[0].Name, by[1].Name, tufmeta.Printable(role)), "name one of them with --delegator; the role is counted under both")
	}
	return by, role, nil
}

// lastOf lists the trusted delegated roles that delegate to no other trusted one.
func lastOf(old map[string]*tufmeta.Targets) []string {
	var last []string
	for role := range old {
		onTheWay := role == "targets"
		for other := range old {
			onTheWay = onTheWay || other != role && old[role].Delegations.Find(other) != nil
		}
		if !onTheWay {
			last = append(last, role)
		}
	}
	slices.Sort(last)
	return last
}

func among(roles []string) string {
	text := ""
	for i, role := range roles {
		text += []string{": ", " or "}[min(i, 1)] + tufmeta.Printable(role)
	}
	return text
}
