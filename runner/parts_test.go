package runner_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// Parts of the CPU that few runs have: what jobs left behind, and what other programs
// did for them. Each has a row, the latter in the sum as well; a residual is marked
// where it is wrong.
func TestPartsOfTheCPU(t *testing.T) {
	plain := summarize(t, newSynthetic(200, 3, forkperjob, hybrid), nil)
	s := summarize(t, newSynthetic(200, 3, forkperjob, hybrid), round(func(m *record.Round) {
		each := time.Duration(m.Settled) * time.Millisecond
		m.Children.User += 5 * each
		m.Strayed.User = 5 * each
		m.Services = []record.Service{
			{Name: "postgres", CPU: record.CPU{User: 7 * each, System: each}}, {Name: "nginx", CPU: record.CPU{User: each}}, {Name: "idle"},
		}
		m.BookedNS = m.CgroupNS * 90 / 100
	}))
	if want := []string{"nginx", "postgres"}; !slices.Equal(s.Services, want) {
		t.Errorf("the services are %q; want %q", s.Services, want)
	}
	for i := range s.Models {
		got, before := &s.Models[i].CPU, &plain.Models[i].CPU
		for name, pair := range map[string][2]float64{
			"left behind": {got.Strayed, 5}, "services": {got.Services, 9},
			"in all": {got.Median - before.Median, 14}, "its processes": {got.Children - before.Children, 5},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-6 {
				t.Errorf("%s, %s: %v ms; want %v", s.Models[i].Model, name, pair[0], pair[1])
			}
		}
	}
	var text bytes.Buffer
	if err := runner.WriteText(&text, s, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"    of which left behind ", "  services: nginx, postgres ", " !!", "!! CPU per job is wrong by it, see the warnings"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
}
