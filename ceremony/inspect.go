package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/stream"
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
other files are checked under the newest of them that they satisfy, delegated
roles under the files that delegate to them. Exit status 1
where the JSON is refused, a file does not reach its threshold, or a link of the
chain is missing or invalid, two files of one role and version say different
things, or a snapshot drops what an earlier one lists. Findings, expiry included,
do not change it.`,
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
			if err := i.copies(); err != nil {
				return err
			}
			if i.chain, err = inspect.Chain(i.roots, when); err != nil {
				return hint(err, "the file is not used any further; `ceremony checks` explains JSON-STRICT")
			}
			i.at = when
			i.judgeOthers(when)
			i.limits()
			i.drops()
			i.equivocation()
			if asJSON {
				err = printJSON(env.out, i.json())
			} else {
				i.print(env.out)
			}
			if err != nil {
				return err
			}
			if err := check.Refuse(append(i.chain.Broken, i.broken...)); err != nil {
				return &hinted{err, i.advice()}
			}
			return nil
		},
	}
	c.Flags().StringVar(&at, "at", "", "judge expiry at this `TIME` (UTC, 2027-01-31T09:00:00Z) instead of now")
	c.Flags().BoolVar(&asJSON, "json", false, "for machines")
	return c
}

// advice goes with the gravest of what is broken.
func (i *inspection) advice() string {
	is := func(id string) bool {
		return slices.ContainsFunc(i.broken, func(r check.Result) bool { return r.Check == id })
	}
	switch {
	case is("EQUIVOCATION"):
		return "publish and trust neither until it is known how both came to be; `ceremony checks EQUIVOCATION` says more"
	case is("SNAPSHOT-DROP") && len(check.Refusals(i.chain.Broken)) == 0 && !is("THRESHOLD-NEW"):
		return "clients that have the earlier snapshot stay with it; the next one must list again what is gone: `ceremony checks SNAPSHOT-DROP` says more"
	}
	return "trust none of it on this evidence; name every root from the first to the last, as they were published"
}

type inspection struct {
	roots  []inspect.File
	others []other
	again  []again
	chain  *inspect.Roots
	broken []check.Result
	at     time.Time // at which expiry is judged
	one    []byte    // the file, where only one was named
}

// other is a file that is no root.
type other struct {
	name   string
	head   *stream.Head
	env    *tufmeta.Envelope
	data   []byte
	common tufmeta.Common
	tally  *tufmeta.Tally // nil where no root was given
	under  int64          // the version of the root of the tally, 0 where it is a delegator's
	whose  string         // what has the keys of the tally: "root 3"
	found  []check.Result
}

func inspectFiles(names []string) (*inspection, error) {
	i := &inspection{}
	for _, name := range names {
		data, err := spool.ReadFile(name)
		if err != nil {
			return nil, hint(fmt.Errorf("reading metadata: %w", err), "name metadata files, like 1.root.json")
		}
		if _, err := bundle.Decode(data); err == nil {
			return nil, hint(fmt.Errorf("reading %q: it is a bundle", name), "`ceremony verify %s --trusted-root ROOT` looks inside", name)
		}
		head, err := stream.ReadEnvelope(data)
		if err != nil {
			if payload, err := stream.ReadPayload(data); err == nil && payload.Signed["_type"] != nil {
				return nil, hint(fmt.Errorf("reading %q: it is a payload, which has no signatures", name), "`ceremony review DIR` shows the payloads of a ceremony folder")
			}
			return nil, hint(fmt.Errorf("reading %q: %w: JSON-STRICT", name, err), "get the file again from where it was published")
		}
		if len(names) == 1 {
			i.one = data
		}
		common, err := tufmeta.ParseCommon(head.Signed)
		if err != nil {
			return nil, hint(fmt.Errorf("reading %q: %w: JSON-STRICT", name, err), "get the file again from where it was published")
		}
		if common.Type == "root" {
			if slices.ContainsFunc(i.roots, func(f inspect.File) bool { return bytes.Equal(f.Data, data) }) {
				continue // a copy of one that is named too, like a repository's root.json
			}
			i.roots = append(i.roots, inspect.File{Name: name, Data: data})
			continue
		}
		i.others = append(i.others, other{name: name, head: head, env: head.Envelope, data: data, common: common})
	}
	return i, nil
}

// judgeOthers checks each file that is no root under the newest root whose
// threshold it reaches: an earlier targets stays published, and was right in
// its time. What reaches none is broken.
func (i *inspection) judgeOthers(at time.Time) {
	for n := range i.others {
		o := &i.others[n]
		o.found = append(inspect.Common(o.common, o.common.Type, at), o.texts()...)
		check.Published.Weigh(o.found)
		for _, l := range slices.Backward(i.chain.Links) {
			role := l.Root.Roles[o.common.Type]
			if role == nil {
				continue
			}
			tally := tufmeta.Count(o.env.Canonical, o.env.Signatures, l.Root.Keys, role)
			if o.tally == nil || tally.Reached() {
				o.tally, o.under, o.whose = &tally, l.Root.Version, fmt.Sprintf("root %d", l.Root.Version)
			}
			if tally.Reached() {
				break
			}
		}
	}
	i.judgeDelegated()
	for _, o := range i.others {
		if o.tally != nil && !o.tally.Reached() {
			i.broken = append(i.broken, check.NewRefusal("THRESHOLD-NEW", o.name, "has %s under %s, and %d are needed", plural(o.tally.Valid(), "valid signature"), tufmeta.Printable(o.whose), o.tally.Threshold))
		}
	}
}

func (i *inspection) print(w io.Writer) {
	for _, l := range i.chain.Links {
		r := l.Root
		fmt.Fprintf(w, "root %d, %s\n", r.Version, i.expiry(r.Common))
		for _, name := range tufmeta.TopRoles {
			printRole(w, r, name)
		}
		fmt.Fprintf(w, "  signatures: %d valid of its own keys, %d needed", l.New.Valid(), l.New.Threshold)
		if l.Old != nil {
			fmt.Fprintf(w, "; %d of the root before, %d needed", l.Old.Valid(), l.Old.Threshold)
		}
		fmt.Fprintln(w)
		printFound(w, l.Results)
	}
	for _, o := range i.others {
		fmt.Fprintf(w, "%s %d, %s\n", tufmeta.Printable(o.common.Type), o.common.Version, i.expiry(o.common))
		if o.tally == nil {
			fmt.Fprintln(w, "  signatures: not checked; name its root too, and who delegates to it")
		} else {
			fmt.Fprintf(w, "  signatures: %d valid under %s, %d needed\n", o.tally.Valid(), tufmeta.Printable(o.whose), o.tally.Threshold)
		}
		printFound(w, o.found)
	}
	i.printAgain(w)
	i.printDigest(w)
	i.printFirst(w)
	switch n := len(i.chain.Links); {
	case n > 1 && i.chain.Valid():
		fmt.Fprintf(w, "The chain holds from root %d to root %d.\n", i.chain.Links[0].Root.Version, i.chain.Last().Root.Version)
	case n > 1:
		fmt.Fprintln(w, "The chain does not hold.")
	}
}

// expiry says until when metadata is good, and how long that is.
func (i *inspection) expiry(c tufmeta.Common) string {
	t, err := c.ExpiresAt()
	switch {
	case err != nil:
		return "expires " + tufmeta.Printable(c.Expires)
	case !t.After(i.at):
		return fmt.Sprintf("EXPIRED %s ago (%s)", inspect.Days(t, i.at), tufmeta.Printable(c.Expires))
	}
	return fmt.Sprintf("expires %s, in %s", tufmeta.Printable(c.Expires), inspect.Days(i.at, t))
}

// printFirst names what stops clients first: of each role the newest counts.
func (i *inspection) printFirst(w io.Writer) {
	newest := map[string]tufmeta.Common{}
	if len(i.chain.Links) > 0 {
		newest["root"] = i.chain.Last().Root.Common
	}
	for _, o := range i.others {
		if o.common.Version > newest[o.common.Type].Version {
			newest[o.common.Type] = o.common
		}
	}
	var first tufmeta.Common
	var when time.Time
	for _, role := range slices.Sorted(maps.Keys(newest)) {
		if t, err := newest[role].ExpiresAt(); err == nil && (when.IsZero() || t.Before(when)) {
			first, when = newest[role], t
		}
	}
	if len(newest) > 1 {
		fmt.Fprintf(w, "First to expire: %s %d, %s.\n", tufmeta.Printable(first.Type), first.Version, i.expiry(first))
	}
}

func printFound(w io.Writer, found []check.Result) {
	for _, x := range found {
		wrapTo(w, fmt.Sprintf("  %-8s %s, ", x.Level, x.Check), "           ", x.Subject+": "+x.Detail)
	}
	fmt.Fprintln(w)
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
	File      string           `json:"file"`
	Type      string           `json:"type"`
	Version   int64            `json:"version"`
	Expires   string           `json:"expires"`
	Under     *int64           `json:"under_root"`
	Whose     string           `json:"under,omitempty"`
	Threshold *int             `json:"threshold"`
	Valid     *int             `json:"valid_signatures"`
	Findings  []inspectFinding `json:"findings"`
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

func findings(results []check.Result) []inspectFinding {
	out := []inspectFinding{}
	for _, x := range results {
		out = append(out, inspectFinding{x.Check, x.Subject, x.Detail, x.Level})
	}
	return out
}

func (i *inspection) json() inspectReport {
	out := inspectReport{Roots: []inspectRoot{}, Broken: append(i.chain.Broken, i.broken...)}
	if len(i.chain.Links) > 0 {
		out.Chain = inspectChain{i.chain.Valid(), i.chain.Links[0].Root.Version, i.chain.Last().Root.Version}
	}
	for _, l := range i.chain.Links {
		root := inspectRoot{Version: l.Root.Version, Threshold: l.New.Threshold, New: l.New.Valid(), Findings: findings(l.Results)}
		if l.Old != nil {
			old := l.Old.Valid()
			root.Old = &old
		}
		out.Roots = append(out.Roots, root)
	}
	for _, o := range i.others {
		x := inspectOther{File: o.name, Type: o.common.Type, Version: o.common.Version, Expires: o.common.Expires, Findings: findings(o.found)}
		if o.tally != nil {
			valid := o.tally.Valid()
			x.Threshold, x.Valid, x.Whose = &o.tally.Threshold, &valid, o.whose
			if o.under > 0 {
				x.Under = &o.under
			}
		}
		out.Others = append(out.Others, x)
	}
	return out
}

// texts judges the text of a file, of its targets too.
func (o *other) texts() []check.Result {
	return append(inspect.Text(o.env.Signed, o.common.Type, false), inspect.TargetTexts(o.data, o.common.Type)...)
}
