package main

import (
	"slices"
	"testing"
)

// TestShownEnv: records show what was set, and no secrets.
func TestShownEnv(t *testing.T) {
	o := new(options)
	for _, text := range []string{"OMP_NUM_THREADS=1", "EMPTY=", "A=b=c", "DATABASE_URL=postgres://u:p@h/d", "api_key=4711", "DB_PASSWORD=x"} {
		if err := o.setEnv(text); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"OMP_NUM_THREADS=1", "EMPTY=", "A=b=c", "DATABASE_URL=…", "api_key=…", "DB_PASSWORD=…"}
	if got := o.shownEnv(); !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
}
