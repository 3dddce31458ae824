package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/target/kernels"
)

func newKernel() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kernel",
		Short: "Fetch kernels for ipcspec vm",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("kernel takes a command: fetch or list")
			}
			return fmt.Errorf("no command %q: kernel takes fetch or list", args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.AddCommand(newKernelFetch(), newKernelList())
	return cmd
}

func newKernelFetch() *cobra.Command {
	var folder string
	var headers bool
	cmd := &cobra.Command{
		Use:   "fetch debian:RELEASE[-cloud|-rt]...",
		Short: "Bring a Debian kernel into the cache, unpacked and never installed",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which kernel? Write debian:RELEASE, debian:RELEASE-cloud or debian:RELEASE-rt")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, err := kernels.Open(folder, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			for _, name := range args {
				k, err := cache.Fetch(ctx, name, headers)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\nimage: %s\nmodules: %s\n", k.Name, k.Release, k.Path(k.Image), k.Path(k.Modules))
				if k.Headers != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "headers: %s\n", k.Path(k.Headers))
				}
			}
			return nil
		},
	}
	cacheFlag(cmd, &folder)
	cmd.Flags().BoolVar(&headers, "headers", false, "bring what is needed to build a module, too")
	return cmd
}

func newKernelList() *cobra.Command {
	var folder string
	var offline bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the kernels that can be had and those in the cache",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := kernels.Open(folder, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			cached, err := cache.Cached()
			if err != nil {
				return err
			}
			var available []kernels.Kernel
			if !offline {
				available, err = cache.Available(cmd.Context())
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "kernel\trelease\tpackage\tcached")
			for _, k := range cached {
				headers := ""
				if k.Headers != "" {
					headers = ", with headers"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s%s\n", k.Name, k.Release, k.Version, k.Folder, headers)
			}
			for _, k := range available {
				if have, err := cache.Find(k.Name); err != nil || have.Version != k.Version {
					fmt.Fprintf(w, "%s\t%s\t%s\t\n", k.Name, k.Release, k.Version)
				}
			}
			return errors.Join(w.Flush(), err)
		},
	}
	cacheFlag(cmd, &folder)
	cmd.Flags().BoolVar(&offline, "offline", false, "show the cache only")
	return cmd
}

func cacheFlag(cmd *cobra.Command, folder *string) {
	cmd.Flags().StringVar(folder, "cache", "", "the cache is this `DIR` (default: ipcspec/kernels in the user's cache)")
}
