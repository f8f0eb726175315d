package main

import (
	"strings"
	"testing"
)

// What a model, a peer or a simulated model got done is said before how fast it
// was, and there is no ratio to one that did another share of its jobs.
func TestSharesOfModelsAndPeers(t *testing.T) {
	b := newBench(t)
	models := "--model=prefork,forkperjob,hybrid,celery,rq"
	args := []string{models, "--path=" + b.testdata, "--jobs=30", "--rounds=1", "--workers=2", "--out=out", "--force"}

	// From the second call in a process on, it fails: pools do one job in each child.
	r := b.run(append(args, "--workload=py:faults:once", "--fail-if=celery.throughput < 0.001")...)
	r.want(t, exitCrossed, "celery.jobs_done_per_s < 0.001/s does not pass: celery did 2 of 30 jobs, 28 failed: RuntimeError: not twice")
	s := summaryIn(t, "out")
	if want := "prefork and celery did 2 of 30 jobs each, 28 failed: RuntimeError: not twice; forkperjob, hybrid and rq did all 30. "; !strings.HasPrefix(s.Verdict, want) {
		t.Errorf("verdict %s\nwant %s", s.Verdict, want)
	}
	pools := map[string]bool{"prefork": true, "celery": true}
	for _, c := range s.Comparisons {
		if pools[c.A] != pools[c.B] {
			t.Errorf("%s of %s is %v times that of %s, which did another share of its jobs", c.Metric, c.A, c.Ratio, c.B)
		}
	}

	// By design, every model and peer fails the same jobs: the comparison stands.
	payloads(t, "[false]", "[false]", "[true]")
	r = b.run(append(args, "--workload=py:faults:luck", "--payload=payloads")...)
	r.want(t, exitDone)
	s = summaryIn(t, "out")
	then, compared := "Counting jobs done only, ", 50
	if s.Environment.Race {
		then, compared = "Nothing is said of speed: ", 0
	}
	if want := "prefork, forkperjob, hybrid, celery and rq did 20 of 30 jobs each, 10 failed: RuntimeError: no luck. " + then; !strings.HasPrefix(s.Verdict, want) {
		t.Errorf("verdict %s\nwant %s", s.Verdict, want)
	}
	if len(s.Shares) != 10 || len(s.Comparisons) != compared {
		t.Errorf("%d pairs, %d comparisons, want 10 and %d", len(s.Shares), len(s.Comparisons), compared)
	}
}

func TestSharesOfSimulatedModels(t *testing.T) {
	b := newBench(t)
	// A first job takes more than the limit where nothing was warmed.
	r := b.run("simulate", "--profile=redash", "--model=prefork,forkperjob,hybrid", "--jobs=40", "--replications=3", "--timeout=300ms", "--out=out",
		"--fail-if=forkperjob.throughput < 0.001")
	r.want(t, exitCrossed, "does not pass: forkperjob did none of 120 jobs, 120 timed out: exceeded the time limit of 300ms")
	s := summaryIn(t, "out")
	if !strings.HasPrefix(s.Verdict, "Simulated on 4 cores: ") || !strings.Contains(s.Verdict, "hybrid did all 120. ") {
		t.Errorf("verdict %s", s.Verdict)
	}
	for _, c := range s.Comparisons {
		if c.A == "forkperjob" || c.B == "forkperjob" {
			t.Errorf("a ratio to a model that did nothing: %+v", c)
		}
	}
}
