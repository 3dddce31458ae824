package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/target/vm"
)

func newMutate() *cobra.Command {
	var o mutate.Options
	var m machine
	var results, asJSON, since, unjudged string
	var check, accept, strict bool
	cmd := &cobra.Command{
		Use:   "mutate",
		Short: "Lie to specs about what the kernel did, and find those that do not notice",
		Long: `Lie to specs about what the kernel did, and find those that do not notice.

With --kernel that is done in a virtual machine, as ipcspec vm makes a run there:
for clauses about a module, or that need a machine of their own.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Procs < 0 {
				return fmt.Errorf("--procs %d: give the number of workers, or 0 for twice as many as CPUs", o.Procs)
			}
			if o.Most < 1 {
				return fmt.Errorf("--most %d: give at least 1", o.Most)
			}
			if o.TimeoutScale <= 0 {
				return fmt.Errorf("--timeout-scale %v: give a number above 0", o.TimeoutScale)
			}
			switch {
			case accept && check:
				return errors.New("--accept and --check exclude each other")
			case strict && !check:
				return errors.New("--strict is for --check")
			case accept && (len(o.Filter.IDs) > 0 || unjudged != ""):
				return errors.New("--accept is for whole suites: leave --clause and --unjudged-in away")
			case unjudged != "" && len(o.Filter.IDs) > 0:
				return errors.New("--unjudged-in and --clause exclude each other")
			case since != "" && len(o.Filter.IDs) > 0:
				return errors.New("--since and --clause exclude each other")
			}
			if err := o.Check(); err != nil {
				return err
			}
			if since != "" {
				changed, err := mutate.ChangedSuites(since)
				if err != nil {
					return err
				}
				if o.Filter.Suites = mutate.Among(changed, o.Filter.Suites); len(o.Filter.Suites) == 0 {
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "no suite has changed since %s\n", since)
					return err
				}
			}
			if unjudged != "" {
				left, err := leftIn(unjudged, o.Filter.Suites)
				if err != nil {
					return err
				}
				if len(left) == 0 {
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s judges every clause\n", unjudged)
					return err
				}
				o.Filter.IDs = left
			}
			if accept || check {
				if err := o.CheckTree(".", accept); err != nil {
					return err
				}
			}
			if m.Kernel == "" {
				for _, name := range machineFlags() {
					if cmd.Flags().Changed(name) {
						return fmt.Errorf("--%s is for a virtual machine: give its --kernel too", name)
					}
				}
			}
			if results != "" {
				file, err := os.Create(results)
				if err != nil {
					return err
				}
				defer file.Close()
				o.Results = file
			}
			if asJSON != "" { // which is written after the run: too late to hear of a slip of the pen
				if _, err := os.Stat(filepath.Dir(asJSON)); err != nil {
					return fmt.Errorf("--json: %w", err)
				}
			}
			o.Progress = cmd.ErrOrStderr()
			ctx, stop := untilInterrupted()
			defer stop()
			found, err := lie(ctx, cmd, o, m)
			if err != nil {
				return err
			}
			if asJSON != "" {
				file, err := os.Create(asJSON)
				if err != nil {
					return err
				}
				if err := found.WriteJSON(file); err != nil {
					return err
				}
				if err := file.Close(); err != nil {
					return err
				}
			}
			write := found.WriteText
			if check {
				write = found.WriteSummary // and what is worse, below
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			whole := len(o.Filter.IDs) == 0
			switch {
			case accept:
				return found.Accept(".")
			case check:
				worse, survivors, err := found.Check(".", whole)
				if err != nil {
					return err
				}
				if lines := append(worse, survivors...); len(lines) > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
					for _, line := range lines {
						fmt.Fprintln(cmd.OutOrStdout(), line)
					}
				}
				if len(worse) > 0 || strict && len(survivors) > 0 {
					return &exitError{code: exitDeviation}
				}
				return nil
			case found.HasWeak():
				return &exitError{code: exitDeviation}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	suiteFlag(cmd, &o.Filter.Suites)
	flags.StringSliceVarP(&o.Filter.IDs, "clause", "c", nil, "only clauses whose id is or matches `GLOB`; may be repeated")
	flags.StringVar(&unjudged, "unjudged-in", "", "only clauses that neither conform nor deviate in the results in this `FILE`")
	flags.IntVar(&o.Procs, "procs", 0, "run specs in `N` processes side by side (default: twice as many as CPUs)")
	flags.BoolVar(&strict, "strict", false, "with --check: exit with 1 for survivors that are neither explained nor accepted, too")
	flags.Int64Var(&o.Seed, "seed", 1, "`SEED` of the choice where a spec could be told too many lies")
	flags.IntVar(&o.Most, "most", mutate.DefaultMost, "at most `N` lies a spec")
	flags.Float64Var(&o.TimeoutScale, "timeout-scale", 1, "multiply all time limits, for slow machines")
	flags.BoolVar(&o.Disposable, "disposable", false, "this machine may be changed as a whole for a moment, as by sysctls")
	flags.StringVar(&results, "results", "", "write all mutants of each spec to this `FILE`, a line of JSON a spec")
	flags.StringVar(&asJSON, "json", "", "write the report to this `FILE` as JSON")
	flags.StringVar(&since, "since", "", "only suites that have changed since the git revision `REV`")
	flags.BoolVar(&check, "check", false, "compare with the accepted results, suites/SUITE/mutation.json, and exit with 1 only where it is worse")
	flags.BoolVar(&accept, "accept", false, "write the accepted results")
	m.flags(cmd)
	return cmd
}

// leftIn are the clauses of these suites, or all, that neither conform nor deviate in results.
func leftIn(file string, suites []string) ([]string, error) {
	found, err := report.ReadResults(file)
	if err != nil {
		return nil, fmt.Errorf("--unjudged-in: %w", err)
	}
	var ids []string
	for _, c := range found.Clauses {
		judged := c.Verdict == report.Conforms || c.Verdict == report.Deviates
		if !judged && (len(suites) == 0 || slices.Contains(suites, c.Suite)) {
			ids = append(ids, c.ID)
		}
	}
	return ids, nil
}

// lie lies to specs on this machine, or a virtual one.
func lie(ctx context.Context, cmd *cobra.Command, o mutate.Options, m machine) (mutate.Report, error) {
	if m.Kernel == "" {
		return mutate.Local(ctx, o)
	}
	if err := m.find(cmd); err != nil {
		return mutate.Report{}, err
	}
	if !cmd.Flags().Changed("disposable") {
		o.Disposable = true
	}
	if !cmd.Flags().Changed("timeout-scale") {
		o.TimeoutScale = 0 // what the machine needs
	}
	m.Words = cmd.ErrOrStderr()
	return vm.Mutate(ctx, m.Options, o)
}
