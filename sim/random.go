package sim

import "math/rand/v2"

// A purpose is what random numbers are drawn for. Each draw is a function of
// the seed, the purpose and an id, not of what was drawn before: job k asks the
// same of every model (common random numbers), and one more fork does not shift
// the jobs after it.
type purpose uint64

const (
	forJob      purpose = iota + 1 // by job
	forBoot                        // by process, and so on
	forFork                        // fork and start of the child
	forOneTime                     // the one-time work, and the first job's penalty
	forExit                        // exit and reap
	forProtocol                    // by job: reading it and writing the answer
	forYoung                       // by job
	forWake                        // the supervisor's, by number
	forReap                        // by process: the hand-overs that reaping takes
	forSocket                      // by process: what it takes more because it has one
	forCold                        // by event: what a process's CPU is more after others
	forService                     // by job: what services do for it

	purposes // one more than there are
)

// A source draws numbers. It allocates nothing.
type source struct {
	high [purposes]uint64 // the upper half of PCG's state at the beginning
	pcg  rand.PCG
}

func newSource(seed uint64) source {
	var s source
	for p := range s.high {
		// Neighbouring seeds are far apart after mixing.
		s.high[p] = mix(seed + uint64(p)*0x9e3779b97f4a7c15)
	}
	return s
}

// begin starts the numbers for one thing that needs some.
func (s *source) begin(p purpose, id uint64) {
	high := s.high[p]
	s.pcg.Seed(high, mix(high^id)) // the two halves do not move together
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is uniform in [0, 1).
func (s *source) unit() float64 { return float64(s.pcg.Uint64()>>11) * 0x1p-53 }
