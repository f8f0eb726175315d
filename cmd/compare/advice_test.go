package main

import (
	"regexp"
	"slices"
	"testing"

	"forkbench/record"
	"forkbench/runner"
)

// What is advised are flags that there are, and the whole sentence reads on from what
// the library says.
func TestAdvice(t *testing.T) {
	known := flagsOf(new(options))
	named := regexp.MustCompile(`--([a-z-]+)`)
	for _, c := range []struct {
		remark record.Remark
		want   string
	}{
		{record.Remark{Code: runner.WarnFewJobs}, "; try --jobs=1000"},
		{record.Remark{Code: runner.WarnFewRounds, Args: map[string]any{"enough": 3}}, "; try --rounds=3"},
		{record.Remark{Code: runner.WarnWide, Args: map[string]any{"most": "1m0s"}}, ": --max-time=1m0s was not enough on this machine as it was"},
		{record.Remark{Code: runner.WarnStandIn}, ": install redis-server or valkey-server, or give --redis=URL"},
		{record.Remark{Code: runner.WarnUnreached}, "; give more --jobs, or fewer --workers"},
		{record.Remark{Code: runner.WarnColdParent}, ": name the one-time work with --warm=MODULE:FUNCTION, or let hybrid's --refork find it"},
		{record.Remark{Code: runner.WarnGivenUp}, " (--warm=job or undo:…)"},
		{record.Remark{Code: runner.WarnNotSetUp, Args: map[string]any{"lacks": runner.LacksContext}},
			": --setup=MODULE:FUNCTION, where the function returns create_app().app_context(), enters one before the jobs"},
		{record.Remark{Code: runner.WarnNotSetUp, Args: map[string]any{"lacks": runner.LacksRequest}}, ": --setup=MODULE:FUNCTION can enter one before the jobs"},
		{record.Remark{Code: runner.WarnNotSetUp, Args: map[string]any{"lacks": runner.LacksApps}}, ": --setup=django:setup loads the applications before the jobs"},
		{record.Remark{Code: runner.WarnNotSetUp, Args: map[string]any{"lacks": runner.LacksSettings}},
			": set DJANGO_SETTINGS_MODULE, and load the applications with --setup=django:setup"},
		{record.Remark{Code: runner.NoteListRepeated, Args: map[string]any{"listed": 30, "what": "payloads"}}, "; --jobs=30 runs each of them once"},
		{record.Remark{Code: runner.NoteListCut, Args: map[string]any{"listed": 30, "what": "recorded jobs"}},
			"; without --jobs, or with --jobs=30, each of them is run once"},
		{record.Remark{Code: runner.WarnStrays}, ""},
	} {
		got := advice(&c.remark)
		if got != c.want {
			t.Errorf("%s: %q; want %q", c.remark.Code, got, c.want)
		}
		for _, m := range named.FindAllStringSubmatch(got, -1) {
			if !slices.ContainsFunc(known, func(f flag) bool { return f.name == m[1] }) {
				t.Errorf("%s: there is no flag --%s", c.remark.Code, m[1])
			}
		}
	}
}
