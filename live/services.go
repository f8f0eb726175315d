package live

import (
	"net"
	"slices"
	"sync"

	"forkbench/internal/held"
	"forkbench/record"
	"forkbench/service"
)

// What other programs on this machine do for jobs, a database say, is not CPU of the
// model's processes, and none of others that disturb it. It is told apart.

// services is what is known of them in a round.
type services struct {
	mu         sync.Mutex // held while they are looked for
	begin, end service.Reading
	looks      int // for connections to those that are not known yet
}

const (
	// looksAtMost is how many processes are looked at for connections. That is done a
	// few times when jobs begin, then now and again, and when work ends if it was done
	// seldom until then.
	looksAtMost = 64
	lastLooks   = 3
)

// beginServices reads all processes of the machine: which of them are services is
// known later.
func (h *Host) beginServices() {
	if h.m.Services != nil {
		h.services.begin = service.ReadAll()
	}
}

// endServices reads those of the services.
func (h *Host) endServices() {
	if h.m.Services == nil {
		return
	}
	h.findServices(lastLooks)
	h.services.end = service.Read(h.m.Services.List())
}

// findServices looks for services that processes of the round are connected to,
// unless it has done so as often as is asked for.
func (h *Host) findServices(most int) {
	h.services.mu.Lock()
	defer h.services.mu.Unlock()
	if h.services.looks >= most {
		return
	}
	h.services.looks++
	known := h.known()
	pids := h.cgroup.processes()
	if h.cgroup.dir == nil {
		for pid := range known {
			pids = append(pids, pid)
		}
	}
	for _, l := range held.Listeners(pids[:min(len(pids), looksAtMost)]) {
		own := slices.ContainsFunc(l.Owners, func(pid int) bool { return known[pid] || h.cgroup.holds(pid) })
		if own || h.isRedis(l) {
			continue
		}
		if s := service.Of(l.Owners); s != nil && h.m.Services.Add(s) {
			h.m.log().Sugar().Infof("jobs use %s at %s: its CPU is told apart", s.Name, l.Address)
		}
	}
}

// isRedis reports whether a listener is the server that holds the jobs, which has
// an account of its own.
func (h *Host) isRedis(l held.Listener) bool {
	if h.m.Server == nil {
		return false
	}
	if pid := h.m.Server.Pid(); pid != 0 && slices.Contains(l.Owners, pid) {
		return true
	}
	lists, err := h.m.Server.Lists()
	if err != nil {
		return false
	}
	a := lists.Address()
	_, port, _ := net.SplitHostPort(l.Address)
	return a.Socket != "" && a.Socket == l.Address || a.Port != "" && a.Port == port
}

// bookServices is what they used while jobs were run.
func (h *Host) bookServices() []record.Service {
	if h.m.Services == nil || h.services.end == nil {
		return nil
	}
	var all []record.Service
	for _, s := range h.m.Services.List() {
		user, system, err := s.Between(h.services.begin, h.services.end)
		if err != nil {
			h.warn("what %s used for the jobs is not known: %v", s.Name, err)
			continue
		}
		all = append(all, record.Service{Name: s.Name, CPU: record.CPU{User: user, System: system}})
	}
	return all
}
