package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// The files of a run directory that are the service's own. All others are the
// command's.
const (
	requestName  = "request.json"
	stateName    = "state.json"
	progressName = "progress.log" // what the command said

	recordsName = "records.jsonl"
	summaryName = "summary.json"
	pageName    = "report.html"
)

// A status is the content of state.json.
type status struct {
	State   State     `json:"state"`
	Queued  time.Time `json:"queued"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Exit    *int      `json:"exit,omitempty"`  // the command's exit code
	Error   string    `json:"error,omitempty"` // why it failed, in its own words
}

// A store is the directory of run directories. Nothing outside of it can be reached
// through a name or a link.
type store struct {
	root *os.Root
	dir  string

	mu        sync.Mutex
	unwritten map[string]status // of runs, for as long as they cannot be written: the disk may be full
}

func openStore(dir string) (*store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &store{root: root, dir: dir, unwritten: make(map[string]status)}, nil
}

func (s *store) close() error {
	s.rewrite()
	return s.root.Close()
}

// setStatus says what became of a run. What cannot be written now holds nevertheless, and
// is written when that can be done.
func (s *store) setStatus(run string, st status) error {
	s.mu.Lock()
	err := s.write(run, stateName, st)
	if delete(s.unwritten, run); err != nil && !errors.Is(err, fs.ErrNotExist) { // unless the run is gone
		s.unwritten[run] = st
	}
	s.mu.Unlock()
	if err == nil {
		s.rewrite()
	}
	return err
}

// rewrite writes what could not be written.
func (s *store) rewrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for run, st := range s.unwritten {
		if err := s.write(run, stateName, st); err == nil || errors.Is(err, fs.ErrNotExist) {
			delete(s.unwritten, run)
		}
	}
}

// status is what became of a run.
func (s *store) status(run string) (st status, err error) {
	s.mu.Lock()
	st, ok := s.unwritten[run]
	s.mu.Unlock()
	if ok {
		return st, nil
	}
	err = s.read(run, stateName, &st)
	return st, err
}

// runForm is what a run's name looks like: one part of a path, and not hidden.
var runForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+,%@-]{0,199}$`)

// errNoRun is for names that are not of a run.
var errNoRun = errors.New("there is no such run")

// check is an error unless there is a run of that name.
func (s *store) check(name string) error {
	if !runForm.MatchString(name) {
		return errNoRun
	}
	info, err := s.root.Lstat(name)
	if err != nil || !info.IsDir() {
		return errNoRun
	}
	for _, file := range []string{requestName, recordsName, summaryName} {
		if _, err := s.root.Lstat(path.Join(name, file)); err == nil {
			return nil
		}
	}
	return errNoRun
}

// names lists the directories that may be runs.
func (s *store) names() ([]string, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && runForm.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// create makes the directory of a run that waits.
func (s *store) create(name string, r *Request, now time.Time) error {
	if err := s.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	err := s.write(name, requestName, r)
	if err == nil {
		err = s.write(name, stateName, status{State: Queued, Queued: now})
	}
	if err != nil {
		return errors.Join(err, s.root.RemoveAll(name)) // nobody was told of it
	}
	return nil
}

// write writes a value as JSON, in one step: there is never half of a file.
func (s *store) write(run, file string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return s.replace(path.Join(run, file), append(text, '\n'))
}

func (s *store) replace(name string, text []byte) error {
	temporary := path.Join(path.Dir(name), "."+path.Base(name)+".new")
	if err := s.root.WriteFile(temporary, text, 0o644); err != nil {
		return err
	}
	return s.root.Rename(temporary, name)
}

// mostSmall bounds the files that are read whole.
const mostSmall = 16 << 20

// read reads a file of a run as JSON.
func (s *store) read(run, file string, v any) error {
	text, err := s.readFile(path.Join(run, file))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (s *store) readFile(name string) ([]byte, error) {
	info, err := s.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostSmall {
		return nil, fmt.Errorf("%s: is not a file of at most %d MB", path.Base(name), mostSmall>>20)
	}
	return s.root.ReadFile(name)
}

// remove removes a run.
func (s *store) remove(name string) error {
	if err := s.check(name); err != nil {
		return err
	}
	return s.root.RemoveAll(name)
}

// fileTypes are the kinds of files that can be had, and their types.
var fileTypes = map[string]string{
	".jsonl": "application/jsonl", ".json": "application/json", ".csv": "text/csv; charset=utf-8", ".md": "text/markdown; charset=utf-8",
	".html": "text/html; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".log": "text/plain; charset=utf-8",
}

// A File is one of a run's.
type File struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// files lists what can be had of a run.
func (s *store) files(run string) ([]File, error) {
	entries, err := fs.ReadDir(s.root.FS(), run)
	if err != nil {
		return nil, err
	}
	files := []File{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") || fileTypes[path.Ext(e.Name())] == "" {
			continue
		}
		files = append(files, File{e.Name(), info.Size()})
	}
	return files, nil
}

// open opens one of the files of a run, which files lists.
func (s *store) open(run, file string) (*os.File, error) {
	if err := s.check(run); err != nil {
		return nil, err
	}
	files, err := s.files(run)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(files, func(f File) bool { return f.Name == file }) {
		return nil, fs.ErrNotExist
	}
	return s.root.Open(path.Join(run, file))
}
