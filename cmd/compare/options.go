package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"forkbench/runner"
	"forkbench/service"
	"forkbench/workload"
)

// Bounds on what a comparison may be asked. They are far above what makes sense
// on one machine.
const (
	maxJobs    = 100_000_000
	maxWorkers = 1024
	maxRounds  = 1000
)

// Options are what a comparison was asked to do: valid, and all files read.
type options struct {
	contestants  []contestant
	workload     workload.Workload
	payload      string // the file that its payloads came from
	arrivals     workload.Arrivals
	jobs         int
	workers      int
	rounds       int
	until        *runner.Until // nil for a fixed number of rounds
	halfWidth    float64       // --until
	maxTime      time.Duration // --max-time
	seed         uint64
	timeout      time.Duration
	bootTimeout  time.Duration
	maxDuration  time.Duration // of a schedule; 0 if it was not given
	python       string
	path         []string // absolute
	setup        []string
	warm         []string
	warms        bool // the model warms its parents
	allowThreads bool
	env          []string // NAME=VALUE
	services     []*service.Service
	noServices   bool // none are looked for

	maxJobsPerChild   int
	maxMemoryPerChild int64
	jobsPerChild      int
	spares            int
	refork            int
	maxTasksPerChild  int
	rqClass           string
	rqImport          string
	rqUnprefixed      bool // RQ is too old to keep its keys apart

	redis    string
	patience time.Duration // with Redis
	out      string        // empty for a new directory below results
	force    bool
	explain  bool
	format   string
	gate     runner.Gate
	quiet    bool
	verbose  bool

	payloads [][]byte
	texts    map[string]string // every flag's value as typed, by its name
	given    map[string]bool   // the flags that were
}

// inner is the cause of an error whose own part repeats what was typed.
func inner(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return err
}

func (o *options) setModels(text string) (err error) {
	o.contestants, err = parseContestants(text)
	return err
}

func (o *options) setWorkload(text string) (err error) {
	if o.workload, err = workload.Parse(text); err != nil {
		return inner(err)
	}
	return nil
}

func (o *options) setArrivals(text string) (err error) {
	if o.arrivals, err = workload.ParseArrivals(text); err != nil {
		return inner(err)
	}
	return nil
}

// setService adds a service, which must be there.
func (o *options) setService(text string) error {
	if text == "none" {
		o.noServices = true
		return nil
	}
	s, err := service.Find(text)
	if err == nil {
		o.services = append(o.services, s)
	}
	return err
}

// serviceSet is what a machine is to know of services; nil if it is to tell none
// apart.
func (o *options) serviceSet() *service.Set {
	if o.noServices && len(o.services) == 0 {
		return nil
	}
	return service.NewSet(o.services...)
}

func (o *options) setPayload(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return pathCause(err)
	}
	defer f.Close()
	o.payload = name
	o.payloads, err = workload.ReadPayloads(f, name)
	return err
}

func (o *options) setPath(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return pathCause(err)
	}
	if !info.IsDir() {
		return errors.New("not a directory")
	}
	// Jobs may change theirs.
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	o.path = append(o.path, dir)
	return nil
}

func (o *options) setSetup(text string) error {
	for _, name := range workload.SplitList(text) {
		// It is named as a function to run is.
		if _, err := workload.Parse("py:" + name); err != nil {
			return errors.New(strings.ReplaceAll(inner(err).Error(), "py:", ""))
		}
		o.setup = append(o.setup, name)
	}
	return nil
}

func (o *options) setWarm(text string) error {
	for _, name := range workload.SplitList(text) {
		if err := workload.CheckWarm(name); err != nil {
			return err
		}
		o.warm = append(o.warm, name)
	}
	return nil
}

// variable is what programs take for the name of a variable.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (o *options) setEnv(text string) error {
	name, _, valued := strings.Cut(text, "=")
	switch {
	case !valued:
		return fmt.Errorf("%s: has no value: NAME=VALUE, as in OPENBLAS_NUM_THREADS=1", shorten(name, 80))
	case !variable.MatchString(name):
		return fmt.Errorf("%q: is no name of a variable: letters, digits and _, as in OPENBLAS_NUM_THREADS=1", shorten(name, 80))
	case strings.HasPrefix(name, "FORKBENCH_"):
		return fmt.Errorf("%s: is this program's own: choose another name", shorten(name, 80))
	case slices.ContainsFunc(o.env, func(other string) bool { return strings.HasPrefix(other, name+"=") }):
		return fmt.Errorf("%s: is set twice", shorten(name, 80))
	}
	o.env = append(o.env, text)
	return nil
}

// private are parts of the names of variables whose values are nobody's business.
var private = []string{"PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "DSN", "URL", "URI"}

// shownEnv is the variables as records show them: without what may be a secret.
func (o *options) shownEnv() []string {
	var list []string
	for _, text := range o.env {
		name, value, _ := strings.Cut(text, "=")
		if value != "" && slices.ContainsFunc(private, func(part string) bool { return strings.Contains(strings.ToUpper(name), part) }) {
			text = name + "=…"
		}
		list = append(list, text)
	}
	return list
}

func (o *options) setRedis(text string) (err error) {
	o.redis, err = redisAddress(text)
	return err
}

// pathCause is why a file could not be used, without its name.
func pathCause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
