package prefork_test

import (
	"fmt"

	"forkbench/models"
	"forkbench/models/prefork"
)

// A pool that recycles its children, as worker_max_tasks_per_child and
// worker_max_memory_per_child do in Celery.
func Example() {
	var e models.Executor = prefork.Model{MaxJobsPerChild: 500, MaxMemoryPerChild: 200 << 20}
	fmt.Println(e.Name())
	// Output: prefork
}
