package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkbench/sim"
	"forkbench/sim/profiles"
	"forkbench/whatif/calibrate"
)

// TestCaveats: what calibration warned of is said by whatever simulates with the
// profile, each once, in text and in JSON, and not without end.
func TestCaveats(t *testing.T) {
	b := newBench(t)
	write := func(name string, warnings []string) {
		p, err := profiles.Read(profiles.Default)
		if err != nil {
			t.Fatal(err)
		}
		p.Warnings = warnings
		if err := replaceFile(name, p.Write); err != nil {
			t.Fatal(err)
		}
	}
	few := []string{"one_time.cpu_ms: no child of a cold parent", "boot.wait_ms: taken as none"}
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("field[%d].cpu_ms: is assumed", i)
	}
	write("few.json", few)
	write("many.json", many)
	write("none.json", nil)

	for _, command := range []string{
		"simulate --model=prefork --jobs=100 --replications=3",
		"sweep --jobs-per-child=1..4 --points=2 --jobs=100 --replications=3",
		"plan --rate=50/s --p95=10s --model=prefork --jobs=100 --cores-max=2",
	} {
		t.Run(strings.Fields(command)[0], func(t *testing.T) {
			said := func(profile string) []string {
				args := append(strings.Fields(command), "--profile="+profile, "--quiet", "--force", "--out="+filepath.Join(t.TempDir(), "out"))
				text := b.run(args...)
				text.want(t, exitDone)
				form := b.run(append(args, "--format=json")...)
				form.want(t, exitDone)
				var result struct {
					Warnings []string `json:"warnings"`
				}
				if err := json.Unmarshal([]byte(form.stdout), &result); err != nil {
					t.Fatal(err)
				}
				flat := strings.Join(strings.Fields(text.stdout), " ")
				about := slices.DeleteFunc(result.Warnings, func(w string) bool { return !strings.HasPrefix(w, "the profile") })
				for _, w := range about {
					if n := strings.Count(flat, "warning: "+w); n != 1 {
						t.Errorf("%q is there %d times:\n%s", w, n, text.stdout)
					}
				}
				return about
			}
			if got, want := said("few.json"), []string{"the profile: " + few[0], "the profile: " + few[1]}; !slices.Equal(got, want) {
				t.Errorf("warnings %q, want %q", got, want)
			}
			if got := said("many.json"); len(got) != 8 || got[7] != "the profile has 23 more warnings: they are in its file" {
				t.Errorf("of 30 warnings: %q", got)
			}
			if got := said("none.json"); len(got) > 0 {
				t.Errorf("of a profile without warnings: %q", got)
			}
		})
	}
}

// TestCaveatsOfARun: from a run that does not tell everything to what is predicted
// with its profile, and from the records again.
func TestCaveatsOfARun(t *testing.T) {
	dir, _ := storedRun(t)
	b := newBench(t)
	r := b.run("calibrate", dir, "-o", "profile.json")
	r.want(t, exitDone)
	f, err := os.Open("profile.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := sim.ReadProfile(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Warnings) == 0 || strings.Count(r.stderr, "warning: ") != len(p.Warnings) {
		t.Fatalf("the profile has %q, said was:\n%s", p.Warnings, r.stderr)
	}
	b.run("simulate", "--profile=profile.json", "--jobs=300", "--replications=3", "--out=out").want(t, exitDone)
	again := b.run("report", "out", "--format=json")
	again.want(t, exitDone)
	for _, w := range p.Caveats() {
		if !strings.Contains(again.stdout, strings.TrimSuffix(w, "…")) {
			t.Errorf("the report of the simulation lacks %q", w)
		}
	}

	p.Runs = []string{} // of another run
	if err := replaceFile("profile.json", p.Write); err != nil {
		t.Fatal(err)
	}
	v := b.run("validate", dir, "--profile=profile.json", "--out=validated", "--format=json")
	v.want(t, exitDone)
	var report calibrate.Validation
	if err := json.Unmarshal([]byte(v.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(report.Warnings, p.Caveats()) {
		t.Errorf("validate warns of %q, the profile of %q", report.Warnings, p.Caveats())
	}
}
