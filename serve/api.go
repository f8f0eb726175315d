package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"

	"forkbench/record"
	"forkbench/runner"
	"forkbench/sim/profiles"
)

// A route is one thing that can be asked.
type route struct {
	pattern string
	handle  func(http.ResponseWriter, *http.Request) error
}

// apiRoutes are what openapi.json describes.
func (s *Server) apiRoutes() []route {
	return []route{
		{"GET /api/v1/runs", s.getRuns},
		{"POST /api/v1/runs", s.postRun},
		{"GET /api/v1/runs/{run}", s.getRun},
		{"DELETE /api/v1/runs/{run}", s.deleteRun},
		{"POST /api/v1/runs/{run}/cancel", s.cancelRun},
		{"GET /api/v1/runs/{run}/summary", s.getSummary},
		{"GET /api/v1/runs/{run}/events", s.events},
		{"GET /api/v1/runs/{run}/files/{file}", s.getFile},
		{"GET /api/v1/diff", s.getDiff},
		{"GET /api/v1/workloads", s.getWorkloads},
		{"GET /api/v1/openapi.json", s.getDocument},
		{"GET /healthz", s.healthy},
		{"GET /metrics", s.getMetrics},
	}
}

// routes is everything that the service answers.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range append(s.apiRoutes(), s.pageRoutes()...) {
		var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if err := r.handle(w, req); err != nil {
				s.fail(w, req, err)
			}
		})
		if canWait(r.pattern) {
			h = s.sparing(h)
		}
		if r.pattern != "GET /api/v1/runs/{run}/events" {
			h = s.metrics.observe(r.pattern, h)
		}
		mux.Handle(r.pattern, h)
	}
	return s.guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// The mux knows whether it is the method or the path; its answer is put in our form.
		rec := &discard{header: make(http.Header)}
		mux.ServeHTTP(rec, r)
		if allow := rec.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			s.fail(w, r, &httpError{http.StatusMethodNotAllowed, r.Method + " is not for this: " + allow})
			return
		}
		s.fail(w, r, &httpError{http.StatusNotFound, "there is nothing here: /docs says what there is"})
	}))
}

// A discard is an answer of which only the headers are looked at.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever asked may have gone
	return nil
}

// A RunList is a part of the history.
type RunList struct {
	Runs []Run  `json:"runs"`
	All  int    `json:"all"`            // that pass the filter
	Next string `json:"next,omitempty"` // the last of these, to go on after, if there are more
}

const (
	defaultRuns = 50
	mostRuns    = 500
)

// listed reads a filter and the part that is asked for.
func (s *Server) listed(r *http.Request) (*RunList, error) {
	q := r.URL.Query()
	limit := defaultRuns
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostRuns {
			return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("limit: %q: must be from 1 to %d", short(text), mostRuns)}
		}
		limit = n
	}
	runs, err := s.index.list(Filter{
		Workload: q.Get("workload"), Machine: q.Get("machine"), Commit: q.Get("commit"), Tag: q.Get("tag"), State: State(q.Get("state")),
	})
	if err != nil {
		return nil, err
	}
	list := &RunList{All: len(runs)}
	if after := q.Get("after"); after != "" {
		i := slices.IndexFunc(runs, func(x Run) bool { return x.Name == after })
		if i < 0 {
			return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("after: %q: is not in this list, or not any more: begin anew", short(after))}
		}
		runs = runs[i+1:]
	}
	if len(runs) > limit {
		runs = runs[:limit]
		list.Next = runs[limit-1].Name
	}
	list.Runs = runs
	return list, nil
}

func (s *Server) getRuns(w http.ResponseWriter, r *http.Request) error {
	list, err := s.listed(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, list)
}

func (s *Server) postRun(w http.ResponseWriter, r *http.Request) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return &httpError{http.StatusUnsupportedMediaType, "send application/json"}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	var q Request
	if err := d.Decode(&q); err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return err
		}
		return &httpError{http.StatusBadRequest, "not a request as /docs describes it: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &httpError{http.StatusBadRequest, "one JSON value, and nothing after it"}
	}
	name, err := s.queue.add(&q)
	if err != nil {
		return err
	}
	s.index.forget()
	run, err := s.store.run(name)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/runs/"+name)
	return answer(w, http.StatusAccepted, run)
}

// A RunDetail is a run with its files.
type RunDetail struct {
	Run

	Request *Request `json:"request"` // null of a run that the service did not make
	Files   []File   `json:"files"`
}

func (s *Server) detail(name string) (*RunDetail, error) {
	run, err := s.store.run(name)
	if err != nil {
		return nil, err
	}
	d := &RunDetail{Run: *run}
	var q Request
	if s.store.read(name, requestName, &q) == nil {
		d.Request = &q
	}
	d.Files, err = s.store.files(name)
	return d, err
}

func (s *Server) getRun(w http.ResponseWriter, r *http.Request) error {
	d, err := s.detail(r.PathValue("run"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, d)
}

// remove deletes a run.
func (s *Server) remove(name string) error {
	if err := s.queue.remove(name); err != nil {
		return err
	}
	s.index.forget()
	return nil
}

// cancel ends a run, or has it wait no longer.
func (s *Server) cancel(name string) error {
	if err := s.store.check(name); err != nil {
		return err
	}
	if err := s.queue.cancel(name); err != nil {
		return err
	}
	s.index.forget()
	return nil
}

func (s *Server) deleteRun(w http.ResponseWriter, r *http.Request) error {
	if err := s.remove(r.PathValue("run")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) cancelRun(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("run")
	if err := s.cancel(name); err != nil {
		return err
	}
	run, err := s.store.run(name)
	if err != nil {
		return err
	}
	return answer(w, http.StatusAccepted, run)
}

func (s *Server) getSummary(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("run")
	if err := s.store.check(name); err != nil {
		return err
	}
	text, err := s.store.readFile(path.Join(name, summaryName))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // whoever asked may have gone
	return nil
}

// filePolicy is for what is in run directories: a report, a flame graph. Whatever is in
// one runs apart from this service, as if it came from nowhere, and reaches nothing: a
// request from nowhere is still one. A report has a stricter policy in it, by digests.
const filePolicy = "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:; " +
	"style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

func (s *Server) getFile(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	f, err := s.store.open(r.PathValue("run"), name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	ext := path.Ext(name)
	w.Header().Set("Content-Type", fileTypes[ext])
	w.Header().Set("Content-Security-Policy", filePolicy)
	if ext != ".html" && ext != ".svg" && ext != ".png" {
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": r.PathValue("run") + "-" + name}))
	}
	if err := http.NewResponseController(w).SetWriteDeadline(longDownload()); err != nil {
		return err
	}
	http.ServeContent(w, r, name, info.ModTime(), f)
	return nil
}

// errMeasuring is for what would disturb a comparison.
var errMeasuring = errors.New("a comparison is being measured, which this would disturb: ask again when it has ended")

// mostDiff bounds the records that are read to compare two runs.
const mostDiff = 512 << 20

// diff compares two runs, when nothing is being measured.
func (s *Server) diff(ctx context.Context, before, now string) (*runner.Diff, error) {
	s.queue.reading.Lock()
	defer s.queue.reading.Unlock()
	if s.queue.busy() { // it may have become so meanwhile
		return nil, errMeasuring
	}
	if ctx.Err() != nil {
		return nil, &httpError{http.StatusServiceUnavailable, "whoever asked has gone"}
	}
	var runs [2]runner.DiffRun
	for i, name := range []string{before, now} {
		a, err := s.analysis(name)
		if err != nil {
			return nil, err
		}
		runs[i] = runner.DiffRun{Name: name, Analysis: a}
	}
	return runner.NewDiff(runs[0], runs[1]), nil
}

func (s *Server) analysis(name string) (*runner.Analysis, error) {
	f, err := s.store.open(name, recordsName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > mostDiff {
		return nil, &httpError{http.StatusUnprocessableEntity, fmt.Sprintf("%s: its records have %d MB: `compare diff` reads them", name, info.Size()>>20)}
	}
	a, err := runner.Analyze(record.Read(f))
	if err != nil {
		return nil, &httpError{http.StatusUnprocessableEntity, fmt.Sprintf("%s: its records cannot be read: %v", name, err)}
	}
	return a, nil
}

func (s *Server) getDiff(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("old") == "" || q.Get("new") == "" {
		return &httpError{http.StatusBadRequest, "name two runs: /api/v1/diff?old=RUN&new=RUN"}
	}
	d, err := s.diff(r.Context(), q.Get("old"), q.Get("new"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, d)
}

// Workloads is what may be run.
type Workloads struct {
	Comparisons []string `json:"comparisons"` // allowed names, and examples of built-in workloads
	Profiles    []string `json:"profiles"`    // of simulations
	Models      []string `json:"models"`
	MaxWorkers  int      `json:"max_workers"`
	MaxJobs     int      `json:"max_jobs"`
}

func (s *Server) getWorkloads(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, s.workloadList())
}

func (s *Server) workloadList() Workloads {
	list := Workloads{Comparisons: []string{}, Profiles: profiles.Names(), Models: modelNames(), MaxWorkers: maxWorkers(), MaxJobs: maxJobs}
	if s.options.Runs || len(s.options.Targets) > 0 {
		list.Comparisons = s.options.workloads()
	}
	return list
}

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
	return nil
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	s.metrics.handler().ServeHTTP(w, r)
	return nil
}
