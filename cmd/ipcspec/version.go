package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/ipcspec/ipcspec/harness/spec"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which ipcspec this is and what it holds",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			catalogue, err := wholeCatalogue()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "ipcspec %s\n%s %s/%s\n%s\nsuites %d, clauses %d\n",
				buildVersion(debug.ReadBuildInfo()), runtime.Version(), runtime.GOOS, runtime.GOARCH,
				spec.Edition, len(catalogue.Suites()), len(catalogue.Clauses()))
			return err
		},
	}
}

// buildVersion gives the version of the module and the revision that it was built from, as far as
// the binary knows them.
func buildVersion(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "of unknown version"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		version += ", revision " + revision
		if settings["vcs.modified"] == "true" {
			version += " with changes"
		}
	}
	return version
}
