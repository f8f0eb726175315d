package calibrate_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"forkbench/record"
	"forkbench/whatif/calibrate"
)

// TestWarmingByItsOwnCPU: where only warm-ups tell what the one-time work costs, it is
// what each process computed, and not the time that passed while eight of them
// shared two cores.
func TestWarmingByItsOwnCPU(t *testing.T) {
	p := truth()
	p.OneTime.Pages, p.OneTime.MemoryMB = 0, 0
	made, err := calibrate.Profile(t.Context(), runOn(t, p, 1, 8, "forkperjob(warm)"), calibrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := made.Profile.OneTime.CPU.Mean(), p.OneTime.CPU.Mean(); math.Abs(got-want) > 0.05*want {
		t.Errorf("the one-time work takes %v ms, by its calibration %v: %s", want, got, made.Profile.Sources["one_time.cpu_ms"])
	}
	if got, want := made.Profile.Boot.CPU.Mean(), p.Boot.CPU.Mean(); math.Abs(got-want) > 0.05*want {
		t.Errorf("booting takes %v ms, by its calibration %v: %s", want, got, made.Profile.Sources["boot"])
	}
	said := func(text string) bool {
		return slices.ContainsFunc(made.Profile.Warnings, func(w string) bool { return strings.Contains(w, text) })
	}
	if !said("what warm-ups took in their parents, 25 ms of their own CPU") {
		t.Errorf("warnings: %q", made.Profile.Warnings)
	}
}

// TestOldWarming: records without the processes' own account still make a profile,
// which says by which clock.
func TestOldWarming(t *testing.T) {
	rounds := runWith(t, truth(), 1, 8, func(l record.Line) {
		if p, ok := l.(*record.Process); ok {
			p.BootCPUNS, p.WarmCPUNS = 0, 0
		}
	}, "forkperjob(warm)")
	made, err := calibrate.Profile(t.Context(), rounds, calibrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if source := made.Profile.Sources["one_time.cpu_ms"]; !strings.Contains(source, "of wall time (older records have no other)") {
		t.Errorf("the source is %q", source)
	}
}

// TestOneWarmUp: columns with different warm-ups, such as those that explain measures,
// are not taken for each other.
func TestOneWarmUp(t *testing.T) {
	warmed := func(by string, rounds []*calibrate.Round) []*calibrate.Round {
		for _, r := range rounds {
			r.Model.Knobs = map[string]string{"warm": by}
		}
		return rounds
	}
	placebo := truth()
	placebo.OneTime.Warmable = 0
	cold := run(t, truth(), 1, "forkperjob", "prefork")
	good := warmed("app:table", run(t, truth(), 2, "hybrid"))
	frozen := slices.Concat(warmed("nothing", run(t, placebo, 3, "hybrid")), warmed("nothing", run(t, placebo, 4, "hybrid")))

	made, err := calibrate.Profile(t.Context(), slices.Concat(cold, frozen, good), calibrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := calibrate.Profile(t.Context(), slices.Concat(cold, good), calibrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := made.Profile.OneTime.CPU, alone.Profile.OneTime.CPU; got.Mean() != want.Mean() {
		t.Errorf("one-time work of %v ms, and of %v without the rounds that were warmed by nothing", got.Mean(), want.Mean())
	}
	left := 0
	for _, why := range made.Excluded {
		if strings.Contains(why, "warmed by nothing, which spares first jobs less than app:table does") {
			left++
		}
	}
	if left != 2 {
		t.Errorf("left out: %q", made.Excluded)
	}

	_, err = calibrate.Profile(t.Context(), slices.Concat(frozen, good), calibrate.Options{Least: 3})
	few, ok := errors.AsType[*calibrate.TooFewError](err)
	if !ok || few.Usable != 1 || !strings.Contains(few.Error(), "2 × their parents were warmed by less than app:table") {
		t.Errorf("of one round with the best warm-up: %v", err)
	}

	// Equally good ones are one.
	same := slices.Concat(cold, warmed("app:table", run(t, truth(), 2, "hybrid")), warmed("app:all", run(t, truth(), 3, "hybrid")))
	if made, err = calibrate.Profile(t.Context(), same, calibrate.Options{}); err != nil || made.Rounds != 4 {
		t.Errorf("of two warm-ups that do the same: %+v, %v", made, err)
	}
}
