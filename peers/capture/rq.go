package capture

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"forkbench/workload"
)

// rqFields are what is read of a job's hash.
var rqFields = []string{"data", "enqueued_at", "created_at"}

// maxBody is how large a job may be, decompressed.
const maxBody = 16 << 20

// rqJobs yields the jobs of the list.
func (s *Survey) rqJobs(ctx context.Context) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		size := firstPiece
		for ids, err := range (list{client: s.client, key: s.Lists[0]}).pieces(ctx) {
			if err != nil {
				yield(Job{}, err)
				return
			}
			for len(ids) > 0 {
				piece := ids[:min(size, len(ids))]
				ids = ids[len(piece):]
				hashes, err := s.rqHashes(ctx, piece)
				if err != nil {
					yield(Job{}, err)
					return
				}
				read := 0
				for i, id := range piece {
					data, _ := hashes[i][0].(string)
					read += len(data)
					if !yield(rqParse(id, hashes[i]), nil) {
						return
					}
				}
				size = nextPiece(len(piece), read)
			}
		}
	}
}

// rqHashes reads the fields of some jobs. A key that holds something else has
// none.
func (s *Survey) rqHashes(ctx context.Context, ids []string) ([][]any, error) {
	replies := make([]*redis.SliceCmd, len(ids))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			replies[i] = p.HMGet(ctx, s.rqPrefix()+rqJob+id, rqFields...)
		}
		return nil
	})
	if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, err
	}
	hashes := make([][]any, len(ids))
	for i, r := range replies {
		switch {
		case r.Err() == nil && len(r.Val()) == len(rqFields):
			hashes[i] = r.Val()
		case r.Err() == nil || redis.HasErrorPrefix(r.Err(), "WRONGTYPE"):
			hashes[i] = make([]any, len(rqFields))
		default:
			return nil, r.Err()
		}
	}
	return hashes, nil
}

// rqParse reads a job's hash.
func rqParse(id string, hash []any) Job {
	job := Job{ID: id}
	text := func(i int) string { s, _ := hash[i].(string); return s }
	for _, i := range []int{1, 2} {
		// A fraction is allowed by this layout, and old versions wrote none.
		if at, err := time.Parse("2006-01-02T15:04:05Z", text(i)); err == nil {
			job.Enqueued = at
			break
		}
	}
	if hash[0] == nil {
		job.Err = &UnreadableError{Reason: "no data under rq:job:ID", Detail: "it expired, or was cancelled or run meanwhile"}
		return job
	}
	data, err := inflate([]byte(text(0)))
	if err != nil {
		job.Err = err
		return job
	}
	switch {
	case isPickle(data):
		job.Pickle = data
	case len(data) > 0 && data[0] == '[':
		job.Call, job.Err = rqCall(data)
	default:
		job.Err = &UnreadableError{
			Reason: "a serializer other than pickle and JSON", Detail: fmt.Sprintf("the data begins with %.20q", data),
		}
	}
	return job
}

// rqCall reads what RQ's JSONSerializer wrote: function, instance, positional and
// named arguments.
func rqCall(data []byte) (workload.Call, error) {
	var parts []json.RawMessage
	if err := decode(data, &parts); err != nil {
		return workload.Call{}, err
	}
	if len(parts) != 4 {
		return workload.Call{}, &UnreadableError{Reason: "not RQ's data", Detail: fmt.Sprintf("%d values where 4 are expected", len(parts))}
	}
	if !isNull(parts[1]) {
		return workload.Call{}, errInstance
	}
	c := workload.Call{Args: parts[2], Kwargs: parts[3]}
	if err := json.Unmarshal(parts[0], &c.Function); err != nil {
		return workload.Call{}, &UnreadableError{Reason: "not RQ's data", Detail: fmt.Sprintf("the function is %.80q", parts[0])}
	}
	return c, nil
}

var errInstance = &UnreadableError{
	Reason: "a method of an object", Detail: "a job file holds functions",
	WayOut: "write a function that makes the object and calls its method",
}

// inflate decompresses zlib; RQ takes what is not compressed as it is.
func inflate(data []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return bounded(data)
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if err != nil {
		return nil, &UnreadableError{Reason: "damaged compression", Detail: err.Error()}
	}
	return bounded(plain)
}

func bounded(data []byte) ([]byte, error) {
	if len(data) > maxBody {
		return nil, errTooLarge
	}
	return data, nil
}

var errTooLarge = &UnreadableError{Reason: fmt.Sprintf("larger than %d MiB", maxBody>>20)}

// isPickle reports whether data begins as pickles of protocol 2 and newer do.
func isPickle(data []byte) bool { return len(data) > 1 && data[0] == 0x80 && data[1] <= 0x20 }

func isNull(text json.RawMessage) bool {
	return len(text) == 0 || bytes.Equal(bytes.TrimSpace(text), []byte("null"))
}

// decode reads JSON that must be as it is in a file: UTF-8, without NaN.
func decode(data []byte, to any) error {
	err := json.Unmarshal(data, to)
	if err == nil && utf8.Valid(data) {
		return nil
	}
	if err == nil {
		return &UnreadableError{Reason: "not JSON", Detail: "not UTF-8"} // the decoder would replace it
	}
	if other, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &UnreadableError{Reason: "JSON of another kind", Detail: fmt.Sprintf("%s stands in the place of something else: %.40q", other.Value, data)}
	}
	return &UnreadableError{Reason: "not JSON", Detail: err.Error()}
}
