package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	b := newBench(t)
	r := b.run("doctor")
	r.want(t, exitDone)
	for _, about := range []string{"build", "cores", "quiet", "frequency", "memory", "pressure", "placing", "pidfd", "orphans", "huge pages", "cgroup", "python", "redis", "forks"} {
		if !strings.Contains(r.stdout, about) {
			t.Errorf("nothing about %s:\n%s", about, r.stdout)
		}
	}
	if line := lineAbout(r.stdout, "forks"); !strings.HasPrefix(line, "ok ") || !strings.Contains(line, "8 jobs") {
		t.Errorf("forks: %q", line)
	}
}

// lineAbout is the first line about something, with what is wrapped below it.
func lineAbout(text, about string) string {
	found := ""
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[1] == about:
			found = strings.TrimSpace(line)
		case found != "" && strings.HasPrefix(line, " ") && fields[0] != "so:":
			found += " " + strings.TrimSpace(line)
		case found != "":
			return found
		}
	}
	return found
}

// What is missing is said, with what follows and what to do; the exit code is 3
// only where nothing can be measured.
func TestDoctorOnPoorMachines(t *testing.T) {
	for _, c := range []struct {
		name    string
		scripts map[string]string
		args    []string
		code    exitCode
		want    map[string]string // what is said about what
	}{
		{"nothing installed", nil, nil, exitDone, map[string]string{
			"python": "missing   python       python3 not found on PATH", "redis": "degraded  redis        miniredis", "forks": "ok ",
		}},
		{"an old Python", map[string]string{"python3": "echo 3.6.9; echo /usr/bin/python3"}, nil, exitDone, map[string]string{
			"python": "is Python 3.6.9, which is too old", "forks": "ok ",
		}},
		{"no such Python", nil, []string{"--python=./python"}, exitLacking, map[string]string{
			"python": "missing ", "forks": "missing ",
		}},
		{"no such Redis", nil, []string{"--redis=unix:///nowhere.sock"}, exitLacking, map[string]string{
			"redis": "missing   redis        --redis: ", "forks": "missing ",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			withPrograms(t, c.scripts)
			r := b.run(append([]string{"doctor"}, c.args...)...)
			r.want(t, c.code)
			for about, want := range c.want {
				if line := lineAbout(r.stdout, about); !strings.Contains(line, want) {
					t.Errorf("about %s: %q, want %q", about, line, want)
				}
			}
			// Whatever is not as it should be has a consequence and a way out.
			for line := range strings.Lines(r.stdout) {
				f := strings.Fields(line)
				if (f[0] == "missing" || f[0] == "degraded") && f[1] != "forks" {
					_, rest, _ := strings.Cut(r.stdout, line)
					if !strings.Contains(rest, "so: ") || !strings.Contains(rest, "do: ") {
						t.Errorf("%q: no consequence, or no way out", line)
					}
				}
			}
		})
	}
}

func TestDoctorReadsTheKernel(t *testing.T) {
	empty := t.TempDir()
	for _, f := range examineKernel(empty, empty) {
		switch f.about {
		case "memory", "pressure":
			if f.condition != degraded || f.found != "not there" || f.means == "" || f.way == "" {
				t.Errorf("%+v", f)
			}
		case "huge pages":
			if f.condition != fine || f.found != "none" {
				t.Errorf("%+v", f)
			}
		case "placing":
			if f.condition != fine || f.way != "" {
				t.Errorf("%+v", f)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(empty, "cmdline"), []byte("quiet sched_vcpu_pack=15\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	packs := slices.IndexFunc(examineKernel(empty, empty), func(f finding) bool {
		return f.about == "placing" && f.condition == degraded && f.means != "" && f.way != ""
	})
	if packs < 0 {
		t.Error("doctor does not say that the kernel packs what runs on few cores")
	}
	dir := filepath.Join(empty, "kernel/mm/transparent_hugepage")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "enabled"), []byte("[always] madvise never\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list := examineKernel(empty, empty)
	if f := list[len(list)-1]; f.condition != degraded || f.means == "" || f.way == "" {
		t.Errorf("%+v", f)
	}
	if f := examineFrequency(empty); f.condition != fine {
		t.Errorf("%+v", f)
	}
	for governor, want := range map[string]condition{"performance\n": fine, "powersave\n": degraded} {
		dir := filepath.Join(empty, "devices/system/cpu/cpu0/cpufreq")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "scaling_governor"), []byte(governor), 0o644); err != nil {
			t.Fatal(err)
		}
		if f := examineFrequency(empty); f.condition != want || (f.way == "") != (want == fine) {
			t.Errorf("%+v, want %v", f, want)
		}
	}
	for n, want := range map[int]condition{1: degraded, 2: fine} {
		if f := examineCores(n); f.condition != want || (f.way == "") != (want == fine) {
			t.Errorf("%+v, want %v", f, want)
		}
	}
	if f := examineCgroup("none: permission denied"); f.condition != degraded || f.found != "permission denied" || f.way == "" {
		t.Errorf("%+v", f)
	}
	if f := examineCgroup("version 2"); f.condition != fine {
		t.Errorf("%+v", f)
	}
}

func TestConditionsHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for c := fine; c <= missing; c++ {
		if seen[c.String()] || strings.HasPrefix(c.String(), "condition") {
			t.Errorf("condition %d is called %s", c, c)
		}
		seen[c.String()] = true
	}
	if got := condition(9).String(); got != "condition(9)" {
		t.Errorf("an unknown condition is called %s", got)
	}
}
