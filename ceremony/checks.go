package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/check"
)

func checksCommand(env *environment) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "checks [ID]...",
		Short: "list every check: what it means and what to do",
		RunE: func(_ *cobra.Command, ids []string) error {
			table, err := rows(ids)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(env.out, table)
			}
			fmt.Fprintln(env.out, "Each check weighs twice: in what is being signed, and in what was published")
			fmt.Fprintln(env.out, "before. A plan may waive those marked so, for one subject, with a reason.")
			for _, row := range table {
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

// rows are those of the table that are asked for, or all.
func rows(ids []string) ([]check.Check, error) {
	if len(ids) == 0 {
		return check.Table, nil
	}
	var table []check.Check
	for _, id := range ids {
		row, ok := check.Lookup(strings.ToUpper(id))
		if !ok {
			return nil, &usageError{fmt.Errorf("checks: there is none with the ID %q", id), "`ceremony checks` lists them all"}
		}
		table = append(table, row)
	}
	return table, nil
}
