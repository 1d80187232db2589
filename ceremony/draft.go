package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/draft"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
)

func draftCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "draft DIR",
		Short: "make the payloads from the plan and the trusted metadata",
		Long: `draft writes payload/: for each role exactly the bytes that will be hashed and
signed. It says what the devices have attested, where the plan asks, and who can
sign and how many must, under the old root and the new. What a check refuses is
not written. Running it again changes nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runDraft(env, args[0]) },
	}
}

func runDraft(env *environment, dir string) error {
	files, err := readFolder(dir)
	if err != nil {
		return err
	}
	p, err := readPlan(files)
	if err != nil {
		return err
	}
	if now := env.today(); now.After(p.Closes) {
		err := check.Refused("CLOCK", "window.closes", "signing closes on %s, and this machine says %s: nobody could sign", p.Closes.Format(tufmeta.TimeFormat), now.Format(tufmeta.TimeFormat))
		return &hinted{err, "correct window: in plan.yaml, or this machine's clock"}
	}
	if err := plannedDevices(p); err != nil {
		return err
	}
	if err := free(p, files, dir); err != nil {
		return err
	}
	payloads, err := draft.Payloads(p, files)
	if err != nil {
		return hint(err, "compare plan.yaml with what lies in %s", filepath.Join(dir, folder.Trusted))
	}
	if err := unchanged(files, payloads); err != nil {
		return err
	}
	report, err := reviewDraft(files, payloads)
	if err != nil {
		return err
	}
	printResults(env.out, report.Results)
	printVerdicts(env.out, p, report.Devices)
	printQuorums(env.out, report)
	if err := check.Refuse(report.Results); err != nil {
		return draftHint(err, check.Refusals(report.Results))
	}
	return writeDraft(env, dir, files, payloads, report)
}

// reviewDraft reviews payloads that are not written yet. This is the draft: that
// none is on record is no news.
func reviewDraft(files, payloads folder.Files) (*review.Report, error) {
	drafted := maps.Clone(files)
	maps.Copy(drafted, payloads)
	report, err := review.Review(drafted)
	if err == nil {
		report.Results = slices.DeleteFunc(report.Results, func(r check.Result) bool { return r.Check == "RECORD-MISSING" })
	}
	return report, err
}

// free refuses to draft what was given up, or was signed before in another
// event that the plan does not name.
func free(p *plan.Plan, files folder.Files, dir string) error {
	if err := check.Refuse(aborted(files)); err != nil {
		return err
	}
	return supersedeHint(check.Refuse(review.SignedBefore(p, files)), dir)
}

func supersedeHint(err error, dir string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf("find out what became of those signatures; then make a new folder, whose plan names the event: `ceremony init NEW --supersedes %s` with what else init was given", dir)}
}

// draftHint says what the planner does about a refusal; the table speaks to
// those who are about to sign.
func draftHint(err error, refusals []check.Result) error {
	is := func(id string) bool {
		return slices.ContainsFunc(refusals, func(r check.Result) bool { return r.Check == id })
	}
	switch {
	case is("OUT-OF-BAND"): // whatever else is wrong, mending it helps nobody
		row, _ := check.Lookup("OUT-OF-BAND")
		return &hinted{err, row.Do}
	case is("EVENT-MISMATCH"):
		return &hinted{err, draftedBefore}
	case slices.ContainsFunc(refusals, func(r check.Result) bool {
		return r.Check == "EXPIRES-PAST" && !strings.HasPrefix(r.Subject, "trusted ")
	}):
		return &hinted{err, "write a later expiry into plan.yaml: later than window.closes"}
	case is("PLAN-MISMATCH"):
		return &hinted{err, "mend the plan, or what lies in trusted/, and draft again; nothing was written"}
	}
	return err
}

// draftedBefore is what to do about a plan that was edited after drafting.
const draftedBefore = "somebody may have signed what was drafted before: make a new folder with `ceremony init NEW --supersedes DIR`, or, if nobody has signed, remove payload/ and record/ and draft again"

// unchanged refuses to draft beside, or in the place of, other payloads.
func unchanged(files, payloads folder.Files) error {
	for _, name := range files.Names(folder.Payload) {
		if data, ok := payloads[name]; !ok || !spool.Equal(data, files[name]) {
			return hint(fmt.Errorf("drafting: %s exists, and it is not what this plan makes", name), draftedBefore)
		}
	}
	return nil
}

func writeDraft(env *environment, dir string, files, payloads folder.Files, report *review.Report) error {
	wrote := false
	for _, name := range slices.Sorted(maps.Keys(payloads)) {
		new, err := durable.Ensure(filepath.Join(dir, filepath.FromSlash(name)), payloads[name])
		if err != nil {
			return err
		}
		wrote = wrote || new
	}
	chains, _ := record.Read(files)
	if !slices.Contains(record.Drafted(chains), report.Event.String()) {
		binary, err := env.binary()
		if err != nil {
			return err
		}
		line := record.Line{Act: "draft", At: env.today().Format(tufmeta.TimeFormat), Binary: binary, Event: report.Event.String(), Waivers: report.Plan.Waivers}
		if err := record.Append(dir, env.sitting(dir), line); err != nil {
			return err
		}
		wrote = true
	}
	fmt.Fprintln(env.out)
	verb := "Drafted"
	if !wrote {
		verb = "Unchanged:"
	}
	for _, d := range report.Documents {
		fmt.Fprintf(env.out, "%s payload/%s\n", verb, d.Version.File())
	}
	fmt.Fprintf(env.out, "Next: ceremony review %s\n", dir)
	return nil
}

// printQuorums says, for each threshold, who can sign and how many must.
func printQuorums(w io.Writer, report *review.Report) {
	fmt.Fprintln(w, "\nWho signs:")
	for _, d := range report.Demands {
		printQuorum(w, d, &report.Plan.Roster)
	}
	printBring(w, report)
}

func printQuorum(w io.Writer, d quorum.Demand, r *roster.Roster) {
	var can, cannot []string
	for _, m := range d.Members(r) {
		switch {
		case m.CanSign():
			can = append(can, m.Token.Name)
		case m.Token != nil:
			cannot = append(cannot, m.Token.Name+" ("+m.Token.Out()+")")
		default:
			cannot = append(cannot, "key "+roster.Short(m.Fingerprint)+" (not in the plan)")
		}
	}
	need := d.Role.Threshold
	wrapTo(w, fmt.Sprintf("  %-12s under %s: ", d.Payload, underOf(d)), "      ", fmt.Sprintf("%d must sign; %d can: %s", need, len(can), strings.Join(can, ", ")))
	switch {
	case len(can) == need:
		wrapTo(w, "      ", "      ", "all of them must sign: if one does not come, the ceremony fails")
	case len(can) > need:
		wrapTo(w, "      ", "      ", fmt.Sprintf("%d may stay away", len(can)-need))
	}
	if len(cannot) > 0 {
		wrapTo(w, "      ", "      ", "cannot sign: "+strings.Join(cannot, ", "))
	}
}
