package runner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/record"
)

// maxDropped bounds the reasons that are told apart in one round.
const maxDropped = 32

// otherReasons counts what came after them.
const otherReasons = "for other reasons"

// drop counts a result that was not kept, by its reason.
func (r *roundState) drop(reason string) {
	if r.dropped == nil {
		r.dropped = make(map[string]int)
	}
	if _, known := r.dropped[reason]; !known && len(r.dropped) >= maxDropped {
		reason = otherReasons
	}
	r.dropped[strings.Clone(reason)]++
}

// dropped counts those of all rounds.
func (m *modelState) dropped() map[string]int {
	all := make(map[string]int)
	for _, r := range m.rounds {
		for reason, n := range r.dropped {
			all[reason] += n
		}
	}
	return all
}

// remarks is what a reader may want to know, and takes nothing from the numbers.
func (a *Aggregator) remarks() []record.Remark {
	var n notes
	n.aboutList(&a.header.Spec)
	for _, m := range a.models {
		n.aboutReturned(m)
	}
	return n.all
}

// aboutReturned tells of results that were not kept. Their jobs are done.
func (n *notes) aboutReturned(m *modelState) {
	dropped := m.dropped()
	if len(dropped) == 0 {
		return
	}
	reasons := slices.SortedFunc(maps.Keys(dropped), func(a, b string) int {
		return cmp.Or(cmp.Compare(dropped[b], dropped[a]), cmp.Compare(a, b))
	})
	total, idle := 0, ""
	var parts []string
	for i, reason := range reasons {
		total += dropped[reason]
		if strings.HasSuffix(reason, ": generator") || strings.HasSuffix(reason, ": async_generator") {
			idle = "; of a generator nothing is run until somebody asks it for a value, which neither RQ nor Celery does"
		}
		if i < maxReasons {
			parts = append(parts, fmt.Sprintf("%s %s", format.Count(dropped[reason]), plain(reason)))
		}
	}
	if more := len(reasons) - maxReasons; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more reasons", more))
	}
	if len(reasons) == 1 {
		parts[0] = plain(reasons[0])
	}
	what := "results were"
	if total == 1 {
		what = "result was"
	}
	n.add(m, NoteDropped, args{"results": total}, "%s %s dropped (%s), and the jobs are done%s", format.Count(total), what, strings.Join(parts, "; "), idle)
}

// maxReasons is how many of them are shown.
const maxReasons = 5

// aboutSetup shows the way out where jobs failed because nobody had set their
// application up.
func (n *notes) aboutSetup(m *modelState, spec *record.Spec) {
	if len(spec.Setup) > 0 {
		return // it is said how, and that was not it
	}
	for _, r := range m.rounds {
		if r.lacks != "" {
			n.add(m, WarnNotSetUp, args{"lacks": r.lacks}, "jobs failed because their application is not set up")
			return
		}
	}
}

// What an application that was not set up lacks.
const (
	LacksContext  = "flask_application_context"
	LacksRequest  = "flask_request_context"
	LacksApps     = "django_applications"
	LacksSettings = "django_settings"
)

// Signs, in a job's own words, that its application was not set up.
var unready = []struct{ sign, lacks string }{
	{"Working outside of application context", LacksContext},
	{"Working outside of request context", LacksRequest},
	{"AppRegistryNotReady", LacksApps},
	{"settings are not configured", LacksSettings},
}

// NotSetUp is what an application lacked, where a job's failure, or that of loading
// its code, says that it was not set up; else it is empty.
func NotSetUp(detail string) string {
	for _, u := range unready {
		if strings.Contains(detail, u.sign) {
			return u.lacks
		}
	}
	return ""
}
