package capture

import (
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/klauspost/compress/zstd"

	"forkbench/workload"
)

// celeryJobs yields the messages of the lists that were found.
func (s *Survey) celeryJobs(ctx context.Context) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for _, key := range s.Lists {
			for messages, err := range (list{client: s.client, key: key, tail: true}).pieces(ctx) {
				if err != nil {
					yield(Job{}, err)
					return
				}
				now := time.Now()
				for _, m := range messages {
					if !yield(celeryParse([]byte(m), now), nil) {
						return
					}
				}
			}
		}
	}
}

// A celeryMessage is what is in the list: kombu's envelope.
type celeryMessage struct {
	Body        json.RawMessage `json:"body"`
	Encoding    string          `json:"content-encoding"`
	ContentType string          `json:"content-type"`
	Headers     struct {
		Task        string          `json:"task"` // protocol 2 only
		ID          string          `json:"id"`
		ETA         json.RawMessage `json:"eta"`
		Expires     json.RawMessage `json:"expires"`
		Compression string          `json:"compression"`
	} `json:"headers"`
	Properties struct {
		BodyEncoding  string `json:"body_encoding"`
		CorrelationID string `json:"correlation_id"`
	} `json:"properties"`
}

// celeryParse reads a message, as a worker would at some time.
func celeryParse(text []byte, now time.Time) Job {
	var m celeryMessage
	if err := decode(text, &m); err != nil {
		return Job{Err: err}
	}
	job := Job{ID: m.Headers.ID, ETA: !isNull(m.Headers.ETA), celery: true}
	if job.ID == "" {
		job.ID = m.Properties.CorrelationID
	}
	if job.Err = expired(m.Headers.Expires, now); job.Err != nil {
		return job
	}
	body, err := m.body()
	if err != nil {
		job.Err = err
		return job
	}
	job.Call.Function = m.Headers.Task
	switch m.ContentType {
	case "application/json":
		if err := job.celeryCall(body, now); err != nil {
			job.Err = err
		}
	case "application/x-python-serialize":
		job.Pickle = body
	default:
		job.Err = &UnreadableError{
			Reason: fmt.Sprintf("content type %.80q", m.ContentType), Detail: "only application/json and application/x-python-serialize can be read",
		}
	}
	return job
}

// expired is an error if a worker would discard the message. A time without a zone
// is in UTC, as by Celery's defaults.
func expired(text json.RawMessage, now time.Time) error {
	var at string
	// Celery looks at nothing but text.
	_ = json.Unmarshal(text, &at)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} { // a fraction is allowed by them
		if t, err := time.Parse(layout, at); err == nil {
			if now.After(t) {
				return &UnreadableError{Reason: "expired", Detail: "a worker discards it; the first since " + t.UTC().Format(time.RFC3339)}
			}
			return nil
		}
	}
	return nil
}

// body is the message's body, decoded from what JSON cannot hold and
// decompressed.
func (m *celeryMessage) body() ([]byte, error) {
	var text string
	if err := json.Unmarshal(m.Body, &text); err != nil {
		return nil, &UnreadableError{Reason: "not Celery's message", Detail: "its body is no string"}
	}
	body := []byte(text)
	switch m.Properties.BodyEncoding {
	case "base64":
		var err error
		if body, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, &UnreadableError{Reason: "damaged base64", Detail: err.Error()}
		}
	case "":
	default:
		return nil, &UnreadableError{Reason: fmt.Sprintf("body encoding %.80q", m.Properties.BodyEncoding)}
	}
	switch m.Headers.Compression {
	case "":
		return bounded(body)
	case "application/x-gzip", "gzip", "zlib": // it is zlib by all names
		return inflate(body)
	case "application/zstd":
		return unzstd(body)
	case "application/x-bz2", "bzip2":
		plain, err := io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(body)), maxBody+1))
		if err != nil {
			return nil, &UnreadableError{Reason: "damaged compression", Detail: err.Error()}
		}
		return bounded(plain)
	}
	return nil, &UnreadableError{
		Reason: fmt.Sprintf("compression %.80q", m.Headers.Compression), Detail: "only gzip, bzip2 and zstd can be read",
	}
}

// unzstd decompresses zstd.
func unzstd(body []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody+1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	plain, err := d.DecodeAll(body, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, errTooLarge
	case err != nil:
		return nil, &UnreadableError{Reason: "damaged compression", Detail: err.Error()}
	}
	return bounded(plain)
}

// celeryCall reads a JSON body: an array of arguments, named arguments and options
// in protocol 2, an object with all in protocol 1.
func (j *Job) celeryCall(body []byte, now time.Time) error {
	if j.Call.Function == "" {
		var old struct {
			Task      string          `json:"task"`
			Args      json.RawMessage `json:"args"`
			Kwargs    json.RawMessage `json:"kwargs"`
			ETA       json.RawMessage `json:"eta"`
			Expires   json.RawMessage `json:"expires"`
			Chord     json.RawMessage `json:"chord"`
			Callbacks json.RawMessage `json:"callbacks"`
		}
		if err := decode(body, &old); err != nil {
			return err
		}
		if old.Task == "" {
			return &UnreadableError{Reason: "not Celery's message", Detail: "it names no task"}
		}
		j.Call = workload.Call{Function: old.Task, Args: old.Args, Kwargs: old.Kwargs}
		j.ETA, j.Follows = !isNull(old.ETA), follows(nil, old.Chord, old.Callbacks)
		return expired(old.Expires, now)
	}
	var parts []json.RawMessage
	if err := decode(body, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return &UnreadableError{Reason: "not Celery's message", Detail: "its body is not [args, kwargs, options]"}
	}
	j.Call.Args, j.Call.Kwargs = parts[0], parts[1]
	if len(parts) > 2 {
		var options struct {
			Chain     json.RawMessage `json:"chain"`
			Chord     json.RawMessage `json:"chord"`
			Callbacks json.RawMessage `json:"callbacks"`
		}
		if json.Unmarshal(parts[2], &options) == nil { // other systems leave them out
			j.Follows = follows(options.Chain, options.Chord, options.Callbacks)
		}
	}
	return nil
}
