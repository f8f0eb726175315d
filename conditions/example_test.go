package conditions_test

import (
	"fmt"

	"forkbench/conditions"
)

// What the machine did besides, between two moments.
func Example() {
	var meter conditions.NoiseMeter
	meter.Start()
	// … what is to be measured …
	meter.End()
	if noise := meter.Stop(0); noise.Contaminated != "" {
		fmt.Println("do not trust the times:", noise.Contaminated)
	}
	fmt.Println(conditions.Environment().Cores > 0)
}
