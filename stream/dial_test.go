package stream

import (
	"strings"
	"testing"
)

// TestDial connects as a user who may read and PING, and nothing else.
func TestDial(t *testing.T) {
	s := startRedis(t)
	ctx := t.Context()
	for _, command := range [][]any{
		{"acl", "setuser", "reader", "on", ">secret", "~*", "+@read", "+ping"},
		{"set", "key", "value"},
	} {
		if err := s.Client().Do(ctx, command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := Dial(ctx, "unix://reader:secret@"+s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer wantClosed(t, reader)
	if got, err := reader.Client().Get(ctx, "key").Result(); got != "value" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	err = reader.Explain(reader.Client().Set(ctx, "key", "other", 0).Err())
	if err == nil || !strings.Contains(err.Error(), s.socket) || !strings.Contains(err.Error(), "may not do that") {
		t.Errorf("a refused command: %v", err)
	}

	for url, want := range map[string]string{
		"unix://reader:wrongsecret@" + s.socket:     "check the user and the password",
		"unix://reader:wrongsecret@/nowhere/at.all": "is it running?",
		"http://reader:wrongsecret@localhost":       "must be redis, rediss or unix",
	} {
		s, err := Dial(ctx, url)
		if err == nil {
			wantClosed(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "wrongsecret") {
			t.Errorf("Dial(%s): %v; want %q", url, err, want)
		}
	}
}
