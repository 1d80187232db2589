package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

func verifyCommand(env *environment) *cobra.Command {
	var root, at string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify FILE --trusted-root ROOT",
		Short: "check a bundle as a stranger, from a root you already trust",
		Long: `verify needs the bundle, a root that you trust, and nothing else. It checks the
bundle's bytes, the chain of roots from yours to the newest, every threshold by
distinct public key, every signature, the plan, what devices attest, the record,
and asks go-tuf for a second opinion. It prints what it proved. Exit status 1 where anything fails.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if root == "" {
				return usage(c, errors.New("verify: no trusted root is named"))
			}
			when, err := judgeAt(env, at)
			if err != nil {
				return usage(c, err)
			}
			trusted, err := os.ReadFile(root)
			if err != nil {
				return hint(fmt.Errorf("reading the trusted root: %w", err), "name the root.json that your clients ship with, or a later one")
			}
			verified, data, err := verifyBundle(args[0], trusted, when)
			if err != nil {
				return err
			}
			facts, _ := verified.Facts()
			if asJSON {
				return printJSON(env.out, proofJSON(facts, data))
			}
			printProof(env.out, facts, data)
			return nil
		},
	}
	c.Flags().StringVar(&root, "trusted-root", "", "`ROOT` metadata that you trust already")
	c.Flags().StringVar(&at, "at", "", "judge expiry at this `TIME` (UTC, 2027-01-31T09:00:00Z) instead of now")
	c.Flags().BoolVar(&asJSON, "json", false, "for machines")
	return c
}

// judgeAt is the time at which expiry is judged: the clock, or what was asked.
func judgeAt(env *environment, at string) (time.Time, error) {
	if at == "" {
		return env.today(), nil
	}
	if !tufmeta.WellFormedTime(at) {
		return time.Time{}, fmt.Errorf("the time %q is not of the form 2027-01-31T09:00:00Z", at)
	}
	return time.Parse(tufmeta.TimeFormat, at)
}

// bundleHint is what to do about a file that is no bundle, or no longer one.
const bundleHint = "get the bundle again from where it was sealed, and compare its SHA-256 with the one that was read aloud"

// readBundle reads a bundle once, and gives what is in it and its bytes.
func readBundle(file string) (folder.Files, []byte, error) {
	data, err := spool.ReadFile(file)
	if err != nil {
		return nil, nil, hint(fmt.Errorf("reading the bundle: %w", err), "name the file that `ceremony seal` wrote")
	}
	files, err := bundle.Decode(data)
	if err != nil {
		return nil, nil, hint(fmt.Errorf("%q: %w", file, err), bundleHint)
	}
	return files, data, nil
}

func verifyBundle(file string, trusted []byte, at time.Time) (verify.Verified, []byte, error) {
	files, data, err := readBundle(file)
	if err != nil {
		return verify.Verified{}, nil, err
	}
	verified, err := verify.Files(files, trusted, at)
	return verified, data, refusedHint(err)
}

// refusedHint says what to do about a bundle that is refused. Where it stands
// is no longer the ceremony, of which the checks' own hints speak.
func refusedHint(err error) error {
	var refused *check.Error
	if !errors.As(err, &refused) || len(refused.Results) == 0 {
		return hint(err, "the trusted root is the root.json that clients ship with, or a later one; where it is right, do not use the bundle")
	}
	first := refused.Results[0]
	switch {
	case first.Check == "EVENT-MISMATCH" && strings.HasSuffix(first.Subject, ".root"):
		return &hinted{err, "look whether this bundle and this root belong together; nothing was taken from the bundle"}
	case first.Check == "VERSION-SEQUENCE":
		return &hinted{err, "name the newest bundle, and a root from which its chain goes on; `ceremony inspect` shows which root a file is"}
	case first.Check == "EXPIRES-PAST":
		return &hinted{err, "clients refuse it today, and a new ceremony replaces it; `ceremony verify --at` judges it for another time"}
	}
	return err
}

func printProof(w io.Writer, f *verify.Facts, data []byte) {
	p := f.Report.Plan
	wrapTo(w, "Verified: ", "  ", fmt.Sprintf("%s of \"%s\"", p.Kind, tufmeta.Printable(p.Repository)))
	if p.Rehearsal {
		fmt.Fprintln(w, "REHEARSAL: nothing of this can be published for real.")
	}
	printSupersedes(w, p)
	fmt.Fprintf(w, "Trust begins at root %d", f.Trusted)
	if last := f.Chain[len(f.Chain)-1]; last != f.Trusted {
		fmt.Fprintf(w, " and reaches root %d, each signed under the one before", last)
	}
	fmt.Fprintln(w, ".")
	for _, r := range f.Roles {
		fmt.Fprintf(w, "\n%s, expires %s\n", r.File(), r.Expires)
		for _, c := range r.Counts {
			fmt.Fprintf(w, "  under %s: %d valid signatures, %d needed\n", c.Whose(), len(c.Signers), c.Threshold)
			for _, signer := range c.Signers {
				wrapTo(w, "    ", "      ", p.Roster.Describe(signer))
			}
		}
		fmt.Fprintln(w, "  what was signed, SHA-256:")
		printDigest(w, r.Digest)
	}
	printExternals(w, f.Report)
	printAttested(w, f)
	printOnce(w, f.Report.Once)
	lines := 0
	for _, c := range f.Record {
		lines += len(c.Lines)
	}
	fmt.Fprintln(w)
	wrapTo(w, "Proved: ", "  ", "which keys signed which bytes, and that the thresholds are reached. "+opinion(f))
	wrapTo(w, "Not proved, only stated by those who sealed: ", "  ", fmt.Sprintf("names, devices that have attested nothing, %sfindings and waivers, and the record (%s in %s).", obtained(p), plural(lines, "act"), plural(len(f.Record), "chain")))
	if p.Kind == plan.Genesis {
		wrapTo(w, "", "  ", "A genesis begins with its own root: that the bundle agrees with it proves little. Compare the event ID with minutes that reached you another way.")
	}
	printResults(w, f.Report.Results)
	fmt.Fprintln(w, "\nEvent ID. Compare it with the minutes of the ceremony:")
	printDigest(w, f.Report.Event.String())
	fmt.Fprintln(w, "SHA-256 of the bundle:")
	printDigest(w, tufmeta.Digest(data))
}

// opinion says what go-tuf was asked, and said.
func opinion(f *verify.Facts) string {
	if len(f.Unasked) == 0 {
		return "go-tuf agrees."
	}
	return fmt.Sprintf("go-tuf agrees; it was not asked about %s: files of more than 5,000,000 bytes are too large for it, and with them what they delegate to.", strings.Join(unasked(f), ", "))
}

// printUnasked tells those who act on a verification what go-tuf was not asked.
func printUnasked(w io.Writer, f *verify.Facts) {
	if len(f.Unasked) > 0 {
		wrapTo(w, "Second opinion: ", "  ", opinion(f))
	}
}

func unasked(f *verify.Facts) []string {
	names := []string{}
	for _, v := range f.Unasked {
		names = append(names, tufmeta.Printable(v.String()))
	}
	return names
}

// obtained is what else is only stated where keys are imported.
func obtained(p *plan.Plan) string {
	if len(p.Externals) == 0 {
		return ""
	}
	return "where other repositories' first roots were obtained, "
}

// printAttested says what the devices have attested, which their makers have
// signed; what the plan asks of them is the word of those who planned.
func printAttested(w io.Writer, f *verify.Facts) {
	p := f.Report.Plan
	if p.Policy == nil || p.Policy.Attestation == plan.Off {
		return
	}
	fmt.Fprintln(w, "\nDevices. What stands under a name has been signed by the device and its maker;\nwhat was asked of them is the ceremony's own word:")
	printPolicy(w, p.Policy)
	for _, d := range f.Report.Devices {
		printDevice(w, p, d)
	}
}

type proofRole struct {
	Role    string       `json:"role"`
	Version int64        `json:"version"`
	SHA256  string       `json:"sha256"`
	Expires string       `json:"expires"`
	Counts  []proofCount `json:"counts"`
}

type proofCount struct {
	Under     int64    `json:"under_root"`
	Whose     string   `json:"under"`
	Threshold int      `json:"threshold"`
	Signers   []string `json:"signers"`
}

func proofJSON(f *verify.Facts, data []byte) any {
	roles := []proofRole{}
	for _, r := range f.Roles {
		role := proofRole{r.Role, r.Version.Version, r.Digest, r.Expires, nil}
		for _, c := range r.Counts {
			names := []string{}
			for _, s := range c.Signers {
				name := roster.Short(s)
				if t, ok := f.Report.Plan.Roster.ByFingerprint(s); ok {
					name = t.Name
				}
				names = append(names, name)
			}
			role.Counts = append(role.Counts, proofCount{rootOf(c.By, c.Under), c.Whose(), c.Threshold, names})
		}
		roles = append(roles, role)
	}
	return struct {
		Kind       string            `json:"kind"`
		Rehearsal  bool              `json:"rehearsal"`
		Chain      []int64           `json:"chain"`
		Roles      []proofRole       `json:"roles"`
		Devices    []reportDevice    `json:"devices"`
		Once       []onceJSON        `json:"one_time,omitempty"`
		Externals  []reportExternal  `json:"externals,omitempty"`
		Supersedes []plan.Superseded `json:"supersedes,omitempty"`
		Unasked    []string          `json:"unasked"`
		Event      string            `json:"event"`
		SHA256     string            `json:"sha256"`
	}{string(f.Report.Plan.Kind), f.Report.Plan.Rehearsal, f.Chain, roles, devicesJSON(f.Report.Devices), onceOf(f.Report.Once), externalsJSON(f.Report.Externals), f.Report.Plan.Supersedes, unasked(f), f.Report.Event.String(), tufmeta.Digest(data)}
}
