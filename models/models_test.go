package models_test

import (
	"encoding/json"
	"testing"

	"forkbench/models"
)

// TestStatusNames: every status has a name of its own and survives JSON.
func TestStatusNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range models.Statuses() {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("status %d: %v", s, err)
		}
		if seen[string(text)] {
			t.Errorf("two statuses are called %s", text)
		}
		seen[string(text)] = true
		var back models.Status
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("%s reads back as %v, %v", text, back, err)
		}
	}
	for _, wrong := range []models.Status{0, models.TimedOut + 1} {
		if text, err := wrong.MarshalText(); err == nil {
			t.Errorf("status %d is written as %q; want an error", wrong, text)
		}
	}
	var s models.Status
	if err := s.UnmarshalText([]byte("sleeping")); err == nil {
		t.Error("a status called sleeping was accepted")
	}
}
