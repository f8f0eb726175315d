package forkperjob_test

import (
	"fmt"

	"forkbench/models"
	"forkbench/models/forkperjob"
)

// There is nothing to set.
func Example() {
	var e models.Executor = forkperjob.Model{}
	fmt.Println(e.Name())
	// Output: forkperjob
}
