package workload

import (
	"testing"
)

func TestGoRecordEventRefuses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := mustParse(t, DefaultGo).(Go)
	for _, test := range wrongEvents {
		_, err := w.Run(t.Context(), []byte(test.payload))
		if err == nil {
			t.Errorf("%s: no error", test.payload)
			continue
		}
		checkParts(t, test.payload, err.Error(), test.want)
	}
	if _, err := w.Run(t.Context(), []byte("{")); err == nil {
		t.Error("half a payload: no error")
	}
}

func TestGoNoop(t *testing.T) {
	w := mustParse(t, "go:noop")
	if result, err := w.(Go).Run(t.Context(), w.Payload(1, 1)); result != nil || err != nil {
		t.Errorf("%s, %v", result, err)
	}
	if _, is := w.(Warmer); is {
		t.Error("there is nothing to warm")
	}
}
