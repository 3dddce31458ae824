package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/run"
)

func newRun() *cobra.Command {
	var s runSettings
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Check clauses against the kernel of this machine",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd, func(ctx context.Context) (report.Results, error) { return run.Local(ctx, s.Options) })
		},
	}
	s.flags(cmd)
	return cmd
}

// runSettings are what the command line says of a run, wherever that is.
type runSettings struct {
	run.Options
	results, junit string
	strict         bool
}

func (s *runSettings) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	suiteFlag(cmd, &s.Filter.Suites)
	flags.StringSliceVarP(&s.Filter.IDs, "clause", "c", nil, "only clauses whose id is or matches `GLOB`; may be repeated")
	flags.StringVar(&s.LabelFilter, "label-filter", "", "only specs whose labels match this `QUERY` in ginkgo's language")
	flags.StringVar(&s.results, "results", "", "write the results to this `FILE`, and the journal beside it")
	flags.StringVar(&s.junit, "junit", "", "write a JUnit file to this `FILE`")
	flags.StringArrayVar(&s.Expect, "expect", nil, "take the expectations in this `FILE` too; may be repeated (none: as --no-expect)")
	flags.BoolVar(&s.NoExpect, "no-expect", false, "leave out the expectations that ipcspec brings along")
	flags.BoolVar(&s.strict, "strict", false, "exit with 3 when a clause stays unresolved")
	flags.IntVar(&s.Procs, "procs", 0, "run specs in `N` processes side by side (default: as many as CPUs)")
	flags.Int64Var(&s.Seed, "seed", 0, "`SEED` of the order of specs (default: from the clock)")
	flags.BoolVar(&s.RandomizeAll, "randomize-all", false, "mix all specs, not only their groups")
	flags.Float64Var(&s.TimeoutScale, "timeout-scale", 1, "multiply all time limits, for slow machines")
	flags.BoolVar(&s.Disposable, "disposable", false, "this machine may be changed as a whole for a moment, as by sysctls")
}

// run completes the options, has the run made, and writes what was found, also of a run that did not
// come to its end.
func (s *runSettings) run(cmd *cobra.Command, perform func(context.Context) (report.Results, error)) error {
	if s.Procs < 0 {
		return fmt.Errorf("--procs %d: give the number of workers, or 0 for as many as CPUs", s.Procs)
	}
	if s.TimeoutScale <= 0 {
		return fmt.Errorf("--timeout-scale %v: give a number above 0", s.TimeoutScale)
	}
	if s.results != "" {
		s.Journal = strings.TrimSuffix(s.results, ".json") + ".ndjson"
	}
	s.Command = append([]string{"ipcspec"}, os.Args[1:]...)
	s.Progress = cmd.ErrOrStderr()
	ctx, stop := untilInterrupted()
	defer stop()
	found, err := perform(ctx)
	if err != nil && len(found.Clauses) == 0 {
		return err
	}
	told := conclude(cmd, found, s.results, s.junit, s.strict)
	if err != nil {
		return &exitError{code: exitFailure, err: errors.Join(err, unlessSilent(told))}
	}
	return told
}

// unlessSilent leaves out an error that only says with which code to exit.
func unlessSilent(err error) error {
	var exit *exitError
	if errors.As(err, &exit) && exit.err == nil {
		return nil
	}
	return err
}

// conclude writes what was found and gives the exit code as an error.
func conclude(cmd *cobra.Command, found report.Results, results, junit string, strict bool) error {
	var problems []error
	if results != "" {
		problems = append(problems, found.WriteResults(results))
	}
	if junit != "" {
		problems = append(problems, harness.WriteJUnit(junit, found))
	}
	problems = append(problems, report.Summary(cmd.OutOrStdout(), found))
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if code := report.ExitCode(found, strict); code != 0 {
		return &exitError{code: code}
	}
	return nil
}

func newReport() *cobra.Command {
	var results, junit string
	cmd := &cobra.Command{
		Use:   "report JOURNAL",
		Short: "Make results of the journal of a run that was killed",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("report takes the file of one journal (NDJSON)")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := harness.FoldJournal(args[0])
			if err != nil {
				return err
			}
			return conclude(cmd, found, results, junit, false)
		},
	}
	cmd.Flags().StringVar(&results, "results", "", "write the results to this `FILE`")
	cmd.Flags().StringVar(&junit, "junit", "", "write a JUnit file to this `FILE`")
	return cmd
}

// untilInterrupted gives a context that ^C and its like end. A second one ends this process at once; the
// workers end with it.
func untilInterrupted() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
