// Package record is the raw record of a comparison: what happened, one line of
// JSON for each job, process, memory sample and round, in the order in which
// they ended, under a header that says what was asked and on which machine.
//
// Everything a comparison shows (tables, plots, reports) is a pure function of
// these lines. Real and simulated runs write the same ones.
//
// Times are integer nanoseconds on the round's own clock, whose zero is the
// start of work: what happened during start-up has negative times.
package record

import (
	"slices"
	"time"

	"forkbench/models"
)

// Version is the version of the format, in the header of each file. It changes
// when a reader of the old format would misread the new one.
const Version = 1

// A Line is one line of a record file: *Header, *Job, *Process, *Sample, *Round
// or *Prediction.
type Line interface{ kind() string }

// A Sink takes lines. Implementations are safe for concurrent use and do not
// keep the line after Write returns.
type Sink interface {
	Write(Line) error
}

// A Header is the first line of a file.
type Header struct {
	Version     int         `json:"version"`
	Started     time.Time   `json:"started"`
	Spec        Spec        `json:"spec"`
	Environment Environment `json:"environment"`
}

// A Spec is what was asked for.
type Spec struct {
	Models     []Model       `json:"models"`
	Jobs       int           `json:"jobs"`
	Workers    int           `json:"workers"`
	Rounds     int           `json:"rounds"` // of each model; the least number of them, with Until
	Until      *Until        `json:"until,omitempty"`
	Seed       uint64        `json:"seed"`
	Workload   string        `json:"workload"`
	Runtime    string        `json:"runtime"`         // "python" or "go"
	Setup      []string      `json:"setup,omitempty"` // of the application, in each booted process
	Warm       []string      `json:"warm,omitempty"`
	Env        []string      `json:"env,omitempty"`     // NAME=VALUE for the jobs' processes; … for a value that may be secret
	Payload    string        `json:"payload,omitempty"` // the file the payloads came from
	Listed     int           `json:"listed,omitempty"`  // payloads, or recorded jobs, that there are: gone through again and again
	Arrivals   string        `json:"arrivals"`
	TimeoutNS  time.Duration `json:"timeout_ns,omitempty"`
	Simulated  bool          `json:"simulated,omitempty"`
	Simulation *Simulation   `json:"simulation,omitempty"` // of a simulated run
}

// Until says how sharp the comparison was to be: see runner.Until.
type Until struct {
	HalfWidth float64       `json:"half_width"` // of each ratio's 95 % interval, as a share of it
	MostNS    time.Duration `json:"most_ns"`    // beyond the least number of rounds
}

// A Simulation is what was asked of a simulated machine besides. Rounds are its
// replications.
type Simulation struct {
	Profile string  `json:"profile"` // what things cost there: the profile's name
	From    string  `json:"from"`    // where it came from: a file, or one that ships
	Cores   int     `json:"cores"`
	Until   float64 `json:"until,omitempty"` // the relative half-width that was to be reached

	// Warnings are those about the profile.
	Warnings []string `json:"warnings,omitempty"`

	// Sampled, if it is not 0, says that the file holds the jobs, processes and
	// memory samples of each model's first replication only, and of these the jobs
	// whose ID is below it and the processes that are numbered no higher.
	Sampled int `json:"sampled,omitempty"`
}

// A Model is an execution model with its knobs as set, by the names they have
// on the command line.
type Model struct {
	Name  string            `json:"name"`            // in all other lines; no two have the same
	Model string            `json:"model,omitempty"` // which model it is, where the name says more; see Kind
	Knobs map[string]string `json:"knobs,omitempty"`

	// Parts is in how many parts its rounds were to be made, and one round is then
	// enough; 0 is in one go.
	Parts int `json:"parts,omitempty"`
}

// Kind is the name of the execution model, whatever its knobs.
func (m Model) Kind() string {
	if m.Model == "" {
		return m.Name
	}
	return m.Model
}

// Settings are its knobs as NAME=VALUE, sorted.
func (m Model) Settings() []string {
	var all []string
	for name, value := range m.Knobs {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all
}

// Model is the one of that name; nil if there is none.
func (s *Spec) Model(name string) *Model {
	i := slices.IndexFunc(s.Models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Models[i]
}

// An Environment is the machine and the software that the numbers depend on.
type Environment struct {
	OS            string `json:"os"` // GOOS/GOARCH
	Kernel        string `json:"kernel"`
	CPU           string `json:"cpu"`
	Cores         int    `json:"cores"` // usable by this process
	MemoryBytes   int64  `json:"memory_bytes"`
	HugePages     string `json:"huge_pages"`        // the THP mode
	Packing       string `json:"packing,omitempty"` // how the kernel was told to leave idle cores alone: see sim.Cores.Packs
	Go            string `json:"go"`
	Python        string `json:"python,omitempty"` // version and interpreter
	Peers         string `json:"peers,omitempty"`  // the systems of others that ran, and their versions
	Redis         string `json:"redis"`            // which server, its version, and whose it is
	ForkPrimitive string `json:"fork_primitive"`   // what "fork" was in this run
	Cgroup        string `json:"cgroup"`           // where the CPU cross-check was made, or why not
	Race          bool   `json:"race,omitempty"`   // built with -race: no number counts

	// SupervisorThreads is how many processors this program's goroutines may use at
	// once (GOMAXPROCS); 0 if it is not known.
	SupervisorThreads int `json:"supervisor_threads,omitempty"`
}

// A Job is one job that was settled, or at least run.
type Job struct {
	Model   string        `json:"model"`
	Round   int           `json:"round"` // from 0
	ID      uint64        `json:"id"`
	Slot    int           `json:"slot"`
	Process int           `json:"process"` // the Process.ID it ran in; 0 if none did
	Seq     int           `json:"seq"`     // 1 for the first job of that process
	Attempt int           `json:"attempt"`
	Status  models.Status `json:"status"`
	Detail  string        `json:"detail,omitempty"`
	Dropped string        `json:"dropped,omitempty"` // why what it returned was not kept: "not JSON: datetime"

	DueNS      time.Duration `json:"due_ns"`
	DequeuedNS time.Duration `json:"dequeued_ns"` // a slot took it
	StartedNS  time.Duration `json:"started_ns"`  // its first instruction; 0 if it never started
	FinishedNS time.Duration `json:"finished_ns"` // it ended, or was found dead
	SettledNS  time.Duration `json:"settled_ns"`  // its acknowledgement was confirmed
	CPUNS      time.Duration `json:"cpu_ns"`      // used between started and finished

	// Unacknowledged says that the job ran and that its acknowledgement was not heard:
	// Redis was away or gone. SettledNS is 0 then.
	Unacknowledged bool `json:"unacknowledged,omitempty"`
}

// The roles of a process.
const (
	RoleParent = "parent" // booted: it loaded the application
	RoleChild  = "child"  // forked
)

// A Process is one process reaped. Its CPU is wait4's, exact, children not
// included.
type Process struct {
	Model  string `json:"model"`
	Round  int    `json:"round"`
	ID     int    `json:"id"`     // from 1 within the round
	Parent int    `json:"parent"` // the ID of the process that forked it; 0 if booted
	Role   string `json:"role"`
	Slot   int    `json:"slot"` // the slot that asked for it
	PID    int    `json:"pid"`
	Jobs   int    `json:"jobs"`
	Exit   string `json:"exit"`             // "exit status 0", "signal: killed"
	Before bool   `json:"before,omitempty"` // made during start-up
	Refork bool   `json:"refork,omitempty"` // forked children after running jobs
	Warmed bool   `json:"warmed,omitempty"` // Warm was called in it
	Socket bool   `json:"socket,omitempty"` // a child with a socket of its own; one made with its only job in hand needs none
	Faults int64  `json:"minor_faults"`     // ru_minflt
	Major  int64  `json:"major_faults"`     // ru_majflt
	Killed bool   `json:"killed,omitempty"` // by us, after a grace or a time limit

	ForkNS  time.Duration `json:"fork_ns"`  // the fork (or exec) began
	ReadyNS time.Duration `json:"ready_ns"` // it could take a job: fork returned, or boot done
	WarmNS  time.Duration `json:"warm_ns"`  // spent in Warm, as a duration: with what it waited for, a core among that
	EndNS   time.Duration `json:"end_ns"`   // its last job had finished and it was told to exit
	ReapNS  time.Duration `json:"reap_ns"`  // wait4 returned

	UserNS        time.Duration `json:"user_ns"`
	SystemNS      time.Duration `json:"system_ns"`
	StartupUserNS time.Duration `json:"startup_user_ns,omitempty"`   // of which before the start of work
	StartupSysNS  time.Duration `json:"startup_system_ns,omitempty"` // of which before the start of work

	// Of a process that was warmed before the start of work, CPU: what it had used
	// when it was loaded, and what its warm-ups used, by its own clock, without the
	// garbage collection that follows them. Both are absent in older records.
	BootCPUNS time.Duration `json:"boot_cpu_ns,omitempty"`
	WarmCPUNS time.Duration `json:"warm_cpu_ns,omitempty"`
}

// A Sample is the memory of all processes of a round at one moment.
type Sample struct {
	Model     string        `json:"model"`
	Round     int           `json:"round"`
	AtNS      time.Duration `json:"at_ns"`
	Processes int           `json:"processes"`
	PSS       int64         `json:"pss_bytes"`       // summed over the tree
	RSS       int64         `json:"rss_bytes"`       // summed over the tree: over-counts what is shared
	ChildUSS  int64         `json:"child_uss_bytes"` // median private memory of the children read; 0 if none was
	CPUNS     time.Duration `json:"cpu_ns"`          // used by the tree since the round began
}

// CPU is processor time used in one interval.
type CPU struct {
	User   time.Duration `json:"user_ns"`
	System time.Duration `json:"system_ns"`
}

// Total is user and system time together.
func (c CPU) Total() time.Duration { return c.User + c.System }

// Sub is c minus d.
func (c CPU) Sub(d CPU) CPU { return CPU{c.User - d.User, c.System - d.System} }

// Add is c plus d.
func (c CPU) Add(d CPU) CPU { return CPU{c.User + d.User, c.System + d.System} }

// A Service is another program that jobs use, and what it used.
type Service struct {
	Name string `json:"name"`
	CPU  CPU    `json:"cpu"`
}

// A Round is one model's turn at the jobs. It is written after the last of the
// round's jobs and processes.
//
// What became of the jobs adds up: Enqueued is Settled + Unacknowledged + CutOff +
// NotRun + Lost + Dead.
type Round struct {
	Model string `json:"model"`
	Round int    `json:"round"`
	// Block is which of the blocks of the comparison's turns it belongs to, from 1: a
	// model's turns in a row are one. 0 where each round is one of its own.
	Block int `json:"block,omitempty"`
	// Parts are the goes in which the round was made, if it was made in several. The
	// round's clock stands still between them, its processes are those of all, and its
	// start-up is their mean.
	Parts []Part `json:"parts,omitempty"`

	Enqueued   int `json:"enqueued"`
	Taken      int `json:"taken"`      // handed to a slot
	Settled    int `json:"settled"`    // acknowledged, as the stream itself counts them
	Duplicated int `json:"duplicated"` // settled more than once
	Lost       int `json:"lost"`       // enqueued, never run, and not left in the stream either
	NotRun     int `json:"not_run"`    // left in the stream: the round was cut short
	Dead       int `json:"dead"`       // dead letters: entries that could not be read, or were given up
	// Unacknowledged jobs ran, and Redis did not confirm it; each has a record that says so.
	Unacknowledged int `json:"unacknowledged,omitempty"`
	// CutOff jobs were in the hands of processes that were killed when the round was ended
	// early. How far they had come is not known.
	CutOff      int    `json:"cut_off,omitempty"`
	Strays      int    `json:"strays"` // processes that jobs left behind, alive and killed at the end
	Interrupted bool   `json:"interrupted,omitempty"`
	Error       string `json:"error,omitempty"` // why the model could not go on

	StartupNS  time.Duration `json:"startup_ns"`  // first boot until every slot was ready
	WorkNS     time.Duration `json:"work_ns"`     // until the last job was settled
	ShutdownNS time.Duration `json:"shutdown_ns"` // until the last process was reaped

	// AwayNS is how long Redis was waited for: restarted, out of reach, its memory full.
	AwayNS time.Duration `json:"redis_away_ns,omitempty"`

	// CPU used during work: from all slots ready until all slots drained.
	Children   CPU `json:"children"`   // processes that were forked, and Strayed
	Parents    CPU `json:"parents"`    // processes that were booted: fork and reap
	Supervisor CPU `json:"supervisor"` // this program
	Redis      CPU `json:"redis"`

	// Strayed is the part of Children that processes used which jobs started and
	// nobody in the round waited for, until the last of them had ended.
	Strayed CPU `json:"strayed,omitzero"`

	// Services are other programs of the machine that jobs use: a database, say. What
	// each of them used meanwhile is for whoever asked it to.
	Services []Service `json:"services,omitempty"`

	// Measuring is what this program used meanwhile to look at memory and at the
	// cores' pace. It is not part of Supervisor.
	Measuring CPU `json:"measuring"`
	// SupervisorWaits is how often a thread of this program had nothing to do and
	// slept (ru_nvcsw), meanwhile.
	SupervisorWaits int64 `json:"supervisor_waits"`

	// The cross-check, over the whole life of every process of the round. BookedNS is
	// the sum that is held against CgroupNS: Children and Parents, and what was booked
	// before work and after it. 0 in records of versions that did not have it, which
	// held Wait4NS against CgroupNS.
	BookedNS time.Duration `json:"booked_ns,omitempty"`
	Wait4NS  time.Duration `json:"wait4_ns"`            // what wait4 said, summed
	CgroupNS time.Duration `json:"cgroup_ns,omitempty"` // what their cgroup says; 0 if there is none

	RedisCommands int64 `json:"redis_commands"` // during work; 0 if the server cannot tell

	// Latency is known apart from the jobs' lines where the simulator has cut off
	// the warm-up.
	Latency *Latency `json:"latency,omitempty"`

	Noise    Noise    `json:"noise"`
	Warnings []string `json:"warnings,omitempty"` // what the machine noticed, in words
	Hazards  []Hazard `json:"hazards,omitempty"`  // what processes had that their forks must not share
	Undone   []string `json:"undone,omitempty"`   // what a job left open that was run to warm a parent, and how that was given up
	// Unfit is why the model must not be recommended as it is, however fast it was:
	// a connection that its forks share, say. Each reason is a clause that can
	// follow "because".
	Unfit []string `json:"unfit,omitempty"`
}

// A Part is one of the goes in which a round was made: some of the jobs, in their
// order, by processes booted anew.
type Part struct {
	Block     int           `json:"block"` // as of a Round
	Settled   int           `json:"settled"`
	Done      int           `json:"done"`
	StartupNS time.Duration `json:"startup_ns"`
	WorkNS    time.Duration `json:"work_ns"`
	CPU       CPU           `json:"cpu"` // of all that has a share in it: see Round.CPU

	Contaminated string `json:"contaminated,omitempty"` // see Noise
}

// ServiceCPU is what all services used.
func (r *Round) ServiceCPU() CPU {
	var sum CPU
	for _, s := range r.Services {
		sum = sum.Add(s.CPU)
	}
	return sum
}

// CPU is that of all parts: the model's processes, this program, Redis, services.
func (r *Round) CPU() CPU {
	return r.Children.Add(r.Parents).Add(r.Supervisor).Add(r.Redis).Add(r.ServiceCPU())
}

// Latency is how long the jobs of a simulated round took, due to finished.
type Latency struct {
	WarmUp int           `json:"warm_up_jobs"` // left out: the first ones, in the order of their coming
	P50NS  time.Duration `json:"p50_ns"`
	P95NS  time.Duration `json:"p95_ns"`
	P99NS  time.Duration `json:"p99_ns"`
}

// A Prediction is what a simulation came to for one model, after its last
// replication.
type Prediction struct {
	Model     string   `json:"model"`
	Converged bool     `json:"converged"`          // its numbers can be stood up for
	Reasons   []string `json:"reasons,omitempty"`  // why not
	Unstable  bool     `json:"unstable,omitempty"` // jobs come faster than they can be run: there is no latency

	// Where jobs keep coming, jobs per second.
	Offered  float64 `json:"offered,omitempty"`
	Capacity float64 `json:"capacity,omitempty"`
}

// Noise is what else the machine did during a round's work.
type Noise struct {
	ForeignNS time.Duration `json:"foreign_ns"` // CPU of other processes, all cores
	StealNS   time.Duration `json:"steal_ns"`   // taken by the hypervisor
	StallNS   time.Duration `json:"stall_ns"`   // PSI cpu "some"; -1 where the kernel does not tell
	Load1     float64       `json:"load1"`      // load average at the start
	// Pace is the CPU time that a piece of work took, as a multiple of the least
	// that it took in this run: 1.2 is a core that did a sixth less in its time. 0
	// if nobody looked.
	Pace float64 `json:"pace,omitempty"`
	// PieceNS is the same in CPU time, on the mean: with it runs of one machine are
	// compared. 0 if nobody looked.
	PieceNS time.Duration `json:"piece_ns,omitempty"`
	// Contaminated says why the round's times should not be trusted; empty if
	// they can be.
	Contaminated string `json:"contaminated,omitempty"`
}

func (*Header) kind() string  { return "run" }
func (*Job) kind() string     { return "job" }
func (*Process) kind() string { return "process" }
func (*Sample) kind() string  { return "sample" }
func (*Round) kind() string   { return "round" }

func (*Prediction) kind() string { return "prediction" }
