package capture

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"forkbench/workload"
)

// written checks that whatever was made of a job is a line that can be read, or
// an error about that job.
func written(t *testing.T, job Job) {
	t.Helper()
	if job.Err != nil {
		if _, ok := errors.AsType[*UnreadableError](job.Err); !ok {
			t.Fatalf("%T: %v would stop the others", job.Err, job.Err)
		}
	}
	var b bytes.Buffer
	s, err := Record(context.Background(), &b, func(yield func(Job, error) bool) { yield(job, nil) }, Options{})
	if err != nil || s.Total() != s.Expansions-s.Expanded+1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if s.Jobs > 0 {
		if calls, err := workload.ReadCalls(&b, "written"); err != nil || len(calls) != s.Jobs {
			t.Fatalf("%d calls, %v", len(calls), err)
		}
	}
}

func FuzzCelery(f *testing.F) {
	files, err := filepath.Glob("testdata/celery-*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var layout struct{ Messages [][2]string }
		if err := json.Unmarshal(data, &layout); err != nil {
			f.Fatal(err)
		}
		for _, m := range layout.Messages {
			f.Add([]byte(m[1]))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { written(t, celeryParse(text, time.Now())) })
}

// FuzzCeleryBody has messages whose envelope is right.
func FuzzCeleryBody(f *testing.F) {
	f.Add("app.send", []byte(`[[1],{"k":null},{}]`), "")
	f.Add("", []byte(`{"task":"a.b","args":[],"kwargs":{}}`), "gzip")
	f.Add("a.b", []byte("BZh91AY&SY"), "bzip2")
	f.Add("a.b", []byte("\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00"), "application/zstd")
	f.Add("celery.map", []byte(`[[],{"task":{"task":"a.b"},"it":[1,[2]]},{"chain":[1]}]`), "")
	f.Add("celery.chunks", []byte(`[[{"task":"a.b"},[[1]],1],{},{}]`), "")
	f.Add("celery.chord", []byte(`[[],{"header":{"kwargs":{"tasks":[{"task":"celery.chain","kwargs":{"tasks":[{"task":"celery.map","kwargs":{"task":{"task":"a.b"},"it":[1]}},{}]}}]}},"partial_args":[0]},{}]`), "")
	f.Fuzz(func(t *testing.T, task string, body []byte, compression string) {
		m := message(task, string(body), map[string]any{"headers": map[string]any{"task": task, "compression": compression}})
		written(t, celeryParse([]byte(m), time.Now()))
	})
}

func FuzzRQ(f *testing.F) {
	files, err := filepath.Glob("testdata/rq-*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var layout struct{ Hashes map[string]map[string]string }
		if err := json.Unmarshal(data, &layout); err != nil {
			f.Fatal(err)
		}
		for _, h := range layout.Hashes {
			value, err := base64.StdEncoding.DecodeString(h["data"])
			if err != nil {
				f.Fatal(err)
			}
			at, err := base64.StdEncoding.DecodeString(h["enqueued_at"])
			if err != nil {
				f.Fatal(err)
			}
			f.Add(value, string(at))
		}
	}
	f.Add([]byte(`["app.send",null,[1],{}]`), "2026-01-31T12:00:00Z")
	f.Fuzz(func(t *testing.T, data []byte, at string) {
		written(t, rqParse("id", []any{string(data), at, nil}))
	})
}

// FuzzAnswer has an interpreter that answers anything.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"function":"a.b","args":[1],"kwargs":{}}`))
	f.Add([]byte(`{"reason":"x","detail":"y"}`))
	f.Add([]byte(`{"method":true}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		job := Job{ID: "id", Pickle: []byte("\x80\x04.")}
		if err := job.unpickled(answer); err != nil {
			if !errors.Is(err, errBadAnswer) {
				t.Fatal(err)
			}
			return
		}
		written(t, job)
	})
}
