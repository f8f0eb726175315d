package report_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"forkbench/report"
)

func example() *report.Report {
	return &report.Report{
		Verdict: "it pays from 8 on [7, 9]",
		Caption: "1000 jobs, 4 workers",
		Tables: []report.Table{{
			Head: []string{"jobs", "cost, ms", "what"},
			Rows: [][]string{{"1", "7.5", "a_b"}, {"10", "4", "c"}},
			Left: []int{2},
		}},
		Notes:    []string{"a note"},
		Warnings: []string{"few points"},
	}
}

func Example() {
	if err := example().WriteText(os.Stdout, report.TextOptions{}); err != nil {
		panic(err)
	}
	// Output:
	// it pays from 8 on [7, 9]
	//
	// 1000 jobs, 4 workers
	//
	// jobs   cost, ms   what
	// 1           7.5   a_b
	// 10            4   c
	//
	// a note
	//
	// warning: few points
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	want := `**it pays from 8 on \[7, 9\]**

1000 jobs, 4 workers

| jobs | cost, ms | what |
|:--|--:|:--|
| 1 | 7.5 | a\_b |
| 10 | 4 | c |

Notes:

- a note

Warnings:

- few points
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Columns that do not fit go below, each part with the labels.
func TestNarrow(t *testing.T) {
	r := &report.Report{Verdict: "v", Tables: []report.Table{{Head: []string{"x"}, Rows: [][]string{{"12"}}}}}
	for range 6 {
		r.Tables[0].Head = append(r.Tables[0].Head, strings.Repeat("h", 20))
		r.Tables[0].Rows[0] = append(r.Tables[0].Rows[0], "1")
	}
	var b bytes.Buffer
	if err := r.WriteText(&b, report.TextOptions{Width: 70, Color: true}); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(b.String())
	if n := strings.Count(text, "\n12 "); n != 3 {
		t.Errorf("the label is there %d times, want 3:\n%s", n, text)
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line) > 71 {
			t.Errorf("a line of more than 70: %q", line)
		}
	}
}
