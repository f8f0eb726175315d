package explain

import (
	"strings"

	"forkbench/workload"
)

// A warmCall does one-time work up front: a call by name, something that is read,
// or an import.
type warmCall struct {
	Module string   `json:"module"`
	Name   string   `json:"name"` // in the module; empty for the import of it
	Args   []string `json:"args"` // Python source
	Read   bool     `json:"read"` // reading the name is the work
	Undo   bool     `json:"-"`    // what it leaves open is given up again
}

// String is what it is in Python source, with the module's full name.
func (c warmCall) String() string {
	switch {
	case c.Name == "":
		return "import " + c.Module
	case c.Read:
		return c.Module + "." + c.Name
	}
	return c.Module + "." + c.Name + "(" + strings.Join(c.Args, ", ") + ")"
}

// reference is the same as --warm takes it.
func (c warmCall) reference() string {
	if c.Undo {
		c.Undo = false
		return workload.WarmUndo + c.reference()
	}
	switch {
	case c.Name == "":
		return c.Module
	case c.Read || len(c.Args) == 0:
		return c.Module + ":" + c.Name
	}
	return c.Module + ":" + c.Name + "(" + strings.Join(c.Args, ", ") + ")"
}

// references are those of several.
func references(list []warmCall) []string {
	refs := make([]string, len(list))
	for i, c := range list {
		refs[i] = c.reference()
	}
	return refs
}

// privacy counts the names that begin with an underscore.
func (c warmCall) privacy() int { return strings.Count("."+c.Module+"."+c.Name, "._") }

// shellWord is a text as a word of a POSIX shell: as it is, where nothing in it
// means anything to one.
func shellWord(text string) string {
	plain := strings.IndexFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.,:/=+@%", r))
	}) < 0
	switch {
	case plain && text != "":
		return text
	case !strings.ContainsAny(text, "\"$`\\!"):
		return `"` + text + `"`
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
