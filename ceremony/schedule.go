package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/schedule"
	"tufceremony/ceremony/internal/tufmeta"
)

type scheduleOptions struct {
	margin string
	roster string
	ics    string
	json   bool
}

func scheduleCommand(env *environment) *cobra.Command {
	var o scheduleOptions
	c := &cobra.Command{
		Use:   "schedule REPOSITORY|FILE... --margin DAYS",
		Short: "show what expires when, and when the next ceremony must be held",
		Long: `schedule takes a repository, metadata files and sealed bundles. For each role it
says when it expires; for those that people sign, when the next ceremony must be
held to keep the margin, and how many of whom must be there; and for each bundle
whether it can still be published. Of other repositories whose keys the ceremony of
--roster has imported it says when their newest root there expires; a bundle is
verified before, and of a folder it says that nothing was. Only what is signed
counts. Nothing is written but the calendar. Exit status 1 inside the margin, past an expiry, and
where something that does not count lies in the place of what should.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			margin, err := days(o.margin)
			if err != nil {
				return usage(c, err)
			}
			return runSchedule(env, args, margin, o)
		},
	}
	c.Flags().StringVar(&o.margin, "margin", "", "how many `DAYS` before the expiry a ceremony must have been held, like 60d; there is no default")
	c.Flags().StringVar(&o.roster, "roster", "", "take the names of keys from this ceremony `FOLDER` or bundle")
	c.Flags().StringVar(&o.ics, "ics", "", "also write a calendar, to this new `FILE`")
	c.Flags().BoolVar(&o.json, "json", false, "for machines")
	return c
}

// days reads "60d" or "60".
func days(text string) (int, error) {
	if text == "" {
		return 0, errors.New("schedule: no margin is given")
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
	if err != nil || n < 1 || n > 3650 {
		return 0, fmt.Errorf("schedule: the margin %q is no number of days from 1 to 3650, like 60d", text)
	}
	return n, nil
}

func runSchedule(env *environment, args []string, margin int, o scheduleOptions) error {
	now := env.today()
	var sources schedule.Sources
	for _, arg := range args {
		if err := scheduled(&sources, arg); err != nil {
			return err
		}
	}
	before, err := scheduledFrom(&sources, o.roster, now)
	if err != nil {
		return err
	}
	var people *roster.Roster
	if before.plan != nil {
		people = &before.plan.Roster
	}
	s, err := schedule.Make(sources, now, margin, people)
	if errors.Is(err, schedule.ErrNoRoot) {
		return hint(fmt.Errorf("scheduling: %w", err), "name the newest root too, or the repository")
	}
	if err != nil {
		return &hinted{fmt.Errorf("scheduling: %w", err), "`ceremony inspect` shows what is wrong with the files; name the newest root alone, or all of them"}
	}
	if o.ics != "" {
		if err := durable.Create(o.ics, s.Calendar()); err != nil {
			return hint(fmt.Errorf("writing the calendar: %w", err), "name a new file; nothing is overwritten")
		}
	}
	if o.json {
		err = printJSON(env.out, scheduleJSON(s, before.warnings()))
	} else {
		printSchedule(env.out, s)
		for _, warning := range before.warnings() {
			wrapTo(env.out, "\n", "", warning)
		}
	}
	if err != nil {
		return err
	}
	return overdue(s)
}

// scheduled takes in what an argument names. A folder is a repository, or one
// with metadata files in it.
func scheduled(sources *schedule.Sources, name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return hint(fmt.Errorf("scheduling: %w", err), "name a repository, metadata files or bundles")
	}
	if !info.IsDir() {
		return scheduledFile(sources, name)
	}
	if _, err := os.Stat(filepath.Join(name, folder.Plan)); err == nil {
		return hint(fmt.Errorf("scheduling: %q is a ceremony folder", name), "what counts is what is published: name the repository, or the bundle; --roster takes names from a ceremony folder")
	}
	files, whole, err := metadataBelow(name)
	if err != nil {
		return hint(fmt.Errorf("scheduling: %w", err), "look at the repository and at who may read it; nothing is said of what cannot be read")
	}
	sources.Whole = sources.Whole || whole
	if len(files) == 0 {
		return hint(fmt.Errorf("scheduling: %q has no metadata in it", name), "name the folder that has root.json and metadata/ in it")
	}
	for _, file := range files {
		if err := scheduledFile(sources, file); err != nil {
			return err
		}
	}
	return nil
}

// metadataBelow names the metadata files of a folder, and says whether it is a
// repository, in which none may be missing. One whose metadata/ is gone is that
// still.
func metadataBelow(name string) (files []string, whole bool, err error) {
	below := filepath.Join(name, folder.Metadata)
	entries, err := os.ReadDir(below)
	if err == nil {
		return append(metadataIn(below, entries), filepath.Join(name, "root.json")), true, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	entries, err = os.ReadDir(name)
	whole = slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "root.json" || e.Name() == "timestamp.json" })
	return metadataIn(name, entries), whole, err
}

func metadataIn(dir string, entries []os.DirEntry) []string {
	var files []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ".json") && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files
}

func scheduledFile(sources *schedule.Sources, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return hint(fmt.Errorf("scheduling: %w", err), "name a repository, metadata files or bundles")
	}
	if files, err := bundle.Decode(data); err == nil {
		sources.Bundles = append(sources.Bundles, schedule.Sealed{Name: filepath.ToSlash(name), Files: files})
		return nil
	}
	sources.Metadata = append(sources.Metadata, inspect.File{Name: filepath.ToSlash(name), Data: data})
	return nil
}

// overdue is the error that has a monitor ring: a line for each thing that
// somebody must do.
func overdue(s *schedule.Schedule) error {
	if !s.Due() {
		return nil
	}
	var lines []string
	say := func(format string, args ...any) {
		lines = append(lines, "scheduling: "+fmt.Sprintf(format, args...))
	}
	for _, d := range s.Deadlines {
		role := tufmeta.Printable(d.Role)
		switch {
		case d.State == schedule.Ahead:
		case d.What == schedule.Expires:
			say("%s %d expired %s ago: clients refuse it", role, d.Version, inspect.Days(d.At, s.At))
		case d.What == schedule.Ceremony:
			say("%s %d must be made: it was to be there %s ago, to keep the margin of %s", role, d.Version, inspect.Days(d.At, s.At), plural(s.Margin, "day"))
		case d.What == schedule.Imported:
			when := "expires in " + inspect.Days(s.At, d.At)
			if d.State == schedule.Past {
				when = "expired " + inspect.Days(d.At, s.At) + " ago"
			}
			say("root %d of the other repository %s, whose keys are imported, %s: look there for a newer one, and take it into the next ceremony with --external", d.Version, role, when)
		case d.State == schedule.Past:
			say("the bundle %s expired %s ago", tufmeta.Printable(d.File), inspect.Days(d.At, s.At))
		default:
			say("the bundle %s expires in %s", tufmeta.Printable(d.File), inspect.Days(s.At, d.At))
		}
	}
	for _, x := range s.Standings {
		if x.State == schedule.Foreign {
			say("the bundle %s is of no use here: it %s", tufmeta.Printable(x.File), tufmeta.Printable(x.Why))
		}
	}
	for _, x := range s.Unsigned {
		say("%s: %s", tufmeta.Printable(x.File), tufmeta.Printable(x.Why))
	}
	return &hinted{errors.New(strings.Join(lines, "\n")), "root and targets: plan the ceremony, `ceremony init`; snapshot and timestamp: look at the repository's signer"}
}

func printSchedule(w io.Writer, s *schedule.Schedule) {
	fmt.Fprintf(w, "Schedule under root %d, on %s, with a margin of %s\n\n", s.Root, s.At.Format(tufmeta.TimeFormat), plural(s.Margin, "day"))
	for _, d := range s.Deadlines {
		wrapTo(w, tufmeta.Stamp(d.At)+"  ", "    ", deadlineText(d, s.At))
		if d.What == schedule.Ceremony {
			wrapTo(w, "    ", "      ", d.People())
		}
	}
	if len(s.Standings) > 0 {
		fmt.Fprintln(w, "\nSealed bundles:")
		for _, x := range s.Standings {
			wrapTo(w, "  ", "      ", fmt.Sprintf("%s (%s): %s: %s", tufmeta.Printable(x.File), kindText(x), x.State, tufmeta.Printable(x.Why)))
		}
	}
	for _, x := range s.Unsigned {
		wrapTo(w, "\nNot counted: ", "  ", tufmeta.Printable(x.File)+": "+tufmeta.Printable(x.Why))
	}
	for _, x := range s.Ignored {
		wrapTo(w, "\nPassed over: ", "  ", tufmeta.Printable(x.File)+": "+tufmeta.Printable(x.Why))
	}
}

func kindText(x schedule.Standing) string {
	switch {
	case x.Kind == "":
		return "its plan cannot be read"
	case len(x.Revokes) > 0:
		return "standby revocation of " + strings.Join(x.Revokes, ", ")
	}
	return x.Kind
}

// deadlineText says a deadline with its distance, and whether it is due.
func deadlineText(d schedule.Deadline, now time.Time) string {
	ago := inspect.Days(d.At, now) + " ago"
	switch {
	case d.State == schedule.Past:
		return "PAST: " + d.Summary() + ": that was " + ago
	case d.State == schedule.Due && d.What == schedule.Ceremony:
		return "DUE: " + d.Summary() + ": its last day was " + ago
	case d.State == schedule.Due:
		return "DUE: " + d.Summary() + ", in " + inspect.Days(now, d.At)
	}
	return d.Summary() + ", in " + inspect.Days(now, d.At)
}
