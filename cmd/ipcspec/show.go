package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Say everything about one clause",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("show takes the id of one clause")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			catalogue, err := wholeCatalogue()
			if err != nil {
				return err
			}
			clause, err := catalogue.Find(args[0])
			if err != nil {
				return err
			}
			return catalogue.WriteClause(cmd.OutOrStdout(), clause, checks()[clause.ID])
		},
	}
}
