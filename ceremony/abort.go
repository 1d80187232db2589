package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

func abortCommand(env *environment) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "abort DIR --reason TEXT",
		Short: "give an event up: nothing of it is signed or sealed any more",
		Long: `abort puts on record that this event was given up, and why, once the first four
words of its ID have been typed at the terminal. From then on draft, sign, seal,
verify and publish refuse it. Signatures that exist stay, and merge carries the
record to other copies. A new event goes into a new folder, made with
"ceremony init --supersedes". Nothing calls a bundle back that has left.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if reason == "" {
				return usage(c, errors.New("abort: no reason is given"))
			}
			return runAbort(env, args[0], reason)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, in three words or more: it is read by everybody who has a copy (`TEXT`)")
	return c
}

func runAbort(env *environment, dir, reason string) error {
	if err := plausibleReason(reason); err != nil {
		return err
	}
	files, err := readFolder(dir)
	if err != nil {
		return err
	}
	chains, err := abortable(files, dir)
	if err != nil {
		return err
	}
	event := files.Event()
	if before := record.Aborted(chains, event.String()); len(before) > 0 {
		if before[0].Reason == reason {
			fmt.Fprintln(env.out, "Aborted before, for the same reason. Nothing was changed.")
			return nil
		}
		return &hinted{check.Refuse(review.Aborted(chains, event.String())), "it stays aborted, for the reason on record"}
	}
	showAbort(env.out, files, chains, reason)
	words, err := env.ask.Line("Type the first four words of the event ID to abort it: ")
	if err != nil {
		return hint(err, "abort at a terminal: no flag stands in for the words")
	}
	if !tufmeta.SameWords(words, event.Words()) {
		return hint(errors.New("aborting: these are not the first four words of the event ID"), "nothing was written; look whether this is the event that you mean, and run the command again")
	}
	binary, err := env.binary()
	if err != nil {
		return err
	}
	line := record.Line{Act: "abort", At: env.today().Format(tufmeta.TimeFormat), Binary: binary, Event: event.String(), Reason: reason}
	if err := record.Append(dir, env.sitting(dir), line); err != nil {
		return hint(err, "nothing was aborted; mend the medium and run the command again")
	}
	fmt.Fprintf(env.out, "\nAborted: event %s…\n", event.String()[:16])
	wrapTo(env.out, "Next: ", "      ", fmt.Sprintf("take this copy to everybody who has one: ceremony merge COPY %s. Where something is to be signed after all, a new folder: ceremony init NEW --supersedes %s", dir, dir))
	return nil
}

// plausibleReason wants a reason that can be read aloud.
func plausibleReason(reason string) error {
	switch {
	case tufmeta.Unsafe(reason):
		return hint(fmt.Errorf("aborting: the reason \"%s\" has control or bidirectional characters: TEXT-UNSAFE", tufmeta.Printable(reason)), "write it in one line, with plain characters")
	case len(strings.Fields(reason)) < 3 || len(reason) > 500:
		return hint(fmt.Errorf("aborting: the reason is %q", reason), "write a reason that stands up when it is read aloud: three words or more, 500 letters at most")
	}
	return nil
}

// abortable reads the record of a folder in which an event can be given up: one
// was drafted, and it is the one that lies there.
func abortable(files folder.Files, dir string) ([]record.Chain, error) {
	p, err := readPlan(files)
	if err != nil {
		return nil, err
	}
	chains, broken := record.Read(files)
	if err := check.Refuse(check.Draft.Weigh(broken)); err != nil {
		return nil, err
	}
	if len(files.Names(folder.Payload)) == 0 {
		return nil, hint(errors.New("aborting: nothing has been drafted, so there is no event to give up"), "remove the folder %s, if nobody needs it", dir)
	}
	event := files.Event().String()
	for _, drafted := range record.Drafted(chains) {
		if _, earlier := p.Superseded(drafted); drafted != event && !earlier {
			err := check.Refused("EVENT-MISMATCH", "event", "the record says that event %s… was drafted, and what lies here makes %s…", tufmeta.Printable(drafted[:min(16, len(drafted))]), event[:16])
			return nil, &hinted{err, "abort it in a copy that is as it was drafted; merge carries that to the others"}
		}
	}
	return chains, nil
}

// showAbort says what is given up, before it is asked for.
func showAbort(w io.Writer, files folder.Files, chains []record.Chain, reason string) {
	fmt.Fprintln(w, "This event will be given up, in every copy that merges with this one:")
	printDigest(w, files.Event().String())
	wrapTo(w, "Reason: ", "  ", reason)
	var signed []string
	for _, l := range record.Signed(chains) {
		if who := fmt.Sprintf("%s by %s", folder.Version{Role: l.Role, Version: l.Version}, l.Token); l.Event == files.Event().String() && !slices.Contains(signed, who) {
			signed = append(signed, who)
		}
	}
	wrapTo(w, "Signed so far, by this copy: ", "  ", tufmeta.Printable(dash(strings.Join(signed, ", "))))
	if len(files.Names(folder.Metadata)) > 0 {
		wrapTo(w, "", "  ", "It was sealed here. A bundle that has left is not called back by this: whoever has it can publish it. Tell them.")
	}
	fmt.Fprintln(w)
}

// aborted is what the record of a folder says of its own event: nothing, as
// long as it goes on.
func aborted(files folder.Files) []check.Result {
	chains, _ := record.Read(files)
	return review.Aborted(chains, files.Event().String())
}

// printAborted stands above everything else that is said of an event.
func printAborted(w io.Writer, results []check.Result) {
	for _, r := range results {
		if r.Check == "ABORTED" {
			wrapTo(w, "ABORTED: ", "  ", r.Detail)
		}
	}
}
