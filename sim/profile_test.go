package sim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"forkbench/models/hybrid"
	"forkbench/sim"
)

const goodProfile = "testdata/profile.json"

func readGood(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(goodProfile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadProfile(t *testing.T) {
	p, err := sim.ReadProfile(strings.NewReader(readGood(t)))
	if err != nil {
		t.Fatal(err)
	}
	if p.Fork.PerMB != 0.015 || p.Jobs[1].Wait.Mean() != 20 || p.Redis.Batch != 256 || p.Name != "an application, made up" {
		t.Errorf("read %+v", p)
	}
	if got, want := p.Jobs[0].CPU.Mean(), 0.5*0.95+0.45*1.8+0.05*5.75; math.Abs(got-want) > 1e-9 {
		t.Errorf("the mean of the quantiles is %v; want %v", got, want)
	}
	if _, err := (&sim.Machine{Workers: 2, Cores: 2, Profile: p}).Run(t.Context(), hybrid.Model{}, round(t, 50, nil)); err != nil {
		t.Error(err)
	}
	again, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	q, err := sim.ReadProfile(bytes.NewReader(again))
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if twice, _ := json.Marshal(q); !bytes.Equal(again, twice) {
		t.Errorf("written %s\nread and written again %s", again, twice)
	}
}

// TestProfileProblems changes the good profile in one place at a time.
func TestProfileProblems(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{`"version": 3`, `"version": 2`, "version: is 2: this program reads version 3"},
		{`"hot_ms": 0.5, "slice_ms": 4, "packs": false`, `"hot_ms": 0, "slice_ms": 4, "packs": true`, "cores.packs: is true: must be false where hot_ms is 0"},
		{`"packs": false`, `"packs": 0`, "cores.packs: is a number: must be true or false"},
		{`"wait_ms": 4,`, ``, "boot.wait_ms: is missing"},
		{`"wait_ms": 4,`, `"wait_ms": "4",`, "boot.wait_ms: must be a number, or an object with one of exponential, lognormal, hyperexponential, quantiles"},
		{`"wait_ms": 4,`, `"wait_ms": -4,`, "boot.wait_ms: is -4: must not be negative"},
		{`"wait_ms": 4,`, `"wait_ms": 1e999,`, "boot.wait_ms: is 1e999: out of range"},
		{`"wait_ms": 4,`, `"wait_ms": {"normal": 3},`, "boot.wait_ms: must be a number, or an object"},
		{`"wait_ms": 4,`, `"wait_ms": 4, "wait_ms": 5,`, "boot.wait_ms: is there twice"},
		{`"wait_ms": 4,`, `"wait_ms": 4, "wiat_ms": 5,`, "boot.wiat_ms: is unknown; the fields here are cpu_ms, wait_ms, system_share"},
		{`"cv": 0.05`, `"cv": -1`, "boot.cpu_ms: cv is -1: must not be negative"},
		{`"cv": 0.05`, `"sd": 1`, "boot.cpu_ms.lognormal.cv: is missing"},
		{`"mean": 180`, `"mean": 0`, "boot.cpu_ms: mean is 0: must be more"},
		{`"warmable": 1`, `"warmable": 1.5`, "one_time.warmable: is 1.5: must be at most 1"},
		{`"touched_pages": 90`, `"touched_pages": 90.5`, "fork.touched_pages: is 90.5: must be a whole number"},
		{`"touched_pages": 90`, `"touched_pages": -90`, "fork.touched_pages: is -90: must not be negative"},
		{`"page_kb": 4`, `"page_kb": 0`, "memory.page_kb: is 0: must be more"},
		{`"retained_mb": 0.1`, `"retained_mb": 9`, "jobs[1].retained_mb: is 9: must be at most memory_mb, which is 8"},
		{`[0, 0.5, 0.95, 1]`, `[0, 0.95, 0.5, 1]`, "jobs[0].cpu_ms: at[2]=0.5 after 0.95: must ascend"},
		{`[0, 0.5, 0.95, 1]`, `[0, 0.5, 0.95, 0.99]`, "jobs[0].cpu_ms: at goes from 0 to 0.99: must go from 0 to 1"},
		{`[0, 0.5, 0.95, 1]`, `[0, 0.5, 1]`, "jobs[0].cpu_ms: 3 probabilities and 4 times: must be as many"},
		{`[0.8, 1.1, 2.5, 9]`, `[0.8, 1.1, 0.5, 9]`, "jobs[0].cpu_ms: ms[2]=0.5 after 1.1: must not descend"},
		{`"weights": [0.9, 0.1]`, `"weights": [0.9]`, "jobs[1].cpu_ms: 1 weights and 2 means"},
		{`"weights": [0.9, 0.1]`, `"weights": [0.9, "x"]`, "jobs[1].cpu_ms.hyperexponential.weights[1]: is a text: must be a number"},
		{`"batch": 256`, `"batch": 0`, "redis.batch: is 0: must be at least 1"},
		{`"redis": "made up"`, `"redis": ""`, "redis.batch: has no source"},
		{`"redis": "made up"`, `"redis": "made up", "reddis": "made up"`, "sources.reddis: names no field"},
		{`"exit": {"base_ms": 0.2, "per_mb_ms": 0.012, "per_page_ms": 0}`, `"exit": []`, "exit: is a list: must be an object"},
	} {
		good := readGood(t)
		if !strings.Contains(good, test.old) {
			t.Fatalf("%s is not in %s", test.old, goodProfile)
		}
		_, err := sim.ReadProfile(strings.NewReader(strings.Replace(good, test.old, test.new, 1)))
		var invalid *sim.ProfileError
		if !errors.As(err, &invalid) {
			t.Errorf("%s: error %v; want a ProfileError", test.new, err)
			continue
		}
		if !slices.ContainsFunc(invalid.Problems, func(p sim.Problem) bool { return strings.HasPrefix(p.String(), test.want) }) {
			t.Errorf("%s: %v\nwant in it: %s", test.new, err, test.want)
		}
	}
}

// TestAllProblemsAtOnce makes one problem in each of several parts.
func TestAllProblemsAtOnce(t *testing.T) {
	text := strings.NewReplacer(`"wait_ms": 4,`, ``, `"page_kb": 4`, `"page_kb": -4`, `"batch": 256`, `"batch": true`).Replace(readGood(t))
	_, err := sim.ReadProfile(strings.NewReader(text))
	const want = `profile: 3 problems:
	boot.wait_ms: is missing
	memory.page_kb: is -4: must not be negative
	redis.batch: is true or false: must be a whole number`
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

func TestNotAProfile(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "not a profile: line 1: unexpected EOF",
		"{\n\"version\": 1,\n":     "unexpected EOF",
		"{\n\"version\": NaN}":     "not a profile: line 2: invalid character 'N'",
		readGood(t) + "{}":         "something follows the end of it",
		strings.Repeat("[", 1000):  "nested too deep",
		"[]":                       "profile: ",
		strings.Repeat(" ", 5<<20): "longer than 4 MiB",
	} {
		if _, err := sim.ReadProfile(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v; want in it: %s", text, err, want)
		}
	}
}

// FuzzReadProfile: no text makes it panic, and what it accepts it can write and
// read again, and run.
func FuzzReadProfile(f *testing.F) {
	f.Add(readGood(f))
	f.Add(`{"version": 3, "boot": {"cpu_ms": {"quantiles": {"at": [0, 1], "ms": [1, 2]}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := sim.ReadProfile(strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sim.ReadProfile(bytes.NewReader(again)); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, again)
		}
		if _, err := (&sim.Machine{Workers: 2, Cores: 1, Profile: p}).Run(t.Context(), hybrid.Model{Spares: 1}, round(t, 3, nil)); err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}
