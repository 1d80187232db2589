package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// profiled says what is wrong with the command line, where a profile has no use.
func (o *initOptions) profiled() error {
	switch {
	case o.profile == "":
		return nil
	case !plan.KnownProfile(o.profile):
		return fmt.Errorf("init: profile %q: pep458 or pep480 is wanted", o.profile)
	case plan.Kind(o.kind) != plan.Genesis:
		return fmt.Errorf("init: a profile is for the first plan; a %s goes on with the roles that are published, and with --roster it replaces one-time keys", o.kind)
	case o.add != "" || o.list != "":
		return errors.New("init: by both PEPs targets lists no files itself: leave --add and --manifest out, and have bins' own signer list them")
	}
	return nil
}

// fillOneTime writes what has to do with one-time keys: a profile, which has
// some, or new ones in the places of those that were to be destroyed.
func fillOneTime(p *plan.Plan, files folder.Files, old map[string]*tufmeta.Targets, root *tufmeta.Root, known *plan.Plan, expires time.Time, o initOptions) ([]string, error) {
	if o.profile != "" {
		return plan.FillProfile(p, plan.Profile(o.profile), expires), nil
	}
	if p.Kind == plan.Targets {
		return withoutTargets(p, root, files, o)
	}
	names, err := plan.RenewOneTime(p, old, known, files)
	if err != nil {
		return nil, hint(fmt.Errorf("replacing one-time keys: %w", err), "write the delegations by hand, with the new tokens; a plan says so in docs/formats.md")
	}
	if len(names) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("The one-time keys of the ceremony before were to be destroyed in it. New ones are planned, which `ceremony token provision` makes: %s.", strings.Join(names, ", "))}, nil
}

// withoutTargets leaves targets as it is where its keys were one-time keys: only
// a root can name others.
func withoutTargets(p *plan.Plan, root *tufmeta.Root, files folder.Files, o initOptions) ([]string, error) {
	if p.Targets == nil || !plan.SignedOnce(p, root, files) {
		return nil, nil
	}
	if len(p.Delegated) == 0 || o.add != "" || o.list != "" || o.spell {
		return nil, hint(errors.New("making a plan: the keys of targets were one-time keys, which were to be destroyed, so the next targets needs new ones from a new root"),
			"begin a rotation, with the same files: `ceremony init DIR --kind rotation`; `ceremony runbook bins-renewal` is its page")
	}
	p.Targets = nil
	return []string{"The keys of targets were one-time keys, so targets stays as it is: the plan has the delegated roles alone."}, nil
}
