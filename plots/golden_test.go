package plots

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares the SVG of each plot with testdata. Other architectures
// fuse multiplications and additions, and so differ in the last digit.
func TestGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skipf("golden files are of amd64 hardware, this is %s", runtime.GOARCH)
	}
	a := threeModels()
	for _, p := range All() {
		t.Run(p.Name, func(t *testing.T) {
			var got bytes.Buffer
			if err := p.Draw(&got, SVG, a); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", p.Name+".svg")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				if err := os.WriteFile(path+".got", got.Bytes(), 0o644); err != nil {
					t.Error(err)
				}
				t.Errorf("%s differs; the new one is in %s.got. If it is right: go test ./plots -run Golden -update", path, path)
			}
		})
	}
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
