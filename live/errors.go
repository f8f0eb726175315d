package live

import "strings"

// A BootError says why a process could not load the application, or warm it:
// the user's code or its name is wrong, not the tool.
type BootError struct {
	Kind      string // the exception's type; "Exit" if the process ended or hung
	Message   string
	Traceback string // empty unless an exception was raised
	Output    string // the end of what the process printed
}

func (e *BootError) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, more := range []string{e.Traceback, e.Output} {
		if more = strings.TrimSpace(more); more != "" {
			b.WriteString("\n" + more)
		}
	}
	return b.String()
}

// NotFound reports whether the function to run, or its module, does not exist:
// then the flag that names it is wrong.
func (e *BootError) NotFound() bool {
	return e.Kind == "NotFound"
}

// A DeathError says that a process ended, or hung up, on which its model depends.
type DeathError struct{ Obituary string }

func (e *DeathError) Error() string { return e.Obituary }

// A ForkError is a process's refusal to fork, in its words.
type ForkError struct{ Reason string }

func (e *ForkError) Error() string { return e.Reason }

// A MissingError says what this machine lacks and how to get it.
type MissingError struct{ What, How string }

func (e *MissingError) Error() string { return e.What + ": " + e.How }
