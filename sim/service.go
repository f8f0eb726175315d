package sim

import "strings"

// serve has the current actor wait for what services do for its job, in processes
// of theirs, on the same cores. It returns how much CPU that was.
func (h *Host) serve(job uint64, first bool) (used int64, why reason) {
	for i := range h.profile.Services {
		s := &h.profile.Services[i]
		h.random.begin(forService, job+uint64(i)<<serviceID)
		d := s.Job.draw(&h.random)
		if first {
			d += s.First.draw(&h.random)
		}
		if d == 0 {
			continue
		}
		used += d
		t := h.backend()
		b := h.burst(t, d)
		if b.parks {
			b.why = h.park(computing)
		}
		h.backends = append(h.backends, t)
		h.used.services = h.used.services.Add(split(h.got(&b), s.System))
		if b.why != ready {
			return used, b.why
		}
	}
	return used, h.alive()
}

// serviceID keeps the draws of services for one job apart.
const serviceID = 56

// backend is a process of a service that has nothing to do. Whoever takes it puts
// it back.
func (h *Host) backend() *thread {
	n := len(h.backends)
	if n == 0 {
		return new(thread)
	}
	t := h.backends[n-1]
	h.backends = h.backends[:n-1]
	return t
}

// serviceNames names all services.
func (p *Profile) serviceNames() string {
	names := make([]string, len(p.Services))
	for i := range p.Services {
		names[i] = p.Services[i].Name
	}
	return strings.Join(names, ", ")
}
