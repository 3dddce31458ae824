package main

import (
	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/spec"
)

func newList() *cobra.Command {
	var filter spec.Filter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List clauses",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			catalogue, err := wholeCatalogue()
			if err != nil {
				return err
			}
			clauses, err := catalogue.Select(filter)
			if err != nil {
				return err
			}
			listing := spec.List(clauses)
			if asJSON {
				return listing.WriteJSON(cmd.OutOrStdout())
			}
			return listing.WriteText(cmd.OutOrStdout())
		},
	}
	suiteFlag(cmd, &filter.Suites)
	cmd.Flags().StringSliceVarP(&filter.IDs, "clause", "c", nil, "only clauses whose id is or matches `GLOB`; may be repeated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
