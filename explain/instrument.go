package explain

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"forkbench/live"
	"forkbench/workload"
)

//go:embed profile.py
var profilePy string

//go:embed names.py
var namesPy string

// The modules that jobs find beside the application while they are looked at.
const (
	profileModule  = "forkbench_profile"
	namesModule    = "forkbench_names"
	settingsModule = "forkbench_profile_settings"
)

// settings is what profile.py is told.
type settings struct {
	Function  string   `json:"function"`
	Directory string   `json:"directory"`
	Jobs      int      `json:"jobs"`               // of each process to look at, from its first
	Settling  int      `json:"settling,omitempty"` // jobs behind the first that are not looked at
	Warm      []string `json:"warm"`               // to call in Warm, looked at as well
	Payload   string   `json:"payload"`            // of a job that is run in Warm

	Watch  []string   `json:"watch,omitempty"`  // look at these calls only, and closely
	Places [][]string `json:"places,omitempty"` // the same, by the calls that lead there
	Time   []string   `json:"time,omitempty"`   // only time these calls, without a profiler
	Parts  []string   `json:"parts,omitempty"`  // of these, what is a part of another
}

// source is the settings as a Python module.
func (s settings) source() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and a number have a JSON form
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		panic(err)
	}
	// A string of JSON is a string of Python.
	return "import json\nSETTINGS = json.loads(" + string(quoted) + ")\n"
}

// altered is a workload whose jobs call another Python function, which finds
// other modules.
type altered struct {
	workload.Workload
	function workload.PythonFunction
}

var _ workload.Python = (*altered)(nil)

func (a *altered) PythonFunction() workload.PythonFunction { return a.function }

// A setup is how processes are to be prepared for a look or a measurement.
type setup struct {
	warm []string  // references to do in Process.Warm, in place of all that the workload and the user name
	look *settings // nil for jobs as they are; Function and Warm are filled in

	// unset are variables that leave pools without threads, and are not to be set:
	// a parent that has such a pool forks nevertheless.
	unset []string
}

// machine is a copy of m with one worker, prepared as the setup says.
func (s setup) machine(m *live.Machine) *live.Machine {
	python := m.Runtime.(live.Python)
	f := m.Workload.(workload.Python).PythonFunction()
	f.Warm, python.Warm = s.warm, nil
	if s.look != nil {
		look := *s.look
		f = f.WithWarm(s.warm)
		look.Function, look.Warm, look.Payload = f.Module+":"+f.Function, f.Warm, string(m.Workload.Payload(1, 0))
		if look.Warm == nil {
			look.Warm = []string{}
		}
		f.Module, f.Function, f.Warm = profileModule, "job", nil
		for i := range look.Warm {
			f.Warm = append(f.Warm, fmt.Sprintf("%s:warm_%d", profileModule, i))
		}
		sources := map[string]string{profileModule: profilePy, namesModule: namesPy, settingsModule: look.source()}
		maps.Copy(sources, f.Sources)
		f.Sources = sources
	}
	mine := *m
	if s.unset != nil {
		python.AllowThreads = true
		mine.Env = slices.DeleteFunc(slices.Clone(mine.Env), func(v string) bool { return slices.Contains(s.unset, v) })
	}
	mine.Workers, mine.Runtime, mine.Workload = 1, python, &altered{m.Workload, f}
	return &mine
}
