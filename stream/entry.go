package stream

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"time"

	"forkbench/workload"
)

// The fields of an entry.
const (
	fieldPayload = "payload" // the job's arguments, as they are
	fieldDue     = "due"     // when it is due, in nanoseconds from the start of work
)

// A batch is what one reply delivered. The byte slices point into the reply.
type batch struct {
	jobs []workload.Job
	bad  []DeadLetter // the entries that are not jobs
	last uint64       // the largest entry number, which is a job's ID + 1
}

func (b *batch) empty() bool { return len(b.jobs) == 0 && len(b.bad) == 0 }

// A replyError is an error that Redis answered with.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError makes go-redis' own functions see it as what it is.
func (replyError) RedisError() {}

// parseRead reads the reply of XREADGROUP for one stream: nothing, or an array
// of one [key, entries] pair. It is the attempt-th delivery of those entries.
func parseRead(reply []byte, attempt int) (batch, error) {
	r := resp{b: reply}
	if r.null() {
		return batch{}, nil
	}
	if n, err := r.array(); err != nil || n == 0 {
		return batch{}, err
	}
	if n, err := r.array(); err != nil || n != 2 {
		return batch{}, cmp.Or(err, r.fail("a stream of 2 parts"))
	}
	if _, err := r.bulk(); err != nil {
		return batch{}, err
	}
	return r.entries(attempt)
}

// parseClaim reads the reply of XAUTOCLAIM: a cursor to go on from, and entries
// whose attempts are not told. What follows (7.0: the IDs of deleted entries) is
// not needed.
func parseClaim(reply []byte) (cursor string, claimed batch, err error) {
	r := resp{b: reply}
	if n, err := r.array(); err != nil || n < 2 {
		return "", batch{}, cmp.Or(err, r.fail("2 or 3 parts"))
	}
	id, err := r.bulk()
	if err != nil {
		return "", batch{}, err
	}
	claimed, err = r.entries(1)
	return string(id), claimed, err
}

// resp reads a reply in the Redis serialization protocol, version 2
// (https://redis.io/docs/latest/develop/reference/protocol-spec/), without
// copying it. go-redis' own parser makes ten allocations for each entry, this one
// none; and it cannot tell a deleted entry, or a field that is there twice.
type resp struct {
	b   []byte
	pos int
}

// entries reads an array of [ID, fields] pairs.
func (r *resp) entries(attempt int) (batch, error) {
	n, err := r.array()
	if err != nil {
		return batch{}, err
	}
	b := batch{jobs: make([]workload.Job, 0, n)}
	for range n {
		if r.null() {
			continue // XAUTOCLAIM of Redis 6.2 for an entry that was deleted
		}
		if m, err := r.array(); err != nil || m != 2 {
			return batch{}, cmp.Or(err, r.fail("an entry of 2 parts"))
		}
		id, err := r.bulk()
		if err != nil {
			return batch{}, err
		}
		number, rest, ok := leadingUint(id)
		b.last = max(b.last, number)
		job := workload.Job{ID: number - 1, Attempt: attempt}
		reason, err := r.fields(&job)
		if err != nil {
			return batch{}, err
		}
		if !ok || number == 0 || string(rest) != "-0" {
			reason = "its ID is not a number from 1, and -0"
		}
		if reason != "" {
			b.bad = append(b.bad, DeadLetter{Entry: string(id), Attempts: attempt, Reason: reason, Payload: job.Payload})
			continue
		}
		b.jobs = append(b.jobs, job)
	}
	return b, nil
}

// fields reads an entry's fields into a job. An error means that the reply cannot
// be understood; the reason, that the entry can, but is not a job.
func (r *resp) fields(job *workload.Job) (reason string, err error) {
	if r.null() {
		return "it was deleted from the stream", nil
	}
	n, err := r.array()
	if err != nil || n%2 == 1 {
		return "", cmp.Or(err, r.fail("a value for each field"))
	}
	due := false
	for range n / 2 {
		name, err := r.bulk()
		if err != nil {
			return "", err
		}
		value, err := r.bulk()
		if err != nil {
			return "", err
		}
		switch {
		case string(name) == fieldPayload && job.Payload == nil:
			job.Payload = value
		case string(name) == fieldDue && !due:
			due = true
			ns, rest, ok := leadingUint(value)
			if !ok || len(rest) > 0 || ns > math.MaxInt64 {
				reason = fmt.Sprintf("field due: %q is not a number of nanoseconds", value)
				continue
			}
			job.Due = time.Duration(ns)
		default:
			reason = fmt.Sprintf("field %q: there must be one payload and one due, and no other", name)
		}
	}
	if reason == "" && (job.Payload == nil || !due) {
		reason = "the field payload or due is missing"
	}
	return reason, nil
}

// null reads a null, if that comes next.
func (r *resp) null() bool {
	rest := r.b[r.pos:]
	if !bytes.HasPrefix(rest, []byte("*-1\r\n")) && !bytes.HasPrefix(rest, []byte("$-1\r\n")) {
		return false
	}
	r.pos += len("*-1\r\n")
	return true
}

// array reads the head of an array: the number of values that follow.
func (r *resp) array() (int, error) { return r.head('*') }

// bulk reads a string. It is never nil.
func (r *resp) bulk() ([]byte, error) {
	n, err := r.head('$')
	if err != nil {
		return nil, err
	}
	end := r.pos + n
	if end+2 > len(r.b) || r.b[end] != '\r' || r.b[end+1] != '\n' {
		return nil, r.fail("a whole string")
	}
	s := r.b[r.pos:end:end]
	r.pos = end + 2
	return s, nil
}

// head reads the first line of an array or a string and returns its length.
func (r *resp) head(kind byte) (int, error) {
	line := r.b[r.pos:]
	end := bytes.IndexByte(line, '\r')
	if end < 1 || end+1 >= len(line) || line[end+1] != '\n' {
		return 0, r.fail("a line")
	}
	switch line = line[:end]; {
	case line[0] == '-':
		return 0, replyError(line[1:])
	case line[0] != kind:
		return 0, r.fail(fmt.Sprintf("%q", kind))
	}
	n, rest, ok := leadingUint(line[1:])
	// Each value takes at least a byte: nothing longer than the reply is true,
	// and nobody is made to allocate for it.
	if !ok || len(rest) > 0 || n > uint64(len(r.b)) {
		return 0, r.fail("a length")
	}
	r.pos += end + 2
	return int(n), nil
}

func (r *resp) fail(want string) error {
	return fmt.Errorf("reply of Redis, byte %d: expected %s", r.pos, want)
}

// leadingUint reads the digits that b begins with: at least one, in the form
// that numbers are written in, and not beyond 64 bits.
func leadingUint(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		d := uint64(b[i] - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, b, false
		}
		n = n*10 + d
	}
	return n, b[i:], i > 0 && (b[0] != '0' || i == 1)
}
