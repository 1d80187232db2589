package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/runbooks"
)

func runbookCommand(env *environment) *cobra.Command {
	var paper, asJSON bool
	c := &cobra.Command{
		Use:   "runbook [NAME]",
		Short: "show the page to follow: for each occasion, step by step",
		Long: `runbook lists the pages that people follow on the day, and shows one: numbered steps,
who does each, how long it takes, what is typed and what must be seen. Every command
on a page was typed by a test of this very version. On the day, have it on paper.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeRunbook,
		RunE: func(_ *cobra.Command, names []string) error {
			switch {
			case asJSON && paper:
				return &usageError{errors.New("runbook: --json and --print exclude each other"), "usage: ceremony runbook NAME --print"}
			case asJSON:
				return listRunbooksJSON(env, names)
			case len(names) == 0 && paper:
				return &usageError{errors.New("runbook: no page is named to print"), "`ceremony runbook` lists the pages"}
			case len(names) == 0:
				return listRunbooks(env)
			}
			return showRunbook(env, names[0], paper)
		},
	}
	c.Flags().BoolVar(&paper, "print", false, "as pages of 60 lines for a printer, with boxes to tick and room for time and initials")
	c.Flags().BoolVar(&asJSON, "json", false, "the list, for machines")
	return c
}

func completeRunbook(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return runbooks.Names(), cobra.ShellCompDirectiveNoFileComp
}

func lookupRunbook(name string) (*runbooks.Page, error) {
	page, err := runbooks.Lookup(name)
	if errors.Is(err, runbooks.ErrNone) {
		return nil, &usageError{fmt.Errorf("runbook: there is no page %q", name), "the pages: " + strings.Join(runbooks.Names(), ", ")}
	}
	return page, err
}

func listRunbooks(env *environment) error {
	fmt.Fprintln(env.out, "Pages to follow, step by step. `ceremony runbook NAME` shows one, and --print")
	fmt.Fprintln(env.out, "makes sheets of paper of it.")
	for i, name := range runbooks.Names() {
		page, err := lookupRunbook(name)
		if err != nil {
			return err
		}
		if i == 0 || name == "emergency" {
			fmt.Fprintln(env.out) // a woken person finds it at once
		}
		wrapTo(env.out, fmt.Sprintf("  %-17s ", name), fmt.Sprintf("%20s", ""), page.Purpose)
	}
	return nil
}

// listedRunbook is a row of the list for machines.
type listedRunbook struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Purpose string `json:"purpose"`
	Minutes int    `json:"minutes"`
	Steps   int    `json:"steps"`
	SHA256  string `json:"sha256"`
}

func listRunbooksJSON(env *environment, names []string) error {
	if len(names) == 0 {
		names = runbooks.Names()
	}
	list := make([]listedRunbook, 0, len(names))
	for _, name := range names {
		page, err := lookupRunbook(name)
		if err != nil {
			return err
		}
		list = append(list, listedRunbook{page.Name, page.Title, page.Purpose, page.Minutes(), len(page.Steps), page.SHA256})
	}
	return printJSON(env.out, list)
}

func showRunbook(env *environment, name string, paper bool) error {
	page, err := lookupRunbook(name)
	if err != nil {
		return err
	}
	if paper {
		printRunbook(env.out, page)
		return nil
	}
	s := &sheet{}
	s.opening(page)
	for i := range page.Steps {
		s.gap()
		s.step(page, i)
	}
	for _, line := range s.lines {
		fmt.Fprintln(env.out, line)
	}
	return nil
}
