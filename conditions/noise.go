package conditions

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"forkbench/internal/format"
	"forkbench/record"
)

// A measurement is contaminated when somebody else took more than this share of
// the CPU time that the cores could give.
const (
	foreignLimit = 0.05
	stealLimit   = 0.05
)

// resolution is the least CPU time that counts as contamination: the system's
// accounts are kept in ticks of 10 ms, partly by sampling, and a short round
// would be condemned for a rounding error.
const resolution = 50 * time.Millisecond

// A NoiseMeter measures what else the machine does between Start and End. It
// looks at the cores that this program may run on. The zero value is ready to
// use, and can be used again. It is not safe for concurrent use.
type NoiseMeter struct {
	proc       string // where proc is mounted; empty for the usual place
	begin, end reading
	ended      bool
	err        error
}

// Start begins a measurement.
func (m *NoiseMeter) Start() {
	m.begin, m.err = read(m.proc)
	m.ended = false
}

// End marks the end of the measurement that Start began.
func (m *NoiseMeter) End() {
	end, err := read(m.proc)
	m.end, m.ended = end, true
	if m.err == nil {
		m.err = err
	}
}

// Stop says what was measured until End, or until now if End was not called. The
// CPU time that the measured processes used meanwhile is own, which may be known
// only later; what the cores did besides is foreign.
//
// Where the system does not tell enough to judge, the measurement counts as
// contaminated, and Noise.Contaminated says so.
func (m *NoiseMeter) Stop(own time.Duration) record.Noise {
	if !m.ended {
		m.End()
	}
	if m.err != nil {
		return record.Noise{StallNS: -1, Contaminated: fmt.Sprintf("foreign load is unknown: %v", m.err)}
	}
	return judge(m.begin, m.end, own)
}

// A reading is the system's accounts at one moment, since its boot.
type reading struct {
	busy  time.Duration // user and system time of all processes
	steal time.Duration
	total time.Duration // everything, idle included: what the cores could give
	stall time.Duration // -1 if the kernel does not tell
	load1 float64
}

// read takes /proc/stat (see proc_stat(5)), /proc/pressure/cpu and /proc/loadavg.
// Time in interrupts is nobody's: it counts as neither busy nor foreign.
func read(proc string) (reading, error) {
	if proc == "" {
		proc = procfs.DefaultMountPoint
	}
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return reading{}, err
	}
	stat, err := fs.Stat()
	if err != nil {
		return reading{}, err
	}
	r := reading{stall: -1}
	usable := usableCores()
	for core, c := range stat.CPU {
		if usable != nil && !usable.IsSet(int(core)) {
			continue
		}
		r.busy += seconds(c.User + c.Nice + c.System)
		r.steal += seconds(c.Steal)
		r.total += seconds(c.User + c.Nice + c.System + c.Idle + c.Iowait + c.IRQ + c.SoftIRQ + c.Steal)
	}
	if r.total == 0 {
		return reading{}, fmt.Errorf("%s/stat has no account of the cores in use", proc)
	}
	// Both may be absent: PSI is a kernel option, and neither decides anything.
	if psi, err := fs.PSIStatsForResource("cpu"); err == nil && psi.Some != nil {
		r.stall = time.Duration(psi.Some.Total) * time.Microsecond
	}
	if load, err := fs.LoadAvg(); err == nil {
		r.load1 = load.Load1
	}
	return r, nil
}

// usableCores is this program's affinity mask, or nil for all cores.
func usableCores() *unix.CPUSet {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil // a machine with more cores than a CPUSet holds
	}
	return &set
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// judge says what happened between two readings besides own.
func judge(begin, end reading, own time.Duration) record.Noise {
	n := record.Noise{
		ForeignNS: max(0, end.busy-begin.busy-own),
		StealNS:   max(0, end.steal-begin.steal),
		StallNS:   -1,
		Load1:     begin.load1,
	}
	if begin.stall >= 0 && end.stall >= 0 {
		n.StallNS = end.stall - begin.stall
	}
	capacity := end.total - begin.total
	share := func(used time.Duration) float64 { return min(1, float64(used)/float64(max(capacity, 1))) }
	var reasons []string
	exceeds := func(used time.Duration, limit float64) bool {
		return used > resolution && float64(used) > limit*float64(capacity)
	}
	if exceeds(n.ForeignNS, foreignLimit) {
		reasons = append(reasons, fmt.Sprintf("other processes used %s of the CPU", format.Percent(share(n.ForeignNS), 0)))
	}
	if exceeds(n.StealNS, stealLimit) {
		reasons = append(reasons, fmt.Sprintf("the hypervisor took %s of the CPU", format.Percent(share(n.StealNS), 0)))
	}
	n.Contaminated = strings.Join(reasons, " and ")
	return n
}
