package main

import (
	"fmt"
	"math"
	"strconv"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
)

// A setting is one point of the grid.
type setting struct {
	workload string
	workers  int
	model    record.Model
	executor models.Executor
	jobs     int // about two seconds' worth
}

// name is the directory of the setting's records.
func (s *setting) name() string {
	return fmt.Sprintf("%s-%s-%d", fileName(s.workload), fileName(s.model.Name), s.workers)
}

func fileName(text string) string {
	out := []rune(text)
	for i, r := range out {
		if !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z') {
			out[i] = '-'
		}
	}
	return string(out)
}

// mixed has a job of each kind: one that is lazy once, one that computes, one
// that waits.
const mixed = "50%record_event,30%cpu:2ms,20%io:10ms"

// A guess is what a job of a workload takes about, in milliseconds: only to say
// how many jobs make a second.
type guess struct {
	name              string
	cpu, wait         float64
	firstCold, firstW float64 // what a first job takes more in a child of a cold and of a warm parent
}

var guesses = []guess{
	{"record_event", 0.27, 0, 31, 1.6},
	{"noop", 0.035, 0, 0, 0},
	{"cpu:5ms", 5.1, 0, 0, 0},
	{"io:20ms", 0.3, 20, 0, 0},
	{mixed, 0.8, 2, 16, 1},
	{"touch:8MB", 0.12, 0, 4, 4},
}

const (
	guessedFork = 1.6 // ms
	seconds     = 2
)

// grid is all settings: three models with three numbers of workers, and the
// knobs with one.
func grid() []setting {
	var all []setting
	for _, g := range guesses {
		add := func(workers int, m record.Model, e models.Executor, each int, first float64) {
			cost := g.cpu
			if each > 0 {
				cost += (guessedFork + first) / float64(each)
			}
			perSecond := math.Min(2000/cost, 1000*float64(workers)/(cost+g.wait))
			jobs := min(max(int(seconds*perSecond), 10*workers), 60_000)
			all = append(all, setting{g.name, workers, m, e, jobs})
		}
		for _, workers := range []int{2, 4, 8} {
			add(workers, record.Model{Name: "prefork"}, prefork.Model{}, 0, 0)
			add(workers, record.Model{Name: "forkperjob"}, forkperjob.Model{}, 1, g.firstCold)
			add(workers, record.Model{Name: "hybrid"}, hybrid.Model{}, 1, g.firstW)
		}
		for _, n := range []int{1, 10, 100} {
			text := strconv.Itoa(n)
			add(4, record.Model{
				Name: "prefork(max-jobs-per-child=" + text + ")", Model: "prefork",
				Knobs: map[string]string{"max-jobs-per-child": text},
			}, prefork.Model{MaxJobsPerChild: n}, n, g.firstCold)
			if n == 1 {
				continue // which is what hybrid does anyway
			}
			add(4, record.Model{
				Name: "hybrid(jobs-per-child=" + text + ")", Model: "hybrid",
				Knobs: map[string]string{"jobs-per-child": text},
			}, hybrid.Model{JobsPerChild: n}, n, g.firstW)
		}
	}
	return all
}
