package runner

import (
	"fmt"
	"slices"

	"forkbench/record"
)

// The codes of a summary's warnings: why a number should not be trusted. docs/record.md
// has their arguments.
const (
	WarnRace         = "race_build"            // built with the race detector
	WarnCut          = "records_cut"           // the records end early
	WarnFewJobs      = "few_jobs"              // in a round
	WarnFewRounds    = "few_rounds"            // for an interval of use
	WarnProfile      = "profile"               // what the simulator's profile says of itself
	WarnWide         = "wide_interval"         // wider than it was to be, after the longest time
	WarnStandIn      = "redis_stand_in"        // jobs went through miniredis
	WarnMissing      = "rounds_missing"        // fewer than asked for
	WarnNoWholeRound = "no_whole_round"        // every round was cut short
	WarnInterrupted  = "rounds_interrupted"    // some were, and do not count
	WarnContaminated = "rounds_contaminated"   // by other work on the machine
	WarnStrays       = "processes_left_behind" // by jobs
	WarnDeadLetters  = "dead_letters"          // jobs that were given up
	WarnMachine      = "machine"               // what the machine noticed
	WarnUnfinished   = "simulation_unfinished"
	WarnNotConverged = "not_converged" // the simulation's figures cannot be stood up for
	WarnFailed       = "jobs_failed"
	WarnCrashed      = "jobs_crashed"
	WarnTimedOut     = "jobs_timed_out"
	WarnHazard       = "hazard"       // what forks share and must not
	WarnGivenUp      = "given_up"     // what a warm-up opened and gave up again
	WarnHarmless     = "mostly_fine"  // hazards that are mostly harmless
	WarnNotSetUp     = "not_set_up"   // the application, by a sign in what jobs say
	WarnUnreached    = "limit_unused" // a limit on a child's life that none came to
	WarnSupervisor   = "supervisor_cpu"
	WarnUnbooked     = "cpu_unbooked"      // of the control group's, in none of the figures
	WarnOverbooked   = "cpu_overbooked"    // more than the control group used
	WarnColdParent   = "cold_parent"       // nothing was named for a parent to do
	WarnOldSummary   = "older_version"     // what is per job done is estimated
	WarnMore         = "more"              // there are more than are listed
	NoteListRepeated = "list_gone_through" // payloads or recorded jobs, several times
	NoteListCut      = "list_cut"          // the first of them only
	NoteDropped      = "results_dropped"   // what jobs returned was not kept
)

// Advise adds to the summary's warnings and notes what can be done about each, in the
// words of the program that shows them: a text that ends the remark, with what sets it
// off ("; try --rounds=3"), or nothing.
func (s *Summary) Advise(advice func(*record.Remark) string) {
	for _, list := range []struct {
		remarks []record.Remark
		texts   []string
	}{{s.WarningDetails, s.Warnings}, {s.NoteDetails, s.Notes}} {
		for i := range list.remarks {
			r := &list.remarks[i]
			at := slices.Index(list.texts, r.String())
			if r.Advice = advice(r); at >= 0 {
				list.texts[at] = r.String()
			}
		}
	}
}

// warn adds warnings.
func (s *Summary) warn(more ...record.Remark) {
	s.WarningDetails = atMost(append(s.WarningDetails, more...), maxNotes)
	s.Warnings = textsOf(s.WarningDetails)
}

// textsOf is what people read.
func textsOf(remarks []record.Remark) []string {
	texts := make([]string, len(remarks))
	for i := range remarks {
		texts[i] = remarks[i].String()
	}
	return texts
}

// atMost is the first n of them, and how many there are besides.
func atMost(remarks []record.Remark, n int) []record.Remark {
	if len(remarks) <= n {
		return remarks
	}
	more := len(remarks) - n
	return append(slices.Clone(remarks[:n]), record.Remark{
		Code: WarnMore, Args: map[string]any{"remarks": more}, Text: fmt.Sprintf("and %d more", more),
	})
}

// notes collects remarks about models. What holds for several is said once.
type notes struct {
	all []record.Remark
}

// args are those of a remark.
type args = map[string]any

// add remarks something about a model, or about the whole run.
func (n *notes) add(m *modelState, code string, args args, format string, values ...any) {
	r := record.Remark{Code: code, Args: args, Text: fmt.Sprintf(format, values...)}
	if m != nil {
		for i := range n.all {
			if known := &n.all[i]; known.Code == code && known.Text == r.Text && known.Models != nil {
				if !slices.Contains(known.Models, m.spec.Name) {
					known.Models = append(known.Models, m.spec.Name)
				}
				return
			}
		}
		r.Models = []string{m.spec.Name}
	}
	n.all = append(n.all, r)
}
