package main

import (
	"fmt"

	"forkbench/runner"
)

// The flags that have a comparison go on until it is sharp.
const (
	untilFlag   = "until"
	maxTimeFlag = "max-time"
)

// checkUntil decides how long the comparison goes on. Whoever wants a number of
// rounds gets just that (with --until at least so many, each in one go), and jobs that come over time take the same time whoever
// runs them.
func (o *options) checkUntil() (problems []string) {
	burst := o.arrivals == nil || o.arrivals.String() == "burst"
	switch {
	case o.given[untilFlag] && !burst:
		return []string{fmt.Sprintf("--%s=%s: is for jobs that are all due at once, and those of --arrivals=%s come over time: give --rounds",
			untilFlag, o.texts[untilFlag], shorten(o.texts["arrivals"], 80))}
	case o.given[maxTimeFlag] && (!burst || o.given["rounds"] && !o.given[untilFlag]):
		return []string{fmt.Sprintf("--%s=%s: is of no use with a fixed number of rounds: leave it out, or give --%s", maxTimeFlag, o.texts[maxTimeFlag], untilFlag)}
	case o.given[untilFlag], !o.given["rounds"] && burst:
		o.until = &runner.Until{HalfWidth: o.halfWidth, Most: o.maxTime, Whole: o.given["rounds"]}
	}
	return nil
}
