package stream

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/workload"
)

// array and bulk write a reply as Redis does.
func array(parts ...string) string {
	return fmt.Sprintf("*%d\r\n%s", len(parts), strings.Join(parts, ""))
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func entryReply(id string, fields ...string) string {
	for i := range fields {
		fields[i] = bulk(fields[i])
	}
	return array(bulk(id), array(fields...))
}

func streamReply(entries ...string) string {
	return array(array(bulk("key"), array(entries...)))
}

func TestParseRead(t *testing.T) {
	good := entryReply("1-0", "payload", "[]", "due", "5")
	job := workload.Job{ID: 0, Payload: []byte("[]"), Due: 5, Attempt: 4}
	tests := []struct {
		name  string
		reply string
		want  batch
		error string
	}{
		{"nothing", "*-1\r\n", batch{}, ""},
		{"no stream", "*0\r\n", batch{}, ""},
		{"no entries", streamReply(), batch{jobs: []workload.Job{}}, ""},
		{"one", streamReply(good), batch{jobs: []workload.Job{job}, last: 1}, ""},
		{"deleted", streamReply(array(bulk("7-0"), "*-1\r\n"), good), batch{
			jobs: []workload.Job{job}, last: 7,
			bad: []DeadLetter{{Entry: "7-0", Attempts: 4, Reason: "it was deleted from the stream"}},
		}, ""},
		{"largest ID", streamReply(entryReply("18446744073709551615-0", "due", "9223372036854775807", "payload", "")), batch{
			jobs: []workload.Job{{ID: 1<<64 - 2, Payload: []byte{}, Due: 1<<63 - 1, Attempt: 4}}, last: 1<<64 - 1,
		}, ""},
		{"error", "-NOGROUP No such key\r\n", batch{}, "NOGROUP No such key"},
		{"empty", "", batch{}, "byte 0: expected a line"},
		{"cut off", streamReply(good)[:40], batch{}, "expected"},
		{"no array", "+OK\r\n", batch{}, "expected '*'"},
		{"too long", "*1\r\n*2\r\n$3\r\nkey\r\n*999999999\r\n", batch{}, "expected a length"},
		{"longer than 64 bits", "*1\r\n*2\r\n$18446744073709551617\r\nkey\r\n*0\r\n", batch{}, "expected a length"},
		{"no number", "*x\r\n", batch{}, "expected a length"},
		{"negative", "*-2\r\n", batch{}, "expected a length"},
		{"three parts", array(array(bulk("key"), array(), array())), batch{}, "a stream of 2 parts"},
		{"entry of one part", streamReply(array(bulk("1-0"))), batch{}, "an entry of 2 parts"},
		{"odd fields", streamReply(entryReply("1-0", "payload", "[]", "due")), batch{}, "a value for each field"},
		{"bad end of a string", strings.Replace(streamReply(good), "key\r\n", "key\n\r", 1), batch{}, "a whole string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseRead([]byte(tt.reply), 4)
			if tt.error != "" {
				wantError(t, "parseRead", err, nil, tt.error)
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("parseRead: %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
	_, err := parseRead([]byte("-NOGROUP No such key\r\n"), 1)
	if !redis.HasErrorPrefix(err, "NOGROUP") {
		t.Errorf("go-redis does not see the error for what it is: %v", err)
	}
}

func TestParseClaim(t *testing.T) {
	good := entryReply("3-0", "payload", "[]", "due", "5")
	want := batch{jobs: []workload.Job{{ID: 2, Payload: []byte("[]"), Due: 5, Attempt: 1}}, last: 3}
	for name, reply := range map[string]string{
		"7.0":                        array(bulk("9-0"), array(good), array(bulk("2-0"))),
		"6.2, with a deleted entry":  array(bulk("9-0"), array("$-1\r\n", good)),
		"RESP2, with a null array":   array(bulk("9-0"), array(good, "*-1\r\n"), array()),
		"something behind the reply": array(bulk("9-0"), array(good), array()) + "+OK\r\n",
	} {
		cursor, got, err := parseClaim([]byte(reply))
		if err != nil || cursor != "9-0" || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %+v, %v; want 9-0, %+v", name, cursor, got, err, want)
		}
	}
	for _, bad := range []string{"", "*1\r\n$3\r\n0-0\r\n", "*2\r\n:1\r\n*0\r\n", "*2\r\n$3\r\n0-0\r\n:1\r\n"} {
		if _, _, err := parseClaim([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// Whatever comes, it must not panic, and what it makes of it must lie in it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(streamReply(entryReply("1-0", "payload", "[1]", "due", "0"), entryReply("2-0", "due", "x"))))
	f.Add([]byte(array(bulk("0-0"), array("$-1\r\n", entryReply("9-0", "payload", "", "due", "1")), array(bulk("3-0")))))
	f.Add([]byte("*-1\r\n"))
	f.Add([]byte("-ERR no\r\n"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		read, _ := parseRead(reply, 1)
		_, claimed, _ := parseClaim(reply)
		for _, b := range []batch{read, claimed} {
			for _, job := range b.jobs {
				if job.Due < 0 || job.Payload == nil || job.ID >= b.last || !bytes.Contains(reply, job.Payload) {
					t.Errorf("job %+v from %q, last %d", job, reply, b.last)
				}
			}
			for _, l := range b.bad {
				if l.Reason == "" || !bytes.Contains(reply, []byte(l.Entry)) {
					t.Errorf("dead letter %+v from %q", l, reply)
				}
			}
		}
	})
}

// What is written as an entry is read as the same job.
func FuzzEntry(f *testing.F) {
	f.Add(uint64(0), []byte(`{"a":1}`), int64(0))
	f.Add(uint64(1<<63), []byte("\r\n$3\r\n"), int64(1<<62))
	f.Fuzz(func(t *testing.T, id uint64, payload []byte, due int64) {
		if id+1 == 0 || due < 0 {
			return
		}
		reply := streamReply(entryReply(entryID(id), fieldPayload, string(payload), fieldDue, fmt.Sprint(due)))
		b, err := parseRead([]byte(reply), 1)
		if err != nil || len(b.jobs) != 1 || len(b.bad) != 0 {
			t.Fatalf("%q: %+v, %v", reply, b, err)
		}
		job := b.jobs[0]
		if job.ID != id || !bytes.Equal(job.Payload, payload) || job.Due != time.Duration(due) {
			t.Errorf("job %+v; want %d, %q, %d", job, id, payload, due)
		}
	})
}
