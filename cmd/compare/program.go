package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"forkbench/report"
	"forkbench/runner"
)

// A program is what one execution of the command has to do with the world
// outside: tests run whole commands with one of their own.
type program struct {
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	signals        <-chan os.Signal // those that ask for an end; may be nil
	giveUp         func()           // has further ones end the process

	// create makes the file of raw records, and draw the plots: plots.Write.
	create func(path string) (io.WriteCloser, error)
	draw   func(dir string, a *runner.Analysis) ([]string, error)

	unknown []string // problems with flags that are none
}

// run executes a command line, given without the program's name. How the error
// is shown and which code it ends with is finish's to say.
func (p *program) run(ctx context.Context, args []string) error {
	root := p.rootCommand()
	root.SetContext(ctx)
	if args == nil {
		args = []string{} // nil would be the process's own
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	if len(args) == 0 || !strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		if cmd, _, err := root.Find(args); err == nil {
			cmd.InitDefaultHelpFlag()
			cmd.InitDefaultVersionFlag()
			args, p.unknown = without(cmd, args)
		}
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// usage is the error for the problems of a command line, those of unknown flags
// first; nil if there are none.
func (p *program) usage(cmd *cobra.Command, problems []string) error {
	if problems = slices.Concat(p.unknown, problems); len(problems) > 0 {
		return &usageError{cmd.CommandPath(), problems}
	}
	return nil
}

// noArguments is the problem of arguments to a command that takes none.
func noArguments(cmd *cobra.Command, args []string) []string {
	if len(args) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %#q takes no arguments", shorten(strings.Join(args, " "), 80), cmd.CommandPath())}
}

// terminal is the width of the terminal that w is, or 0 if it is none.
func (p *program) terminal(w io.Writer) int {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// textOptions fit standard output. See no-color.org for the variable.
func (p *program) textOptions() report.TextOptions {
	width := p.terminal(p.stdout)
	return report.TextOptions{
		Width: width,
		Color: width > 0 && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb",
	}
}

// progress is the display for standard error.
func (p *program) progress(quiet bool) *progress {
	live := p.terminal(p.stderr) > 0 && p.getenv("TERM") != "dumb"
	return newProgress(p.stderr, live, func() int { return p.terminal(p.stderr) }, quiet)
}
