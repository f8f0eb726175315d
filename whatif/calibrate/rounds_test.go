package calibrate

import (
	"testing"

	"forkbench/record"
)

// The parents of a round that was made in parts are not all there at once.
func TestTreesOfARoundInParts(t *testing.T) {
	r := Round{
		Header: &record.Header{Environment: record.Environment{Cores: 2}}, parents: make([]record.Process, 8), use: 1,
		Round: record.Round{Parts: make([]record.Part, 4)},
	}
	if n, crowding := r.trees(), r.crowding(); n != 2 || crowding != 0 {
		t.Errorf("%d trees at once, crowding %v", n, crowding)
	}
	r.Parts = nil
	if n, crowding := r.trees(), r.crowding(); n != 8 || crowding != 0.75 {
		t.Errorf("in one go: %d trees, crowding %v", n, crowding)
	}
}
