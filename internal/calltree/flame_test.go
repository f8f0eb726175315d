package calltree_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	goflag "flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"forkbench/internal/calltree"
)

var update = goflag.Bool("update", false, "write the golden files anew")

func at(kind calltree.Kind, name string, self time.Duration, children ...*calltree.Node) *calltree.Node {
	n := &calltree.Node{
		Function: calltree.Function{Kind: kind, Name: name}, Calls: 1, Jobs: 1, CallLine: 7,
		Self: calltree.Cost{Wall: self * time.Microsecond, CPU: self * time.Microsecond / 2}, Children: children,
	}
	if kind == calltree.Python {
		n.File, n.Line = "/app/tasks.py", 3
	}
	return n
}

func cold() *calltree.Node {
	return at(calltree.Python, "app.job", 100,
		at(calltree.Import, "heavy", 600, at(calltree.C, "builtins.len", 20)),
		at(calltree.Python, `app.<lambda> & "quotes"; ]]>`, 300),
		at(calltree.Python, "app.work", 200))
}

func warm() *calltree.Node {
	return at(calltree.Python, "app.job", 100, at(calltree.Python, "app.work", 250))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("not as in %s (-want +got); go test -update writes it anew:\n%s", path, diff)
	}
}

// TestLabels: what is written on a frame can be read: whole components of its name,
// the last ones; or how the last one begins; or nothing.
func TestLabels(t *testing.T) {
	const whole = 1180.0
	for name, c := range map[string]struct {
		name  string
		share float64 // of the picture's width
		want  string
	}{
		"all of it":         {"sqlalchemy.orm.mapper.configure_mappers", 0.5, "sqlalchemy.orm.mapper.configure_mappers"},
		"the last two":      {"sqlalchemy.orm.mapper.configure_mappers", 0.152, "…mapper.configure_mappers"},
		"the last":          {"sqlalchemy.orm.mapper.configure_mappers", 0.12, "…configure_mappers"},
		"it, and no more":   {"sqlalchemy.orm.mapper.configure_mappers", 0.101, "configure_mappers"},
		"how that begins":   {"sqlalchemy.orm.mapper.configure_mappers", 0.05, "configu…"},
		"too narrow":        {"sqlalchemy.orm.mapper._check", 0.03, ""},
		"an import":         {"import babel.localedata", 0.08, "…localedata"},
		"an import's name":  {"import localedata", 0.07, "localedata"},
		"an inner function": {"strategies.create.<locals>.connect", 0.046, "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			g := calltree.Graph{Tree: at(calltree.Python, "job", time.Duration(1000*(1-c.share)), at(calltree.Python, c.name, time.Duration(1000*c.share)))}
			if kind, imported, ok := strings.Cut(c.name, " "); ok {
				g.Tree.Children[0] = at(calltree.Kind(kind), imported, time.Duration(1000*c.share))
			}
			var b bytes.Buffer
			if err := g.WriteSVG(&b); err != nil {
				t.Fatal(err)
			}
			_, after, _ := strings.Cut(b.String(), `data-name="`+strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(c.name)+`">`)
			got, _, _ := strings.Cut(after, "</text>")
			if got != c.want {
				t.Errorf("%.0f pixels: %q, want %q", c.share*whole, got, c.want)
			}
		})
	}
}

func TestSVG(t *testing.T) {
	for name, g := range map[string]calltree.Graph{
		"plain.svg":      {Title: "forkperjob", About: "a <first> job", Tree: cold()},
		"difference.svg": {Title: "forkperjob, compared to hybrid", Tree: cold(), Base: warm()},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := g.WriteSVG(&b); err != nil {
				t.Fatal(err)
			}
			wellFormed(t, b.Bytes())
			golden(t, name, b.Bytes())
		})
	}
}

// TestSVGOfExtremes: empty, endless, and full of what must not stand in XML.
func TestSVGOfExtremes(t *testing.T) {
	deep := at(calltree.Python, "f", 1)
	for range 1000 {
		deep = at(calltree.Python, "f", 0, deep)
	}
	for _, tree := range []*calltree.Node{new(calltree.Node), deep, at(calltree.C, "\x00\x1b\xff<&>\uFFFE", 5)} {
		var b bytes.Buffer
		g := calltree.Graph{Title: "\x01", Tree: tree, Base: warm()}
		if err := g.WriteSVG(&b); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.Bytes())
	}
}

func wellFormed(t *testing.T, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolded(t *testing.T) {
	var b bytes.Buffer
	if err := calltree.WriteFolded(&b, cold()); err != nil {
		t.Fatal(err)
	}
	golden(t, "cold.folded", b.Bytes())
}

// TestFoldedOfNothing: a job of which no frame comes to a microsecond is told by its
// outermost frame; of no job there is nothing to tell.
func TestFoldedOfNothing(t *testing.T) {
	quick := &calltree.Node{Function: calltree.Function{Kind: calltree.Python, Name: "app.job"}, Jobs: 1, Self: calltree.Cost{Wall: 300}}
	for want, tree := range map[string]*calltree.Node{"app.job 0\n": quick, "": calltree.Typical(nil)} {
		var b bytes.Buffer
		if err := calltree.WriteFolded(&b, tree); err != nil || b.String() != want {
			t.Errorf("%q, %v; want %q", b.String(), err, want)
		}
	}
}

// TestPprof has the tool itself open the profiles, and subtract one from the
// other.
func TestPprof(t *testing.T) {
	dir := t.TempDir()
	for name, tree := range map[string]*calltree.Node{"cold.pb.gz": cold(), "warm.pb.gz": warm()} {
		var b bytes.Buffer
		if err := calltree.WritePprof(&b, tree, name, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		p, err := profile.ParseData(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[1]
		}
		if want := int64(tree.Total().Wall); sum != want {
			t.Errorf("%s: %d ns in the samples, want %d", name, sum, want)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() {
		t.Skip("go tool pprof may have to be built")
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"cold.pb.gz"}, []string{"Type: wall", "600us", "import heavy"}},
		{[]string{"-diff_base=warm.pb.gz", "cold.pb.gz"}, []string{"-50us", "app.work", "600us"}},
	} {
		cmd := exec.Command("go", append([]string{"tool", "pprof", "-top"}, c.args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", c.args, err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v prints no %q:\n%s", c.args, want, out)
			}
		}
	}
}
