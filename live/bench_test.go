package live_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/prefork"
	"forkbench/workload"
)

// The benchmarks below run forkbench and a bare loop in turn on this machine and
// report the ratio of their rates, the median over b.N pairs. Run them with
//
//	go test ./live -run='^$' -bench=. -benchtime=5x

const benchWorkers = 4

// BenchmarkForkPerJob: a fork for each job, against four bare Python loops.
func BenchmarkForkPerJob(b *testing.B) {
	b.Run("small", func(b *testing.B) {
		ratio(b, 2000, forkperjob.Model{}, script{text: noop, function: "noop"}, "fork")
	})
	b.Run("30MB", func(b *testing.B) {
		text, path := readScript(b, "ballast.py")
		ratio(b, 1200, forkperjob.Model{}, script{text: text, function: "noop"}, "fork", path)
	})
}

// BenchmarkPrefork: the pool, against four pairs that play ping-pong.
func BenchmarkPrefork(b *testing.B) {
	ratio(b, 60000, prefork.Model{}, script{text: noop, function: "noop"}, "pingpong")
}

// BenchmarkGoPrefork: a pool of processes of this binary, against four pairs of
// such processes that play ping-pong with the same frames.
func BenchmarkGoPrefork(b *testing.B) {
	rig := newRig(b, goNoop(b))
	rig.machine.Runtime = live.Go{}
	compare(b, rig, 100000, prefork.Model{}, goPingPong)
}

// BenchmarkGoForkPerJob: an execution of this binary for each job, against four
// loops of os/exec that only execute it.
func BenchmarkGoForkPerJob(b *testing.B) {
	rig := newRig(b, goNoop(b))
	rig.machine.Runtime = live.Go{}
	compare(b, rig, 1200, forkperjob.Model{}, goExec)
}

func ratio(b *testing.B, jobs int, e models.Executor, work script, mode string, modules ...string) {
	compare(b, newRig(b, work), jobs, e, func(b *testing.B, jobs int) float64 {
		return bareRate(b, mode, jobs, modules...)
	})
}

// compare runs an executor and a bare loop in turn; bare returns its jobs per
// second.
func compare(b *testing.B, rig *rig, jobs int, e models.Executor, bare func(b *testing.B, jobs int) float64) {
	var ratios, ours, bares []float64
	for range b.N {
		reference := bare(b, jobs)
		done, _, err := rig.run(e, repeat(jobs, `[1]`)...)
		if err != nil || done.Settled != jobs {
			b.Fatalf("settled %d of %d: %v", done.Settled, jobs, err)
		}
		own := float64(jobs) / done.WorkNS.Seconds()
		ratios, ours, bares = append(ratios, own/reference), append(ours, own), append(bares, reference)
	}
	report(b, ratios, ours, bares)
}

func report(b *testing.B, ratios, ours, bares []float64) {
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(ours), "jobs/s")
	b.ReportMetric(median(bares), "bare/s")
	b.ReportMetric(0, "ns/op")
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// bareRate runs the bare loops at once and returns their rates' sum.
func bareRate(b *testing.B, mode string, jobs int, modules ...string) float64 {
	b.Helper()
	each := jobs / benchWorkers
	type loop struct {
		cmd   *exec.Cmd
		start func()
		lines *bufio.Scanner
	}
	loops := make([]loop, benchWorkers)
	for i := range loops {
		args := append([]string{"testdata/bare.py", mode, strconv.Itoa(each)}, modules...)
		cmd := exec.Command(live.Python{}.Program(), args...)
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		loops[i] = loop{cmd, func() { _, _ = fmt.Fprintln(in, "go") }, bufio.NewScanner(out)}
		loops[i].lines.Scan() // ready
	}
	for _, l := range loops {
		l.start()
	}
	rate := 0.0
	for _, l := range loops {
		l.lines.Scan()
		seconds, err := strconv.ParseFloat(strings.TrimSpace(l.lines.Text()), 64)
		if err != nil {
			b.Fatalf("%s loop: %v", mode, err)
		}
		if err := l.cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		rate += float64(each) / seconds
	}
	return rate
}

func readScript(b *testing.B, name string) (text, path string) {
	b.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		b.Fatal(err)
	}
	return readFile(b, path), path
}

func goNoop(b *testing.B) workload.Workload {
	b.Helper()
	w, err := workload.Parse("go:noop")
	if err != nil {
		b.Fatal(err)
	}
	return w
}
