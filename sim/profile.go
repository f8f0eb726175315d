package sim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ProfileVersion is the version of the profile format.
const ProfileVersion = 3

// A Profile is what things cost on one machine for one application. Fields named
// _ms are milliseconds, of one core where they are CPU and of wall time where
// they are waiting; _mb are MiB; pages are of PageKB.
//
// CPU is shared with all that runs at the same time; waiting is not, and takes
// none. Where a field comes from is written next to it here, and in Sources for
// the numbers at hand.
type Profile struct {
	Version int    `json:"version"` // ProfileVersion
	Name    string `json:"name"`    // of the application and the machine

	// Runs are those that it was calibrated from: when each began, as its records
	// have it. A profile from elsewhere has none.
	Runs []string `json:"runs"`

	// Pace is how slow the cores were: the CPU that the same piece of work took then
	// (record.Noise.PieceNS); 0 if it is not known. Other tenants
	// of the machine make it so; see Slowed.
	Pace float64 `json:"pace_ms"`

	Boot       Boot       `json:"boot"`
	OneTime    OneTime    `json:"one_time"`
	FirstJob   FirstJob   `json:"first_job"`
	Young      Young      `json:"young"`
	Fork       Fork       `json:"fork"`
	Socket     Socket     `json:"socket"`
	Exit       Exit       `json:"exit"`
	Cores      Cores      `json:"cores"`
	Memory     Memory     `json:"memory"`
	Jobs       []Class    `json:"jobs"` // what jobs do; one class, or a mix
	Supervisor Supervisor `json:"supervisor"`
	Redis      Redis      `json:"redis"`

	// Services are other programs on the machine that do something for jobs.
	Services []Service `json:"services,omitempty"`

	// Warnings are what the records did not tell, or say that they were not good ones:
	// those that calibration gave. Who simulates with the profile repeats them; see
	// Caveats.
	Warnings []string `json:"warnings,omitempty"`

	// Sources says where the numbers come from: the path of a field, or of
	// the part that it is in, to a sentence. ReadProfile wants one for each.
	Sources map[string]string `json:"sources"`
}

// Boot is starting a process and loading the application into it: the parents'
// records, from fork to ready.
type Boot struct {
	CPU    Dist    `json:"cpu_ms"`       // StartupUser + StartupSys of parents that Warm was not called in
	Wait   Dist    `json:"wait_ms"`      // the rest of ready - fork
	System float64 `json:"system_share"` // of the CPU, 0 to 1
}

// OneTime is work that the first job in a process does lazily, and Warm ahead
// of time: Redash's configure_mappers. Forked children inherit it done.
type OneTime struct {
	CPU      Dist    `json:"cpu_ms"`        // a first job's CPU less a later one's, in a child of a cold parent
	Wait     Dist    `json:"wait_ms"`       // the same of its wall time, less the CPU
	Warmable float64 `json:"warmable"`      // the share that Warm does, 0 to 1; 0 where the workload names no warm-up
	MemoryMB float64 `json:"memory_mb"`     // what it leaves allocated
	Pages    int     `json:"touched_pages"` // inherited pages that it writes to: copied, or faulted
}

// FirstJob is what the first job costs more in every process, however warm its
// parent: connections that cannot be inherited, cold caches. See Class.Spared.
type FirstJob struct {
	CPU   Dist `json:"cpu_ms"`        // a first job's CPU less a later one's, in a child of a warm parent
	Wait  Dist `json:"wait_ms"`       // the same of its wall time, less the CPU
	Pages int  `json:"touched_pages"` // minor faults of a child of one job less those of one more job
}

// Young is what the jobs after the first cost more while a process is young: an
// interpreter that specialises its code, pages that every job writes to, cold
// caches.
type Young struct {
	CPU   Dist    `json:"cpu_ms"` // a process's second job's more than a late one's
	Decay float64 `json:"decay"`  // what each further job costs more, as a share of what the one before did, 0 to 1
}

// Fork is making a child. The parent makes one at a time.
type Fork struct {
	Base  Dist    `json:"base_ms"`       // the parent's CPU, whatever its size
	PerMB float64 `json:"per_mb_ms"`     // the parent's CPU for each MiB that it has mapped: page tables
	Start Dist    `json:"start_ms"`      // the child's CPU before it can take a job
	Pages int     `json:"touched_pages"` // inherited pages that the child writes to meanwhile
	Reap  Dist    `json:"reap_ms"`       // the parent's CPU to wait for a child that has ended
}

// Socket is what a child costs more that has a socket of its own. That is each
// child but those that are made for one job with the job in hand, and exit with
// it: these are one exchange between the supervisor and the parent. With a socket
// there are more: the parent's word that the child is there, and the question
// after its end with the answer. See record.Process.Socket.
type Socket struct {
	Parent     Dist `json:"parent_ms"`     // the parent's CPU more, one half at the fork and one at the reaping
	Child      Dist `json:"child_ms"`      // the child's CPU more, before it can take a job
	Supervisor Dist `json:"supervisor_ms"` // the supervisor's CPU more at the fork, and as much again at the reaping
}

// Exit is the end of a process.
type Exit struct {
	Base  Dist    `json:"base_ms"`   // its CPU, whatever its size
	PerMB float64 `json:"per_mb_ms"` // its CPU for each MiB that it has mapped

	PerPage float64 `json:"per_page_ms"` // its CPU for each page of its own, which is given back
}

// Cores is how the scheduler shares them, and what the caches lose by it.
type Cores struct {
	// HotMS is for how long the caches of a core are taken to be warm with what ran
	// there: meanwhile it waits for that core, even if another one becomes idle
	// (sched_migration_cost_ns, 0.5 ms). 0 is for cores that share all there is to
	// run: none is idle while another one has two to run.
	HotMS float64 `json:"hot_ms"`

	// SliceMS is for how long a process runs before the turn of another one that
	// waits (base_slice_ns, and the timer's tick); 0 for no end, without HotMS.
	SliceMS float64 `json:"slice_ms"`

	// Packs is whether an idle core is left alone, though something wakes up or is
	// forked on another one, as long as nobody waits there. So do kernels of virtual
	// machines that are to let their host's cores rest (sched_vcpu_pack); Linux as
	// it is released does not.
	Packs bool `json:"packs"`

	// What a process's CPU is more when it begins on a core whose caches others
	// have filled meanwhile, if all cores are busy. Others are those of another
	// tree: what a parent and its children have in memory is the same for the most
	// part. If so many trees run in turn, a core still has what it had of one of
	// them with a probability of cores/trees, and with no more trees than cores
	// nothing is cold. After an idle time caches are cold as well; that is in the
	// costs themselves, as they were measured.
	ColdParent Dist `json:"cold_parent_ms"` // a booted process
	ColdChild  Dist `json:"cold_child_ms"`  // a forked one
}

// Memory is the application's, and what faults cost.
type Memory struct {
	BootedMB float64 `json:"booted_mb"` // resident memory after boot
	FileMB   float64 `json:"file_mb"`   // of which mapped from files: all processes share it
	PageKB   float64 `json:"page_kb"`   // 4, or what huge pages come to
	Copy     float64 `json:"copy_ms"`   // system CPU of the first write to an inherited page
	Fresh    float64 `json:"fresh_ms"`  // system CPU of the first write to a new page
}

// A Class is one kind of job. Its CPU does not include page faults.
type Class struct {
	Name       string  `json:"name"`          // what the jobs are, as a workload names them; unique within a profile
	Weight     float64 `json:"weight"`        // how often, relative to the other classes
	CPU        Dist    `json:"cpu_ms"`        // Job.CPUNS of jobs that are not their process's first
	Wait       Dist    `json:"wait_ms"`       // finished - started - CPU of the same jobs, on a machine with cores to spare
	System     float64 `json:"system_share"`  // of the CPU, 0 to 1
	Elastic    float64 `json:"elastic"`       // the share of the CPU that is more on slower cores, 0 to 1: 0 for what goes on until a deadline
	MemoryMB   float64 `json:"memory_mb"`     // allocated while it runs
	RetainedMB float64 `json:"retained_mb"`   // of which never given back: a leak
	Pages      int     `json:"touched_pages"` // inherited pages that it writes to, as far as the process still shares them

	// Spared is the share of the one-time work, and of the first job's penalty,
	// that a job of this class can do without, 0 to 1. The first job of a process
	// that needs it does it.
	Spared float64 `json:"spared"`
}

// Supervisor is the program that hands out the jobs.
type Supervisor struct {
	Dispatch Dist    `json:"dispatch_ms"`  // its CPU to give a job to a process
	Collect  Dist    `json:"collect_ms"`   // its CPU to take the outcome
	Fork     Dist    `json:"fork_ms"`      // its CPU to ask for a fork
	Batch    Dist    `json:"batch_ms"`     // its CPU for a round trip to Redis, however large
	Wake     Dist    `json:"wake_ms"`      // its CPU to begin again after it had nothing to do: wake-up, cold caches
	Latency  Dist    `json:"latency_ms"`   // until an idle core begins with what another one hands to it: not CPU
	Protocol Dist    `json:"protocol_ms"`  // the process's CPU to read the job and write the answer
	System   float64 `json:"system_share"` // of its CPU, 0 to 1

	// ThreadsPerCore is how many of its threads work at once, for each core, 0 to 1.
	// One does in any case.
	ThreadsPerCore float64 `json:"threads_per_core"`
}

// Threads is how many of its threads work at once on a machine.
func (s *Supervisor) Threads(cores int) int {
	return max(1, int(s.ThreadsPerCore*float64(cores)))
}

// Redis is the server that holds the stream: one thread. All its times 0 leaves
// it out.
type Redis struct {
	Command   Dist    `json:"command_ms"`    // its CPU for a round trip, however large
	Read      Dist    `json:"read_ms"`       // its CPU for each job read
	Settle    Dist    `json:"settle_ms"`     // its CPU for each job settled
	RoundTrip Dist    `json:"round_trip_ms"` // of the network: not CPU
	LingerMS  float64 `json:"linger_ms"`     // how long an outcome waits for others at most
	Batch     int     `json:"batch"`         // jobs read or settled in one round trip at most
	System    float64 `json:"system_share"`  // of its CPU, 0 to 1
}

// Service is a program that jobs ask to do something, and wait for: a database. It
// has a process for each that asks. What it takes is part of the wait of a job, as
// long as there are cores for it.
type Service struct {
	Name   string  `json:"name"`
	Job    Dist    `json:"job_ms"`       // its CPU for each job
	First  Dist    `json:"first_ms"`     // its CPU more for the first job of a process: a connection
	System float64 `json:"system_share"` // of its CPU, 0 to 1
}

func (r *Redis) free() bool {
	return r.Command.zero() && r.Read.zero() && r.Settle.zero() && r.RoundTrip.zero() && r.LingerMS == 0
}

// A Problem is one thing wrong with a profile.
type Problem struct {
	Path    string // of the field, as in "jobs[0].cpu_ms"
	Message string
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// A ProfileError is all that is wrong with a profile.
type ProfileError struct{ Problems []Problem }

func (e *ProfileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	if len(lines) == 1 {
		return "profile: " + lines[0]
	}
	return fmt.Sprintf("profile: %d problems:\n\t%s", len(lines), strings.Join(lines, "\n\t"))
}

// Bounds on what a profile may say.
const (
	maxMB    = 1 << 24 // 16 TiB
	maxPages = 1 << 30
)

// Validate checks that all values make sense. It returns a *ProfileError with
// every problem, or nil.
func (p *Profile) Validate() error {
	var r reader
	if p.Version != ProfileVersion {
		r.problem("version", "is %d: this program reads version %d", p.Version, ProfileVersion)
	}
	r.validate("", p)
	if len(p.Jobs) == 0 {
		r.problem("jobs", "is empty: needs at least one class of jobs")
	}
	weight := 0.0
	named := make(map[string]int)
	for i := range p.Jobs {
		c := &p.Jobs[i]
		weight += c.Weight
		if before, ok := named[c.Name]; ok {
			r.problem(fmt.Sprintf("jobs[%d].name", i), "is %q, as that of jobs[%d]: must be another", c.Name, before)
		}
		named[c.Name] = i
		if c.RetainedMB > c.MemoryMB {
			r.problem(fmt.Sprintf("jobs[%d].retained_mb", i), "is %v: must be at most memory_mb, which is %v", c.RetainedMB, c.MemoryMB)
		}
	}
	if len(p.Jobs) > 0 && weight == 0 {
		r.problem("jobs", "have weights of 0: at least one must be more")
	}
	if p.Memory.FileMB > p.Memory.BootedMB {
		r.problem("memory.file_mb", "is %v: must be at most booted_mb, which is %v", p.Memory.FileMB, p.Memory.BootedMB)
	}
	if c := &p.Cores; c.HotMS > 0 && c.SliceMS < 0.01 {
		r.problem("cores.slice_ms", "is %v: must be at least 0.01 where hot_ms is more than 0", c.SliceMS)
	}
	if c := &p.Cores; c.Packs && c.HotMS == 0 {
		r.problem("cores.packs", "is true: must be false where hot_ms is 0, as all cores share all there is to run")
	}
	if p.Memory.PageKB == 0 {
		r.problem("memory.page_kb", "is 0: must be more; 4 for ordinary pages")
	}
	if !p.Redis.free() && p.Redis.Batch < 1 {
		r.problem("redis.batch", "is %d: must be at least 1", p.Redis.Batch)
	}
	return r.err()
}

// reader collects problems.
type reader struct{ problems []Problem }

func (r *reader) problem(path, format string, args ...any) {
	r.problems = append(r.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return &ProfileError{r.problems}
}

// number checks a plain number of the field with the given name, whose suffix
// tells the unit.
func (r *reader) number(path, name string, x float64) {
	most := math.Inf(1)
	switch {
	case name == "system_share" || name == "warmable" || name == "spared" || name == "elastic" || name == "decay" || name == "threads_per_core":
		most = 1
	case name == "weight":
		most = 1e9
	case strings.HasSuffix(name, "_ms"):
		most = maxMS
	case strings.HasSuffix(name, "_mb"), strings.HasSuffix(name, "_kb"):
		most = maxMB
	case name == "touched_pages":
		most = maxPages
	case name == "batch":
		most = 1 << 20
	}
	if err := checkNumber(x, most); err != nil {
		r.problem(path, "%v", err)
	}
}

// errNotProfile is why a file that is not JSON is not a profile.
var errNotProfile = errors.New("not a profile")
