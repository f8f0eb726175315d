package page_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/sim/profiles"
	"forkbench/whatif/query"
	"forkbench/whatif/sweep"
)

// underNode has Node be a worker: it runs the page's script, gives it the messages on
// standard input, a line each, and writes what it says.
const underNode = `
globalThis.crypto ??= require("crypto").webcrypto;
globalThis.self = globalThis;
const lines = require("fs").readFileSync(0, "utf8").trim().split("\n").map((l) => JSON.parse(l));
globalThis.postMessage = (said) => {
	process.stdout.write(JSON.stringify(said) + "\n");
	const next = lines.shift();
	if (next === undefined) process.exit(said.kind === "failed" ? 1 : 0);
	globalThis.onmessage({ data: next });
};
(0, eval)(require("fs").readFileSync("assets/page.js", "utf8"));
globalThis.onmessage({ data: lines.shift() });
`

// TestSimulatorAnswersAsGo: the simulator that is committed gives the very text that the
// sources give here. If it does not, it is of other sources: make web.
func TestSimulatorAnswersAsGo(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no node: make deps")
	}
	p, err := profiles.Read(profiles.Default)
	if err != nil {
		t.Fatal(err)
	}
	b := &query.Base{Profile: p, Workers: 4, Cores: 2, Jobs: 300, Seed: 1<<63 + 1, Arrivals: "burst"}
	for _, m := range []struct {
		name string
		models.Executor
	}{{"prefork", prefork.Model{}}, {"forkperjob", forkperjob.Model{}}, {"hybrid", hybrid.Model{}}} {
		asked, _ := query.ModelOf(m.name, m.Executor)
		b.Models = append(b.Models, asked)
	}
	base, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile("assets/whatif.wasm.gz")
	if err != nil {
		t.Fatal(err)
	}
	var native query.Asker
	want := []string{string(native.Load(base))}
	var in bytes.Buffer
	to := json.NewEncoder(&in)
	send := func(message map[string]any) {
		if err := to.Encode(message); err != nil {
			t.Fatal(err)
		}
	}
	send(map[string]any{"kind": "load", "simulator": base64.StdEncoding.EncodeToString(packed), "base": string(base)})
	for _, set := range []map[string]float64{
		{}, {sweep.Workers: 16, sweep.Cores: 8}, {sweep.JobTime: 20, sweep.Cores: 3}, {sweep.JobsPerChild: 5, sweep.MaxJobsPerChild: 5}, {sweep.ArrivalRate: 40},
	} {
		for _, m := range b.Models {
			if set[sweep.ArrivalRate] > 0 && m.Name != "hybrid" {
				continue // its capacity takes long to find
			}
			changes, err := json.Marshal(query.Changes{Model: m.Name, Replications: 3, Set: set})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(native.Ask(t.Context(), changes)))
			send(map[string]any{"kind": "ask", "id": 0, "changes": string(changes)})
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", underNode)
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s\n%s", err, out, stderr.Bytes())
	}
	from := json.NewDecoder(bytes.NewReader(out))
	for i, text := range want {
		var said struct{ Kind, Answer string }
		if err := from.Decode(&said); err != nil {
			t.Fatal(err)
		}
		if said.Answer != text {
			t.Fatalf("answer %d of the committed simulator is not that of the sources: run `make web` and commit page/assets\n%s: %s\nsources: %s", i, said.Kind, said.Answer, text)
		}
	}
}

// What is embedded is small enough to mail with each report.
func TestAssetsAreSmall(t *testing.T) {
	packed, err := os.ReadFile("assets/whatif.wasm.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) > 2_000_000 || n > 8_000_000 {
		t.Errorf("the simulator has %d bytes, packed %d", n, len(packed))
	}
}
