package main

import (
	"fmt"

	"forkbench/record"
	"forkbench/runner"
)

// advised adds to an analysis what this command's flags can do about its remarks: the
// library that makes them knows of no flag.
func advised(a *runner.Analysis) *runner.Analysis {
	a.Summary.Advise(advice)
	return a
}

// advice is what can be done about a remark, as the end of its sentence.
func advice(r *record.Remark) string {
	switch r.Code {
	case runner.WarnFewJobs:
		return "; try --jobs=1000"
	case runner.WarnFewRounds:
		return fmt.Sprintf("; try --rounds=%v", r.Args["enough"])
	case runner.WarnWide:
		return fmt.Sprintf(": --max-time=%v was not enough on this machine as it was", r.Args["most"])
	case runner.WarnStandIn:
		return ": install redis-server or valkey-server, or give --redis=URL"
	case runner.WarnUnreached:
		return "; give more --jobs, or fewer --workers"
	case runner.WarnColdParent:
		return ": name the one-time work with --warm=MODULE:FUNCTION, or let hybrid's --refork find it"
	case runner.WarnGivenUp:
		return " (--warm=job or undo:…)"
	case runner.WarnNotSetUp:
		if lacks, ok := r.Args["lacks"].(string); ok {
			return ": " + setupAdvice(lacks)
		}
	case runner.NoteListRepeated, runner.NoteListCut:
		if r.Args["what"] == "payloads" {
			return fmt.Sprintf("; --jobs=%v runs each of them once", r.Args["listed"])
		}
		return fmt.Sprintf("; without --jobs, or with --jobs=%v, each of them is run once", r.Args["listed"])
	}
	return ""
}

// setupAdvice is how an application gets what it lacked; "" if it lacked nothing.
func setupAdvice(lacks string) string {
	switch lacks {
	case runner.LacksContext:
		return "--setup=MODULE:FUNCTION, where the function returns create_app().app_context(), enters one before the jobs"
	case runner.LacksRequest:
		return "--setup=MODULE:FUNCTION can enter one before the jobs"
	case runner.LacksApps:
		return "--setup=django:setup loads the applications before the jobs"
	case runner.LacksSettings:
		return "set DJANGO_SETTINGS_MODULE, and load the applications with --setup=django:setup"
	}
	return ""
}
