package query_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/sim/profiles"
	"forkbench/whatif/predict"
	"forkbench/whatif/query"
	"forkbench/whatif/sweep"
	"forkbench/workload"
)

// base is a run of three models, one of them set by its name.
func base(t testing.TB) *query.Base {
	t.Helper()
	p, err := profiles.Read(profiles.Default)
	if err != nil {
		t.Fatal(err)
	}
	b := &query.Base{Profile: p, Workers: 4, Cores: 2, Jobs: 60, Seed: 1<<63 + 1, Arrivals: "burst"}
	for name, e := range map[string]models.Executor{
		"prefork": prefork.Model{}, "forkperjob": forkperjob.Model{}, "hybrid(jobs-per-child=10)": hybrid.Model{JobsPerChild: 10},
	} {
		m, ok := query.ModelOf(name, e)
		if !ok {
			t.Fatalf("%s has no form", name)
		}
		b.Models = append(b.Models, m)
	}
	return b
}

func text(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is asked in JSON is what package predict is asked.
func TestSameAsAskedInGo(t *testing.T) {
	b := base(t)
	poisson, err := workload.ParseArrivals("poisson:25.000000000/s")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		changes  query.Changes
		executor models.Executor
		question predict.Question
	}{
		{query.Changes{Model: "prefork", Replications: 3}, prefork.Model{}, predict.Question{Workers: 4, Cores: 2, Jobs: 60}},
		{
			query.Changes{Model: "prefork", Replications: 3, Jobs: 80, Set: map[string]float64{sweep.Workers: 8, sweep.Cores: 6, sweep.MaxJobsPerChild: 3}},
			prefork.Model{MaxJobsPerChild: 3}, predict.Question{Workers: 8, Cores: 6, Jobs: 80},
		},
		{ // its name says how it is set
			query.Changes{Model: "hybrid(jobs-per-child=10)", Replications: 3, Set: map[string]float64{sweep.JobsPerChild: 2}},
			hybrid.Model{JobsPerChild: 10}, predict.Question{Workers: 4, Cores: 2, Jobs: 60},
		},
		{
			query.Changes{Model: "forkperjob", Replications: 3, Set: map[string]float64{sweep.ArrivalRate: 25}},
			forkperjob.Model{}, predict.Question{Workers: 4, Cores: 2, Jobs: 60, Arrivals: poisson},
		},
		{ // again, with its capacity known
			query.Changes{Model: "forkperjob", Replications: 3, Set: map[string]float64{sweep.ArrivalRate: 25}},
			forkperjob.Model{}, predict.Question{Workers: 4, Cores: 2, Jobs: 60, Arrivals: poisson},
		},
		{ // of another machine, it is not
			query.Changes{Model: "forkperjob", Replications: 3, Set: map[string]float64{sweep.ArrivalRate: 25, sweep.Workers: 2}},
			forkperjob.Model{}, predict.Question{Workers: 2, Cores: 2, Jobs: 60, Arrivals: poisson},
		},
		{ // all at once, whatever the rate
			query.Changes{Model: "forkperjob", Burst: true, Replications: 3, Set: map[string]float64{sweep.ArrivalRate: 25}},
			forkperjob.Model{}, predict.Question{Workers: 4, Cores: 2, Jobs: 60},
		},
	} {
		q := c.question
		q.Models = []predict.Model{{Name: c.changes.Model, Executor: c.executor}}
		q.Profile, q.Seed, q.Replications = b.Profile, b.Seed, 3
		want, err := predict.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Ask(t.Context(), &c.changes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want.Models[0], got, cmpopts.IgnoreUnexported(predict.Replication{})); diff != "" {
			t.Errorf("%+v: (-asked in Go +asked in JSON)\n%s", c.changes, diff)
		}
	}
	// A job's time is one of the things that can be set, and makes a difference.
	long, err := b.Ask(t.Context(), &query.Changes{Model: "prefork", Replications: 3, Set: map[string]float64{sweep.JobTime: 50}})
	if err != nil || long.CPUDone.Value < 40 {
		t.Errorf("jobs of 50 ms on average take %v ms of CPU, %v", long.CPUDone.Value, err)
	}
}

// Texts from strangers are refused with what is wrong, and answered with texts.
func TestRefused(t *testing.T) {
	var a query.Asker
	ask := func(changes string) string { return string(a.Ask(context.Background(), []byte(changes))) }
	if got := ask(`{"model":"prefork"}`); !strings.Contains(got, "nothing has been loaded") {
		t.Errorf("before anything was loaded: %s", got)
	}
	for text, want := range map[string]string{
		``: "unexpected end", `{}`: "no profile", `{"profile":{}}`: "version", `[1]`: "cannot unmarshal",
	} {
		if got := string(a.Load([]byte(text))); !strings.Contains(got, want) {
			t.Errorf("load %s: %s; want %q in it", text, got, want)
		}
	}
	b := base(t)
	b.Models = append(b.Models, query.Model{Name: "none"})
	if got := string(a.Load(text(t, b))); strings.Contains(got, "error") {
		t.Fatal(got)
	}
	for text, want := range map[string]string{
		`{`:                                  "unexpected end",
		`{"model":"rq"}`:                     `there is no model \"rq\"`,
		`{"model":"none"}`:                   "one executor",
		`{"model":"prefork","jobs":-1}`:      "jobs=-1",
		`{"model":"prefork","jobs":2000000}`: "2000000 jobs",
		`{"model":"prefork","replications":1000}`:       "1000 replications",
		`{"model":"prefork","set":{"workers":0}}`:       "workers=0",
		`{"model":"prefork","set":{"workers":1.5}}`:     "workers=1.5",
		`{"model":"prefork","set":{"cores":1e300}}`:     "cores=1e+300",
		`{"model":"prefork","set":{"job-time":-1}}`:     "job-time=-1",
		`{"model":"prefork","set":{"__proto__":1}}`:     "nothing called",
		`{"model":"prefork","set":{"rate":"<script>"}}`: "cannot unmarshal",
	} {
		got := ask(text)
		var form struct{ Error string }
		if err := json.Unmarshal([]byte(got), &form); err != nil || !strings.Contains(got, want) {
			t.Errorf("ask %s: %s (%v); want %q in it", text, got, err, want)
		}
	}
	b.Arrivals = "trace:/etc/passwd"
	a.Load(text(t, b))
	if got := ask(`{"model":"prefork"}`); !strings.Contains(got, "a file cannot be read here") {
		t.Errorf("arrivals in a file: %s", got)
	}
}

func FuzzAsk(f *testing.F) {
	whole := text(f, base(f))
	f.Add(whole, []byte(`{"model":"prefork","replications":3,"set":{"workers":2}}`))
	f.Add([]byte(`{"profile":{}}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, load, changes []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the text is read, and nothing simulated for long
		var a query.Asker
		for _, answer := range [][]byte{a.Load(load), a.Ask(ctx, changes)} {
			if !json.Valid(answer) {
				t.Errorf("the answer is no JSON: %q", answer)
			}
		}
	})
}
