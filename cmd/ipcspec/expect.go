package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/expect"
	"github.com/ipcspec/ipcspec/harness/report"
)

func newExpect() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "expect --from RESULTS",
		Short: "Write a draft of expectations for the unexpected deviations of a run",
		Long: `Write a draft of expectations for the unexpected deviations of a run.

The draft goes to standard output. It can be given to ipcspec run --expect when the reason of each
deviation is filled in.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return errors.New("expect needs --from with the results of a run: ipcspec run --results FILE writes them")
			}
			results, err := report.ReadResults(from)
			if err != nil {
				return err
			}
			n, err := expect.Draft(cmd.OutOrStdout(), results)
			if err == nil && n == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s has no unexpected deviation\n", from)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the results `FILE` of a run")
	return cmd
}
