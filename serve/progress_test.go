package serve_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkbench/serve"
)

// However the records are cut into pieces while they are read, and however long a
// line, each job is counted once.
func TestFollowerCountsEachJobOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../testdata/runs/small/records.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "run", "records.jsonl")
	if err := os.WriteFile(name, []byte(string(text)+`{"kind":"job","model":"prefork","status":"failed","detail":"`+strings.Repeat("x", 1<<20)+"\"}\n"+
		strings.Repeat("y", 1<<21)+"\n"+`{"kind":"job","model":"prefork","status":"done"`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, most := range []int64{1, 7, 1000, 300_000, 1 << 30} {
		if most < 1000 && testing.Short() {
			continue
		}
		next, err := serve.Follow(dir, "run")
		if err != nil {
			t.Fatal(err)
		}
		step := most
		var p *serve.Progress
		for {
			if most < 1000 && p != nil && p.Read > int64(len(text))/20 {
				step = 1 << 30 // the rest at once: it would take long
			}
			if p, err = next(step); err != nil {
				t.Fatal(err)
			}
			if p.Behind == 0 {
				break
			}
		}
		for i, want := range []string{"prefork 72", "forkperjob 72", "hybrid 72"} {
			m := p.Models[i]
			if i == 0 && m.Jobs == 73 && m.Undone == 1 {
				m.Jobs--
			}
			got, _ := json.Marshal(m.Jobs)
			if m.Model+" "+string(got) != want || m.Rounds != 3 || len(m.Recent) != 3 {
				t.Errorf("%d bytes at once: %+v, want %s", most, m, want)
			}
		}
	}
}
