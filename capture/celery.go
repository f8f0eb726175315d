package capture

import (
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"forkbench/workload"
)

// The keys of kombu's Redis transport.
const (
	kombuStep    = "\x06\x16"        // between a queue's name and its priority step
	kombuBinding = "_kombu.binding." // and the name of an exchange: a set with its queues
)

// celeryKeys are the lists of a queue, one for each priority step, in the order in
// which workers ask them. Steps are 0, 3, 6 and 9 unless configured otherwise; 0
// has the bare name.
func celeryKeys(name string) []string {
	keys := []string{name}
	for step := range 9 {
		keys = append(keys, fmt.Sprintf("%s%s%d", name, kombuStep, step+1))
	}
	return keys
}

func celeryJobs(ctx context.Context, client redis.UniversalClient, q Queue) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		keys := celeryKeys(q.Name)
		lengths, err := count(ctx, client, keys...)
		if err == nil && slices.Max(lengths) == 0 {
			err = celeryMissing(ctx, client, q)
		}
		if err != nil {
			yield(Job{}, err)
			return
		}
		for i, key := range keys {
			if lengths[i] == 0 {
				continue
			}
			for messages, err := range (list{client: client, key: key, tail: true}).pieces(ctx) {
				if err != nil {
					yield(Job{}, err)
					return
				}
				for _, m := range messages {
					if !yield(celeryParse([]byte(m)), nil) {
						return
					}
				}
			}
		}
	}
}

// mostScans bounds the search for other queues in a large database.
const mostScans = 100

// celeryMissing says that a queue has no job, and what other queues there are. An
// empty list is no key; what was bound to it stays.
func celeryMissing(ctx context.Context, client redis.UniversalClient, q Queue) error {
	missing := &MissingError{Queue: q}
	seen := make(map[string]bool)
	for cursor, scans := uint64(0), 0; scans < mostScans; scans++ {
		keys, next, err := client.ScanType(ctx, cursor, kombuBinding+"*", 1000, "set").Result()
		if err != nil {
			return err
		}
		for _, key := range keys {
			members, err := client.SMembers(ctx, key).Result()
			if err != nil {
				return err
			}
			for _, m := range members { // routing key, pattern, queue
				name := m[strings.LastIndex(m, kombuStep)+1:]
				name = strings.TrimPrefix(name, kombuStep[1:])
				// Queues of the workers themselves, one each.
				if !seen[name] && !strings.HasPrefix(name, "celeryev.") && !strings.HasSuffix(name, ".celery.pidbox") {
					seen[name] = true
					missing.Others = append(missing.Others, string(Celery)+":"+name)
				}
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	missing.Empty = seen[q.Name]
	slices.Sort(missing.Others)
	return missing
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
		Compression string          `json:"compression"`
	} `json:"headers"`
	Properties struct {
		BodyEncoding  string `json:"body_encoding"`
		CorrelationID string `json:"correlation_id"`
	} `json:"properties"`
}

// celeryParse reads a message.
func celeryParse(text []byte) Job {
	var m celeryMessage
	if err := decode(text, &m); err != nil {
		return Job{Err: err}
	}
	job := Job{ID: m.Headers.ID, ETA: !isNull(m.Headers.ETA)}
	if job.ID == "" {
		job.ID = m.Properties.CorrelationID
	}
	body, err := m.body()
	if err != nil {
		job.Err = err
		return job
	}
	job.Call.Function = m.Headers.Task
	switch m.ContentType {
	case "application/json":
		job.Call, err = celeryCall(m.Headers.Task, body)
		if err != nil {
			job.Err = err
		}
	case "application/x-python-serialize":
		if job.Call.Function == "" {
			job.Err = &UnreadableError{Reason: "pickled in protocol 1 of Celery", Detail: "only its JSON can be read"}
			break
		}
		job.Pickle = body
	default:
		job.Err = &UnreadableError{
			Reason: fmt.Sprintf("content type %.80q", m.ContentType), Detail: "only application/json and application/x-python-serialize can be read",
		}
	}
	return job
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
	case "application/x-bz2", "bzip2":
		plain, err := io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(body)), maxBody+1))
		if err != nil {
			return nil, &UnreadableError{Reason: "damaged compression", Detail: err.Error()}
		}
		return bounded(plain)
	}
	return nil, &UnreadableError{
		Reason: fmt.Sprintf("compression %.80q", m.Headers.Compression), Detail: "only gzip and bzip2 can be read",
	}
}

// celeryCall reads a JSON body: an array of arguments, named arguments and options
// in protocol 2, an object with all in protocol 1.
func celeryCall(task string, body []byte) (workload.Call, error) {
	if task == "" {
		var old struct {
			Task   string          `json:"task"`
			Args   json.RawMessage `json:"args"`
			Kwargs json.RawMessage `json:"kwargs"`
		}
		if err := decode(body, &old); err != nil {
			return workload.Call{}, err
		}
		if old.Task == "" {
			return workload.Call{}, &UnreadableError{Reason: "not Celery's message", Detail: "it names no task"}
		}
		return workload.Call{Function: old.Task, Args: old.Args, Kwargs: old.Kwargs}, nil
	}
	var parts []json.RawMessage
	if err := decode(body, &parts); err != nil {
		return workload.Call{}, err
	}
	if len(parts) < 2 {
		return workload.Call{}, &UnreadableError{Reason: "not Celery's message", Detail: "its body is not [args, kwargs, options]"}
	}
	return workload.Call{Function: task, Args: parts[0], Kwargs: parts[1]}, nil
}
