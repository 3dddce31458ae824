package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/target/kernels"
	"github.com/ipcspec/ipcspec/harness/target/vm"
)

func newVM() *cobra.Command {
	var s runSettings
	var o vm.Options
	var folder string
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
			if kernels.IsName(o.Kernel) {
				cache, err := kernels.Open(folder, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				k, err := cache.Find(o.Kernel)
				if err != nil {
					return err
				}
				o.Named, o.Kernel = o.Kernel, k.Path(k.Image)
				if o.Modules == "" {
					o.Modules = k.Path(k.Modules)
				}
				if o.Headers == "" && k.Headers != "" {
					o.Headers = k.Path(k.Headers)
				}
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
				o.Run = s.Options
				return vm.Run(ctx, o)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Kernel, "kernel", "", "boot this kernel `IMAGE`: a bzImage, a vmlinux with CONFIG_PVH, or debian:RELEASE from the cache")
	cacheFlag(cmd, &folder)
	flags.StringVar(&o.Modules, "modules", "", "the kernel's modules are in this `DIR`, or Debian package")
	flags.StringArrayVar(&o.Module, "module", nil, "load this module, `FILE.ko[,param=value]...`, a folder with its sources, or a name of one in --modules; may be repeated")
	flags.StringVar(&o.Headers, "headers", "", "the kernel's headers are in this `DIR`: its build folder, or unpacked packages; for modules that are given as sources")
	flags.StringArrayVar(&o.Make, "make", nil, "give make this `SETTING` where it builds modules; may be repeated")
	flags.StringVar(&o.Arch, "arch", "amd64", "architecture of the machine")
	flags.IntVar(&o.CPUs, "cpus", 2, "number of CPUs")
	flags.StringVar(&o.Memory, "memory", "1G", "memory of the machine, as QEMU takes it")
	flags.StringVar(&o.Accel, "accel", "auto", "run the guest by kvm, or tcg, which translates; auto: kvm where a guest runs on it")
	flags.StringVar(&o.Machine, "machine", "auto", "auto, pc, q35 or microvm, which has one CPU")
	flags.StringVar(&o.Append, "append", "", "add this to the kernel's command line")
	flags.StringVar(&o.QEMU, "qemu", "", "`PATH` of QEMU (default: qemu-system-x86_64)")
	flags.StringVar(&o.Console, "console", "", "keep what the kernel prints in this `FILE` (default: beside --results)")
	flags.DurationVar(&o.Boot, "boot-limit", 0, "the longest `TIME` until init runs (default: 2m, with KVM 30s)")
	s.flags(cmd)
	return cmd
}
