package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"forkbench/record"
)

// A Progress is how far a run has come. Each is about all of the run so far, so that
// whoever sees the latest has missed nothing.
type Progress struct {
	State  State           `json:"state"`
	Doing  string          `json:"doing,omitempty"`  // what the command said last
	SoFar  string          `json:"so_far,omitempty"` // the verdict as far as it is known
	Models []ModelProgress `json:"models"`
	Read   int64           `json:"read_bytes"`   // of the records
	Behind int64           `json:"behind_bytes"` // of the records that are not read yet: Models lags behind by them
}

// A ModelProgress is how far a model has come.
type ModelProgress struct {
	Model  string  `json:"model"`
	Rounds int     `json:"rounds"` // that have ended
	Jobs   int     `json:"jobs"`   // settled, all rounds
	Undone int     `json:"undone"` // of which not done
	Recent []Point `json:"recent"` // the last rounds
}

// A Point is what a round came to.
type Point struct {
	Round   int     `json:"round"` // from 0
	PerS    float64 `json:"jobs_per_s"`
	CPUMS   float64 `json:"cpu_ms_per_job"`
	Foreign float64 `json:"foreign_percent"` // CPU that others used, of that which the cores could give; it is in the records
}

const (
	mostPoints = 60
	mostRead   = 32 << 20 // of the records at once
	busyRead   = 1 << 20  // likewise, while a comparison is measured: 2 ms of a core
	mostLog    = 8 << 10
	mostModels = 32
	mostLine   = 1 << 20
)

// A follower reads what a run writes while it is made. It is for one goroutine.
type follower struct {
	store *store
	run   string

	cores  int
	read   int64
	behind int64
	rest   []byte // of the records: the beginning of a line
	models []ModelProgress
	doing  string
	soFar  string
}

// follow reads what is new, of the records so many bytes at most. It is cheap: most
// lines are only counted.
func (f *follower) follow(most int64) (*Progress, error) {
	st, err := f.store.status(f.run)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		st.State = Done // it is not the service's
	case err != nil:
		st.State = Interrupted // it is written in one step: what cannot be read stays so
	}
	switch err := f.records(most); {
	case errors.Is(err, fs.ErrNotExist):
		f.behind = 0 // there are none yet, or not any more
	case err != nil:
		return nil, err
	}
	if err := f.words(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p := &Progress{State: st.State, Doing: f.doing, SoFar: f.soFar, Models: []ModelProgress{}, Read: f.read, Behind: f.behind}
	for _, m := range f.models {
		m.Recent = append([]Point{}, m.Recent...)
		p.Models = append(p.Models, m)
	}
	return p, nil
}

func (f *follower) records(most int64) error {
	file, err := f.store.root.Open(path.Join(f.run, recordsName))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.read { // another run has taken their place
		f.read, f.rest, f.models = 0, nil, nil
	}
	end := min(info.Size(), f.read+most)
	buffer := make([]byte, min(256<<10, max(end-f.read, 0)))
	for f.read < end {
		n, err := file.ReadAt(buffer[:min(int64(len(buffer)), end-f.read)], f.read)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return err
		}
		f.read += int64(n)
		f.lines(buffer[:n])
	}
	f.behind = info.Size() - f.read
	return nil
}

// lines counts the lines of a piece of the records, which may begin and end within one.
func (f *follower) lines(text []byte) {
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			if len(f.rest)+len(line) <= mostLine { // a longer one is none that counts
				f.rest = append(f.rest, line...)
			}
			return
		}
		if len(f.rest) > 0 {
			line = append(f.rest, line...)
			f.rest = f.rest[:0]
		}
		f.line(line)
		text = rest
	}
}

var (
	jobBegins   = []byte(`{"kind":"job","model":"`)
	roundBegins = []byte(`{"kind":"round"`)
	runBegins   = []byte(`{"kind":"run"`)
	isDone      = []byte(`"status":"done"`)
)

// line counts a line of the records.
func (f *follower) line(line []byte) {
	switch rest, job := bytes.CutPrefix(line, jobBegins); {
	case job:
		name, _, _ := bytes.Cut(rest, []byte(`"`))
		m := f.model(string(name))
		if m == nil {
			return
		}
		m.Jobs++
		if !bytes.Contains(rest, isDone) {
			m.Undone++
		}
	case bytes.HasPrefix(line, runBegins):
		var h record.Header
		if json.Unmarshal(line, &h) != nil {
			return
		}
		f.cores = h.Environment.Cores
		for _, m := range h.Spec.Models {
			f.model(m.Name)
		}
	case bytes.HasPrefix(line, roundBegins):
		var r record.Round
		if json.Unmarshal(line, &r) != nil {
			return
		}
		m := f.model(r.Model)
		if m == nil {
			return
		}
		m.Rounds++
		p := Point{Round: r.Round}
		if s := r.WorkNS.Seconds(); s > 0 && r.Settled > 0 {
			p.PerS = float64(r.Settled) / s
			p.CPUMS = r.CPU().Total().Seconds() * 1e3 / float64(r.Settled)
			p.Foreign = 100 * r.Noise.ForeignNS.Seconds() / (s * float64(max(f.cores, 1)))
		}
		m.Recent = append(m.Recent, p)
		m.Recent = m.Recent[max(0, len(m.Recent)-mostPoints):]
	}
}

// model is the progress of one, or nil if there are too many.
func (f *follower) model(name string) *ModelProgress {
	for i := range f.models {
		if f.models[i].Model == name {
			return &f.models[i]
		}
	}
	if len(f.models) == mostModels {
		return nil
	}
	f.models = append(f.models, ModelProgress{Model: name})
	return &f.models[len(f.models)-1]
}

// words reads what the command said last.
func (f *follower) words() error {
	text, err := tail(f.store, path.Join(f.run, progressName), mostLog)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if known, ok := strings.CutPrefix(line, "so far: "); ok {
			f.soFar = known
		} else if line != "" {
			f.doing = short(line)
		}
	}
	return nil
}
