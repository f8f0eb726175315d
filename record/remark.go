package record

import (
	"forkbench/internal/format"
)

// A Remark is what a reader has to know about results, as a value: a warning, say.
// Programs go by its code and arguments, people read its text. The text names no flag
// of any command: what can be done about it, the program says that shows it.
type Remark struct {
	Code   string         `json:"code"`             // which one it is; each package that makes them lists its own
	Models []string       `json:"models,omitempty"` // whom it is about; none: the whole
	Args   map[string]any `json:"args,omitempty"`   // the numbers and names that are in the text; shares are of 1
	Text   string         `json:"text"`             // a clause, without whom it is about
	Advice string         `json:"advice,omitempty"` // what can be done, as the end of the clause, with what sets it off
}

// String is the remark for people.
func (r *Remark) String() string {
	if len(r.Models) == 0 {
		return r.Text + r.Advice
	}
	return format.List(r.Models) + ": " + r.Text + r.Advice
}
