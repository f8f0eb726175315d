package predict_test

import (
	"context"
	"fmt"

	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/sim/profiles"
	"forkbench/whatif/predict"
)

// What a warm parent would do for Redash: the throughput of both models, and
// their ratio.
func Example() {
	profile, err := profiles.Read("redash")
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := predict.Run(context.Background(), predict.Question{
		Models: []predict.Model{
			{Name: "forkperjob", Executor: forkperjob.Model{}},
			{Name: "hybrid", Executor: hybrid.Model{}},
		},
		Profile: profile, Workers: 4, Cores: 4, Jobs: 1000, Replications: 3,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	cold, warm := &a.Models[0], &a.Models[1]
	fmt.Printf("%.1f/s and %.1f/s\n", cold.Throughput.Value, warm.Throughput.Value)
	ratio := predict.Paired(warm, cold, func(r *predict.Replication) float64 { return r.Throughput })
	fmt.Printf("%.2f times as many\n", ratio.Value)
	// Output:
	// 9.7/s and 40.6/s
	// 4.17 times as many
}
