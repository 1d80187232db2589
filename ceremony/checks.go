package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
)

func checksCommand(env *environment) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "checks",
		Short: "list every check: what it means and what to do",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return printJSON(env.out, check.Table)
			}
			fmt.Fprintln(env.out, "Each check weighs twice: in what is being signed, and in what was published")
			fmt.Fprintln(env.out, "before. A plan may waive those marked so, for one subject, with a reason.")
			for _, row := range check.Table {
				waivable := ""
				if row.Waivable() {
					waivable = ", can be waived for: " + row.Waiver
				}
				fmt.Fprintln(env.out)
				wrapTo(env.out, row.ID+"  ", "  ", fmt.Sprintf("(%s; published: %s%s)", row.Draft, row.Published, waivable))
				wrapTo(env.out, "  ", "  ", row.Means)
				wrapTo(env.out, "  do: ", "      ", row.Do)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "for machines")
	return c
}
