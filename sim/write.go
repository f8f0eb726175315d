package sim

import (
	"encoding/json"
	"io"
)

// Write writes the profile as ReadProfile reads it.
func (p *Profile) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}
