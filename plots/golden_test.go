package plots

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares the SVG of each plot with testdata. Other architectures
// fuse multiplications and additions, and so differ in the last digit. The life cycle
// is thousands of boxes: TestLifecycleGolden has what they show.
func TestGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skipf("golden files are of amd64 hardware, this is %s", runtime.GOARCH)
	}
	a := threeModels()
	for _, p := range All() {
		if p.Name == "lifecycle" {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			var got bytes.Buffer
			if err := p.Draw(&got, SVG, a); err != nil {
				t.Fatal(err)
			}
			golden(t, p.Name+".svg", got.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		if err := os.WriteFile(path+".got", got, 0o644); err != nil {
			t.Error(err)
		}
		t.Errorf("%s differs; the new one is in %s.got. If it is right: go test ./plots -update", path, path)
	}
}

// TestLifecycleGolden holds what the life cycle shows: a line for each phase of each process, in
// milliseconds since the start of work, as far as the picture goes.
func TestLifecycleGolden(t *testing.T) {
	var got bytes.Buffer
	lc := lifecycleChart(threeModels()).(*lifeChart)
	fmt.Fprintf(&got, "%.1f ms of start-up, one scale: %t\n", lc.startup, lc.shared)
	for i := range lc.panels {
		p := &lc.panels[i]
		fmt.Fprintf(&got, "\n%s, %.1f ms: %s\n", p.model, p.window, p.note)
		for _, l := range p.lanes {
			fmt.Fprintf(&got, "  %s\n", cmp.Or(l.label, "(more of it)"))
			for _, body := range l.bodies {
				if body.lo <= p.window {
					fmt.Fprintf(&got, "    %8.1f … %8.1f process\n", body.lo, body.hi)
				}
			}
			for _, b := range l.blocks {
				if b.lo <= p.window {
					fmt.Fprintf(&got, "    %8.1f … %8.1f %s\n", b.lo, b.hi, b.phase)
				}
			}
		}
	}
	golden(t, "lanes.txt", got.Bytes())
}

// TestSame draws everything twice from two equal analyses.
func TestSame(t *testing.T) {
	drawsAlone(t)
	a, b := threeModels(), threeModels()
	for _, p := range All() {
		for _, f := range Formats() {
			var one, two bytes.Buffer
			if err := p.Draw(&one, f, a); err != nil {
				t.Fatal(err)
			}
			if err := p.Draw(&two, f, b); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one.Bytes(), two.Bytes()) {
				t.Errorf("%s.%s: the same analysis gave two pictures", p.Name, f)
			}
			if f != PNG {
				continue
			}
			cfg, err := png.DecodeConfig(&one)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Width != 8*dpi || cfg.Height < 200 || cfg.Height > 12*dpi {
				t.Errorf("%s.png is %d by %d pixels", p.Name, cfg.Width, cfg.Height)
			}
		}
	}
}

func TestFormatUnknown(t *testing.T) {
	err := All()[0].Draw(&bytes.Buffer{}, "gif", threeModels())
	if want := `plot format "gif": want "svg" or "png"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
