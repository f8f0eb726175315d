package explain_test

import (
	"strings"
	"testing"

	"forkbench/explain"
)

// wantPaste checks that the first finding ends in something to paste, which was
// tried and measured, and that the first line says so.
func wantPaste(t *testing.T, r *explain.Result, reference, call string) explain.Item {
	t.Helper()
	if len(r.Findings) == 0 {
		t.Fatalf("nothing found: %s", r.Verdict)
	}
	it := r.Findings[0]
	if it.Flag != reference {
		t.Errorf("%s: --warm=%s, want %s (tried: %q)", it.Call, it.Flag, reference, it.Tried)
	}
	if it.Saved == nil {
		t.Errorf("what %s saves was not measured", it.Call)
	}
	if !strings.Contains(r.Verdict, call) {
		t.Errorf("verdict: %s\nwant %s in it", r.Verdict, call)
	}
	return it
}

// TestCaller: what is called once cannot be called in its place, and who calls it
// can.
func TestCaller(t *testing.T) {
	it := wantPaste(t, explained(t, "filled"), "filled:context", "filled.context()")
	if it.Call != "ssl.create_default_context" {
		t.Errorf("it is the answer to %s", it.Call)
	}
	wantText(t, it.Tried, "ssl.create_default_context(), made in a parent, changes nothing")
}

// TestDescriptor: a descriptor's machinery is no answer; reading the attribute of
// an object that a module holds is.
func TestDescriptor(t *testing.T) {
	it := wantPaste(t, explained(t, "described"), "described:settings.rates", "described.settings.rates")
	if strings.Contains(it.Call, "__get__") {
		t.Errorf("named by its machinery: %s", it.Call)
	}
}

// TestMethodOfHeld: a method of an object that a module holds, where what it calls
// gets something that nobody can write down.
func TestMethodOfHeld(t *testing.T) {
	wantPaste(t, explained(t, "held"), "held:client.load", "held.client.load()")
}
