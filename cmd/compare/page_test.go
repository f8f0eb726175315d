package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"forkbench/internal/calltree"
)

// pageLines is what a page says, a line for each text, and each picture's title.
func pageLines(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		switch {
		case n.Type == html.TextNode && !slices.Contains([]string{"style", "script"}, n.Parent.Data) && strings.TrimSpace(n.Data) != "":
			b.WriteString(strings.TrimSpace(n.Data) + "\n")
		case n.Type == html.ElementNode && n.Data == "img":
			for _, a := range n.Attr {
				if a.Key == "alt" {
					b.WriteString("(picture) " + a.Val + "\n")
				}
			}
		}
	}
	return b.String()
}

// The page of a stored run, in words.
func TestPageOfAStoredRun(t *testing.T) {
	dir, _ := storedRun(t)
	b := newBench(t)
	r := b.run("report", dir, "--format=html")
	r.want(t, exitDone)
	got := pageLines(t, r.stdout)
	path := filepath.Join(b.testdata, "page-small.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run with -update to make it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update accepts it):\n%s", path, diff)
	}
}

// The profile that the page's simulator goes by can be had from the page, for the command
// that stands there, and is the one that calibrate makes.
func TestPageHasItsProfile(t *testing.T) {
	dir, _ := storedRun(t)
	b := newBench(t)
	r := b.run("report", dir, "--format=html")
	r.want(t, exitDone)
	root, err := html.Parse(strings.NewReader(r.stdout))
	if err != nil {
		t.Fatal(err)
	}
	got := "no link"
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "a" || !slices.Contains(n.Attr, html.Attribute{Key: "download", Val: "profile.json"}) {
			continue
		}
		for _, a := range n.Attr {
			if encoded, ok := strings.CutPrefix(a.Val, "data:application/json;base64,"); ok {
				text, err := base64.StdEncoding.DecodeString(encoded)
				if err != nil {
					t.Fatal(err)
				}
				got = string(text)
			}
		}
	}
	want := b.run("calibrate", dir)
	want.want(t, exitDone)
	if diff := cmp.Diff(want.stdout, got); diff != "" {
		t.Errorf("the profile in the page (-calibrate +page):\n%s", diff)
	}
}

// Flame graphs of --explain are in the page, and those of a run that was replaced are
// not.
func TestPageHasFlameGraphs(t *testing.T) {
	b := newBench(t)
	b.run(append(quickRun, "--out=out")...).want(t, exitDone)
	if err := os.Mkdir(filepath.Join("out", explainDir), 0o755); err != nil {
		t.Fatal(err)
	}
	tree := &calltree.Node{Function: calltree.Function{Kind: calltree.Python, Name: "app.job"}, Jobs: 1, Self: calltree.Cost{Wall: time.Millisecond}}
	graph := calltree.Graph{Title: "forkperjob: </title><script>", Tree: tree}
	if err := replaceFile(filepath.Join("out", explainDir, "flame-forkperjob.svg"), graph.WriteSVG); err != nil {
		t.Fatal(err)
	}
	r := b.run("report", "out", "--format=html")
	r.want(t, exitDone)
	text := pageLines(t, r.stdout)
	for _, want := range []string{"\nFlame graphs\n", "(picture) forkperjob: </title><script>\n", "explain/flame-forkperjob.svg can be zoomed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	b.run(append(quickRun, "--out=out", "--force")...).want(t, exitDone)
	again := b.run("report", "out", "--format=html")
	again.want(t, exitDone)
	if strings.Contains(again.stdout, "Flame graphs") {
		t.Error("the graphs of a run that was replaced are shown")
	}
}

// TestForceLeavesExplain: of an explanation's directory, --force removes the graphs that
// the page would show; what was pasted from and edited stays, and so does whatever a
// link leads to.
func TestForceLeavesExplain(t *testing.T) {
	b := newBench(t)
	for _, dir := range []string{"out/" + explainDir, "other", "linked"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../other", "linked/"+explainDir); err != nil {
		t.Fatal(err)
	}
	stay := []string{"out/explain/prefork.py", "out/explain/records.jsonl", "other/prefork.py", "other/flame-forkperjob.svg"}
	for _, file := range append(stay, "out/explain/flame-forkperjob.svg") {
		if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, out := range []string{"out", "linked"} {
		b.run(append(quickRun, "--out="+out, "--force")...).want(t, exitDone)
	}
	for _, file := range stay {
		if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
	if _, err := os.Stat("out/explain/flame-forkperjob.svg"); !os.IsNotExist(err) {
		t.Errorf("the graph of a run that was replaced: %v", err)
	}
}

// Without plots there is a page, which says that they are not there.
func TestPageWithoutPlots(t *testing.T) {
	b := newBench(t)
	b.run(append(quickRun, "--out=out")...).want(t, exitDone)
	text, err := os.ReadFile(filepath.Join("out", pageName))
	if err != nil {
		t.Fatal(err)
	}
	if said := pageLines(t, string(text)); !strings.Contains(said, "The picture “Throughput” is not here: it was not drawn.") {
		t.Errorf("the page says\n%s", said)
	}
}
