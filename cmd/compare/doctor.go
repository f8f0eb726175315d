package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"forkbench/conditions"
	"forkbench/live"
	"forkbench/models/forkperjob"
	"forkbench/record"
	"forkbench/runner"
	"forkbench/stream"
	"forkbench/workload"
)

// A condition is how well this machine can do one thing.
type condition uint8

const (
	fine     condition = iota // as it should be
	degraded                  // results say less, or vary more
	missing                   // it cannot be done
)

func (c condition) String() string {
	switch c {
	case fine:
		return "ok"
	case degraded:
		return "degraded"
	case missing:
		return "missing"
	}
	return fmt.Sprintf("condition(%d)", uint8(c))
}

// A finding is what doctor says about one thing.
type finding struct {
	about     string
	condition condition
	found     string
	means     string // what follows for results; empty if it is fine
	way       string // how to get it
}

// doctorCommand is `compare doctor`.
func (p *program) doctorCommand() *cobra.Command {
	o := new(options)
	flags := slices.Concat(pick(o.pythonFlags(), "python"), pick(o.redisFlags(), "redis"))
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what can be measured on this machine, and how to get what cannot",
		Long: `Say what can be measured on this machine, and how to get what cannot. At the end
it runs a few jobs for real: through Redis, each in a fork.

The exit code is 0 also where results are degraded, and 3 where nothing can be
measured.`,
		Example: `  compare doctor
  compare doctor --python=.venv/bin/python --redis=redis://localhost:6379`,
		RunE: func(cmd *cobra.Command, args []string) error {
			problems := parse(cmd, flags)
			o.given = map[string]bool{"python": cmd.Flags().Changed("python")}
			if err := p.usage(cmd, append(problems, noArguments(cmd, args)...)); err != nil {
				return err
			}
			return p.doctor(cmd.Context(), o)
		},
	}
	bind(cmd, flags)
	return cmd
}

// doctor examines the machine.
func (p *program) doctor(ctx context.Context, o *options) (err error) {
	in, ctx := watchSignals(ctx, p.signals, func(string) {}, p.giveUp)
	defer in.close()
	guard, err := live.StartGuard()
	if err != nil {
		return exitWith(exitLacking, err)
	}
	defer func() { err = errors.Join(err, guard.Close()) }()

	findings := []finding{examineBuild(), examineCores(runtime.NumCPU()), examineNoise(), examineFrequency("/sys")}
	findings = append(findings, examineKernel("/proc", "/sys")...)
	findings = append(findings, examineCgroup(guard.Cgroup()))
	python, err := findPython(ctx, o.python)
	findings = append(findings, examinePython(python, err))
	server, err := startRedis(ctx, o, guard, zap.NewNop())
	findings = append(findings, examineRedis(server, err))
	if err == nil {
		defer func() { err = errors.Join(err, server.Close()) }()
	}
	findings = append(findings, examineForks(ctx, o, python, guard, server))
	if ctx.Err() != nil {
		return exitWith(exitInterrupted, errors.New("interrupted"))
	}

	var b bytes.Buffer
	for _, f := range findings {
		f.write(&b)
	}
	_, printed := p.stdout.Write(b.Bytes())
	if err := outputError(printed); err != nil {
		return err
	}
	if last := findings[len(findings)-1]; last.condition == missing {
		return exitWith(exitLacking, errors.New("nothing can be measured here: see what is missing above"))
	}
	return nil
}

// write writes a finding, with what follows from it below.
func (f *finding) write(b *bytes.Buffer) {
	begin := fmt.Sprintf("%-9s %-12s ", f.condition, f.about)
	wrap(b, begin, f.found)
	indent := strings.Repeat(" ", len(begin))
	if f.means != "" {
		wrap(b, indent+"so: ", f.means)
	}
	if f.way != "" {
		wrap(b, indent+"do: ", f.way)
	}
}

func examineBuild() finding {
	f := finding{about: "build", found: "compare " + version()}
	if conditions.Environment().Race {
		f.condition, f.found = missing, f.found+", with the race detector"
		f.means, f.way = "no numbers are published: they would be the race detector's", "build it without -race"
	}
	return f
}

func examineCores(n int) finding {
	f := finding{about: "cores", found: fmt.Sprintf("%d for this program", n)}
	if n < 2 {
		f.condition = degraded
		f.means = "jobs, Redis and the supervisor share one: throughput is that of all three"
		f.way = "use a machine with 2 cores or more, or run Redis elsewhere with --redis"
	}
	return f
}

// noiseSpan is how long doctor listens to what else the machine does.
const noiseSpan = 500 * time.Millisecond

func examineNoise() finding {
	var meter conditions.NoiseMeter
	meter.Start()
	time.Sleep(noiseSpan)
	n := meter.Stop(0)
	share := n.ForeignNS.Seconds() / noiseSpan.Seconds() / float64(runtime.NumCPU())
	f := finding{about: "quiet", found: fmt.Sprintf("others use %.0f %% of the CPU now; load %.2f", 100*min(share, 1), n.Load1)}
	if n.Contaminated != "" {
		f.condition = degraded
		f.means = "rounds measured like this are marked as contaminated"
		f.way = "end what else runs, or use a machine of your own"
	}
	return f
}

func examineFrequency(sys string) finding {
	f := finding{about: "frequency", found: "no governor: the hypervisor's or the firmware's matter"}
	governor, err := os.ReadFile(filepath.Join(sys, "devices/system/cpu/cpu0/cpufreq/scaling_governor"))
	if err != nil {
		return f
	}
	name := strings.TrimSpace(string(governor))
	f.found = "governor " + name
	if name != "performance" {
		f.condition = degraded
		f.means = "the CPU slows down when little is to do, which makes light loads look slow"
		f.way = "cpupower frequency-set --governor performance"
	}
	return f
}

// examineKernel looks at what the kernel offers, in the given proc and sys
// directories.
func examineKernel(proc, sys string) []finding {
	var list []finding
	// Each is fine unless there is an error.
	add := func(err error, worst condition, f finding) {
		if err == nil {
			f.means, f.way = "", ""
		} else {
			f.condition, f.found = worst, reason(err)
		}
		list = append(list, f)
	}
	_, err := os.ReadFile(filepath.Join(proc, "self/smaps_rollup"))
	add(err, degraded, finding{about: "memory", found: "PSS and USS, by smaps_rollup",
		means: "memory is not measured", way: "a kernel of 4.14 or newer, with CONFIG_PROC_PAGE_MONITOR"})

	_, err = os.ReadFile(filepath.Join(proc, "pressure/cpu"))
	add(err, degraded, finding{about: "pressure", found: "stall times (PSI)",
		means: "how long tasks waited for a core is not recorded; contaminated rounds are found all the same",
		way:   "a kernel of 4.20 or newer, booted with psi=1"})

	placing := finding{about: "placing", found: "idle cores take what is forked and what wakes up"}
	if packing := conditions.Packing(proc); packing != "" {
		placing.condition, placing.found = degraded, "the kernel packs what runs on few cores: "+packing
		placing.means = "a child begins on its parent's core though another one is idle: forks look slower for short jobs than elsewhere"
		placing.way = "measure on a machine like those that your workers have; for a simulation, cores.packs in the profile"
	}
	list = append(list, placing)

	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err == nil {
		err = unix.Close(fd)
	}
	add(err, missing, finding{about: "pidfd", found: "a parent can wait for several children",
		means: "a Python parent of several children cannot wait for them",
		way:   "a kernel of 5.3 or newer; in a container, a seccomp profile that allows pidfd_open"})

	err = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	add(err, degraded, finding{about: "orphans", found: "processes that jobs leave behind are found and ended",
		means: "processes that jobs leave behind are not accounted for", way: "a kernel of 3.4 or newer"})

	mode, err := os.ReadFile(filepath.Join(sys, "kernel/mm/transparent_hugepage/enabled"))
	f := finding{about: "huge pages", found: strings.TrimSpace(string(mode))}
	if err != nil {
		f.found = "none"
	}
	if strings.Contains(f.found, "[always]") {
		f.condition = degraded
		f.means = "memory is used 2 MB at a time, so PSS and USS are larger than what jobs touch"
		f.way = "if your servers do not have it so: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
	}
	return append(list, f)
}

// reason is an error in a word or two.
func reason(err error) string {
	err = pathCause(err)
	if errors.Is(err, os.ErrNotExist) {
		return "not there"
	}
	return err.Error()
}

func examineCgroup(where string) finding {
	f := finding{about: "cgroup", found: where}
	if why, none := strings.CutPrefix(where, "none: "); none {
		f.condition, f.found = degraded, why
		f.means = "CPU time is what wait4 says; it is not checked against the kernel's total"
		f.way = "run it as root, or in a group of your own: systemd-run --user --scope -p Delegate=yes compare"
	}
	return f
}

func examinePython(python interpreter, err error) finding {
	if err == nil {
		return finding{about: "python", found: fmt.Sprintf("Python %s (%s)", python.version, python.path)}
	}
	f := finding{about: "python", condition: missing, found: err.Error(),
		means: "the default is " + workload.DefaultGo + ", in Go processes, which cannot really fork"}
	if lacking, ok := errors.AsType[*live.MissingError](err); ok {
		f.found = lacking.What
		f.way = "apt-get install python3, dnf install python3, apk add python3; or name one with --python"
	}
	if _, tooOld := errors.AsType[*tooOldError](err); tooOld {
		f.means = "jobs in Python cannot be run"
	}
	return f
}

func examineRedis(server *stream.Server, err error) finding {
	f := finding{about: "redis"}
	if err != nil {
		f.condition, f.found = missing, err.Error()
		f.means = "there is no job stream"
		f.way = "apt-get install redis-server, or name a server that runs with --redis"
		return f
	}
	f.found = server.Describe()
	if strings.HasPrefix(f.found, "miniredis") {
		f.condition = degraded
		f.means = "it stands in for redis-server, which was not found, and is slower"
		f.way = "apt-get install redis-server, dnf install valkey, apk add redis; or name a server with --redis"
	}
	return f
}

// examineForks runs a few jobs for real, with all that a comparison needs.
func examineForks(ctx context.Context, o *options, python interpreter, guard *live.Guard, server *stream.Server) finding {
	f := finding{about: "forks", condition: missing, means: "nothing can be measured"}
	if server == nil {
		f.found = "not tried: there is no Redis"
		return f
	}
	var runtime live.Runtime = live.Go{}
	name := "go:noop"
	if python.path != "" {
		runtime, name = live.Python{Interpreter: python.path}, "noop"
	} else if o.given["python"] {
		f.found = "not tried: there is no Python of that name"
		return f
	}
	round, err := tryForks(ctx, runtime, name, guard, server)
	switch {
	case err != nil:
		f.found = err.Error()
	case round.Settled != selfTestJobs:
		f.found = fmt.Sprintf("%d of %d jobs were settled", round.Settled, selfTestJobs)
	default:
		f.condition, f.means = fine, ""
		f.found = fmt.Sprintf("%d jobs through Redis, a process for each, accounted for by wait4: %s; by %s",
			selfTestJobs, seconds(round.WorkNS), runtime.ForkPrimitive())
	}
	return f
}

// A self-test is small: it is to show that everything works, not how fast.
const (
	selfTestJobs    = 8
	selfTestWorkers = 2
	selfTestTimeout = 20 * time.Second
)

// tryForks makes the smallest comparison there is.
func tryForks(ctx context.Context, r live.Runtime, name string, guard *live.Guard, server *stream.Server) (*record.Round, error) {
	w, err := workload.Parse(name)
	if err != nil {
		return nil, err
	}
	burst, err := workload.ParseArrivals("burst")
	if err != nil {
		return nil, err
	}
	m := &live.Machine{
		Workers: selfTestWorkers, Workload: w, Runtime: r, Server: server, Guard: guard,
		Timeout: selfTestTimeout, BootTimeout: selfTestTimeout,
	}
	model := forkperjob.Model{}
	backlog, err := runner.Enqueue(ctx, server, workload.Jobs(w, burst, 1, selfTestJobs))
	if err != nil {
		return nil, err
	}
	plan := runner.Plan{
		Header:      record.Header{Version: record.Version, Spec: record.Spec{Models: []record.Model{{Name: model.Name()}}}},
		Contestants: []runner.Contestant{{Name: model.Name(), Executor: model, Machine: backlog.Machine(m)}},
		Rounds:      1,
	}
	var last lastRound
	err = plan.Run(ctx, nil, &last)
	return &last.round, errors.Join(err, backlog.Close())
}

// lastRound is a sink that keeps the round.
type lastRound struct{ round record.Round }

var _ record.Sink = (*lastRound)(nil)

// Write keeps a round's record. It is called for one round only, at its end.
func (l *lastRound) Write(line record.Line) error {
	if r, ok := line.(*record.Round); ok {
		l.round = *r
	}
	return nil
}
