// Ipcspec says what Linux promises about interprocess communication and checks it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/target"
	"github.com/ipcspec/ipcspec/harness/target/vm"
)

// Exit codes of every command.
const (
	exitDeviation  = 1 // a deviation, or an expected one that did not happen
	exitFailure    = 2 // the tool itself failed or was misused
	exitUnresolved = 3 // with --strict: something stayed unresolved
)

// exitError is an error that says with which code to exit. Commands need it only for codes other
// than exitFailure, which any other error stands for.
type exitError struct {
	code int
	err  error // what to say on standard error; nil to say nothing
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() {
	if harness.InWorker() {
		os.Exit(harness.RunWorker())
	}
	if mutate.InWorker() {
		os.Exit(mutate.RunWorker())
	}
	if vm.InGuest() {
		os.Exit(vm.PlayGuest())
	}
	if target.IsInside() {
		os.Exit(target.Play())
	}
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs the command line and gives the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return exitCode(root.Execute(), stderr)
}

// exitCode gives the code that a command's error stands for, and says on stderr what it has to say.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	code := exitFailure
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	fmt.Fprintf(stderr, "ipcspec: %v\n", err)
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "ipcspec",
		Short:         "What Linux promises about interprocess communication, clause by clause",
		SilenceUsage:  true,
		SilenceErrors: true,

		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no command: see ipcspec --help")
			}
			return fmt.Errorf("no command %q: see ipcspec --help", args[0])
		},
		// Only to have Args asked: it never lets this run.
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(newHelp())
	root.AddCommand(newRun(), newVM(), newKernel(), newOCI(), newReport(), newDiff(), newMatrix(), newExpect(), newMutate(), newList(), newShow(), newCoverage(), newVersion())
	return root
}

// newHelp is cobra's help command, for which an unknown topic is no misuse.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("no help about %q: see ipcspec --help", strings.Join(args, " "))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// suiteFlag defines --suite, which may be given several times or with commas between names.
func suiteFlag(cmd *cobra.Command, suites *[]string) {
	cmd.Flags().StringSliceVarP(suites, "suite", "s", nil, "only `SUITE`; may be repeated")
}

// noArguments is cobra.NoArgs with a message that says what was wrong.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, but got %q", cmd.Name(), strings.Join(args, " "))
	}
	return nil
}
