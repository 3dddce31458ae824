package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/report"
)

func newDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what changed between the results of two runs, regressions first",
		Long: `Say what changed between the results of two runs, clause by clause, regressions first.

A regression is a deviation that nobody expects and that was not there before, an expectation that no
longer comes true, or something that was there and is not supported any more. With one the exit code
is 1. Without one it is 0, or 2 where the new run did not come to its end.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("diff takes two files of results: those of the old run and those of the new one (ipcspec run --results FILE)")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := readResults(args)
			if err != nil {
				return err
			}
			d := report.Diff(results[0], results[1])
			if err := d.Write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if code := d.ExitCode(); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

// readResults reads the results files of several runs.
func readResults(paths []string) ([]report.Results, error) {
	var all []report.Results
	for _, path := range paths {
		results, err := report.ReadResults(path)
		if err != nil {
			return nil, err
		}
		all = append(all, results)
	}
	return all, nil
}

func newMatrix() *cobra.Command {
	var markdown, differing bool
	cmd := &cobra.Command{
		Use:   "matrix RESULTS...",
		Short: "Show the results of several runs as a table of clauses by targets",
		Long: `Show the results of several runs as a table of clauses by targets, clauses on which they differ first.

The columns are named after the files.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("matrix takes the results of one run or more: ipcspec run --results FILE writes them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := readResults(args)
			if err != nil {
				return err
			}
			m := report.NewMatrix(report.Columns(args, results))
			if differing {
				m = m.Differing()
			}
			if markdown {
				return m.WriteMarkdown(cmd.OutOrStdout())
			}
			return m.Write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "write a table in Markdown")
	cmd.Flags().BoolVar(&differing, "differing", false, "only the clauses on which the targets differ")
	return cmd
}
