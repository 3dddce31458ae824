package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/target/kernels"
	"github.com/ipcspec/ipcspec/harness/target/vm"
)

func newVM() *cobra.Command {
	var s runSettings
	var m machine
	o := &m.Options
	cmd := &cobra.Command{
		Use:   "vm --kernel IMAGE",
		Short: "Check clauses against a kernel in a virtual machine",
		Long: `Check clauses against a kernel in a virtual machine.

QEMU boots the kernel with this program as init, whose child makes the run. The
results come back while the guest runs, and what is found up to then is kept if
its kernel panics or hangs. Nothing is installed, and nothing is left behind.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Kernel == "" {
				return errors.New("which kernel? Give its image with --kernel")
			}
			if err := m.find(cmd); err != nil {
				return err
			}
			if o.Console == "" && s.results != "" {
				o.Console = strings.TrimSuffix(s.results, ".json") + ".console"
			}
			if !cmd.Flags().Changed("disposable") {
				s.Disposable = true
			}
			return s.run(cmd, func(ctx context.Context) (report.Results, error) {
				if !cmd.Flags().Changed("timeout-scale") {
					s.TimeoutScale = 0
				}
				o.Run, o.Words = s.Options, cmd.ErrOrStderr()
				return vm.Run(ctx, *o)
			})
		},
	}
	m.flags(cmd)
	s.flags(cmd)
	cmd.AddCommand(newVMExec())
	return cmd
}

func newVMExec() *cobra.Command {
	var m machine
	var p vm.Program
	cmd := &cobra.Command{
		Use:   "exec --kernel IMAGE [flags] PROGRAM [ARG]...",
		Short: "Execute a program of your own in a virtual machine",

		DisableFlagsInUseLine: true,
		Long: `Execute a program of your own in a virtual machine.

The machine is that of ipcspec vm, and the program, which has to be static, is
executed in place of the run, as root, in an empty /tmp. It comes with no other
file. What it writes is passed on while it runs, and its exit code is that of
this command, but for these:

  1  the program's exit code was 0, and the kernel complained on its console
  2  a signal ended the program, or it did not come to its end`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("exec needs a static program, and its arguments")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.Kernel == "" {
				return errors.New("which kernel? Give its image with --kernel")
			}
			for _, setting := range p.Env {
				if strings.Index(setting, "=") < 1 {
					return fmt.Errorf("--env %s: give NAME=VALUE", setting)
				}
			}
			if cmd.Flags().Changed("limit") && p.Limit <= 0 {
				return fmt.Errorf("--limit %v: give a time above 0", p.Limit)
			}
			if err := m.find(cmd); err != nil {
				return err
			}
			p.Path, p.Args = args[0], args[1:]
			p.Stdout, p.Stderr, m.Words = cmd.OutOrStdout(), cmd.ErrOrStderr(), cmd.ErrOrStderr()
			ctx, stop := untilInterrupted()
			defer stop()
			end, err := vm.Exec(ctx, m.Options, p)
			for _, line := range end.Console {
				fmt.Fprintln(cmd.ErrOrStderr(), line)
			}
			switch {
			case err != nil:
				return err
			case end.Complaint != "":
				return &exitError{max(end.Code, exitDeviation), fmt.Errorf("the guest's kernel complained: %s", end.Complaint)}
			case end.Code != 0:
				return &exitError{code: end.Code}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows the program is its own
	m.flags(cmd)
	flags.Lookup("console").Usage = "keep what the kernel prints in this `FILE`"
	flags.StringArrayVar(&p.Env, "env", nil, "set this variable in the program's environment, `NAME=VALUE`; may be repeated")
	flags.DurationVar(&p.Limit, "limit", 0, "the longest `TIME` that the program may take from when init runs (default: none)")
	return cmd
}

// machine is what the command line says of a virtual machine.
type machine struct {
	vm.Options
	folder string
}

func (m *machine) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&m.Kernel, "kernel", "", "boot this kernel `IMAGE`: a bzImage, a vmlinux with CONFIG_PVH, or debian:RELEASE from the cache")
	cacheFlag(cmd, &m.folder)
	flags.StringVar(&m.Modules, "modules", "", "the kernel's modules are in this `DIR`, or Debian package")
	flags.StringArrayVar(&m.Module, "module", nil, "load this module, `FILE.ko[,param=value]...`, a folder with its sources, or a name of one in --modules; may be repeated")
	flags.StringVar(&m.Headers, "headers", "", "the kernel's headers are in this `DIR`: its build folder, or unpacked packages; for modules that are given as sources")
	flags.StringArrayVar(&m.Make, "make", nil, "give make this `SETTING` where it builds modules; may be repeated")
	flags.StringVar(&m.Arch, "arch", "amd64", "architecture of the machine")
	flags.IntVar(&m.CPUs, "cpus", 2, "number of CPUs")
	flags.StringVar(&m.Memory, "memory", "1G", "memory of the machine, as QEMU takes it")
	flags.StringVar(&m.Accel, "accel", "auto", "run the guest by kvm, or tcg, which translates; auto: kvm where a guest runs on it")
	flags.StringVar(&m.Machine, "machine", "auto", "auto, pc, q35 or microvm, which has one CPU")
	flags.StringVar(&m.Append, "append", "", "add this to the kernel's command line")
	flags.StringVar(&m.QEMU, "qemu", "", "`PATH` of QEMU (default: qemu-system-x86_64)")
	flags.StringVar(&m.Console, "console", "", "keep what the kernel prints in this `FILE` (default: beside --results)")
	flags.DurationVar(&m.Boot, "boot-limit", 0, "the longest `TIME` until init runs (default: 2m, with KVM 30s)")
}

// machineFlags names the flags that say what a virtual machine is like, but for --kernel.
func machineFlags() (names []string) {
	cmd := &cobra.Command{}
	new(machine).flags(cmd)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "kernel" {
			names = append(names, f.Name)
		}
	})
	return names
}

// find finds what belongs to a kernel that is in the cache.
func (m *machine) find(cmd *cobra.Command) error {
	if !kernels.IsName(m.Kernel) {
		return nil
	}
	cache, err := kernels.Open(m.folder, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	k, err := cache.Find(m.Kernel)
	if err != nil {
		return err
	}
	m.Named, m.Kernel = m.Kernel, k.Path(k.Image)
	if m.Modules == "" {
		m.Modules = k.Path(k.Modules)
	}
	if m.Headers == "" && k.Headers != "" {
		m.Headers = k.Path(k.Headers)
	}
	return nil
}
