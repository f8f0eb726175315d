package hybrid_test

import (
	"fmt"

	"forkbench/models"
	"forkbench/models/hybrid"
)

// Children that run ten jobs each, four of them forked ahead of need.
func Example() {
	var e models.Executor = hybrid.Model{JobsPerChild: 10, Spares: 4}
	fmt.Println(e.Name())
	// Output: hybrid
}
