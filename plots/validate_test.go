package plots

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"

	"forkbench/whatif/calibrate"
)

func validations() map[string]*calibrate.Validation {
	row := func(model string, workers int, errs ...float64) calibrate.Row {
		r := calibrate.Row{Workload: "record_event", Model: model, Workers: workers, Rounds: 3}
		for i, e := range errs {
			r.Metrics = append(r.Metrics, calibrate.Metric{Name: errorMetrics[i].name, Predicted: 1 + e/100, Measured: 1, Error: e})
		}
		return r
	}
	other := row("hybrid(jobs-per-child=100)", 8, 3, -16, 4, 60, -70)
	other.Workload = "50%record_event,30%cpu:2ms,20%io:10ms, and so on, and so on, and so on"
	return map[string]*calibrate.Validation{
		"three": {Profile: "a profile", From: "profile.json", Rows: []calibrate.Row{
			row("forkperjob", 4, 1, 2, 3, -4, 12), row("hybrid", 4, -7, 0, 0, 0), row("prefork", 1),
		}},
		"two workloads": {Profile: "a profile", From: "profile.json", Rows: []calibrate.Row{row("prefork", 4, 1, 2, 3, -4, 12), other}},
		"not numbers":   {Rows: []calibrate.Row{row("prefork", 4, math.NaN(), math.Inf(1), 3)}},
		"empty":         {},
	}
}

func TestValidatePlot(t *testing.T) {
	for name, r := range validations() {
		t.Run(name, func(t *testing.T) {
			checkPage(t, validatePicture(r))
			var once, twice, png bytes.Buffer
			for _, b := range []*bytes.Buffer{&once, &twice} {
				if err := validatePicture(r).draw(b, SVG); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(once.Bytes(), twice.Bytes()) {
				t.Error("the same report gives two pictures")
			}
			if err := validatePicture(r).draw(&png, PNG); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"NaN", "Inf"} {
				if strings.Contains(once.String(), `"`+text) {
					t.Errorf("the picture has coordinates that are %s", text)
				}
			}
		})
	}
}

func TestWriteValidate(t *testing.T) {
	dir := t.TempDir()
	names, err := WriteValidate(dir, validations()["three"])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(dir + "/" + name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(names) != 2*len(ValidateNames()) {
		t.Errorf("files: %v", names)
	}
}
