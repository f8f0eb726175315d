package runner

import (
	"math"
	"math/bits"
	"slices"

	"github.com/aclements/go-moremath/stats"

	"forkbench/record"
)

// A ShareTest says whether two models did the same share of their jobs, but for
// chance. Where they did not, there is no ratio between them: what is fast at
// failing is not fast.
//
// The jobs are the same in both, so the test is a paired one, McNemar's (1947,
// "Note on the sampling error of the difference between correlated
// proportions"): of the jobs that one model did and the other did not, each is as
// good as the other at getting half. A job that fails wherever it runs says
// nothing. P is the two-sided exact p-value in its mid-p form (Fagerland, Lydersen
// and Laake 2013, "The McNemar test for binary matched-pairs data"), which does
// not keep small differences from being found as the exact one itself does.
type ShareTest struct {
	A string `json:"a"`
	B string `json:"b"`

	Jobs  int     `json:"jobs"`   // settled by both, all rounds that count for both together
	OnlyA int     `json:"only_a"` // done by A only
	OnlyB int     `json:"only_b"` // done by B only
	P     float64 `json:"p"`      // of "both do the same share"

	// Differ says that the difference is more than chance makes: p < 0.05, corrected
	// over all pairs of models.
	Differ bool `json:"differ"`
}

// shareTests compares each model with each one after it.
func shareTests(ms []*modelState) []ShareTest {
	tests := []ShareTest{}
	for i, a := range ms {
		for _, b := range ms[i+1:] {
			if t := shareTest(a, b); t.Jobs > 0 {
				tests = append(tests, t)
			}
		}
	}
	ps := make([]float64, len(tests))
	for i, t := range tests {
		ps[i] = t.P
	}
	for i, p := range holm(ps) {
		tests[i].Differ = p < alpha
	}
	return tests
}

func shareTest(a, b *modelState) ShareTest {
	t := ShareTest{A: a.spec.Name, B: b.spec.Name}
	for ra, rb := range commonRounds(a, b) {
		jobs, onlyA, onlyB := discordant(&ra.fates, &rb.fates)
		t.Jobs += jobs
		t.OnlyA += onlyA
		t.OnlyB += onlyB
	}
	t.P = midP(t.OnlyA, t.OnlyB)
	return t
}

// normal is from how many jobs on the binomial distribution is as good as normal.
const normal = 10_000

// midP is the two-sided mid-p-value of McNemar's exact test: of so many jobs that
// one model only has done, how many are one's.
func midP(b, c int) float64 {
	n, k := b+c, float64(min(b, c))
	switch {
	case b == c:
		return 1
	case n > normal:
		return math.Erfc((float64(n)/2 - k) / math.Sqrt(float64(n)/2))
	}
	// 2 P(X ≤ k), less P(X = k).
	x := stats.BinomialDist{N: n, P: 0.5}
	return min(1, x.CDF(k)+x.CDF(k-1))
}

// share is the share of its jobs that a model did; jobs that an interruption left
// are not its own.
func (j *Jobs) share() float64 { return float64(j.Done) / float64(max(j.asked(), 1)) }

// asked is how many jobs the model had its turn at.
func (j *Jobs) asked() int { return j.Done + j.Undone }

// differ reports whether the models' shares of jobs done differ by more than
// chance.
func (s *Summary) differ(a, b string) bool {
	return slices.ContainsFunc(s.Shares, func(t ShareTest) bool {
		return t.Differ && (t.A == a && t.B == b || t.A == b && t.B == a)
	})
}

// unequal reports whether there is no ratio between two models for what they got
// done: the shares differ, one could not go on, or one did nothing.
func (s *Summary) unequal(a, b string) bool {
	return s.differ(a, b) || slices.ContainsFunc(s.Models, func(m ModelSummary) bool {
		return (m.Model == a || m.Model == b) && (m.Stopped != "" || m.Jobs.Done == 0)
	})
}

// A set is a set of job IDs, a bit for each up to the largest.
type set []uint64

func (s *set) add(id uint64) {
	word := int(id / 64)
	if word >= len(*s) {
		*s = append(*s, make(set, word+1-len(*s))...)
	}
	(*s)[word] |= 1 << (id % 64)
}

func (s set) word(i int) uint64 {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// fates is which jobs of a round were settled, and which of these were not done.
type fates struct {
	limit   uint64 // IDs are below it
	all     bool   // every job was settled: the set is not kept
	jobs    int    // in settled
	settled set
	undone  set
}

// mostJobs bounds a round's jobs whose fates are kept, whatever a file says.
const mostJobs = 1 << 27

func newFates(spec *record.Spec) fates { return fates{limit: uint64(min(max(spec.Jobs, 0), mostJobs))} }

func (f *fates) add(id uint64, done bool) {
	if id >= f.limit {
		return
	}
	f.settled.add(id)
	f.jobs++
	if !done {
		f.undone.add(id)
	}
}

// close keeps what there is to tell once no job comes any more.
func (f *fates) close(everyJob bool) {
	if everyJob {
		f.all, f.settled = true, nil
	}
}

// discordant counts the jobs that both rounds settled, and of these the ones that
// only one has done.
func discordant(a, b *fates) (jobs, onlyA, onlyB int) {
	words := max(len(a.undone), len(b.undone))
	switch {
	case a.all && b.all:
		jobs = min(a.jobs, b.jobs)
	case a.all:
		jobs, words = b.jobs, max(words, len(b.settled))
	case b.all:
		jobs, words = a.jobs, max(words, len(a.settled))
	default:
		words = max(len(a.settled), len(b.settled))
	}
	both := !a.all && !b.all
	for i := range words {
		settled := ^uint64(0)
		if !a.all {
			settled &= a.settled.word(i)
		}
		if !b.all {
			settled &= b.settled.word(i)
		}
		if both {
			jobs += bits.OnesCount64(settled)
		}
		ua, ub := a.undone.word(i), b.undone.word(i)
		onlyA += bits.OnesCount64(settled & ub &^ ua)
		onlyB += bits.OnesCount64(settled & ua &^ ub)
	}
	return jobs, onlyA, onlyB
}
