package sweep

import (
	"context"
	"fmt"
	"math"
	"slices"

	"forkbench/models"
	"forkbench/whatif/predict"
)

// Simulate is a function for [Sweep.Evaluate] that asks a simulated machine. The
// question is asked at each point for one model, the executor that build makes
// for the contestant there, and with one value of the parameter set.
func Simulate(p *Parameter, q predict.Question, build func(contestant int, x float64) models.Executor) func(context.Context, int, float64) (Answer, error) {
	return func(ctx context.Context, contestant int, x float64) (Answer, error) {
		q := q
		if err := p.Set(&q, x); err != nil {
			return Answer{}, err
		}
		e := build(contestant, x)
		q.Models = []predict.Model{{Name: e.Name(), Executor: e}}
		found, err := predict.Run(ctx, q)
		if found == nil || len(found.Models) == 0 {
			return Answer{}, err
		}
		return AnswerOf(&found.Models[0]), err
	}
}

// AnswerOf is a prediction as an answer. Latencies of a load above capacity are
// not numbers.
func AnswerOf(p *predict.Prediction) Answer {
	a := Answer{Doubts: slices.Clone(p.Reasons)}
	done, settled := 0, 0
	for i := range p.Runs {
		r := &p.Runs[i]
		v := Values{
			CPU: r.CPUDone, Throughput: r.Done, P50: r.P50, P95: r.P95, P99: r.P99, PeakPSS: r.PeakPSS,
			CPUSettled: r.CPU, Settled: r.Throughput,
		}
		done, settled = done+r.Jobs, settled+r.Round.Settled
		if !p.P95.Known() {
			v[P50], v[P95], v[P99] = math.NaN(), math.NaN(), math.NaN()
		}
		a.Replications = append(a.Replications, v)
	}
	if done < settled {
		a.Doubts = append(a.Doubts, fmt.Sprintf("%d of %d jobs were done, the others reached the time limit", done, settled))
	}
	return a
}
