package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what the toolchain has noted about this build: a tag, or the commit
// it was made from.
func version() string {
	text := "(devel)"
	var commit, modified string
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			text = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = " " + s.Value
			case "vcs.modified":
				if s.Value == "true" {
					modified = " (modified)"
				}
			}
		}
	}
	return fmt.Sprintf("%s%s%s %s %s/%s", text, commit, modified, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionCommand is `compare version`.
func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.usage(cmd, noArguments(cmd, args)); err != nil {
				return err
			}
			_, err := io.WriteString(p.stdout, "compare "+version()+"\n")
			return outputError(err)
		},
	}
}
