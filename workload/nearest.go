package workload

import (
	"strings"

	"forkbench/internal/spelling"
)

// nearest is the index of the candidate that name was probably meant to be, or
// -1.
func nearest(name string, candidates []string) int {
	name = strings.ToLower(name)
	best, found := max(2, len(name)/4)+1, -1
	for i, c := range candidates {
		// A name is not a slip of another when every letter differs.
		if d := spelling.Distance(name, c); d < best && d < len(c) {
			best, found = d, i
		}
	}
	return found
}
