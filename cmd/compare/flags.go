package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A flag is one flag of a command. Its values are kept as they are typed and
// parsed later, together, so that all that is wrong is said at once.
type flag struct {
	group string // the heading it stands under in the help
	name  string
	short string // a letter for it; empty for none
	value string // stands for its value in the help; empty for a switch
	def   string // its value when it is not given; empty for none
	usage string

	repeat bool // may be given several times
	secret bool // its value must not be shown

	set func(text string) error // called for each value
}

// texts is the values of a flag as typed: a pflag.Value that takes everything.
type texts struct {
	flag
	given []string
}

var _ pflag.Value = (*texts)(nil)

// String is the value in effect.
func (t *texts) String() string {
	if t.given == nil {
		return t.def
	}
	return strings.Join(t.given, ",")
}

// Set takes a value.
func (t *texts) Set(text string) error {
	if !t.repeat {
		t.given = nil
	}
	t.given = append(t.given, text)
	return nil
}

// Type is what the value is called.
func (t *texts) Type() string { return t.value }

// groupKey is the annotation of a pflag.Flag that holds its group.
const groupKey = "group"

// bind gives a command its flags.
func bind(cmd *cobra.Command, flags []flag) {
	set := cmd.Flags()
	set.SortFlags = false
	for _, f := range flags {
		p := set.VarPF(&texts{flag: f}, f.name, f.short, f.usage)
		p.DefValue = f.def
		p.Annotations = map[string][]string{groupKey: {f.group}}
		if f.value == "" {
			p.NoOptDefVal = "true"
		}
	}
}

// parse sets all flags of a command, to their defaults where they were not
// given, and returns what is wrong with them.
func parse(cmd *cobra.Command, flags []flag) []string {
	var problems []string
	for _, f := range flags {
		t := cmd.Flags().Lookup(f.name).Value.(*texts)
		values := t.given
		if values == nil && f.def != "" {
			values = []string{f.def}
		}
		for _, value := range values {
			if err := f.set(value); err != nil {
				problems = append(problems, f.problem(value, err))
			}
		}
	}
	return problems
}

// problem is an error about a flag's value, as usage errors list it.
func (f *flag) problem(value string, err error) string {
	name := "--" + f.name
	if !f.secret {
		name += "=" + shorten(value, 80)
	}
	// Some errors have a line for each of several things.
	return name + ": " + strings.ReplaceAll(err.Error(), "\n", "\n  ")
}

// shorten makes a value fit for a message.
func shorten(text string, most int) string {
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	for i, r := range runes {
		if !unicode.IsGraphic(r) {
			runes[i] = '\uFFFD'
		}
	}
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return string(runes)
}

// printable is a text without what a terminal would obey: errors quote names and
// words of others. Lines stay lines.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsGraphic(r) {
			return r
		}
		return '\uFFFD'
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// without removes the flags that a command does not know from its arguments, and
// says what is wrong with them: pflag would stop at the first.
func without(cmd *cobra.Command, args []string) (rest, problems []string) {
	set := cmd.Flags()
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(rest, args[i:]...), problems
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		long := strings.HasPrefix(arg, "--")
		known := set.Lookup(name)
		if !long {
			known = nil
			if len(name) == 1 && (value != "" || !hasValue) {
				known = set.ShorthandLookup(name)
			}
		}
		takesNext := !hasValue && i+1 < len(args)
		if known == nil {
			problems = append(problems, unknownFlag(cmd, arg, name, long))
			// What follows is its value, most probably.
			if takesNext && args[i+1] != "" && args[i+1][0] != '-' {
				i++
			}
			continue
		}
		rest = append(rest, arg)
		if takesNext && known.NoOptDefVal == "" {
			i++
			rest = append(rest, args[i])
		}
	}
	return rest, problems
}

func unknownFlag(cmd *cobra.Command, arg, name string, long bool) string {
	arg, _, _ = strings.Cut(arg, "=")
	arg = shorten(arg, 80)
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if !long && slices.Contains(names, name) {
		return fmt.Sprintf("%s: flags have two dashes: --%s", arg, name)
	}
	if similar := closest(name, names); similar != "" {
		return fmt.Sprintf("%s: no such flag; did you mean --%s?", arg, similar)
	}
	// Given to the wrong command, perhaps.
	for _, c := range append([]*cobra.Command{cmd.Root()}, cmd.Root().Commands()...) {
		if c.Flags().Lookup(name) != nil {
			return fmt.Sprintf("%s: is a flag of %#q, not of %#q", arg, c.CommandPath(), cmd.CommandPath())
		}
	}
	return fmt.Sprintf("%s: no such flag", arg)
}

// flagError makes what pflag itself refuses a usage error: a flag without its
// value is the only thing left.
func flagError(cmd *cobra.Command, err error) error {
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		f := missing.GetFlag()
		return usagef(cmd.CommandPath(), "--%s: needs a value: --%s=%s", f.Name, f.Name, f.Value.Type())
	}
	return usagef(cmd.CommandPath(), "%v", err)
}
