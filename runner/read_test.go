package runner

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestReadSummary: a summary is read as it was written, and an old one does not say that
// nothing was done.
func TestReadSummary(t *testing.T) {
	bound := 110.0
	cpu := CPU{Interval: Interval{Median: 4, High: &bound}, Children: 3, Redis: 1}
	s := &Summary{Models: []ModelSummary{
		{Model: "all", DonePerS: Interval{Median: 100}, CPUDone: &cpu, Throughput: Interval{Median: 100, High: &bound}, CPU: cpu, Jobs: Jobs{Settled: 10, Done: 10}},
		{Model: "half", DonePerS: Interval{Median: 50}, Throughput: Interval{Median: 100}, CPU: cpu, Jobs: Jobs{Settled: 10, Done: 5, TimedOut: 5}},
		{Model: "none", Throughput: Interval{Median: 100}, CPU: cpu, Jobs: Jobs{Settled: 10, TimedOut: 10}},
	}}
	write := func(without ...string) []byte {
		var b bytes.Buffer
		if err := WriteJSON(&b, s); err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(b.Bytes(), &tree); err != nil {
			t.Fatal(err)
		}
		for _, m := range tree["models"].([]any) {
			for _, name := range without {
				delete(m.(map[string]any), name)
			}
		}
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now, err := ReadSummary(write())
	if err != nil {
		t.Fatal(err)
	}
	if got := now.Models[1].DonePerS.Median; got != 50 || len(now.Warnings) > 0 {
		t.Errorf("%v jobs done per second, warnings %q; want what was written", got, now.Warnings)
	}
	old, err := ReadSummary(write("jobs_done_per_s", "cpu_ms_per_job_done"))
	if err != nil {
		t.Fatal(err)
	}
	all, half, none := &old.Models[0], &old.Models[1], &old.Models[2]
	if all.DonePerS.Median != 100 || all.DonePerS.High == nil || *all.DonePerS.High != bound || all.CPUDone == nil || all.CPUDone.Children != 3 {
		t.Errorf("where all jobs were done: %+v, %+v", all.DonePerS, all.CPUDone)
	}
	if half.DonePerS.Median != 50 || half.CPUDone == nil || half.CPUDone.Median != 8 || half.CPUDone.Redis != 2 {
		t.Errorf("where half of them were: %+v, %+v", half.DonePerS, half.CPUDone)
	}
	if none.DonePerS.Median != 0 || none.CPUDone != nil {
		t.Errorf("where none was: %+v, %+v", none.DonePerS, none.CPUDone)
	}
	if len(old.Warnings) != 2 || !strings.HasPrefix(old.Warnings[0], "half: ") || !strings.Contains(old.Warnings[0], "the 5 of 10 jobs that were done") {
		t.Errorf("warnings %q", old.Warnings)
	}
	if _, err := ReadSummary([]byte("{")); err == nil {
		t.Error("half a file is a summary")
	}
}
