package workload_test

import (
	"fmt"
	"strings"

	"forkbench/workload"
)

func ExampleParse() {
	w, err := workload.Parse("90%cpu:1ms,10%cpu:50ms")
	if err != nil {
		fmt.Println(err)
		return
	}
	for id := range uint64(3) {
		fmt.Println(string(w.Payload(10, id)))
	}

	_, err = workload.Parse("90%cpuu:1ms,5%io:50")
	fmt.Println(err)
	// Output:
	// {"job":"cpu","args":[0.05]}
	// {"job":"cpu","args":[0.001]}
	// {"job":"cpu","args":[0.001]}
	// workload "90%cpuu:1ms,5%io:50": part 1, "90%cpuu:1ms": unknown name "cpuu"; did you mean cpu:DURATION?
	// part 2, "5%io:50": "50" is not a duration: give a number and a unit (ns, us, ms, s, m, h), as in io:10ms
}

func ExampleParseArrivals() {
	plan, err := workload.ParseArrivals("rate:12/m")
	if err != nil {
		fmt.Println(err)
		return
	}
	for due := range plan.Due(1) {
		if due.Minutes() >= 0.2 {
			break
		}
		fmt.Println(due)
	}
	// Output:
	// 0s
	// 5s
	// 10s
}

func ExampleReadTrace() {
	plan, err := workload.ReadTrace(strings.NewReader("# yesterday's rush\n0\n0.2\n300ms\n"), "rush.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	for due := range plan.Due(1) {
		if n++; n > 5 {
			break
		}
		fmt.Println(due)
	}
	// Output:
	// 0s
	// 200ms
	// 300ms
	// 450ms
	// 650ms
}

func ExampleWithPayloads() {
	w, err := workload.Parse("py:app.tasks:send_mail")
	if err != nil {
		fmt.Println(err)
		return
	}
	payloads, err := workload.ReadPayloads(strings.NewReader(`
{"to": "ada@example.org"}
{"to": "ken@example.org"}
`), "mails.jsonl")
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := workload.ParseArrivals("burst")
	if err != nil {
		fmt.Println(err)
		return
	}
	for job := range workload.Jobs(workload.WithPayloads(w, payloads), plan, 1, 3) {
		fmt.Println(job.ID, string(job.Payload))
	}
	// Output:
	// 0 {"to": "ada@example.org"}
	// 1 {"to": "ken@example.org"}
	// 2 {"to": "ada@example.org"}
}

func ExampleBuiltin() {
	for _, d := range workload.Builtin()[:3] {
		fmt.Printf("%-13s %s\n", d.Name, d.Doc)
	}
	// Output:
	// record_event  validate an event and insert it into SQLite, after a lazy initialisation on first use (default)
	// noop          do nothing: what a job costs besides its work
	// cpu:DURATION  compute for that long (CPU time)
}
