package live

import (
	"slices"

	"forkbench/workload"
)

// warmJob is the payload of the job that a parent runs to be warm; nil if it is to
// run none.
func (m *Machine) warmJob() []byte {
	python, ok := m.Runtime.(Python)
	if !ok {
		return nil
	}
	f := m.Workload.(workload.Python).PythonFunction()
	if !slices.Contains(slices.Concat(f.Warm, python.Warm), workload.WarmJob) {
		return nil
	}
	return m.Workload.Payload(1, 0)
}

// undid notes what a job in a parent had left open, each once.
func (h *Host) undid(list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, text := range list {
		if !slices.Contains(h.undone, text) {
			h.undone = append(h.undone, text)
			h.m.log().Info(h.r.Model + ": a job in the parent left open and gave up " + text)
		}
	}
}
