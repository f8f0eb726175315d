package live

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"forkbench/models"
	"forkbench/record"
)

// The protocol between the host and its processes. docs/protocol.md describes
// it for those who write a process in another language.
//
// A frame is a header (the body's length and the kind, a letter) and a body.
// Numbers are big-endian. The host speaks in lower case, processes in capitals.
type kind byte

const (
	kindBoot     kind = 'b' // load the application: bootOrder as JSON
	kindWarm     kind = 'w' // do the one-time work now
	kindFork     kind = 'f' // make a child: its life, whether a job follows, the job
	kindOnce     kind = 'o' // make a child for one job: its seat, the job
	kindRun      kind = 'r' // run a job: its id, its payload
	kindReap     kind = 'p' // wait for a child: its pid
	kindSnapshot kind = 's' // hand over the warm state (Go processes)
	kindHold     kind = 'h' // say what you hold: a program that finds out (Python)

	kindReady  kind = 'R' // answers boot and warm: readyReply as JSON
	kindForked kind = 'F' // answers fork; carries the child's socket
	kindEnded  kind = 'O' // answers once, when the child has been waited for
	kindDone   kind = 'D' // answers run
	kindReaped kind = 'P' // answers reap
	kindState  kind = 'S' // answers snapshot; carries a memory file
	kindHeld   kind = 'H' // answers hold: heldReply as JSON
)

const (
	headerSize = 5
	// maxBody bounds what a process can make the host allocate. The largest
	// honest body is a job's result or traceback, 1 MiB and a little.
	maxBody = 4 << 20
)

// appendHeader begins a frame whose body has size bytes.
func appendHeader(b []byte, k kind, size int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	return append(b, byte(k))
}

// parseHeader is the inverse of appendHeader for a full header. It refuses
// bodies above the limit.
func parseHeader(b []byte, limit int) (k kind, size int, err error) {
	n := binary.BigEndian.Uint32(b)
	if int64(n) > int64(limit) {
		return 0, 0, fmt.Errorf("a frame of kind %q announces %d bytes: the limit is %d", b[4], n, limit)
	}
	return kind(b[4]), int(n), nil
}

// bootOrder tells a new process what it is to run.
type bootOrder struct {
	// For Python.
	Path         []string          `json:"path"`
	Sources      map[string]string `json:"sources"`
	Setup        []string          `json:"setup"`
	Function     string            `json:"function"`
	Warm         []string          `json:"warm"`
	AllowThreads bool              `json:"allow_threads"`

	// For Go: the workload's name, the process's life in jobs (0: no end), and
	// whether descriptor 4 is a snapshot to restore.
	Workload string `json:"workload,omitempty"`
	Life     int    `json:"life,omitempty"`
	Snapshot bool   `json:"snapshot,omitempty"`
}

// readyReply says how boot or warm went, and what the process has used so far.
type readyReply struct {
	Error     string `json:"error,omitempty"`
	Kind      string `json:"kind,omitempty"` // the exception's type
	Traceback string `json:"traceback,omitempty"`

	Version    string `json:"version"`            // the language's
	Executable string `json:"executable"`         // the interpreter
	PID        int    `json:"pid,omitempty"`      // which forks: a child of what was started, where that is a script that does not exec
	NoPidfd    bool   `json:"no_pidfd,omitempty"` // it cannot wait for a child and serve meanwhile
	UserUS     int64  `json:"user_us"`            // with that of children that it has waited for
	SystemUS   int64  `json:"system_us"`          // likewise
	WaitedUS   int64  `json:"waited_us"`          // of both, what children used: not on its own clock
	WarmedUS   int64  `json:"warmed_us"`          // of both, what the warm-ups used, without the collection after them

	// What a job that was run to warm the process had left open, and how that was
	// undone, in words.
	Undone []string `json:"undone,omitempty"`

	// What has been done since the last reply, as far as it left something.
	Steps []stepReply `json:"steps,omitempty"`
}

// A stepReply is what one thing that a process did has left in it.
type stepReply struct {
	Name string   `json:"name"` // "--warm=app:connect", "the import of app"
	Left []string `json:"left"` // "7 socket:[4711]", "task 4712"
}

// appendHold asks a process to run a program and to say what that finds.
func appendHold(b []byte, source string) []byte {
	return append(appendHeader(b, kindHold, len(source)), source...)
}

// A heldReply is what held.py finds in a process.
type heldReply struct {
	Threads []threadReply `json:"threads"`
	Locks   []string      `json:"locks"` // the names of those that are taken
}

// A threadReply is a thread of Python's own.
type threadReply struct {
	TID  int    `json:"tid"`  // 0 if it is not known
	Name string `json:"name"` // empty if it has none
	Runs string `json:"runs"` // the function that it was started for
}

func parseHeld(b []byte) (heldReply, error) {
	var r heldReply
	if err := json.Unmarshal(b, &r); err != nil {
		return heldReply{}, fmt.Errorf("a frame of kind %q is not one: %w", kindHeld, err)
	}
	return r, nil
}

// appendRun asks a process to run a job.
func appendRun(b []byte, id uint64, payload []byte) []byte {
	b = appendHeader(b, kindRun, 8+len(payload))
	b = binary.BigEndian.AppendUint64(b, id)
	return append(b, payload...)
}

// A fusedJob is a job that a child inherits by its fork.
type fusedJob struct {
	id      uint64
	payload []byte
}

// appendFork asks a process for a child that lives for so many jobs.
func appendFork(b []byte, life int, job *fusedJob) []byte {
	size := 5
	if job != nil {
		size += 8 + len(job.payload)
	}
	b = appendHeader(b, kindFork, size)
	b = binary.BigEndian.AppendUint32(b, uint32(life))
	if job == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	b = binary.BigEndian.AppendUint64(b, job.id)
	return append(b, job.payload...)
}

// appendOnce asks a process for a child that runs one job, says in its seat what
// came of it, and exits.
func appendOnce(b []byte, seat int, id uint64, payload []byte) []byte {
	b = appendHeader(b, kindOnce, 12+len(payload))
	b = binary.BigEndian.AppendUint32(b, uint32(seat))
	b = binary.BigEndian.AppendUint64(b, id)
	return append(b, payload...)
}

// An endedReply answers once. Times are CLOCK_MONOTONIC.
type endedReply struct {
	seat            int
	began, returned time.Duration // of the fork
	reapedReply
	refusal string // why there was no child; else empty
}

func parseEnded(b []byte) (endedReply, error) {
	if len(b) < 21 {
		return endedReply{}, shortBody(kindEnded, b)
	}
	r := endedReply{
		seat:     int(binary.BigEndian.Uint32(b)),
		began:    duration(b[4:]),
		returned: duration(b[12:]),
	}
	if r.returned == 0 {
		r.refusal = string(b[20:])
		return r, nil
	}
	var err error
	r.reapedReply, err = parseReaped(b[20:])
	return r, err
}

// appendReap asks a process to wait for its child.
func appendReap(b []byte, pid int) []byte {
	b = appendHeader(b, kindReap, 4)
	return binary.BigEndian.AppendUint32(b, uint32(pid))
}

// A forkedReply answers fork. Times are CLOCK_MONOTONIC.
type forkedReply struct {
	pid             int // 0: there is no child, refusal says why
	began, returned time.Duration
	refusal         string
}

func parseForked(b []byte) (forkedReply, error) {
	if len(b) < 20 {
		return forkedReply{}, shortBody(kindForked, b)
	}
	r := forkedReply{
		pid:      int(binary.BigEndian.Uint32(b)),
		began:    duration(b[4:]),
		returned: duration(b[12:]),
		refusal:  string(b[20:]),
	}
	if r.pid == 0 && r.refusal == "" {
		return forkedReply{}, fmt.Errorf("a fork reply has neither a pid nor a reason")
	}
	return r, nil
}

// A doneReply answers run. Times are CLOCK_MONOTONIC. The detail is the result
// of a job that is done and the traceback of one that failed; where the result
// was dropped, it is why. It is valid until the next frame is read.
type doneReply struct {
	id                uint64
	status            models.Status
	dropped           bool
	started, finished time.Duration
	cpu               time.Duration
	detail            []byte
}

func parseDone(b []byte) (doneReply, error) {
	if len(b) < 33 {
		return doneReply{}, shortBody(kindDone, b)
	}
	r := doneReply{
		id:       binary.BigEndian.Uint64(b),
		status:   models.Status(b[8]),
		started:  duration(b[9:]),
		finished: duration(b[17:]),
		cpu:      duration(b[25:]),
		detail:   b[33:],
	}
	if b[8] == doneDropped {
		r.status, r.dropped = models.Done, true
		if len(r.detail) == 0 {
			return doneReply{}, errors.New("a job reports a result that was dropped, and not why")
		}
	}
	if r.status != models.Done && r.status != models.Failed {
		return doneReply{}, fmt.Errorf("a job reports status %d: a process can only say done (1), failed (2) or done without its result (3)", b[8])
	}
	return r, nil
}

// doneDropped stands in the status's place for a job that is done and whose
// result was dropped: it has no JSON form, or too large a one.
const doneDropped = 3

// statusUnready is what a child for one job reports that could not load the
// application: the detail says why, and the job was not started.
const statusUnready models.Status = 0

func parseUnready(b []byte) (why string, ok bool) {
	if len(b) < 33 || models.Status(b[8]) != statusUnready || duration(b[9:]) != 0 || duration(b[17:]) != 0 {
		return "", false
	}
	return string(b[33:]), true
}

// appendDone is the inverse of parseDone, for processes of this binary.
func appendDone(b []byte, r doneReply) []byte {
	b = appendHeader(b, kindDone, 33+len(r.detail))
	b = binary.BigEndian.AppendUint64(b, r.id)
	if r.dropped {
		b = append(b, doneDropped)
	} else {
		b = append(b, byte(r.status))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.started))
	b = binary.BigEndian.AppendUint64(b, uint64(r.finished))
	b = binary.BigEndian.AppendUint64(b, uint64(r.cpu))
	return append(b, r.detail...)
}

// A reapedReply answers reap: what wait4 said of the child, its own reaped
// children included.
type reapedReply struct {
	pid          int
	status       int32 // as wait4 gives it; -1 if somebody else had waited for the child
	user, system time.Duration
	minor, major int64
	at           time.Duration // CLOCK_MONOTONIC
	own          time.Duration // its own clock at its end, without its children; 0 if it is not known
}

func parseReaped(b []byte) (reapedReply, error) {
	if len(b) != 48 && len(b) != 56 {
		return reapedReply{}, shortBody(kindReaped, b)
	}
	r := reapedReply{
		pid:    int(binary.BigEndian.Uint32(b)),
		status: int32(binary.BigEndian.Uint32(b[4:])),
		user:   duration(b[8:]) * time.Microsecond,
		system: duration(b[16:]) * time.Microsecond,
		minor:  int64(binary.BigEndian.Uint64(b[24:])),
		major:  int64(binary.BigEndian.Uint64(b[32:])),
		at:     duration(b[40:]),
	}
	if len(b) == 56 {
		r.own = duration(b[48:])
	}
	return r, nil
}

func parseJob(b []byte) (id uint64, payload []byte, err error) {
	if len(b) < 8 {
		return 0, nil, shortBody(kindRun, b)
	}
	return binary.BigEndian.Uint64(b), b[8:], nil
}

// leading is the number that a body begins with: a pid or a seat.
func leading(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	return int(binary.BigEndian.Uint32(b))
}

func duration(b []byte) time.Duration {
	return time.Duration(int64(binary.BigEndian.Uint64(b)))
}

func shortBody(k kind, b []byte) error {
	return fmt.Errorf("a frame of kind %q has a body of %d bytes, which is not one", byte(k), len(b))
}

func (r readyReply) waited() time.Duration { return time.Duration(r.WaitedUS) * time.Microsecond }

// cpu is what the process had used when it replied.
func (r readyReply) cpu() record.CPU {
	return record.CPU{
		User:   time.Duration(r.UserUS) * time.Microsecond,
		System: time.Duration(r.SystemUS) * time.Microsecond,
	}
}
