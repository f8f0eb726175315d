package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"forkbench/runner"
)

func TestParseThreshold(t *testing.T) {
	for in, want := range map[string]string{
		"p95>50ms":                    "p95 > 50ms",
		" p95 >= 1.5 s ":              "p95 >= 1500ms",
		"p95>0":                       "p95 > 0ms",
		"startup_s<2":                 "startup_s < 2s",
		"cpu_ms_per_job>5":            "cpu_ms_per_job_done > 5ms",
		"p50>100µs":                   "p50 > 0.1ms",
		"startup_s<2m":                "startup_s < 120s",
		"forkperjob.throughput < 500": "forkperjob.jobs_done_per_s < 500/s",
		"throughput<=5e2/s":           "jobs_done_per_s <= 500/s",
		"hybrid.peak_pss>1.5GB":       "hybrid.peak_pss > 1500MB",
		"peak_pss > 1GiB":             "peak_pss > 1073.741824MB",
		"cgroup_residual_percent>1%":  "cgroup_residual_percent > 1%",
		"failed>0":                    "failed > 0",
		"hybrid.cpu_ms_per_job > 1.1*prefork.cpu_ms_per_job": "hybrid.cpu_ms_per_job_done > 1.1*prefork.cpu_ms_per_job_done",
		"hybrid.p99>prefork.p99":                             "hybrid.p99 > 1*prefork.p99",
		"p99 > 3 * p50":                                      "p99 > 3*p50",
		"my.pool-2.p95>1us":                                  "my.pool-2.p95 > 0.001ms",
	} {
		got, err := runner.ParseThreshold(in)
		if err != nil || got.String() != want {
			t.Errorf("ParseThreshold(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestParseThresholdErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                     `"": has no < or >; a threshold looks like p95>50ms`,
		"p95":                  "has no < or >",
		"p95=50":               "has no < or >",
		"p95>":                 "a metric is missing",
		">50ms":                "a metric is missing",
		"P95>50ms":             `unknown metric "P95": did you mean p95?`,
		"xeti<5":               `unknown metric "xeti": did you mean exit?`,
		"p94>50ms":             `unknown metric "p94": did you mean p95?`,
		"prefork.troughput<5":  `unknown metric "troughput": did you mean throughput?`,
		"beauty<5":             `unknown metric "beauty"; known are startup_s, elapsed_s, jobs_done_per_s, `,
		"50ms<p95":             `unknown metric "50ms"`,
		"p95>50MB":             "p95 is in ms: MB is no unit of it",
		"p95 > 500":            "p95 needs a unit: 500ms, say",
		"prefork.exit<.5":      "exit needs a unit: .5ms, say",
		"peak_pss>1e3":         "peak_pss needs a unit: 1e3MB, say",
		"failed>5ms":           "failed is in plain numbers: ms is no unit of it",
		"throughput<5ms":       "jobs_done_per_s is in jobs per second: ms is no unit of it",
		"p95>-5":               `unknown metric "-5"`,
		"p95>1e999":            "1e999 is not a number",
		"p95>1e308h":           "1e308h is out of range",
		"p95>1e999*p50":        "1e999 is not a number",
		"p95>1.2.3*p50":        "1.2.3 is not a number",
		"p95>2*":               "a metric is missing",
		"p95>peak_pss":         "p95 is in ms and peak_pss in MB",
		"p95>5 6":              `"5 6" is neither METRIC nor MODEL.METRIC`,
		"p95>>5":               `">5" is neither METRIC nor MODEL.METRIC`,
		"prefork p95>5":        `"prefork p95" is neither METRIC nor MODEL.METRIC`,
		".p95>5":               `".p95" is neither METRIC nor MODEL.METRIC`,
		"prefork.>5":           `"prefork." is neither METRIC nor MODEL.METRIC`,
		"startup_s>2*p95":      "startup_s is in s and p95 in ms",
		"p95>5 * prefork.nope": `unknown metric "nope"`,
	} {
		_, err := runner.ParseThreshold(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseThreshold(%q): error %v, want %q", in, err, want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), fmt.Sprintf("%q: ", in)) {
			t.Errorf("ParseThreshold(%q): error %q does not begin with it", in, err)
		}
	}
}

func TestCrossed(t *testing.T) {
	low := 2.0
	s := &runner.Summary{Models: []runner.ModelSummary{
		{Model: "prefork", Rounds: 3, DonePerS: runner.Interval{Median: 900},
			CPUDone: &runner.CPU{Interval: runner.Interval{Median: 5}}, Latency: runner.Quantiles{P50: 10, P95: 40},
			Phases: runner.Phases{FirstJobPenalty: &low}},
		{Model: "forkperjob", Rounds: 3, DonePerS: runner.Interval{Median: 60},
			CPUDone: &runner.CPU{Interval: runner.Interval{Median: 66}}, Latency: runner.Quantiles{P50: 10, P95: 57.3},
			Jobs: runner.Jobs{Failed: 2}},
		{Model: "hybrid(refork=20,warm=a.b:c)", Rounds: 3, DonePerS: runner.Interval{Median: 800}},
		{Model: "gone", Jobs: runner.Jobs{NotRun: 7}},
	}}
	for in, want := range map[string]string{
		"p95>50ms":              "p95 of forkperjob is 57.3 ms, which crosses p95 > 50ms (50.0 ms)",
		"p95>60ms":              "",
		"p95>=57.3ms":           "p95 of forkperjob is 57.3 ms, which crosses p95 >= 57.3ms (57.3 ms)",
		"p95>57.3ms":            "",
		"prefork.p95>50ms":      "",
		"throughput<500":        "jobs_done_per_s of forkperjob is 60.0/s, which crosses jobs_done_per_s < 500/s (500/s)",
		"throughput<=60":        "jobs_done_per_s of forkperjob is 60.0/s, which crosses jobs_done_per_s <= 60/s (60.0/s)",
		"throughput<60":         "",
		"prefork.throughput<60": "",
		"forkperjob.cpu_ms_per_job > 10*prefork.cpu_ms_per_job": "cpu_ms_per_job_done of forkperjob is 66.0 ms, which crosses forkperjob.cpu_ms_per_job_done > 10*prefork.cpu_ms_per_job_done (50.0 ms)",
		"forkperjob.cpu_ms_per_job > 14*prefork.cpu_ms_per_job": "",
		"p95 > 5*p50": "p95 of forkperjob is 57.3 ms, which crosses p95 > 5*p50 (50.0 ms)",
		"p95 > 6*p50": "",
		"failed > 0":  "failed of forkperjob is 2, which crosses failed > 0 (0)",
		"failed > 2":  "",
		"hybrid(refork=20,warm=a.b:c).throughput < prefork.throughput": "jobs_done_per_s of hybrid(refork=20,warm=a.b:c) is 800/s, which crosses hybrid(refork=20,warm=a.b:c).jobs_done_per_s < 1*prefork.jobs_done_per_s (900/s)",
		"prefork.throughput < hybrid(refork=20,warm=a.b:c).throughput": "",
		"not_run > 0":           "not_run of gone is 7, which crosses not_run > 0 (0)",
		"prefork.failed > 0":    "",
		"first_job_penalty>1ms": "first_job_penalty of prefork is 2.00 ms, which crosses first_job_penalty > 1ms (1.00 ms)",
		"first_job_penalty>3ms": "",
		// What cannot be checked must not pass.
		"hybrid.p95>50ms":                   "hybrid.p95 > 50ms cannot be checked: hybrid was not run",
		"prefork.p95>2*hybrid.p95":          "prefork.p95 > 2*hybrid.p95 cannot be checked: hybrid was not run",
		"gone.p95>50ms":                     "gone.p95 > 50ms cannot be checked: no round of gone was measured",
		"p95>2*gone.p95":                    "p95 > 2*gone.p95 cannot be checked: no round of gone was measured",
		"forkperjob.first_job_penalty>50ms": "forkperjob.first_job_penalty > 50ms cannot be checked: nothing was measured for it",
		"cgroup_residual_percent>1%":        "cgroup_residual_percent > 1% cannot be checked: nothing was measured for it",
	} {
		threshold, err := runner.ParseThreshold(in)
		if err != nil {
			t.Fatal(err)
		}
		crossed, why := threshold.Crossed(s)
		if crossed != (want != "") || why != want {
			t.Errorf("%s: %t, %q, want %q", in, crossed, why, want)
		}
	}
	for in, want := range map[string][]string{
		"p95>5s": nil, "a.p95>5s": {"a"}, "a.p95>b.p95": {"a", "b"}, "a.p95>a.p50": {"a"}, "p95>b.p95": {"b"},
	} {
		threshold, err := runner.ParseThreshold(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := threshold.Models(); !slices.Equal(got, want) {
			t.Errorf("%s names %q, want %q", in, got, want)
		}
	}
}

// Every metric can be written as a threshold, and read from a run.
func TestEveryMetricIsAThreshold(t *testing.T) {
	s := &analyze(t, newSynthetic(200, 3, prefork, forkperjob, hybrid)).Summary
	for _, name := range runner.Metrics() {
		threshold, err := runner.ParseThreshold(name + " < 0")
		if err != nil {
			t.Fatal(err)
		}
		if crossed, why := threshold.Crossed(s); crossed && !strings.HasPrefix(name, "first_job") {
			t.Errorf("%s is below 0: %s", name, why)
		}
		if threshold, err = runner.ParseThreshold(name + " >= 0"); err != nil {
			t.Fatal(err)
		}
		if crossed, why := threshold.Crossed(s); !crossed || strings.Contains(why, "cannot be checked") {
			t.Errorf("%s is not 0 or more: %t, %s", name, crossed, why)
		}
	}
}

// Whatever is written: no panic, and what is understood is written back as
// something that means the same.
func FuzzParseThreshold(f *testing.F) {
	for _, seed := range []string{
		"p95>50ms", "hybrid.cpu_ms_per_job > 1.1*prefork.cpu_ms_per_job", "forkperjob.throughput < 500", "failed > 0",
		"p99>=3*p50", "peak_pss<1e3MiB", "x.y.p95<=.5s", "p95>1e308h", "p95 > 0*p50", "", ">", "µ.p50>1µs",
	} {
		f.Add(seed)
	}
	s := &runner.Summary{Models: []runner.ModelSummary{{Model: "prefork", Rounds: 1}, {Model: "hybrid"}}}
	f.Fuzz(func(t *testing.T, text string) {
		threshold, err := runner.ParseThreshold(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), fmt.Sprintf("%q: ", text)) {
				t.Fatalf("error %q does not name %q", err, text)
			}
			return
		}
		again, err := runner.ParseThreshold(threshold.String())
		if err != nil || again.String() != threshold.String() {
			t.Fatalf("%q is %q, which is %q, %v", text, threshold, again, err)
		}
		if crossed, why := threshold.Crossed(s); crossed != (why != "") {
			t.Fatalf("%q: crossed %t, because %q", text, crossed, why)
		}
	})
}

func ExampleParseThreshold() {
	threshold, err := runner.ParseThreshold("hybrid.cpu_ms_per_job > 1.1*prefork.cpu_ms_per_job")
	if err != nil {
		fmt.Println(err)
		return
	}
	summary := &runner.Summary{Models: []runner.ModelSummary{
		{Model: "prefork", Rounds: 3, CPUDone: &runner.CPU{Interval: runner.Interval{Median: 4}}},
		{Model: "hybrid", Rounds: 3, CPUDone: &runner.CPU{Interval: runner.Interval{Median: 5}}},
	}}
	crossed, why := threshold.Crossed(summary)
	fmt.Println(crossed)
	fmt.Println(why)
	// Output:
	// true
	// cpu_ms_per_job_done of hybrid is 5.00 ms, which crosses hybrid.cpu_ms_per_job_done > 1.1*prefork.cpu_ms_per_job_done (4.40 ms)
}
