package serve

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"forkbench/record"
	"forkbench/runner"
)

// A Run is one of the history, as lists show it.
type Run struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	State    State     `json:"state"`
	Begun    time.Time `json:"begun"` // it was asked for, or began
	Ended    time.Time `json:"ended,omitzero"`
	Error    string    `json:"error,omitempty"`
	Workload string    `json:"workload"`
	Arrivals string    `json:"arrivals,omitempty"`
	Jobs     int       `json:"jobs"`
	Workers  int       `json:"workers"`
	Models   []string  `json:"models"`
	Machine  string    `json:"machine"` // runs of another one are not of the same series
	Python   string    `json:"python,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	Tags     []string  `json:"tags"`
	Verdict  string    `json:"verdict,omitempty"`
	Figures  []Figure  `json:"figures"`
}

// A Figure is what a model came to in a run.
type Figure struct {
	Model string  `json:"model"`
	PerS  float64 `json:"jobs_done_per_s"`
	CPUMS float64 `json:"cpu_ms_per_job_done"`
}

// indexName is a cache: removed, it is made again.
const indexName = ".index.json"

// refreshEvery bounds how often the directory is looked through.
const refreshEvery = time.Second

// An index is what lists are made of. It looks at a run again when its directory has
// changed, and not at all while a comparison is being measured, but for the
// service's own.
type index struct {
	store *store
	busy  func() bool
	log   *zap.Logger

	mu      sync.Mutex
	entries map[string]indexed
	looked  time.Time
	changed bool
}

type indexed struct {
	Key string `json:"key"` // of the directory that it was made from
	Run Run    `json:"run"`
}

// indexVersion is in each key: what another version made is made again.
const indexVersion = "1"

func newIndex(s *store, busy func() bool, log *zap.Logger) *index {
	x := &index{store: s, busy: busy, log: log, entries: make(map[string]indexed)}
	if text, err := s.root.ReadFile(indexName); err == nil {
		if json.Unmarshal(text, &x.entries) != nil || x.entries == nil {
			x.entries = make(map[string]indexed)
		}
	}
	return x
}

// save writes the cache. That it could not be written costs only time.
func (x *index) save() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.changed {
		return
	}
	text, err := json.Marshal(x.entries)
	if err == nil {
		err = x.store.replace(indexName, text)
	}
	if err != nil {
		x.log.Warn("the index is not saved", zap.Error(err))
		return
	}
	x.changed = false
}

// A Filter is which runs to list; empty fields let all pass.
type Filter struct {
	Workload, Machine, Commit, Tag string
	State                          State
}

func (f *Filter) passes(r *Run) bool {
	return (f.Workload == "" || f.Workload == r.Workload) && (f.Machine == "" || f.Machine == r.Machine) &&
		(f.Commit == "" || r.Commit != "" && strings.HasPrefix(r.Commit, f.Commit)) &&
		(f.Tag == "" || slices.Contains(r.Tags, f.Tag)) && (f.State == "" || f.State == r.State)
}

// list is the runs that pass, the newest first.
func (x *index) list(f Filter) ([]Run, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.refresh(); err != nil {
		return nil, err
	}
	runs := []Run{}
	for _, e := range x.entries {
		if f.passes(&e.Run) {
			runs = append(runs, e.Run)
		}
	}
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Or(b.Begun.Compare(a.Begun), cmp.Compare(b.Name, a.Name)) })
	return runs, nil
}

// forget has the next list look at the directory again.
func (x *index) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.looked = time.Time{}
}

// refresh looks at what has changed. The caller holds the lock.
func (x *index) refresh() error {
	wait := refreshEvery
	if x.busy() {
		wait *= 10
	}
	if time.Since(x.looked) < wait {
		return nil
	}
	entries, err := fs.ReadDir(x.store.root.FS(), ".")
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !runForm.MatchString(e.Name()) {
			continue
		}
		name, key := e.Name(), keyOf(info)
		if old, ok := x.entries[name]; ok && old.Key == key && key != "" {
			there[name] = true
			continue
		}
		r, err := x.store.run(name)
		switch {
		case errors.Is(err, errNoRun):
			continue
		case err != nil:
			x.log.Warn("a run cannot be read", zap.String("run", name), zap.Error(err))
			continue
		}
		there[name] = true
		x.entries[name], x.changed = indexed{key, *r}, true
	}
	for name := range x.entries {
		if !there[name] {
			delete(x.entries, name)
			x.changed = true
		}
	}
	x.looked = time.Now()
	return nil
}

// settled is how old a directory's last change must be to tell it from a later one, by
// a clock that goes in steps.
const settled = 100 * time.Millisecond

// keyOf is another one when one of a run's files was replaced, made or removed, all of
// which change the directory; or "" if that was a moment ago.
func keyOf(dir fs.FileInfo) string {
	if time.Since(dir.ModTime()) < settled {
		return ""
	}
	return indexVersion + " " + strconv.FormatInt(dir.ModTime().UnixNano(), 10)
}

// run reads a run from its files: the service's, then the command's.
func (s *store) run(name string) (*Run, error) {
	if err := s.check(name); err != nil {
		return nil, err
	}
	r := &Run{Name: name, Kind: Comparison, Models: []string{}, Tags: []string{}, Figures: []Figure{}}
	var q Request
	asked := ""
	switch err := s.read(name, requestName, &q); {
	case err == nil:
		r.Kind, r.Workload, r.Jobs, r.Workers, r.Commit, r.Arrivals = q.Kind, q.Workload, q.Jobs, q.Workers, q.Commit, q.Arrivals
		r.Tags = append(r.Tags, q.Tags...)
		r.Models = append(r.Models, q.Models...)
		if q.Kind == Simulation {
			r.Workload = q.Profile
		}
		asked = r.Workload
	case !errors.Is(err, fs.ErrNotExist):
		r.Error = fmt.Sprintf("%s: %v", requestName, err) // what was measured is there all the same
	}
	switch st, err := s.status(name); {
	case err == nil:
		r.State, r.Begun, r.Ended, r.Error = st.State, st.Queued, st.Ended, cmp.Or(st.Error, r.Error)
	case !errors.Is(err, fs.ErrNotExist):
		r.Error = fmt.Sprintf("%s: %v", stateName, err)
	}
	text, err := s.readFile(path.Join(name, summaryName))
	switch {
	case err == nil:
		sum, err := runner.ReadSummary(text)
		switch {
		case err == nil:
			r.summary(sum, asked)
			r.State = cmp.Or(r.State, Done)
		case r.State.Ended() || r.State == "": // else it may be half written
			r.State, r.Error = cmp.Or(r.State, Failed), fmt.Sprintf("%s: %v", summaryName, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case r.State == "":
		r.State = Interrupted // it never came to a summary
	}
	if h, err := s.header(name); err == nil {
		if r.Begun.IsZero() {
			r.Begun = h.Started
		}
		if r.Machine == "" {
			r.summary(&runner.Summary{Spec: h.Spec, Environment: h.Environment}, asked)
		}
	} else if r.Begun.IsZero() {
		if info, err := s.root.Lstat(name); err == nil {
			r.Begun = info.ModTime()
		}
	}
	return r, nil
}

// summary takes what a summary says. A run goes by the name of what was asked
// for.
func (r *Run) summary(sum *runner.Summary, asked string) {
	spec := &sum.Spec
	r.Workload, r.Arrivals, r.Jobs, r.Workers = cmp.Or(asked, spec.Workload), spec.Arrivals, spec.Jobs, spec.Workers
	r.Machine, r.Python, r.Verdict = sum.Machine(), sum.Environment.Python, sum.Verdict
	if spec.Simulation != nil {
		r.Kind = Simulation
		r.Workload = cmp.Or(asked, spec.Simulation.Profile)
	}
	r.Models = r.Models[:0]
	for _, m := range spec.Models {
		r.Models = append(r.Models, m.Name)
	}
	r.Figures = r.Figures[:0]
	for i := range sum.Models {
		m := &sum.Models[i]
		f := Figure{Model: m.Model, PerS: m.DonePerS.Median}
		if m.CPUDone != nil {
			f.CPUMS = m.CPUDone.Median
		}
		r.Figures = append(r.Figures, f)
	}
}

// header reads the first line of a run's records.
func (s *store) header(run string) (*record.Header, error) {
	f, err := s.root.Open(path.Join(run, recordsName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 256<<10).ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	h := new(record.Header)
	return h, json.Unmarshal(line, h)
}
