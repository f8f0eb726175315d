package runner

import (
	"cmp"
	"slices"
	"time"

	"forkbench/record"
)

// What a Series keeps at most of a round, however long it was.
const (
	maxBuckets = 256
	maxSamples = 512
	maxFirsts  = 256
	maxDetail  = 1 << 10 // bytes of a kept job's Detail
)

// A counter counts jobs over time, in at most maxBuckets buckets, whose width
// doubles whenever time runs past the last one. The zero value is ready to use.
type counter struct {
	width  time.Duration
	counts []int // of all
	done   []int // of those done
}

func (c *counter) add(at time.Duration, done bool) {
	if c.width == 0 {
		c.width = time.Millisecond
	}
	at = max(at, 0)
	for at/c.width >= maxBuckets {
		c.widen()
	}
	i := int(at / c.width)
	for len(c.counts) <= i {
		c.counts, c.done = append(c.counts, 0), append(c.done, 0)
	}
	c.counts[i]++
	if done {
		c.done[i]++
	}
}

func (c *counter) widen() {
	c.width *= 2
	c.counts, c.done = halved(c.counts), halved(c.done)
}

// halved is counts with each two put together, in place.
func halved(counts []int) []int {
	half := (len(counts) + 1) / 2
	for i := range half {
		sum := counts[2*i]
		if 2*i+1 < len(counts) {
			sum += counts[2*i+1]
		}
		counts[i] = sum
	}
	return counts[:half]
}

// samples keeps at most maxSamples samples of a round, evenly thinned out: of
// neighbours, the one with the larger PSS stays, so that no peak is lost.
type samples struct {
	kept   []record.Sample
	stride int // lines that each kept sample stands for
	group  int // lines that the last kept sample stands for so far
	peak   int64
}

func (s *samples) add(l record.Sample) {
	s.peak = max(s.peak, l.PSS)
	if s.stride == 0 {
		s.stride = 1
	}
	if s.group > 0 && s.group < s.stride {
		last := &s.kept[len(s.kept)-1]
		*last = larger(*last, l)
		s.group++
		return
	}
	if len(s.kept) == maxSamples {
		for i := range maxSamples / 2 {
			s.kept[i] = larger(s.kept[2*i], s.kept[2*i+1])
		}
		s.kept = s.kept[:maxSamples/2]
		s.stride *= 2
	}
	s.kept = append(s.kept, l)
	s.group = 1
}

func larger(a, b record.Sample) record.Sample {
	if b.PSS > a.PSS {
		return b
	}
	return a
}

// firsts keeps the maxFirsts least lines it was given, in order, so that the
// order in which concurrent slots wrote them does not matter.
type firsts[T any] struct {
	kept    []T
	compare func(a, b *T) int
}

func (f *firsts[T]) add(l *T) {
	full := len(f.kept) == maxFirsts
	if full && f.compare(l, &f.kept[maxFirsts-1]) >= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(f.kept, l, func(kept T, l *T) int { return f.compare(&kept, l) })
	if full {
		f.kept = f.kept[:maxFirsts-1]
	}
	f.kept = slices.Insert(f.kept, i, *l)
}

func bySettled(a, b *record.Job) int {
	return cmp.Or(cmp.Compare(a.SettledNS, b.SettledNS), cmp.Compare(a.ID, b.ID))
}

func byFork(a, b *record.Process) int {
	return cmp.Or(cmp.Compare(a.ForkNS, b.ForkNS), cmp.Compare(a.ID, b.ID))
}
