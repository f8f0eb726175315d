// Package service is what other programs on this machine do for jobs: a database,
// a cache, a search engine. It finds the processes of one, and reads what they use.
//
// A service is one process or several with all that they have started: of
// PostgreSQL the postmaster, its background workers, and a backend for each
// connection.
package service

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"forkbench/internal/held"
	"forkbench/internal/proc"
)

// A Service is the processes of one. It is found once; what it starts later is its
// own, and if it is started anew it is another one.
type Service struct {
	Name  string // of its program
	roots []int  // in the order of their numbers
}

// Find looks for a service by what a user calls it: the name of its program, the
// number of a process, or a TCP port that it listens on. A number is a port if
// somebody listens there; "pid:N" and "port:N" leave no doubt.
func Find(text string) (*Service, error) {
	kind, number, told := strings.Cut(text, ":")
	if !told {
		kind, number = "", text
	}
	n, err := strconv.Atoi(number)
	switch {
	case told && kind != "pid" && kind != "port":
		return nil, fmt.Errorf("%.100q: is neither a program's name, a process, nor a port: give postgres, pid:4711 or port:5432", text)
	case told && err != nil:
		return nil, fmt.Errorf("%.100q: %q is no number", text, number)
	case err != nil:
		return byName(text)
	case n < 1:
		return nil, fmt.Errorf("%.100q: must be at least 1", text)
	case kind == "pid":
		return byPID(n)
	case n > 65535:
		if kind == "port" {
			return nil, fmt.Errorf("%.100q: a port is at most 65535", text)
		}
		return byPID(n)
	}
	if pids, listens := held.PortOwners(n); listens || kind == "port" {
		return byPort(n, pids, listens)
	}
	return byPID(n)
}

func byPort(port int, pids []int, listens bool) (*Service, error) {
	switch {
	case !listens:
		return nil, fmt.Errorf("nobody listens on port %d of this machine: start the service first", port)
	case len(pids) == 0:
		return nil, fmt.Errorf("whose process listens on port %d is not shown to this user: name its program, as in --service=postgres, or run as root", port)
	}
	s := Of(pids)
	if s == nil {
		return nil, fmt.Errorf("port %d is kept by process 1, which starts the service when it is asked: connect once, or name its program", port)
	}
	return s, nil
}

func byPID(pid int) (*Service, error) {
	if _, ok := proc.Stands(pid); !ok {
		return nil, fmt.Errorf("there is no process %d, and nobody listens on a port of that number", pid)
	}
	if pid == 1 || pid == os.Getpid() {
		return nil, fmt.Errorf("process %d has started everything else: name the service's own", pid)
	}
	return Of([]int{pid}), nil
}

func byName(name string) (*Service, error) {
	if name == "" {
		return nil, errors.New("is empty: give the name of a program, a process or a port")
	}
	var pids []int
	for _, pid := range proc.All() {
		if pid != os.Getpid() && pid != 1 && (programOf(pid) == name || commandOf(pid) == name) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("no process of this machine runs %s: start the service first", name)
	}
	s := Of(pids)
	s.Name = name
	return s, nil
}

// Of is the service that processes belong to; nil of none, and of process 1 alone.
// It begins at the topmost of them.
func Of(pids []int) *Service {
	s := new(Service)
	for _, pid := range pids {
		stands, ok := proc.Stands(pid)
		if ok && pid != 1 && !slices.Contains(pids, stands.Parent) {
			s.roots = append(s.roots, pid)
		}
	}
	if len(s.roots) == 0 {
		for _, pid := range pids { // below process 1, which holds their socket for them
			if pid != 1 {
				s.roots = append(s.roots, pid)
			}
		}
	}
	if len(s.roots) == 0 {
		return nil
	}
	slices.Sort(s.roots)
	s.Name = commandOf(s.roots[0])
	return s
}

// programOf is the name of the file that a process executes; empty if that is not
// shown.
func programOf(pid int) string {
	path, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
}

// commandOf is what a process calls itself, in 15 characters.
func commandOf(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

// A Reading is what processes had used at one moment, with what they had waited
// for: all of this machine, or those of a service.
type Reading map[int]Used

// Used is a process's part of a reading.
type Used struct {
	Parent       int
	CPU          time.Duration // exact, but for what it has waited for, which is known to the tick of 10 ms
	User, System time.Duration // the same, to the tick
}

// ReadAll reads all processes: a service that is found later is in it.
func ReadAll() Reading {
	all := make(Reading)
	for _, pid := range proc.All() {
		all.add(pid)
	}
	return all
}

// Read reads the processes of services.
func Read(services []*Service) Reading {
	some := make(Reading)
	for _, s := range services {
		next := slices.Clone(s.roots)
		for len(next) > 0 {
			pid := next[len(next)-1]
			next = next[:len(next)-1]
			if _, known := some[pid]; !known && some.add(pid) {
				next = append(next, proc.Children(pid)...)
			}
		}
	}
	return some
}

func (r Reading) add(pid int) bool {
	t, ok := proc.TimesOf(pid)
	if !ok {
		return false
	}
	used, err := proc.CPU(pid)
	if err != nil {
		return false
	}
	r[pid] = Used{
		Parent: t.Parent, CPU: used + t.WaitedUser + t.WaitedSystem,
		User: t.User + t.WaitedUser, System: t.System + t.WaitedSystem,
	}
	return true
}

// ErrGone is why it is not known what a service used: it has ended meanwhile.
var ErrGone = errors.New("it ended meanwhile")

// Between is what a service used between two readings.
func (s *Service) Between(begin, end Reading) (user, system time.Duration, err error) {
	for _, pid := range s.roots {
		if _, lives := end[pid]; !lives {
			return 0, 0, ErrGone
		}
	}
	b, e := s.sum(begin), s.sum(end)
	total := max(e.CPU-b.CPU, 0)
	user, system = max(e.User-b.User, 0), max(e.System-b.System, 0)
	if user+system == 0 {
		return total, 0, nil
	}
	system = time.Duration(float64(total) * float64(system) / float64(user+system))
	return total - system, system, nil
}

// sum is what the service's processes have used. What those used that have ended
// is in what their parents have waited for.
func (s *Service) sum(r Reading) Used {
	var sum Used
	for pid, used := range r {
		if s.has(r, pid) {
			sum.CPU += used.CPU
			sum.User += used.User
			sum.System += used.System
		}
	}
	return sum
}

// has reports whether a process is a root or below one.
func (s *Service) has(r Reading, pid int) bool {
	for range len(r) {
		if slices.Contains(s.roots, pid) {
			return true
		}
		used, ok := r[pid]
		if !ok || used.Parent <= 1 {
			return false
		}
		pid = used.Parent
	}
	return false
}

// A Set is the services that are known so far. It may be used by several
// goroutines at once.
type Set struct {
	mu  sync.Mutex
	all []*Service
}

// NewSet is a set of some.
func NewSet(known ...*Service) *Set {
	s := new(Set)
	for _, k := range known {
		s.Add(k)
	}
	return s
}

// Add adds a service, unless it is there, and reports whether it did. One with the
// name of another gets its process's number with it.
func (s *Set) Add(found *Service) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.all {
		if slices.ContainsFunc(found.roots, func(pid int) bool { return slices.Contains(known.roots, pid) }) {
			return false
		}
	}
	if slices.ContainsFunc(s.all, func(known *Service) bool { return known.Name == found.Name }) {
		found.Name = fmt.Sprintf("%s %d", found.Name, found.roots[0])
	}
	s.all = append(s.all, found)
	return true
}

// List is those that are in the set.
func (s *Set) List() []*Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}
