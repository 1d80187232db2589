package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/draft"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

func standbyCommand(env *environment) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "standby BUNDLE -o FOLDER",
		Short: "draft, for each root key, the root that revokes it",
		Long: `standby goes on from a ceremony that has just been sealed, with everybody still in
the room. For each single key of its root it drafts the next root without that
key, in a ceremony folder of its own below FOLDER. The others sign it, to the
threshold, and it is sealed apart: in an emergency its publication takes minutes
and no quorum. ` + "`sign`, `status`, `merge` and `seal`" + ` take FOLDER as well, for all of
them in turn. All lapse with the next root, whichever it is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if output == "" {
				return usage(c, errors.New("standby: no output folder is named"))
			}
			return runStandby(env, args[0], output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "`FOLDER` to make; it must not exist")
	return c
}

// revoke begins the names of the ceremony folders below a standby folder.
const revoke = "revoke-"

// standbys lists the ceremony folders in a standby folder, none where DIR is
// anything else.
func standbys(dir string) []string {
	if _, err := os.Stat(filepath.Join(dir, folder.Plan)); err == nil {
		return nil
	}
	entries, _ := os.ReadDir(dir) // one that cannot be read is none; whoever opens it says why
	var all []string
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(sub, folder.Plan)); err == nil && strings.HasPrefix(e.Name(), revoke) {
			all = append(all, sub)
		}
	}
	return all
}

// eachStandby runs a command in the ceremony folder that was named, or in each
// of those in a standby folder, under its name.
func eachStandby(w io.Writer, dir string, do func(dir string) error) error {
	all := standbys(dir)
	if len(all) == 0 {
		return do(dir)
	}
	for i, sub := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "== %s (%d of %d)\n", tufmeta.Printable(filepath.ToSlash(sub)), i+1, len(all))
		if err := do(sub); err != nil {
			return err
		}
	}
	return nil
}

// sealed is what a ceremony has made, as it can be gone on from.
type sealed struct {
	plan    *plan.Plan
	files   folder.Files
	root    *tufmeta.Root
	trusted folder.Files // the new root and targets, under their names in trusted/
}

func runStandby(env *environment, from, dir string) error {
	s, err := readSealed(from, env)
	if err != nil {
		return err
	}
	if now := env.today(); now.After(s.plan.Closes) {
		return hint(fmt.Errorf("making standby revocations: the signing window of that ceremony closed on %s", s.plan.Closes.Format(tufmeta.TimeFormat)),
			"they are signed at the ceremony whose root they go on from, while its holders are there; the next one is the next occasion")
	}
	if other := s.other(dir); other != "" {
		return hint(fmt.Errorf("making standby revocations in %q: the folder is not empty: it has %q", dir, other), "name a new folder")
	}
	fmt.Fprintf(env.out, "Standby revocations for root %d of \"%s\":\n", s.root.Version, tufmeta.Printable(s.plan.Repository))
	made := 0
	for _, name := range s.plan.Root.Roles["root"].Tokens {
		ok, err := s.standby(env, dir, name)
		if err != nil {
			return err
		}
		if ok {
			made++
		}
	}
	if made == 0 {
		return hint(errors.New("making standby revocations: none can be made"), "list more root keys than the threshold needs, and let more holders sign targets, at the next ceremony")
	}
	fmt.Fprintln(env.out)
	wrapTo(env.out, "", "", "Whoever has one of them, once it is sealed, can revoke that key and do nothing else. All lapse with the next root.")
	fmt.Fprintf(env.out, "Next, for each holder: ceremony sign %s --token NAME\n", dir)
	return nil
}

// other names something in a folder that this command does not make there. A
// run that was stopped has left some of what it makes.
func (s *sealed) other(dir string) string {
	entries, _ := os.ReadDir(dir) // one that cannot be read is new, or cannot be written either
	for _, e := range entries {
		name, mine := strings.CutPrefix(e.Name(), revoke)
		if !mine || !slices.Contains(s.plan.Root.Roles["root"].Tokens, name) {
			return e.Name()
		}
	}
	return ""
}

// readSealed verifies a bundle, and finds in it what the next root goes on from.
func readSealed(path string, env *environment) (*sealed, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, hint(fmt.Errorf("reading the bundle: %w", err), "name the bundle that `ceremony seal` has written")
	}
	files, err := bundle.Decode(data)
	if err != nil {
		return nil, hint(err, "name the bundle that `ceremony seal` has written")
	}
	verified, err := verify.Files(files, trustedRoot(files, files), env.today())
	if err != nil {
		return nil, err
	}
	facts, _ := verified.Facts()
	p, err := readPlan(files)
	if err != nil {
		return nil, err
	}
	if p.Root == nil {
		return nil, hint(errors.New("making standby revocations: that ceremony made no root"), "they go on from the newest root: name the bundle of the ceremony that made it")
	}
	s := &sealed{plan: p, files: files, trusted: folder.Files{}}
	envelope, err := tufmeta.ParseEnvelope(facts.NewRoot)
	if err != nil {
		return nil, err
	}
	if s.root, err = tufmeta.ParseRoot(envelope.Signed); err != nil {
		return nil, err
	}
	for _, part := range []string{folder.Trusted, folder.Metadata} { // what was made comes after what was trusted
		versions, err := files.Versions(part)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			s.newest(v, files[part+"/"+v.File()])
		}
	}
	return s, nil
}

// newest takes a file in the place of the one of its role.
func (s *sealed) newest(v folder.Version, data []byte) {
	if v.Role != "root" && v.Role != "targets" {
		return
	}
	for name := range s.trusted {
		if strings.HasSuffix(name, "."+v.Role+".json") {
			delete(s.trusted, name)
		}
	}
	s.trusted[folder.Trusted+"/"+v.File()] = data
}

// standby drafts the revocation of one key, or says why there can be none.
func (s *sealed) standby(env *environment, dir, name string) (made bool, err error) {
	place := filepath.Join(dir, revoke+name)
	files, payloads, report, err := s.draft(name)
	if err == nil {
		err = check.Refuse(report.Results)
	}
	if err != nil {
		wrapTo(env.out, "  ", "      ", fmt.Sprintf("none for %s: %v.%s", name, err, remedy(err)))
		return false, nil
	}
	if err := writeFolder(place, files); err != nil {
		return false, err
	}
	there, err := readFolder(place)
	if err != nil {
		return false, err
	}
	for _, name := range there.Names(folder.Record) { // of a run that was stopped after it had drafted this one
		files[name] = there[name]
	}
	quiet := *env
	quiet.out = io.Discard
	if err := writeDraft(&quiet, place, files, payloads, report); err != nil {
		return false, err
	}
	need := report.Demands[0].Role.Threshold
	wrapTo(env.out, "  ", "      ", fmt.Sprintf("%s: root %d without the key of %s. %d of %s sign.", filepath.ToSlash(place), s.root.Version+1, name, need, strings.Join(able(report), ", ")))
	return true, nil
}

// remedy says what would have to be otherwise at the ceremony itself.
func remedy(err error) string {
	var refused *check.Error
	if errors.As(err, &refused) && refused.Results[0].Check == "TARGETS-STALE" {
		return " Targets counts on this key: have more holders sign it, or give root and targets keys of their own"
	}
	return ""
}

// able names those who can sign for the old root and for the new: a standby
// revocation has the same people for both.
func able(report *review.Report) []string {
	var names []string
	for _, m := range report.Demands[0].Members(&report.Plan.Roster) {
		if m.CanSign() {
			names = append(names, m.Token.Name)
		}
	}
	return names
}

// draft plans and drafts the revocation of one key. The window, and what the
// ceremony has waived, are those of the ceremony itself: of its waivers those
// that are still needed, which a first draft shows.
func (s *sealed) draft(name string) (files, payloads folder.Files, _ *review.Report, err error) {
	files = maps.Clone(s.trusted)
	p := &plan.Plan{
		Kind: plan.Revocation, Repository: s.plan.Repository, Rehearsal: s.plan.Rehearsal,
		Opens: s.plan.Opens, Closes: s.plan.Closes, ModuleTimeout: s.plan.ModuleTimeout, Lifetimes: s.plan.Lifetimes,
	}
	if err := plan.FillFrom(p, s.root, s.plan, s.plan.Root.Expires, files); err != nil {
		return nil, nil, nil, err
	}
	plan.CarryPolicy(p, s.plan, s.files, files)
	p.Revoke(&plan.Compromise{Case: "A", Tokens: []string{name}, Why: "standby for the loss of " + name, Standby: true}, false)
	payloads, report, err := drafted(p, files)
	if err != nil {
		return nil, nil, nil, err
	}
	p.Waivers = slices.DeleteFunc(slices.Clone(s.plan.Waivers), func(w check.Waiver) bool {
		return !slices.ContainsFunc(report.Results, func(r check.Result) bool { return r.Check == w.Check && r.Subject == w.Subject })
	})
	if len(p.Waivers) > 0 {
		payloads, report, err = drafted(p, files)
	}
	return files, payloads, report, err
}

// drafted puts a plan into files, makes its payloads, and reviews them.
func drafted(p *plan.Plan, files folder.Files) (folder.Files, *review.Report, error) {
	files[folder.Plan] = p.Text()
	read, err := readPlan(files)
	if err != nil {
		return nil, nil, err
	}
	payloads, err := draft.Payloads(read, files)
	if err != nil {
		return nil, nil, err
	}
	report, err := reviewDraft(files, payloads)
	return payloads, report, err
}

// standbyOf says what a standby revocation is, to those who review, look at or
// publish it; nothing of any other plan.
func standbyOf(p *plan.Plan) string {
	if p.Compromise == nil || !p.Compromise.Standby {
		return ""
	}
	var whose []string
	for _, name := range p.Compromise.Tokens {
		if t, ok := p.Roster.Token(name); ok {
			whose = append(whose, t.Describe())
		}
	}
	return fmt.Sprintf("STANDBY: it revokes the key of %s, and is published only if that key is lost or in other hands. It lapses with the next root.", strings.Join(whose, "; "))
}

// standsBy reports whether a token has nothing to sign in a standby
// revocation: it is the one that is revoked, it is not asked, or enough have
// signed.
func standsBy(dir, token string) (why string, err error) {
	_, p, c, err := collect(dir)
	if err != nil {
		return "", err
	}
	if p.Compromise != nil && slices.Contains(p.Compromise.Tokens, token) {
		return "it revokes the key of " + token + " itself: the others sign it", nil
	}
	for _, progress := range c.Progress(&p.Roster) {
		if !progress.Reached() {
			return "", nil
		}
	}
	return "enough have signed it", nil
}
