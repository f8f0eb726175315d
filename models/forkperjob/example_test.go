package forkperjob_test

import (
	"fmt"

	"forkbench/models"
	"forkbench/models/forkperjob"
)

// Cold parents, as RQ has them.
func Example() {
	var e models.Executor = forkperjob.Model{}
	fmt.Println(e.Name())
	// Output: forkperjob
}
