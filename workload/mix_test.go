package workload

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

// within checks a count against its binomial distribution: n draws of
// probability p, at five standard deviations. The draws are the same each time.
func within(t *testing.T, what string, count, n int, p float64) {
	t.Helper()
	mean, sigma := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	if math.Abs(float64(count)-mean) > 5*sigma {
		t.Errorf("%s: %d of %d, want %.0f ± %.0f", what, count, n, mean, 5*sigma)
	}
}

func TestMixShares(t *testing.T) {
	const n = 100_000
	w := mustParse(t, "70%cpu:1ms,20%cpu:50ms,9.5%crash:25%,0.5%noop")
	for _, seed := range []uint64{0, 1, 2, math.MaxUint64} {
		counts := map[string]int{}
		last, same := "", 0
		for id := range uint64(n) {
			payload := string(w.Payload(seed, id))
			counts[payload]++
			if payload == last {
				same++
			}
			last = payload
		}
		for payload, share := range map[string]float64{
			`{"job":"cpu","args":[0.001]}`:    0.7,
			`{"job":"cpu","args":[0.05]}`:     0.2,
			`{"job":"crash","args":[true]}`:   0.095 * 0.25,
			`{"job":"crash","args":[false]}`:  0.095 * 0.75,
			`{"job":"noop","args":[]}`:        0.005,
			`{"job":"cpu","args":[0.000001]}`: 0,
		} {
			within(t, payload, counts[payload], n, share)
		}
		if len(counts) != 5 {
			t.Errorf("payloads: %v", counts)
		}
		// Neighbours are independent.
		p := 0.7*0.7 + 0.2*0.2 + math.Pow(0.095*0.25, 2) + math.Pow(0.095*0.75, 2) + 0.005*0.005
		within(t, "a job like the one before it", same, n, p)
	}
}

func TestFaultShares(t *testing.T) {
	const n = 100_000
	for _, spec := range []string{"crash:0.03", "hang:3%"} {
		w := mustParse(t, spec)
		count := 0
		for id := range uint64(n) {
			switch payload := string(w.Payload(5, id)); payload {
			case "[true]":
				count++
			case "[false]":
			default:
				t.Fatalf("%s: payload %s", spec, payload)
			}
		}
		within(t, spec, count, n, 0.03)
	}
}

// TestPayloadIsPure asks for payloads in another order, of another instance.
func TestPayloadIsPure(t *testing.T) {
	for _, d := range Builtin() {
		var forwards, backwards, other []string
		v, w := mustParse(t, example(d)), mustParse(t, example(d))
		const n = 200
		for id := range uint64(n) {
			forwards = append(forwards, string(v.Payload(3, id)))
			backwards = append(backwards, string(w.Payload(3, n-1-id)))
			other = append(other, string(v.Payload(4, id)))
		}
		slices.Reverse(backwards)
		equal(t, d.Example+" backwards", backwards, forwards)
		random := strings.Contains(d.Name, "record_event") || strings.Contains(d.Name, "%") ||
			strings.Contains(d.Name, "PROBABILITY")
		if slices.Equal(forwards, other) == random {
			t.Errorf("%s: the same payloads for another seed: %t", d.Example, !random)
		}
	}
}

func TestEventsAreVaried(t *testing.T) {
	const n = 2000
	seen := map[string]map[any]int{}
	for id := range uint64(n) {
		var args []map[string]any
		if err := json.Unmarshal(event(1, id), &args); err != nil || len(args) != 1 {
			t.Fatalf("%s: %v", event(1, id), err)
		}
		values := args[0]
		maps.Copy(values, values["additional_properties"].(map[string]any))
		delete(values, "additional_properties")
		for name, value := range values {
			if list, isList := value.([]any); isList {
				value = len(list)
			}
			if seen[name] == nil {
				seen[name] = map[any]int{}
			}
			seen[name][value]++
		}
	}
	for name, want := range map[string]int{
		"action": 20, "object_type": 20, "org_id": 3, "user_id": 80, "object_id": 1000,
		"timestamp": n, "user_agent": 400, "ip": 500, "url": 900, "user": 18, "request_id": 900,
	} {
		if got := len(seen[name]); got < want {
			t.Errorf("%s: %d different values in %d events, want at least %d", name, got, n, want)
		}
	}
	if missing := n - sum(seen["user_agent"]); missing == 0 || missing > n/10 {
		t.Errorf("%d of %d events have no user agent", missing, n)
	}
}

func sum(counts map[any]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}
