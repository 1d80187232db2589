package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
)

func tokenDestroyCommand(env *environment) *cobra.Command {
	var token, uri string
	c := &cobra.Command{
		Use:   "destroy DIR --token NAME",
		Short: "destroy a one-time key that has signed, and write down that it is gone",
		Long: `destroy makes an end of a key that the plan calls a one-time key. It refuses while a
signature is missing that the key owes to this event, and while what it has signed is
below its threshold in this copy, unless the event was given up.
It shows the key, has the serial number of a YubiKey or else the token's name typed,
and asks for the PIN. A YubiKey makes another key over it, in the same slot; a PKCS#11
module is told to destroy both halves; the file of a software token is overwritten
and removed. A new session then looks for the key, and destroyed/ keeps what was done:
of a YubiKey also the attestation of the key that is in its place now, which anybody
can check. Nothing brings the key back. Stopped at any point, it can be run again, and
completes what is left.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if token == "" {
				return &usageError{errors.New("token destroy: no token is named"), "usage: " + c.UseLine() + "; `ceremony status` lists the tokens"}
			}
			return runDestroy(env, args[0], token, uri)
		},
	}
	c.Flags().StringVar(&token, "token", "", "`NAME` of the one-time token in the plan")
	c.Flags().StringVar(&uri, "uri", "", "where the device is on this machine, if not where the plan says: a token `URI`")
	_ = c.RegisterFlagCompletionFunc("token", completeToken)
	return c
}

// destruction is one holder at one machine, with a key that is to go.
type destruction struct {
	signing
	begun *evidence.Begun // what an earlier run wrote down before it was stopped
	info  hsm.Info        // of the device, before
	id    string          // of the key in it
	end   evidence.End    // what is known of the key already
}

func runDestroy(env *environment, dir, token, uri string) error {
	d, before, err := newDestruction(env, dir, token, uri)
	if err != nil {
		return err
	}
	if before != nil {
		return d.before(before)
	}
	device, err := d.openBefore()
	if err != nil {
		return err
	}
	if device != nil {
		if err := d.destroy(device); err != nil {
			return err
		}
	}
	done, attestation, err := d.readBack()
	if err != nil {
		return d.hint(err)
	}
	return d.write(done, attestation)
}

// newDestruction reads and reviews the folder. What the checks refuse ends here,
// before any device is touched; what the folder says of a key's end is given instead.
func newDestruction(env *environment, dir, name, uri string) (*destruction, *evidence.Destruction, error) {
	files, err := readFolder(dir)
	if err != nil {
		return nil, nil, err
	}
	report, err := review.Review(files)
	if err != nil {
		return nil, nil, hint(err, "a key is destroyed when it has signed: `ceremony draft %s` makes what it signs", dir)
	}
	d := &destruction{signing: signing{env: env, dir: dir, now: env.today(), report: report, destroys: true}}
	i := slices.IndexFunc(report.Once, func(o evidence.Once) bool { return o.Token.Name == name })
	if i < 0 {
		return nil, nil, notOnce(report, name)
	}
	d.token = report.Once[i].Token
	refused := slices.DeleteFunc(check.Refusals(report.Results), func(r check.Result) bool { return r.Check == "ABORTED" })
	if err := errors.Join(check.Refuse(refused), plannedDevices(report.Plan)); err != nil {
		return nil, nil, err
	}
	if d.binary, err = env.binary(); err != nil {
		return nil, nil, err
	}
	d.tasks = tasksOf(report, d.token)
	d.end = report.Once[i].End
	if what := report.Once[i].What; what != nil {
		return d, what, d.at(uri)
	}
	if err := errors.Join(d.owed(), d.at(uri)); err != nil {
		return nil, nil, err
	}
	return d, nil, d.readBegun()
}

// notOnce says why a token is none whose key is destroyed.
func notOnce(report *review.Report, name string) error {
	token, ok := report.Plan.Roster.Token(name)
	switch {
	case !ok:
		return hint(fmt.Errorf("destroying: the plan has no token %q", name), "the plan's tokens: %s", tokenNames(report))
	case token.OneTime:
		return hint(fmt.Errorf("destroying: the plan has token %q as lost: its key was to be destroyed in an earlier ceremony", name), "if that is wrong, the plan is")
	}
	return hint(fmt.Errorf("destroying: by the plan the key of token %q is none for this ceremony alone: it has no `one-time: true`", name), "nothing was destroyed; a device that is no longer used is wiped with `ceremony token reset`")
}

// owed refuses while a signature by the key is missing. Of an event that was
// given up it owes none.
func (d *destruction) owed() error {
	if len(aborted(d.report.Files())) > 0 {
		return nil
	}
	c, err := assemble.Collect(d.report.Files())
	if err != nil {
		return err
	}
	if len(d.tasks) == 0 {
		return hint(fmt.Errorf("destroying: the key of token %q is in no role that this event signs, and nobody asks for its end", d.token.Name),
			"nothing was destroyed; take the token out of the plan, or keep its key for the event that it was made for")
	}
	for _, t := range d.tasks {
		for _, id := range t.keyIDs {
			if !slices.ContainsFunc(c.Good[t.payload], func(f sign.File) bool { return f.KeyID == id }) {
				return hint(fmt.Errorf("destroying: token %q has not signed %s yet, or its signature is not in this copy of the folder", d.token.Name, t.payload),
					"nothing was destroyed. `ceremony sign %s --token %s`, or merge the copy that has it; where nothing of it is to be published: `ceremony abort %s`", d.dir, d.token.Name, d.dir)
			}
		}
	}
	return d.elsewhereToo(c)
}

// elsewhereToo wants every payload that the key signs to have all its signatures
// here: so this copy comes from a merge, and the key's own is not on one medium
// alone when nobody can make it again.
func (d *destruction) elsewhereToo(c *assemble.Collection) error {
	for _, p := range c.Progress(&d.report.Plan.Roster) {
		if slices.ContainsFunc(d.tasks, func(t task) bool { return t.payload == p.Payload }) && !p.Reached() {
			return hint(fmt.Errorf("destroying: in this copy of the folder %s has %d of %d signatures under %s, so it does not come back from a merge", p.Payload, p.Have, p.Role.Threshold, p.Whose()),
				"nothing was destroyed. The signatures of this key may be here alone: have the copies merged, and take over the others with `ceremony merge %s COPY`", d.dir)
		}
	}
	return nil
}

// ask shows what will be gone, and has it named.
func (d *destruction) ask() error {
	out := d.env.out
	wrapTo(out, "", "  ", fmt.Sprintf("The key of token %s will be destroyed. It is in this device: %s.", d.token.Name, d.device))
	fmt.Fprintf(out, "Its fingerprint, SHA-256:\n  %s\n", d.token.Key.Fingerprint())
	wrapTo(out, "It has signed: ", "  ", dash(d.signed())+".")
	if len(aborted(d.report.Files())) > 0 {
		fmt.Fprintln(out, "The event was given up, so it owes nothing.")
	}
	what, want := "name of the token", d.token.Name
	if d.info.Driver == roster.PIVScheme {
		what, want = "serial number", d.info.Serial
	}
	typed, err := d.env.ask.Line(fmt.Sprintf("Nothing brings this key back.\nType the %s to destroy the key: ", what))
	if err == nil && strings.TrimSpace(typed) != want {
		err = fmt.Errorf("destroying: another %s was typed", what)
	}
	if errors.Is(err, errStopped) {
		return &hinted{errStopped, "nothing was destroyed"}
	}
	return hint(err, "nothing was destroyed")
}

func (d *destruction) signed() string {
	var all []string
	for _, t := range d.tasks {
		all = append(all, t.payload.String())
	}
	return strings.Join(all, ", ")
}

func (d *destruction) record(device string) error {
	var ids []string
	for _, t := range d.tasks {
		for _, id := range t.keyIDs {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return record.Append(d.dir, d.env.sitting(d.dir), record.Line{
		Act: "destroy", At: d.now.Format(tufmeta.TimeFormat), Binary: d.binary, Event: d.report.Event.String(),
		Token: d.token.Name, Device: device, KeyIDs: ids,
	})
}

// hint says how to go on where a key may be gone and that is not written down.
func (d *destruction) hint(err error) error {
	return hint(err, "the key may be gone already: run `ceremony token destroy %s --token %s` again, which looks and writes down what is left to write", d.dir, d.token.Name)
}
