package capacity

import (
	"context"

	"forkbench/models"
	"forkbench/whatif/predict"
)

// Ask is a function for [Plan.Predict] that asks a question about one executor on
// machines of other sizes.
func Ask(q predict.Question, e models.Executor) func(context.Context, Size) (*predict.Prediction, error) {
	return func(ctx context.Context, s Size) (*predict.Prediction, error) {
		q := q
		q.Workers, q.Cores = s.Workers, s.Cores
		q.Models = []predict.Model{{Name: e.Name(), Executor: e}}
		a, err := predict.Run(ctx, q)
		if err != nil {
			return nil, err
		}
		return &a.Models[0], nil
	}
}
