package main

import "github.com/spf13/cobra"

func newCoverage() *cobra.Command {
	var suites []string
	var asJSON, left bool
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "Count how much of the manual pages is covered, and how much of the clauses is checked",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			catalogue, err := wholeCatalogue()
			if err != nil {
				return err
			}
			coverage, err := catalogue.Cover(checks(), suites...)
			if err != nil {
				return err
			}
			if !left {
				coverage = coverage.Brief()
			}
			if asJSON {
				return coverage.WriteJSON(cmd.OutOrStdout())
			}
			return coverage.WriteText(cmd.OutOrStdout())
		},
	}
	suiteFlag(cmd, &suites)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.Flags().BoolVar(&left, "left", false, "list the statements that are left over and the clauses without a spec")
	return cmd
}
