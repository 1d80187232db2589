package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

func reviewCommand(env *environment) *cobra.Command {
	var asJSON bool
	var root, pattern string
	c := &cobra.Command{
		Use:   "review DIR",
		Short: "show what would be signed, old beside new, and what is wrong",
		Long: `review reads plan, trusted metadata and payloads, and shows what changes: keys by
holder, device and fingerprint, thresholds, expiry, versions, targets; and what the
holders' devices attest of their keys. Findings name their check; "ceremony checks" explains each. The event ID at the end
stands for all of it: people compare it, and type its first four words to sign.
Of many new targets the first and the last are shown with their number, and what
goes or changes; --grep searches all of them.
Exit status 1 where a check refuses.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := readFolder(args[0])
			if err != nil {
				return err
			}
			report, err := review.Review(files)
			if err != nil {
				return hint(err, "`ceremony draft %s` makes the payloads", args[0])
			}
			if err := compareRoot(report, root); err != nil {
				return err
			}
			if pattern != "" {
				return grepReview(env, report, pattern)
			}
			if asJSON {
				err = printJSON(env.out, reviewJSON(report))
			} else {
				printReview(env.out, report)
			}
			if err != nil {
				return err
			}
			if err := check.Refuse(report.Results); err != nil {
				return err
			}
			return plannedDevices(report.Plan)
		},
	}
	c.Flags().StringVar(&root, "trusted-root", "", "a `ROOT` that you brought yourself, to compare with the folder's")
	c.Flags().StringVar(&pattern, "grep", "", "instead of the review show targets and delegated roles that match this `PATTERN`, a regular expression")
	c.Flags().BoolVar(&asJSON, "json", false, "for machines")
	c.MarkFlagsMutuallyExclusive("grep", "json")
	return c
}

// compareRoot compares the folder's trusted root with one that its holder has
// brought, if any.
func compareRoot(report *review.Report, file string) error {
	if file == "" {
		return nil
	}
	root, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the root that was brought: %w", err)
	}
	return hint(report.GoesOnFrom(root), "name the newest root.json that you trust yourself")
}

type reviewDocument struct {
	Role    string          `json:"role"`
	Version int64           `json:"version"`
	SHA256  string          `json:"sha256"`
	Words   string          `json:"words"`
	Changes []review.Change `json:"changes"`
}

type reviewTrusted struct {
	Role    string `json:"role"`
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
	Words   string `json:"words"`
}

type reviewReport struct {
	Kind       string            `json:"kind"`
	Repository string            `json:"repository"`
	Rehearsal  bool              `json:"rehearsal"`
	Opens      string            `json:"opens"`
	Closes     string            `json:"closes"`
	Timeout    int               `json:"module_timeout,omitempty"`
	Event      string            `json:"event"`
	EventWords string            `json:"event_words"`
	Trusted    []reviewTrusted   `json:"trusted"`
	Externals  []reportExternal  `json:"externals,omitempty"`
	Documents  []reviewDocument  `json:"documents"`
	Devices    []reportDevice    `json:"devices"`
	Once       []onceJSON        `json:"one_time,omitempty"`
	Supersedes []plan.Superseded `json:"supersedes,omitempty"`
	Compromise *reviewAnswered   `json:"compromise,omitempty"`
	Findings   []check.Result    `json:"findings"`
}

type reviewAnswered struct {
	Case   string   `json:"case"`
	Tokens []string `json:"tokens"`
	Weak   []string `json:"weak"`
	Why    string   `json:"why"`
}

func reviewJSON(r *review.Report) reviewReport {
	out := reviewReport{
		Kind: string(r.Plan.Kind), Repository: r.Plan.Repository, Rehearsal: r.Plan.Rehearsal,
		Opens: r.Plan.Opens.Format(tufmeta.TimeFormat), Closes: r.Plan.Closes.Format(tufmeta.TimeFormat),
		Timeout: int(r.Plan.ModuleTimeout.Seconds()),
		Event:   r.Event.String(), EventWords: tufmeta.Words(r.Event[:]), Devices: devicesJSON(r.Devices), Once: onceOf(r.Once), Externals: externalsJSON(r.Externals), Supersedes: r.Plan.Supersedes, Findings: r.Results,
	}
	if out.Findings == nil {
		out.Findings = []check.Result{}
	}
	if c := r.Plan.Compromise; c != nil {
		out.Compromise = &reviewAnswered{c.Case, append([]string{}, c.Tokens...), append([]string{}, c.Weak...), c.Why}
	}
	out.Trusted = []reviewTrusted{}
	for _, d := range r.Trusted {
		out.Trusted = append(out.Trusted, reviewTrusted{d.Role, d.Version.Version, d.Digest, d.Words})
	}
	for _, d := range r.Documents {
		out.Documents = append(out.Documents, reviewDocument{d.Role, d.Version.Version, d.Digest, d.Words, d.Changes})
	}
	return out
}

// printReview shows a review to the people who read it aloud.
func printReview(w io.Writer, r *review.Report) {
	p := r.Plan
	wrapTo(w, "Review: ", "  ", fmt.Sprintf("%s of \"%s\"", p.Kind, tufmeta.Printable(p.Repository)))
	if p.Rehearsal {
		fmt.Fprintln(w, "REHEARSAL: nothing of this can be published for real.")
	}
	printAborted(w, r.Results)
	printSupersedes(w, p)
	printAnswered(w, p)
	fmt.Fprintf(w, "Signing from %s\n          to %s\n", p.Opens.Format(tufmeta.TimeFormat), p.Closes.Format(tufmeta.TimeFormat))
	fmt.Fprintln(w, "Marks: = stays, + is new, - goes, ~ changes.")
	printTrusted(w, r)
	printExternals(w, r)
	for _, d := range r.Documents {
		printDocument(w, d)
	}
	printDevices(w, r)
	printOnce(w, r.Once)
	if days := p.Lifetimes; days != nil {
		wrapTo(w, "\nIf publish signs with the online key: ", "  ", fmt.Sprintf("snapshot for %s, timestamp for %s.", plural(days["snapshot"], "day"), plural(days["timestamp"], "day")))
	}
	printResults(w, r.Results)
	fmt.Fprintln(w, "\nThe event ID stands for plan, keys, trusted metadata and payloads. Compare all\nof it:")
	printDigest(w, r.Event.String())
	if len(check.Refusals(r.Results)) > 0 {
		fmt.Fprintln(w, "This cannot be approved: see the refusals above.")
		return
	}
	fmt.Fprintf(w, "To approve, a holder types its first four words:\n  %s\n", r.Event.Words())
}

// printAnswered says what a revocation answers: people approve that too.
func printAnswered(w io.Writer, p *plan.Plan) {
	c := p.Compromise
	if c == nil {
		return
	}
	if standby := standbyOf(p); standby != "" {
		wrapTo(w, "", "  ", standby)
		return
	}
	wrapTo(w, "", "  ", fmt.Sprintf("Answers case %s: %s.", c.Case, tufmeta.Printable(c.Why)))
	for _, list := range []struct {
		what   string
		tokens []string
	}{{"In other hands: ", c.Tokens}, {"Weak, to be replaced: ", c.Weak}} {
		var who []string
		for _, name := range list.tokens {
			if t, ok := p.Roster.Token(name); ok {
				who = append(who, t.Describe())
			}
		}
		if len(who) > 0 {
			wrapTo(w, "  "+list.what, "    ", strings.Join(who, "; ")+".")
		}
	}
}

// printTrusted says what all of this goes on from, by the digest that was read
// aloud when it was signed: the stick could bring another.
func printTrusted(w io.Writer, r *review.Report) {
	for _, d := range r.Trusted {
		fmt.Fprintln(w)
		wrapTo(w, "", "", fmt.Sprintf("Goes on from %s. Compare with the minutes of its ceremony, or the published file, what was signed then:", d.Version))
		printDigest(w, d.Digest)
	}
}

// printDevices shows the holders' devices.
func printDevices(w io.Writer, r *review.Report) {
	fmt.Fprintln(w, "\nDevices, as the plan has them:")
	printPolicy(w, r.Plan.Policy)
	if limit := r.Plan.ModuleTimeout; limit > 0 {
		fmt.Fprintf(w, "  A PKCS#11 module that is silent for %s is given up.\n", plural(int(limit.Seconds()), "second"))
	}
	for _, d := range r.Devices {
		printDevice(w, r.Plan, d)
	}
}

func printDocument(w io.Writer, d review.Document) {
	fmt.Fprintf(w, "\n%s, %s\n", d.Version.File(), plural(len(d.Payload), "byte"))
	fmt.Fprintf(w, "    %-20s %-27s %s\n", "", "old", "new")
	for _, c := range d.Changes {
		printChange(w, c)
	}
	fmt.Fprintf(w, "  what is signed (sha256sum payload/%s):\n", d.Version.File())
	printDigest(w, d.Digest)
}

func printChange(w io.Writer, c review.Change) {
	switch {
	case c.Key != "":
		for _, text := range sides(c) {
			wrapTo(w, "  "+c.Mark+"   ", "        ", text)
		}
		fmt.Fprintf(w, "        SHA-256 %s\n", c.Key)
	case len(c.Old) <= 27 && len(c.New) <= 27 && len(c.What) <= 20:
		fmt.Fprintf(w, "  %s %-20s %-27s %s\n", c.Mark, c.What, dash(c.Old), dash(c.New))
	default:
		wrapTo(w, "  "+c.Mark+" ", "      ", c.What)
		if c.Old != "" && c.Old != c.New {
			wrapTo(w, "      old: ", "           ", c.Old)
		}
		if c.New != "" {
			wrapTo(w, "      new: ", "           ", c.New)
		}
	}
}

// sides are the texts of a key's change: one, unless its key ID changes.
func sides(c review.Change) []string {
	switch {
	case c.Old == "" || c.Old == c.New:
		return []string{c.New}
	case c.New == "":
		return []string{c.Old}
	}
	return []string{"old: " + c.Old, "new: " + c.New}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// printDigest writes a SHA-256 in hex and as words, four a line, so that two
// people can read it to each other.
func printDigest(w io.Writer, digest string) {
	fmt.Fprintf(w, "    %s\n", digest)
	list := strings.Fields(tufmeta.DigestWords(digest))
	for len(list) > 0 {
		n := min(4, len(list))
		fmt.Fprintf(w, "      %s\n", strings.TrimRight(fmt.Sprintf("%-12s%-17s%-12s%s", pad(list[:n])...), " "))
		list = list[n:]
	}
}

func pad(words []string) []any {
	out := make([]any, 4)
	for i := range out {
		out[i] = ""
		if i < len(words) {
			out[i] = words[i]
		}
	}
	return out
}

// printResults lists findings, the heaviest first.
func printResults(w io.Writer, results []check.Result) {
	fmt.Fprintln(w)
	if len(results) == 0 {
		fmt.Fprintln(w, "Findings: none.")
		return
	}
	fmt.Fprintln(w, "Findings (`ceremony checks` explains each):")
	more := map[string]int{}
	for _, level := range []check.Level{check.Refusal, check.Finding, check.Note} {
		for _, r := range results {
			if r.Level != level {
				continue
			}
			if more[string(level)+r.Check]++; more[string(level)+r.Check] > shownAlike {
				continue
			}
			wrapTo(w, fmt.Sprintf("  %-8s %s, ", r.Level, r.Check), "           ", shorten(r.Subject)+": "+r.Detail)
			if r.Waived != "" {
				wrapTo(w, "           waived by the plan: ", "           ", r.Waived)
			}
		}
		for _, row := range check.Table {
			if n := more[string(level)+row.ID] - shownAlike; n > 0 {
				wrapTo(w, fmt.Sprintf("  %-8s %s, ", level, row.ID), "           ", fmt.Sprintf("%d more like these: --json has all of them", n))
			}
		}
	}
}

// shownAlike is how many findings of one check are shown one by one: a list of
// projects can have thousands.
const shownAlike = 20
