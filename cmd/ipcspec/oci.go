package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/target/oci"
)

func newOCI() *cobra.Command {
	var s runSettings
	var r oci.Runtime
	cmd := &cobra.Command{
		Use:   "oci --runtime PATH",
		Short: "Check clauses in a container of an OCI runtime",
		Long: `Check clauses in a container of an OCI runtime, such as runc, crun or gVisor's runsc.

The container holds ipcspec and nothing else, and is gone afterwards, whatever ends the run. An
ordinary user gets one with a user namespace, where the runtime can do that.

  ipcspec oci --runtime runc
  ipcspec oci --runtime crun --profile privileged --suite pipes
  ipcspec oci --runtime runsc --runtime-arg=--platform=ptrace --results gvisor.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd, func(ctx context.Context) (report.Results, error) { return r.Run(ctx, s.Options) })
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&r.Path, "runtime", "", "the runtime: its `PATH`, or its name")
	cmd.Flags().StringArrayVar(&r.Args, "runtime-arg", nil, "give the runtime this argument `A` before its command; may be repeated")
	cmd.Flags().StringVar(&r.Profile, "profile", oci.Default, "what the container gets: default, as an ordinary one; or privileged, all")
	return cmd
}
