package sim

import "fmt"

// mostCaveats is how many of a profile's warnings are repeated: enough for all that
// calibration can have to say of few records.
const mostCaveats = 8

// Caveats are the profile's warnings for an answer that rests on it, each with whose
// it is. There are few of them, however many the profile has: the last one says how
// many more.
func (p *Profile) Caveats() []string {
	var list []string
	for i, text := range p.Warnings {
		if i == mostCaveats-1 && len(p.Warnings) > mostCaveats {
			return append(list, fmt.Sprintf("the profile has %d more warnings: they are in its file", len(p.Warnings)-i))
		}
		list = append(list, "the profile: "+text)
	}
	return list
}
