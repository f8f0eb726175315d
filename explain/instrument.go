package explain

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"forkbench/live"
	"forkbench/workload"
)

//go:embed profile.py
var profilePy string

// The modules that jobs find beside the application while they are looked at.
const (
	profileModule  = "forkbench_profile"
	settingsModule = "forkbench_profile_settings"
	warmModule     = "forkbench_warm"
)

// settings is what profile.py is told.
type settings struct {
	Function  string   `json:"function"`
	Directory string   `json:"directory"`
	Jobs      int      `json:"jobs"`            // of each process to look at, from its first
	Warm      []string `json:"warm"`            // to call in Warm, looked at as well
	Watch     []string `json:"watch,omitempty"` // look at these calls only, and closely
	Time      []string `json:"time,omitempty"`  // only time these calls, without a profiler
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
	warm []string   // MODULE:FUNCTION to call in Process.Warm, in place of all that the workload and the user name
	ways []warmCall // the same, as calls; they can be named as warmModule:call_0 and so on
	look *settings  // nil for jobs as they are; Function and Warm are filled in
}

// machine is a copy of m with one worker, prepared as the setup says.
func (s setup) machine(m *live.Machine) *live.Machine {
	python := m.Runtime.(live.Python)
	f := m.Workload.(workload.Python).PythonFunction()
	sources := maps.Clone(f.Sources)
	if sources == nil {
		sources = make(map[string]string)
	}
	warm := s.warm
	if len(s.ways) > 0 {
		sources[warmModule] = warmSource(s.ways)
		for i := range s.ways {
			warm = append(warm, fmt.Sprintf("%s:call_%d", warmModule, i))
		}
	}
	if s.look != nil {
		look := *s.look
		look.Function, look.Warm = f.Module+":"+f.Function, warm
		if look.Warm == nil {
			look.Warm = []string{}
		}
		f.Module, f.Function = profileModule, "job"
		sources[profileModule], sources[settingsModule] = profilePy, look.source()
		warm = nil
		for i := range look.Warm {
			warm = append(warm, fmt.Sprintf("%s:warm_%d", profileModule, i))
		}
	}
	f.Sources, f.Warm, python.Warm = sources, warm, nil
	mine := *m
	mine.Workers, mine.Runtime, mine.Workload = 1, python, &altered{m.Workload, f}
	return &mine
}

// A warmCall is a call that does one-time work up front.
type warmCall struct {
	Module string   `json:"module"`
	Name   string   `json:"name"` // in the module; empty for the import of it
	Args   []string `json:"args"` // Python source
}

// String is the call as it stands in Python source, with the module's full name.
func (c warmCall) String() string {
	if c.Name == "" {
		return "import " + c.Module
	}
	return fmt.Sprintf("%s.%s(%s)", c.Module, c.Name, strings.Join(c.Args, ", "))
}

// reference is the call as --warm takes it, or "" if it has arguments.
func (c warmCall) reference() string {
	if c.Name == "" || len(c.Args) > 0 {
		return ""
	}
	return c.Module + ":" + c.Name
}

// warmSource is a module with a function call_0, call_1 and so on for each call.
func warmSource(list []warmCall) string {
	var b strings.Builder
	b.WriteString("from importlib import import_module\n")
	for i, c := range list {
		fmt.Fprintf(&b, "\n\ndef call_%d():\n    module = import_module(%s)\n", i, pythonString(c.Module))
		if c.Name != "" {
			fmt.Fprintf(&b, "    module.%s(%s)\n", c.Name, strings.Join(c.Args, ", "))
		}
	}
	return b.String()
}

func pythonString(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string has a JSON form
	}
	return string(quoted)
}
