package live

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"forkbench/internal/held"
	"forkbench/record"
)

// An estate is what a process has that its forks may share or lack, and what of it
// one of them has.
type estate struct {
	things  []held.Thing
	threads []held.Thread
	inside  heldReply // what Python knows of the process

	err    error // why no fork was seen; then what follows is not known
	shared []held.Thing
	fork   heldReply     // what Python knows of the fork
	left   []held.Thread // the process's own, after it
}

// see notes what a fork has, of which Python knows what it says.
func (e *estate) see(pid int, inside heldReply) {
	e.err, e.fork, e.shared = nil, inside, nil
	for _, t := range e.things {
		if t.In(pid) {
			e.shared = append(e.shared, t)
		}
	}
}

// ended reports whether a thread of the process has ended at the fork.
func (e *estate) ended(t held.Thread) bool {
	return e.err == nil && !slices.ContainsFunc(e.left, func(o held.Thread) bool { return o.TID == t.TID })
}

// assess notes the hazards that are in an estate.
func (p *process) assess(e *estate) {
	shared, locks := e.shared, e.fork.Locks
	if e.err != nil {
		shared, locks = e.things, e.inside.Locks
	}
	for _, t := range shared {
		p.add(record.Hazard{
			Kind: t.Kind, What: t.What, Caution: t.Caution, Unverified: e.err != nil,
			From: p.origin(thingName(t)), Cure: cures[t.Kind],
		})
	}
	p.found = append(p.found, p.describe(e)...)
	for _, name := range locks {
		p.add(record.Hazard{Kind: record.HazardLock, What: "the lock " + name, Cure: cures[record.HazardLock]})
	}
}

// thingName and taskName are what the steps of a process call what they left.
func thingName(t held.Thing) string { return fmt.Sprintf("%d %s", t.FD, t.Link) }
func taskName(t held.Thread) string { return fmt.Sprintf("task %d", t.TID) }

// describe says what is wrong with threads. One of Python's that has ended at the
// fork, or that runs in the fork again, is none that the fork lacks.
func (p *process) describe(e *estate) []record.Hazard {
	var list []record.Hazard
	unnamed := slices.DeleteFunc(slices.Clone(e.inside.Threads), func(t threadReply) bool { return t.TID != 0 })
	again := make(map[string]int) // in the fork, by what they run
	for _, t := range e.fork.Threads {
		again[t.Runs]++
	}
	isAgain := func(runs string) bool {
		again[runs]--
		return again[runs] >= 0
	}
	native := make(map[record.Hazard]int)
	var order []record.Hazard
	for _, t := range e.threads {
		one := record.Hazard{Kind: record.HazardThread, From: p.origin(taskName(t)), Cure: cures[record.HazardThread]}
		ended := e.ended(t)
		i := slices.IndexFunc(e.inside.Threads, func(r threadReply) bool { return r.TID == t.TID })
		switch {
		case i >= 0:
			if ended || isAgain(e.inside.Threads[i].Runs) {
				continue
			}
			one.What = fmt.Sprintf("the thread %q (%s)", e.inside.Threads[i].Name, e.inside.Threads[i].Runs)
		case isPython(t.Library) && len(unnamed) > 0:
			runs := unnamed[0].Runs
			unnamed = unnamed[1:]
			if ended || isAgain(runs) {
				continue
			}
			one.What = fmt.Sprintf("a Python thread without a name (%s)", runs)
		case isPython(t.Library):
			if ended {
				continue
			}
			one.What = "a Python thread without a name"
		default:
			one.Kind = record.HazardNativeThread
			one.What, one.Cure, one.Env = p.nativeThread(t)
			if ended {
				one.Caution = true
				one.Cure = "its library ends it before a fork and starts it again where it is needed"
			}
			if native[one]++; native[one] == 1 {
				order = append(order, one)
			}
			continue
		}
		list = append(list, one)
	}
	for _, one := range order {
		if n := native[one]; n > 1 {
			one.What = strings.Replace(one.What, "a native thread", fmt.Sprintf("%d native threads", n), 1)
		}
		list = append(list, one)
	}
	return list
}

func isPython(library string) bool {
	name := filepath.Base(library)
	return strings.HasPrefix(name, "python") || strings.HasPrefix(name, "libpython")
}

// nativeThread says what a thread is that Python does not know, and what to do.
func (p *process) nativeThread(t held.Thread) (what, cure, env string) {
	what = fmt.Sprintf("a native thread %q", t.Name)
	cure = cures[record.HazardNativeThread]
	library := t.Library
	if library != "" {
		what += " of " + filepath.Base(library)
	} else if pools := held.Pools(p.pid); len(pools) > 0 {
		library = pools[0]
		what += " (of " + filepath.Base(library) + ", perhaps)"
	}
	pool, known := held.PoolOf(library)
	if known {
		what += " (" + pool.Name + ")"
	}
	if known && pool.Variable != "" {
		env = pool.Variable + "=1"
		cure = fmt.Sprintf("start again with --env=%s, which leaves that pool without threads", env)
	}
	return what, cure, env
}

// cures say what to do about hazards. Those of threads of a well-known pool are
// better.
var cures = map[record.HazardKind]string{
	record.HazardConnection: "connect, use and close it before the fork, so that each fork opens its own, or have the application do so at each: " +
		"os.register_at_fork(before=connection.close), or by the pool that holds it (SQLAlchemy: engine.dispose, redis-py: connection_pool.disconnect)",
	record.HazardDatabase:     "close it before the fork and open it in the fork, as SQLite asks for: os.register_at_fork(before=connection.close)",
	record.HazardFile:         "open it in the fork, or read and close it before; where it is written, open it for appending, with whole lines in one write",
	record.HazardEvents:       "make the event loop or the watcher in the fork",
	record.HazardDevice:       "initialise it in the fork: a driver's context does not outlive one",
	record.HazardPipe:         "right where it is there to be shared, as a queue of multiprocessing's; else make it in the fork",
	record.HazardListener:     "right where all of them serve; else listen in one process, after the fork",
	record.HazardDatagrams:    "right for sending (statsd, syslog); an answer goes to one of them",
	record.HazardThread:       "start it in the fork (os.register_at_fork(after_in_child=start)), or stop it before",
	record.HazardNativeThread: "leave what starts it to the jobs, or stop it before the fork",
	record.HazardLock: "start the thread that takes it in the fork, or hold it around the fork: " +
		"os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)",
}
