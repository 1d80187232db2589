package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses, which docs/formats.md promises.
const (
	done    = 0
	refused = 1
	misused = 2
)

// run is the program: arguments and an environment in, an exit status out.
func run(args []string, env *environment) int {
	root := rootCommand(env)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return done
	}
	report(env, mediumHint(err))
	var u *usageError
	if errors.As(err, &u) {
		return misused
	}
	return refused
}

func rootCommand(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "ceremony",
		Short: "sign the top of a TUF repository, offline, together",
		Long: `ceremony makes, reviews, signs, seals and publishes the offline metadata of a
TUF repository: one reviewed plan, signatures from a threshold of people, and
one bundle that any stranger can verify. Begin with "ceremony rehearse".`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          known,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(env.out)
	root.SetErr(env.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, err) })
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", width)))
	for _, c := range []*cobra.Command{
		initCommand(env), promoteCommand(env), draftCommand(env), reviewCommand(env), signCommand(env), statusCommand(env), mergeCommand(env), abortCommand(env),
		sealCommand(env), standbyCommand(env), verifyCommand(env), publishCommand(env), inspectCommand(env), scheduleCommand(env),
		tokenCommand(env), checksCommand(env), rehearseCommand(env), runbookCommand(env),
	} {
		adapt(c)
		root.AddCommand(c)
	}
	return root
}

// adapt has a command say in this program's words what cobra says in its own.
func adapt(c *cobra.Command) {
	if args := c.Args; args != nil && !c.HasSubCommands() {
		c.Args = func(c *cobra.Command, given []string) error {
			if err := args(c, given); err != nil {
				return usage(c, fmt.Errorf("%s: wrong number of arguments", name(c)))
			}
			return nil
		}
	}
	var long strings.Builder
	wrapTo(&long, "", "", c.Long)
	c.Long = strings.TrimSpace(long.String())
	for _, sub := range c.Commands() {
		adapt(sub)
	}
}

// name is what is typed after `ceremony`: "sign", "token list".
func name(c *cobra.Command) string {
	_, rest, _ := strings.Cut(c.CommandPath(), " ")
	return rest
}

// known sees the arguments that are no subcommand.
func known(c *cobra.Command, given []string) error {
	if len(given) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("unknown command %q", strings.TrimSpace(name(c)+" "+given[0])), fmt.Sprintf("`%s --help` lists the commands", c.CommandPath())}
}

// usageError is a command line that says something the program does not know.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.hint }

func usage(c *cobra.Command, err error) error {
	return &usageError{err, "usage: " + strings.TrimSpace(c.UseLine())}
}

// hinted is an error with what to do next.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }
func (e *hinted) Hint() string  { return e.hint }

// hint adds the next command, or what to look at, to an error that has none.
func hint(err error, format string, args ...any) error {
	var h interface{ Hint() string }
	if err == nil || errors.As(err, &h) {
		return err
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// mediumHint says what to do about a medium that takes no more, whichever file
// was being written: there the command's own hint would lead astray.
func mediumHint(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return &hinted{err, "the disk is full, and what was on it before still is; make room, and run the same command again"}
	case errors.Is(err, syscall.EROFS):
		return &hinted{err, "the medium is write-protected, and nothing on it has changed; lift the protection, and run the same command again"}
	}
	return err
}

// report writes an error and its hint, for people.
func report(env *environment, err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		wrapTo(env.err, "ceremony: error: ", "  ", line)
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		wrapHint(env.err, h.Hint())
	}
}
