package workload

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

//go:embed builtin.py
var builtinSource string

//go:embed act.py
var actSource string

//go:embed application.py
var applicationSource string

// applicationModule is the module that all processes which run Python jobs have:
// how the application is set up, how a job is called and what it returns is kept.
const applicationModule = "forkbench_application"

// WithApplication is a copy of a Python function's sources, with the module
// besides that the processes which run it need.
func WithApplication(sources map[string]string) map[string]string {
	all := maps.Clone(sources)
	if all == nil {
		all = make(map[string]string)
	}
	all[applicationModule] = applicationSource
	return all
}

// The modules that the built-in Python jobs come in.
const (
	builtinModule = "forkbench_jobs"
	actModule     = "forkbench_act"
)

// A class is a kind of job: a function of the built-in module and the arguments
// that it is called with.
type class struct {
	function string
	args     func(seed, id uint64) []byte // a JSON array
	in       *PythonFunction              // where the function is, if it is not in the built-in module
	hold     int64                        // bytes that the module holds from its import on
}

// fixed makes the arguments of jobs that are all alike. The values are numbers.
func fixed[T int64 | float64](values ...T) func(seed, id uint64) []byte {
	if values == nil {
		values = []T{}
	}
	args, err := json.Marshal(values)
	if err != nil {
		panic(err) // numbers from bounded parsers have a JSON form
	}
	return func(_, _ uint64) []byte { return args }
}

// python is a workload of functions of the built-in module.
type python struct {
	name     string
	function PythonFunction
	payload  func(seed, id uint64) []byte
}

var _ Python = (*python)(nil)

func (w *python) Name() string                   { return w.name }
func (w *python) Payload(seed, id uint64) []byte { return w.payload(seed, id) }
func (w *python) PythonFunction() PythonFunction { return w.function }

// newPython is the workload whose jobs are all of one class.
func newPython(name string, c class) Workload {
	if c.in != nil {
		return &python{name, *c.in, c.args}
	}
	return &python{name, inBuiltin(c.function, c), c.args}
}

// inBuiltin names a function of the built-in module, prepared for the classes.
func inBuiltin(function string, classes ...class) PythonFunction {
	f := PythonFunction{Module: builtinModule, Function: function, Sources: make(map[string]string)}
	source, hold := builtinSource, int64(0)
	for _, c := range classes {
		hold = max(hold, c.hold)
		if c.in == nil || f.Sources[c.in.Module] != "" {
			continue
		}
		f.Warm = append(f.Warm, c.in.Warm...)
		maps.Copy(f.Sources, c.in.Sources)
		source += fmt.Sprintf("\n\nfrom %s import %s\n\n_CLASSES[%[2]q] = %[2]s\n", c.in.Module, c.in.Function)
	}
	if hold > 0 {
		source += fmt.Sprintf("\n\nhold(%d)\n", hold)
	}
	f.Sources[builtinModule] = source
	return f
}

// A mix is a list of classes with the shares of the jobs that they get, summed
// up.
type mix []mixClass

type mixClass struct {
	upTo float64 // the class gets the draws below this that no class before it got
	class
}

func newMix(name string, m mix) Workload {
	classes := make([]class, len(m))
	for i, c := range m {
		classes[i] = c.class
	}
	return &python{name, inBuiltin("mixed", classes...), m.payload}
}

// payload writes down which class a job belongs to, so that it belongs to the
// same one wherever and however often it is run.
func (m mix) payload(seed, id uint64) []byte {
	draw := random(drawClass, seed, id).Float64()
	i := slices.IndexFunc(m, func(c mixClass) bool { return draw < c.upTo })
	if i < 0 {
		i = len(m) - 1 // the sum of the shares is 1 only up to rounding
	}
	c := m[i]
	return fmt.Appendf(nil, `{"job":%q,"args":%s}`, c.function, c.args(seed, id))
}

// imported is a function of the user's own.
type imported struct{ name, module, function string }

var _ Python = imported{}

func (w imported) Name() string { return w.name }

// Payload is no arguments: WithPayloads gives it some.
func (w imported) Payload(_, _ uint64) []byte { return []byte("[]") }

func (w imported) PythonFunction() PythonFunction {
	return PythonFunction{Module: w.module, Function: w.function}
}

// newAct is the job of the tests: what it does stands in its payloads, which
// WithPayloads gives it. Without, it does nothing.
func newAct() Workload {
	return &python{
		"act",
		PythonFunction{Module: actModule, Function: "act", Sources: map[string]string{actModule: actSource}},
		func(_, _ uint64) []byte { return []byte(`{"do":"done"}`) },
	}
}

// What is drawn at random for a job. Each has a stream of its own, so that one
// can be added without a change to the others.
const (
	drawClass uint64 = iota + 1
	drawFault
	drawEvent
	drawArrivals
)

// random is the source of one job's draws for one purpose: a pure function of
// its arguments.
func random(purpose, seed, id uint64) *rand.Rand {
	const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio: spreads the purposes
	return rand.New(rand.NewPCG(seed^purpose*golden, id))
}
