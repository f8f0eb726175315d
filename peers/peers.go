// Package peers says how the job systems of others run beside the models of this
// project: the real Celery (package peers/celery) and the real RQ (package
// peers/rq), as installed for the user's interpreter.
//
// A peer is a models.Executor whose jobs run in processes of its own making, from
// queues of its own in the same Redis. It needs a machine that can hold such a
// tree of processes to account: a [Host]. What is equal between peers and models,
// and what is not, is in docs/peers.md.
package peers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"forkbench/models"
)

// A Host is a machine that can run a system of others. Package live is one; a
// simulated machine is none.
type Host interface {
	models.Host

	// RunPeer gives the round's jobs to a system and returns when it has run
	// them: enqueued in the system's own form before the clock starts, released
	// when its workers are ready, settled by what it says of each. All of its
	// processes have been ended and accounted for then.
	RunPeer(ctx context.Context, s System) error
}

// A System is a job system, as a Host starts it.
type System struct {
	Name string // the model's, without its knobs: "celery"

	// Driver is the source of the Python module forkbench_NAME. Its functions
	// enqueue, work and collect each take a process of the user's interpreter;
	// forkbench_peer.py says what they find and what they must say.
	Driver string

	Mains int // processes that run work, each of which must say that it is ready
	Pool  int // children that must be there before the system is ready, all told

	// Key is the Redis list that the system takes its jobs from, below a prefix
	// that the host chooses; NextIsLast says that it takes the last entry of it,
	// not the first.
	Prefix     func(base string) string
	Key        func(prefix, queue string) string
	NextIsLast bool

	Warm     bool           // do the one-time work that was named, before the first job is taken
	Settings map[string]any // for the driver, as JSON
}

// Run runs a system on a host that can, and says so if it cannot.
func Run(ctx context.Context, h models.Host, s System) error {
	host, ok := h.(Host)
	if !ok {
		return fmt.Errorf("%s runs only on real machines: leave it out of --model", s.Name)
	}
	return host.RunPeer(ctx, s)
}

// The Python that all systems share.
//
//go:embed forkbench_peer.py
var shared string

//go:embed run.py
var runner string

// Files are what a system's processes run, by the names that they must have in
// one directory. The first argument of run.py is the driver's name, the second
// the function.
func (s System) Files() map[string]string {
	return map[string]string{
		"run.py":            runner,
		"forkbench_peer.py": shared,
		s.Module() + ".py":  s.Driver,
	}
}

// Module is the name of the driver.
func (s System) Module() string { return "forkbench_" + s.Name }

// A Requirement is what a system needs of the user's interpreter.
type Requirement struct {
	Modules []string // to import
	Install string   // what to name to pip
}

// A MissingError says that an interpreter lacks what a system needs.
type MissingError struct {
	Interpreter string
	Module, Why string // what cannot be imported
	Install     string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s cannot import %s (%s): %[1]s -m pip install %[4]s", e.Interpreter, e.Module, e.Why, e.Install)
}

// versions imports modules and prints what they are.
const versions = `
import importlib, sys
sys.path[1:1] = sys.argv[1].splitlines()
for name in sys.argv[2:]:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        sys.exit("%s\n%s: %s" % (name, type(error).__name__, error))
    print(name, getattr(module, "__version__", ""))
`

// Versions asks an interpreter for what the requirement names, and says which
// versions it has: "celery 5.7.0, redis 8.1.0". It looks first where path says,
// as the system's processes do. What is not there is a *MissingError.
func Versions(ctx context.Context, interpreter string, path []string, r Requirement) (string, error) {
	args := append([]string{"-c", versions, strings.Join(path, "\n")}, r.Modules...)
	out, err := exec.CommandContext(ctx, interpreter, args...).Output()
	if err == nil {
		var found []string
		for line := range strings.Lines(string(out)) {
			if name, version, _ := strings.Cut(strings.TrimSpace(line), " "); version != "" {
				found = append(found, name+" "+version)
			}
		}
		return strings.Join(found, ", "), nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return "", err
	}
	name, why, found := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
	if !found || !slices.Contains(r.Modules, name) {
		return "", fmt.Errorf("%s could not import %s: %s", interpreter, strings.Join(r.Modules, ", "), exit.Stderr)
	}
	return "", &MissingError{Interpreter: interpreter, Module: name, Why: why, Install: r.Install}
}
