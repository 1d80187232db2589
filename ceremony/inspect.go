package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

func inspectCommand(env *environment) *cobra.Command {
	var at string
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "show metadata for people; several roots are checked as a chain",
		Long: `inspect shows keys, thresholds, expiry and findings of metadata files. Roots are
put in version order and checked as a chain, whatever order they are named in;
other files are checked under the newest of them. Exit status 1 where the JSON
is refused, a root does not reach its own threshold, or a link of the chain is
missing or invalid. Findings, expiry included, do not change it.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := judgeAt(env, at)
			if err != nil {
				return usage(c, err)
			}
			i, err := inspectFiles(args)
			if err != nil {
				return err
			}
			if i.chain, err = inspect.Chain(i.roots, when); err != nil {
				return hint(err, "the file is not used any further; `ceremony checks` explains JSON-STRICT")
			}
			i.judgeOthers()
			if asJSON {
				err = printJSON(env.out, i.json())
			} else {
				i.print(env.out)
			}
			if err != nil {
				return err
			}
			if err := check.Refuse(append(i.chain.Broken, i.broken...)); err != nil {
				return &hinted{err, "trust none of it on this evidence; name every root from the first to the last, as they were published"}
			}
			return nil
		},
	}
	c.Flags().StringVar(&at, "at", "", "judge expiry at this `TIME` (UTC, 2027-01-31T09:00:00Z) instead of now")
	c.Flags().BoolVar(&asJSON, "json", false, "for machines")
	return c
}

type inspection struct {
	roots  []inspect.File
	others []other
	chain  *inspect.Roots
	broken []check.Result
}

// other is a file that is no root.
type other struct {
	name   string
	env    *tufmeta.Envelope
	common tufmeta.Common
	tally  *tufmeta.Tally // nil where no root was given
}

func inspectFiles(names []string) (*inspection, error) {
	i := &inspection{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading metadata: %w", err)
		}
		env, err := tufmeta.ParseEnvelope(data)
		if err != nil {
			return nil, hint(fmt.Errorf("reading %q: %w: JSON-STRICT", name, err), "get the file again from where it was published")
		}
		common, err := tufmeta.ParseCommon(env.Signed)
		if err != nil {
			return nil, hint(fmt.Errorf("reading %q: %w: JSON-STRICT", name, err), "get the file again from where it was published")
		}
		if common.Type == "root" {
			i.roots = append(i.roots, inspect.File{Name: name, Data: data})
			continue
		}
		i.others = append(i.others, other{name: name, env: env, common: common})
	}
	return i, nil
}

func (i *inspection) judgeOthers() {
	if len(i.chain.Links) == 0 {
		return
	}
	last := i.chain.Last().Root
	for n := range i.others {
		o := &i.others[n]
		role := last.Roles[o.common.Type]
		if role == nil {
			continue
		}
		tally := tufmeta.Count(o.env.Canonical, o.env.Signatures, last.Keys, role)
		o.tally = &tally
		if !tally.Reached() {
			r := check.New("THRESHOLD-NEW", o.name, "has %d valid signatures under root %d, and %d are needed", tally.Valid(), last.Version, tally.Threshold)
			r.Level = check.Refusal
			i.broken = append(i.broken, r)
		}
	}
}

func (i *inspection) print(w io.Writer) {
	for _, l := range i.chain.Links {
		r := l.Root
		fmt.Fprintf(w, "root %d, expires %s\n", r.Version, tufmeta.Printable(r.Expires))
		for _, name := range tufmeta.TopRoles {
			printRole(w, r, name)
		}
		fmt.Fprintf(w, "  signatures: %d valid of its own keys, %d needed", l.New.Valid(), l.New.Threshold)
		if l.Old != nil {
			fmt.Fprintf(w, "; %d of the root before, %d needed", l.Old.Valid(), l.Old.Threshold)
		}
		fmt.Fprintln(w)
		for _, x := range l.Results {
			wrapTo(w, fmt.Sprintf("  %-8s %s, ", x.Level, x.Check), "           ", x.Subject+": "+x.Detail)
		}
		fmt.Fprintln(w)
	}
	for _, o := range i.others {
		fmt.Fprintf(w, "%s %d, expires %s\n", tufmeta.Printable(o.common.Type), o.common.Version, tufmeta.Printable(o.common.Expires))
		if o.tally == nil {
			fmt.Fprintf(w, "  signatures: not checked; name its root too\n\n")
			continue
		}
		fmt.Fprintf(w, "  signatures: %d valid under root %d, %d needed\n\n", o.tally.Valid(), i.chain.Last().Root.Version, o.tally.Threshold)
	}
	switch n := len(i.chain.Links); {
	case n > 1 && i.chain.Valid():
		fmt.Fprintf(w, "The chain holds from root %d to root %d.\n", i.chain.Links[0].Root.Version, i.chain.Last().Root.Version)
	case n > 1:
		fmt.Fprintln(w, "The chain does not hold.")
	}
}

func printRole(w io.Writer, r *tufmeta.Root, name string) {
	role := r.Roles[name]
	if role == nil {
		return
	}
	fmt.Fprintf(w, "  %-10s %d of %d\n", name, role.Threshold, len(inspect.Fingerprints(r, name)))
	for _, f := range inspect.Fingerprints(r, name) {
		fmt.Fprintf(w, "    key %s\n", roster.Short(f))
	}
}

type inspectFinding struct {
	Check   string      `json:"check"`
	Subject string      `json:"subject"`
	Detail  string      `json:"detail"`
	Level   check.Level `json:"level"`
}

type inspectRoot struct {
	Version   int64            `json:"version"`
	Threshold int              `json:"threshold"`
	Old       *int             `json:"valid_signatures_old"`
	New       int              `json:"valid_signatures_new"`
	Findings  []inspectFinding `json:"findings"`
}

type inspectOther struct {
	File      string `json:"file"`
	Type      string `json:"type"`
	Version   int64  `json:"version"`
	Expires   string `json:"expires"`
	Threshold *int   `json:"threshold"`
	Valid     *int   `json:"valid_signatures"`
}

type inspectChain struct {
	Valid bool  `json:"valid"`
	From  int64 `json:"from"`
	To    int64 `json:"to"`
}

type inspectReport struct {
	Chain  inspectChain   `json:"chain"`
	Roots  []inspectRoot  `json:"roots"`
	Others []inspectOther `json:"others,omitempty"`
	Broken []check.Result `json:"broken,omitempty"`
}

func (i *inspection) json() inspectReport {
	out := inspectReport{Roots: []inspectRoot{}, Broken: append(i.chain.Broken, i.broken...)}
	if len(i.chain.Links) > 0 {
		out.Chain = inspectChain{i.chain.Valid(), i.chain.Links[0].Root.Version, i.chain.Last().Root.Version}
	}
	for _, l := range i.chain.Links {
		root := inspectRoot{Version: l.Root.Version, Threshold: l.New.Threshold, New: l.New.Valid(), Findings: []inspectFinding{}}
		if l.Old != nil {
			old := l.Old.Valid()
			root.Old = &old
		}
		for _, x := range l.Results {
			root.Findings = append(root.Findings, inspectFinding{x.Check, x.Subject, x.Detail, x.Level})
		}
		out.Roots = append(out.Roots, root)
	}
	for _, o := range i.others {
		x := inspectOther{File: o.name, Type: o.common.Type, Version: o.common.Version, Expires: o.common.Expires}
		if o.tally != nil {
			valid := o.tally.Valid()
			x.Threshold, x.Valid = &o.tally.Threshold, &valid
		}
		out.Others = append(out.Others, x)
	}
	return out
}
