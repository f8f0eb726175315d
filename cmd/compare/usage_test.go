package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkbench/workload"
)

func TestUsageErrors(t *testing.T) {
	payloads := "{\"a\": 1}\n[1,\n\nnot json\n"
	for _, c := range []struct {
		name string
		args []string
	}{
		{"everything-at-once", []string{
			"reprot", "-jobs=5", "--jbos", "7", "--jobs=0", "--workers", "99999999999999999999", "--rounds=-1", "--seed=-1",
			"--model=preforc,hybrid,hybrid,,all", "--workload=recordevent", "--arrivals=bust", "--timeout=-1s",
			"--boot-timeout=0", "--fail-if=p95>50q", "--fail-if=hybrd", "--format=jsn", "--redis=http://user:secret@host",
			"--payload=payloads.jsonl", "--path=file", "--out=full", "--max-memory-per-child=lots", "--warm=nothing:", "--quiet=maybe",
		}},
		{"enormous", []string{
			"--jobs=1000000000000", "--workers=100000", "--rounds=1001", "--seed=18446744073709551616", "--timeout=1000h", "--boot-timeout=1000h",
			"--max-jobs-per-child=1000000000", "--max-memory-per-child=99999999999999999999G", "--jobs-per-child=1000000000", "--spares=5000", "--refork=1000000000",
			"--workload=cpu:100h", "--arrivals=rate:1e99",
		}},
		{"not-numbers", []string{
			"--jobs=many", "--workers=1.5", "--rounds=", "--seed=0x1", "--timeout=3", "--spares=1e3", "--max-memory-per-child=0x10MB",
		}},
		{"knobs-of-models-not-run", []string{
			"--model=forkperjob", "--max-jobs-per-child=10", "--max-memory-per-child=1GB",
			"--jobs-per-child=2", "--spares=1", "--refork=5", "--warm=app:warm",
		}},
		{"python-without-python", []string{
			"--workload=go:noop", "--python=python3", "--path=.", "--warm=app:warm", "--allow-threads",
		}},
		{"contradictions", []string{
			"--workload=90%noop,10%hang:1", "--timeout=0", "--quiet", "--verbose", "--force", "--model=prefork", "--fail-if=hybrid.p95>prefork.p95",
		}},
		{"env", []string{
			"--env=OPENBLAS_NUM_THREADS", "--env==1", "--env=A-B=1", "--env=FORKBENCH_RUN=1", "--env=OMP_NUM_THREADS=1", "--env=OMP_NUM_THREADS=2",
		}},
		{"record-nothing", []string{"record"}},
		{"record-everything", []string{
			"record", "queue", "--from=sidekiq:default", "--redis=localhost", "--limit=-1", "--map=send", "--map==a:b", "--python=python3",
			"--path=file", "--out=file", "--unpikcle",
		}},
		{"record-layouts", []string{"record", "--from=rq:default", "--celery-sep=:", "--celery-priority-steps=0-300", "--key-prefix="}},
		{"record-layouts-of-celery", []string{"record", "--from=rq:default", "--celery-sep=:", "--celery-priority-steps=0,3-9"}},
		{"record-queue-without-a-name", []string{"record", "--from=celery:"}},
		{"job-file", []string{"--workload=jobs:payloads.jsonl", "--arrivals=jobs:file", "--payload=file"}},
		{"bad-mix", []string{"--workload=90%cpu:1ms,20%sleep:1s"}},
		{"control-characters", []string{"--model=\x1b[31mred", "--\x1b[31mred", "\x1b[31mred"}},
		{"missing-value", []string{"--jobs"}},
		{"out-is-a-file", []string{"--out=file"}},
		{"redis-url", []string{"--redis=localhost:6379"}},
		{"redis-password-in-a-broken-url", []string{"--redis=redis://:se/cret@host"}},
		{"flag-of-another-command", []string{"report", "--jobs=5", "results"}},
		{"report-nothing", []string{"report"}},
		{"simulate", []string{
			"simulate", "now", "--cores=0", "--workers=1000000", "--jobs=0", "--replications=0", "--until=200%", "--profile=redahs", "--model=hybrid(warm=a:b),preforc",
			"--arrivals=poisson:0", "--fail-if=p95>1q", "--workload=noop", "--redis=redis://localhost", "--cpus=4",
		}},
		{"simulate-enormous", []string{"simulate", "--cores=10000000", "--jobs=1000000000000", "--replications=100000", "--until=NaN"}},
		{"simulate-contradictions", []string{
			"simulate", "--rounds=3", "--replications=4", "--model=forkperjob(warm=a:b)", "--spares=2", "--fail-if=hybrid.p95>1s", "--force", "--profile=" + "full",
		}},
		{"simulate-bad-profile", []string{"simulate", "--profile=payloads.jsonl"}},
		{"simulate-wrong-profile", []string{"simulate", "--profile=wrong.json"}},
		{"report-two", []string{"report", "a", "b", "--format=xml"}},
		{"report-no-records", []string{"report", "full"}},
		{"plot-nothing", []string{"plot", "--out="}},
		{"workloads-arguments", []string{"workloads", "cpu"}},
		{"directory-as-command", []string{"former"}},
		{"sweep-nothing", []string{"sweep"}},
		{"sweep-bad-ranges", []string{
			"sweep", "--jobs-per-child=10..1", "--workers=0..", "--job-time=x..y", "--cores=1..8", "--points=1000000000",
			"--within=NaN", "--metric=cpu", "--profile=recordevent", "--reference=celery", "--with=full", "extra",
		}},
		{"sweep-live", []string{"sweep", "--one-time=0..1s", "--live", "--workload=noop", "--cores=3000", "--job-time=1ms"}},
		{"sweep-not-live", []string{"sweep", "--workers=1..8", "--workload=noop", "--python=python3", "--rate=1/s", "--arrivals=burst", "--model=rq"}},
		{"plan-nothing", []string{"plan"}},
		{"plan-wrong", []string{"plan", "--rate=NaN", "--p95=2s", "--p99=1", "--cores-max=0", "--workers-max=x", "--model=rq", "--spares=1", "now"}},
		{"explain-wrong", []string{"explain", "me", "--workload=go:noop", "--jobs=0", "--model=hybrid", "--warm=app:warm"}},
		{"doctor-arguments", []string{"doctor", "please", "--python="}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			for name, content := range map[string]string{
				"payloads.jsonl": payloads, "file": "", "wrong.json": wrongProfile(t), "full/file": "", "former/" + recordsName: "", "results/2026/" + recordsName: "",
			} {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r := b.run(c.args...)
			r.want(t, exitUsage)
			if r.stdout != "" {
				t.Errorf("standard output: %q", r.stdout)
			}
			if strings.Contains(r.stderr, "cret") {
				t.Errorf("the password is shown: %s", r.stderr)
			}
			if codes := controlCodes.FindString(r.stderr); codes != "" {
				t.Errorf("control codes: %q", r.stderr)
			}
			b.golden("usage/"+c.name, r.stderr)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{
		{"--help"}, {"report", "--help"}, {"plot", "-h"}, {"help", "doctor"}, {"workloads", "--help"}, {"record", "--help"}, {"simulate", "--help"}, {"explain", "--help"}, {"diff", "--help"}, {"serve", "--help"},
	} {
		name := "help-" + strings.Trim(strings.Join(args, ""), "-")
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := b.run(args...)
			r.want(t, exitDone)
			b.golden("usage/"+name, r.stdout)
			for line := range strings.Lines(r.stdout) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > helpWidth {
					t.Errorf("a line of %d columns: %s", n, line)
				}
			}
		})
	}
}

// What the help and the list of models say must be what there is.
func TestEveryModelIsWhatItSays(t *testing.T) {
	var o options
	flags := flagsOf(&o)
	names := make(map[string]flag)
	for _, f := range flags {
		names[f.name] = f
	}
	help := newBench(t).run("--help").stdout
	for _, m := range knownModels() {
		if got := m.build(&o).Name(); got != m.name {
			t.Errorf("--model=%s runs %s", m.name, got)
		}
		if !strings.Contains(help, m.name) {
			t.Errorf("the help does not name %s", m.name)
		}
		for _, knob := range m.knobs {
			if _, ok := names[knob]; !ok {
				t.Errorf("%s: no flag --%s", m.name, knob)
			}
		}
	}
	for _, name := range pythonFlags {
		if names[name].group != groupPython {
			t.Errorf("--%s is not among the flags for Python", name)
		}
	}
}

func TestWorkloadsLists(t *testing.T) {
	r := newBench(t).run("workloads")
	r.want(t, exitDone)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	all := workload.Builtin()
	if len(lines) != len(all) {
		t.Fatalf("%d lines for %d workloads:\n%s", len(lines), len(all), r.stdout)
	}
	for i, d := range all {
		if !strings.HasPrefix(lines[i], d.Name+" ") || !strings.Contains(lines[i], d.Doc) || !strings.Contains(lines[i], d.Example) {
			t.Errorf("line %d: %q does not describe %q", i+1, lines[i], d.Name)
		}
	}
}

func TestVersion(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{{"version"}, {"--version"}} {
		r := b.run(args...)
		r.want(t, exitDone)
		if !strings.HasPrefix(r.stdout, "compare ") || !strings.Contains(r.stdout, "go1.") {
			t.Errorf("%q: %q", args, r.stdout)
		}
	}
}

func TestCompletion(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		args []string
		want []string
		not  []string
	}{
		{[]string{"--model", ""}, []string{"prefork\t", "forkperjob\t", "hybrid\t", "all\t"}, nil},
		{[]string{"--model", "prefork,"}, []string{"prefork,hybrid\t"}, []string{"prefork,prefork", "all"}},
		{[]string{"--workload", ""}, []string{"record_event\t", "cpu:10ms\t", "go:noop\t"}, nil},
		{[]string{"--arrivals", ""}, []string{"burst\t", "rate:", "poisson:", "trace:"}, nil},
		{[]string{"--arrivals", "trace:"}, []string{":0\n"}, []string{"burst"}},
		{[]string{"--format", ""}, formats(), nil},
		{[]string{"--jobs", ""}, []string{":4\n"}, nil},
		{[]string{"--out", ""}, []string{":16\n"}, nil},
		{[]string{"report", ""}, []string{":16\n"}, nil},
		{[]string{"report", "--format", ""}, reportFormats(), nil},
		{[]string{""}, []string{"report", "plot", "workloads", "doctor", "completion", "version"}, nil},
	} {
		r := b.run(append([]string{cobra.ShellCompRequestCmd}, c.args...)...)
		r.want(t, exitDone)
		for _, want := range c.want {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%q: %q is not among\n%s", c.args, want, r.stdout)
			}
		}
		for _, not := range c.not {
			if strings.Contains(r.stdout, not) {
				t.Errorf("%q: %q is among\n%s", c.args, not, r.stdout)
			}
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := b.run("completion", shell); r.code != exitDone || !strings.Contains(r.stdout, "compare") {
			t.Errorf("completion %s: exit code %d, %q", shell, r.code, firstLine(r.stdout))
		}
	}
}

// After the flags that there are not have been taken out, pflag must find none:
// else it would report that one only.
func FuzzUnknownFlags(f *testing.F) {
	for _, line := range []string{
		"--jobs 5 report", "--jbos 5 x", "-x", "-jobs=5", "-hx", "--", "-- --x", "--model --x", "-", "--=x", "---jobs=5", "--no-jobs", "-v=3", "--quiet x",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		cmd := (&program{}).rootCommand()
		cmd.InitDefaultHelpFlag()
		cmd.InitDefaultVersionFlag()
		rest, problems := without(cmd, strings.Split(line, " "))
		for _, p := range problems {
			if controlCodes.MatchString(p) {
				t.Errorf("control codes in %q", p)
			}
		}
		switch err := cmd.ParseFlags(rest); err.(type) {
		case nil, *pflag.ValueRequiredError, *pflag.InvalidSyntaxError, *pflag.InvalidValueError:
		default:
			if err != pflag.ErrHelp {
				t.Errorf("%q became %q: %v", line, rest, err)
			}
		}
	})
}
