package workload

import "time"

// A Description is what a list of workloads says about one of them.
type Description struct {
	Name    string // how it is written; capitals stand for what the user chooses
	Example string // one that works as it is
	Doc     string // one line
}

// Builtin lists the workloads that Parse knows, in the order in which to show
// them.
func Builtin() []Description {
	var list []Description
	for _, j := range builtinJobs {
		name := j.name
		if j.argument != "" {
			name += ":" + j.argument
		}
		list = append(list, Description{name, j.example, j.doc})
	}
	return append(list,
		Description{"P%JOB,P%JOB", "90%cpu:1ms,10%cpu:50ms", "a mix of the above: a share in percent before each, 100 in all"},
		Description{"py:MODULE:FUNCTION", "py:app.tasks:send_mail", "any importable Python function; its arguments come from --payload"},
		Description{"jobs:FILE", "jobs:jobs.jsonl", "the jobs of a queue, each with its own function and arguments; `compare record` makes the file"},
		Description{"go:record_event", "go:record_event", "record_event in Go: compiled tables made on first use, a line appended to a file"},
		Description{"go:noop", "go:noop", "do nothing, in Go: what a job costs besides its work"},
	)
}

// A builtinJob is a function of the built-in Python module.
type builtinJob struct {
	name     string
	argument string // what to write after the name; empty if nothing
	example  string
	doc      string

	class class                                    // if it has no argument
	parse func(arg, example string) (class, error) // if it has one
}

var builtinJobs = []builtinJob{
	{
		name: "record_event", example: "record_event",
		doc: "validate an event and insert it into SQLite, after a lazy initialisation on first use (default)",
		class: class{
			function: recordEvent.Function,
			args:     event,
			in:       &recordEvent,
		},
	},
	{
		name: "noop", example: "noop",
		doc:   "do nothing: what a job costs besides its work",
		class: class{function: "noop", args: fixed[int64]()},
	},
	{
		name: "cpu", argument: "DURATION", example: "cpu:10ms",
		doc:   "compute for that long (CPU time)",
		parse: timed("cpu"),
	},
	{
		name: "io", argument: "DURATION", example: "io:10ms",
		doc:   "wait for that long, as for a network",
		parse: timed("io"),
	},
	{
		name: "touch", argument: "SIZE", example: "touch:64MB",
		doc: "write to each page of that much memory, held since the parent was loaded: copy-on-write",
		parse: func(arg, example string) (class, error) {
			size, err := parseSize(arg, example)
			return class{function: "touch", args: fixed(size), hold: size}, err
		},
	},
	{
		name: "leak", argument: "SIZE", example: "leak:1MB",
		doc: "keep that much more memory for each job",
		parse: func(arg, example string) (class, error) {
			size, err := parseSize(arg, example)
			return class{function: "leak", args: fixed(size)}, err
		},
	},
	{
		name: "crash", argument: "PROBABILITY", example: "crash:0.05",
		doc:   "kill its process with SIGSEGV in that share of the jobs, else do nothing",
		parse: faulty("crash"),
	},
	{
		name: "hang", argument: "PROBABILITY", example: "hang:1%",
		doc:   "never return in that share of the jobs, else do nothing; needs --timeout",
		parse: faulty("hang"),
	},
}

// timed is the parser of a job that takes a duration.
func timed(function string) func(arg, example string) (class, error) {
	return func(arg, example string) (class, error) {
		d, err := parseDuration(arg, example)
		return class{function: function, args: fixed(float64(d) / float64(time.Second))}, err
	}
}

// faulty is the parser of a job that takes a probability.
func faulty(function string) func(arg, example string) (class, error) {
	return func(arg, example string) (class, error) {
		p, err := parseProbability(arg, example)
		return class{function: function, args: func(seed, id uint64) []byte {
			if random(drawFault, seed, id).Float64() < p {
				return []byte("[true]")
			}
			return []byte("[false]")
		}}, err
	}
}
