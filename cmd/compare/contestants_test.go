package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// optionsOf parses a command line as compare does.
func optionsOf(t *testing.T, args ...string) (*options, []string) {
	t.Helper()
	cmd := &cobra.Command{Use: "compare"}
	bind(cmd, flagsOf(new(options)))
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return readOptions(cmd)
}

func TestContestants(t *testing.T) {
	o, problems := optionsOf(t, "--workload=py:app:f", "--warm=app:up", "--jobs-per-child=5",
		"--model=all, hybrid( refork=20,jobs-per-child=2 ),hybrid(warm=),forkperjob(warm),prefork(warm=a:b,warm=c:d)")
	if problems != nil {
		t.Fatal(problems)
	}
	want := []string{"prefork", "forkperjob", "hybrid", "hybrid(refork=20,jobs-per-child=2)", "hybrid(warm=)",
		"forkperjob(warm)", "prefork(warm=a:b,warm=c:d)"}
	if got := contestantNames(o.contestants); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if got, want := kinds(o.contestants), []string{"prefork", "forkperjob", "hybrid"}; !slices.Equal(got, want) {
		t.Errorf("kinds %q, want %q", got, want)
	}
	for _, c := range []struct {
		at      int
		perLife int
		refork  int
		warms   bool
		warm    string
		knob    string // the warm knob in the record; "none" for absent
	}{
		{0, 5, 0, false, "app:up", "none"},
		{1, 5, 0, false, "app:up", "none"},
		{2, 5, 0, true, "app:up", "own:up,app:up"},
		{3, 2, 20, true, "app:up", "own:up,app:up"},
		{4, 5, 0, true, "", "own:up"},
		{5, 5, 0, true, "app:up", "own:up,app:up"},
		{6, 5, 0, true, "a:b,c:d", "own:up,a:b,c:d"},
	} {
		e := &o.contestants[c.at]
		knob, ok := e.knobs([]string{"own:up"})[warmKnob]
		if !ok {
			knob = "none"
		}
		if e.options.jobsPerChild != c.perLife || e.options.refork != c.refork || e.options.warms != c.warms ||
			strings.Join(e.options.warm, ",") != c.warm || knob != c.knob {
			t.Errorf("%s: jobs per child %d, refork %d, warms %t with %q, recorded %q; want %+v", e.name,
				e.options.jobsPerChild, e.options.refork, e.options.warms, e.options.warm, knob, c)
		}
	}
}

func TestContestantProblems(t *testing.T) {
	for args, want := range map[string]string{
		"--model=hybrid(refork=x)":                    "--model=hybrid(refork=x): refork=x: not a whole number",
		"--model=hybrid(refork=20":                    "a closing parenthesis is missing",
		"--model=hybrid()":                            "a setting is missing",
		"--model=hybrid(jobs-per-chidl=2)":            "jobs-per-chidl is no knob of hybrid: not known; did you mean jobs-per-child?",
		"--model=prefork(refork=2)":                   "refork is no knob of prefork",
		"--model=hybrid(refork)":                      "refork needs a value",
		"--model=hybrid(refork=1,refork=2)":           "refork is set twice",
		"--model=hybrid,hybrid":                       "hybrid is named twice",
		"--model=all,prefork":                         "prefork is named twice",
		"--model=all(warm)":                           "all takes no settings",
		"--model=prefork,,hybrid":                     "a name is missing",
		"--model=hybrid(refork=2)x":                   "a closing parenthesis is missing",
		"--model=rq(class=Fast)":                      "class=Fast: not known: one of Worker, SimpleWorker, SpawnWorker",
		"--model=rq(rq-class=Worker,class=Worker)":    "rq-class is set twice",
		"--model=all --rq-import=job":                 "--rq-import=job: is for rq, which is not run",
		"--workload=go:noop --model=all,celery":       "--model=celery: runs Python jobs, and go:noop is none",
		"--workload=go:noop --model=hybrid(warm=a:b)": "warm=a:b: is for Python, and go:noop does not run in it",
	} {
		_, problems := optionsOf(t, strings.Fields(args)...)
		if len(problems) != 1 || !strings.Contains(problems[0], want) {
			t.Errorf("%s: %q; want %q", args, problems, want)
		}
	}
	for model, cold := range map[string]string{
		"forkperjob(warm)": "", "all": "", "hybrid": "",
		"forkperjob": "the parents of forkperjob are cold; name forkperjob(warm)", "prefork,rq": "the parents of prefork and rq are cold",
	} {
		o, problems := optionsOf(t, "--model="+model, "--warm=a:b")
		if problems != nil {
			t.Errorf("--warm for %s: %q", model, problems)
		}
		if notice := o.coldNotice(); (notice != "") != (cold != "") || !strings.Contains(notice, cold) {
			t.Errorf("--warm for %s: %q; want %q", model, notice, cold)
		}
	}
}
