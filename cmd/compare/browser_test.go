package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A browser is a real one, with the network cut but for one service, if any.
type browser struct {
	t    *testing.T
	ctx  context.Context
	site string // of the service: http://127.0.0.1:8080

	mu    sync.Mutex
	asked []string // what it asked for that is not in the file
	wrong []string // what went wrong in scripts, and what the policy forbade
}

// newBrowser starts one that reaches a service on loopback, or nothing. Where there is no
// browser the test is skipped; not in CI.
func newBrowser(t *testing.T, site string) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no chromium")
		}
		t.Skip("there is no chromium: make deps")
	}
	nowhere := "MAP * ~NOTFOUND"
	if site != "" {
		nowhere += ", EXCLUDE 127.0.0.1"
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU,
		chromedp.NoSandbox, // root has none
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Env("TMPDIR="+t.TempDir()),
		chromedp.Flag("proxy-server", "127.0.0.1:9"), chromedp.Flag("host-resolver-rules", nowhere))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // for a machine that is busy
	t.Cleanup(cancel)
	ctx, ended := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(ended)
	ctx, closed := chromedp.NewContext(ctx)
	t.Cleanup(closed)
	b := &browser{t: t, ctx: ctx, site: site}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	b.run(calling(network.Enable, network.EnableParams{}))
	b.run(calling(network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: site == ""}))
	b.run(calling(runtime.Enable, cdp.Empty{}))
	b.run(calling(log.Enable, cdp.Empty{}))
	return b
}

// heard notes what is not as it should be.
func (b *browser) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		scheme, _, _ := strings.Cut(e.Request.URL, ":")
		if !slices.Contains([]string{"file", "data", "blob"}, scheme) && e.Type != network.ResourceTypeDocument {
			b.asked = append(b.asked, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, e.ExceptionDetails.Text)
		if x := e.ExceptionDetails.Exception; x != nil {
			b.wrong = append(b.wrong, x.Description)
		}
	case *log.EventEntryAdded: // what a policy forbids, too
		if e.Entry.Level == log.EntryLevelError {
			b.wrong = append(b.wrong, e.Entry.Text)
		}
	}
}

// calling is a command of the browser's protocol as an action.
func calling[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.check(chromedp.Do(b.ctx, actions...))
}

func (b *browser) check(err error) {
	b.t.Helper()
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t.Fatalf("%v\n%s", err, strings.Join(b.wrong, "\n"))
	}
}

// open opens a file.
func (b *browser) open(path string) {
	b.t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.run(chromedp.Navigate("file://" + whole))
}

// until waits for an expression to be true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for !eval[bool](b, expression) {
		select {
		case <-b.ctx.Done():
			b.check(fmt.Errorf("%s: %w", expression, b.ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// eval is the value of an expression in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	b.check(err)
	return value
}

// clean fails the test if anything went wrong, or was asked for.
func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked != nil || b.wrong != nil {
		b.t.Errorf("asked for %q; went wrong: %q", b.asked, b.wrong)
	}
}

// accessible has axe-core look at the page.
func (b *browser) accessible(how string) {
	b.t.Helper()
	axe, err := os.ReadFile(axePath)
	if err != nil {
		if os.Getenv("CI") != "" {
			b.t.Fatal(err)
		}
		b.t.Logf("axe-core is not there (%v): make deps", err)
		return
	}
	for _, v := range eval[[]string](b, string(axe)+`;
		axe.run().then((found) => found.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.html.slice(0, 200)).join(" ")))`) {
		b.t.Errorf("%s: %s", how, v)
	}
}

// axePath is where axe-core is, found before the working directory is changed.
var axePath, _ = filepath.Abs("../../web/node_modules/axe-core/axe.min.js")

// told says that the simulator has answered all that is set.
const told = `document.getElementById("whatif-app").dataset.state === "told"`

// TestPageInABrowser opens the page of a run, without a network, and uses it.
func TestPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	dir, _ := storedRun(t)
	bench := newBench(t)
	set := []string{"--jobs=120", "--cores=2", "--seed=9223372036854775809", "--replications=10"}
	bench.run(append([]string{"simulate", "--workers=4", "--out=run"}, set...)...).want(t, exitDone)
	write := func(dir, name string) {
		t.Helper()
		text := bench.run("report", dir, "--format=html").stdout
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("run", "run.html")
	b := newBrowser(t, "")
	b.run(chromedp.EmulateViewport(1280, 900))
	b.open("run.html")
	b.until(told)

	// A key moves a slider, and the numbers are those of the command.
	b.run(chromedp.Focus(`[data-parameter=workers]`), chromedp.KeyEvent(kb.ArrowRight))
	b.until(`document.querySelector("[data-parameter=workers]").getAttribute("aria-valuetext") === "6" && ` + told)
	bench.run(append([]string{"simulate", "--workers=6", "--out=six"}, set...)...).want(t, exitDone)
	for _, m := range summaryIn(t, "six").Models {
		shown := eval[map[string]float64](b, fmt.Sprintf(`Object.fromEntries([...document.querySelectorAll("[data-model=%s]")].map((c) => [c.dataset.metric, Number(c.dataset.value)]))`, m.Model))
		// Of the same replications; the command's latencies are told to 0.1 %.
		for _, x := range []struct {
			metric       string
			want, within float64
		}{
			{"jobs_done_per_s", m.DonePerS.Median, 1e-12},
			{"cpu_ms_per_job_done", m.CPUDone.Median, 1e-12},
			{"p50_ms", m.Latency.P50, 2e-3},
			{"p95_ms", m.Latency.P95, 2e-3},
			{"p99_ms", m.Latency.P99, 2e-3},
		} {
			if got := shown[x.metric]; !(got >= x.want*(1-x.within) && got <= x.want*(1+x.within)) {
				t.Errorf("%s of %s with 6 workers is %v in the page, and %v by the command", x.metric, m.Model, got, x.want)
			}
		}
	}

	// A model is switched off everywhere.
	b.run(chromedp.Click(`.switches input`, chromedp.NodeVisible))
	b.until(told + ` && !document.querySelector("[data-model=prefork]") && document.querySelector(".panel").hidden`)
	b.run(chromedp.Click(`.switches input`, chromedp.NodeVisible))
	b.until(told)

	b.accessible("1280 pixels, light")
	b.run(chromedp.EmulateViewport(390, 800), calling(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	}))
	b.accessible("390 pixels, dark")
	if eval[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
		t.Error("on a phone, the page is wider than the screen")
	}

	// Jobs are called, and say, what would run if it were read as markup.
	evil := `<img src=x onerror=\"window.hit=1\"><script>window.hit=1</script>`
	records, err := os.ReadFile(filepath.Join(dir, recordsName))
	if err != nil {
		t.Fatal(err)
	}
	spoilt := strings.ReplaceAll(string(records), `"workload":"record_event"`, `"workload":"`+evil+`"`)
	spoilt = strings.ReplaceAll(spoilt, `"status":"done"`, `"status":"failed","detail":"`+evil+`"`)
	spoilt = strings.ReplaceAll(spoilt, `"prefork"`, `"prefork(`+evil+`)"`)
	if strings.Count(spoilt, "onerror") < 20 {
		t.Fatal("the records are not spoilt")
	}
	if err := os.Mkdir("evil", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("evil", recordsName), []byte(spoilt), 0o644); err != nil {
		t.Fatal(err)
	}
	write("evil", "evil.html")
	b.open("evil.html")
	b.until(`document.documentElement.classList.contains("scripted")`)
	b.run(chromedp.Focus(".lanes .chart"))
	said := `[...document.querySelectorAll(".lanes .said")].map((n) => n.textContent).join()`
	for range 40 { // blocks, until one is a job's
		b.run(chromedp.KeyEvent("n"))
		if strings.Contains(eval[string](b, said), "onerror") {
			break
		}
	}
	b.until(said + `.includes("onerror")`)
	if eval[bool](b, `"hit" in window || document.querySelector("img[src=x]") !== null`) {
		t.Error("what a job is called was read as markup")
	}
	b.clean()
}

// TestServedFilesInABrowser: a report has all that it has from a disk when the service
// shows it, and what runs in a file cannot ask the service.
func TestServedFilesInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	dir, _ := storedRun(t)
	bench := newBench(t)
	if err := os.MkdirAll("runs/run", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"summary.json": bench.run("report", dir, "--format=json").stdout,
		"report.html":  bench.run("report", dir, "--format=html").stdout,
		"evil.html": `<title>it ran</title><script>
			fetch("/healthz", {mode: "no-cors"}).finally(() => { document.title = "it asked"; })</script>`,
	} {
		if err := os.WriteFile(filepath.Join("runs", "run", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := bench.start("serve", "--listen=127.0.0.1:0", "--dir=runs")
	c.eventually("the service says where it is", func() bool { return strings.HasSuffix(c.stdout.String(), "/\n") })
	b := newBrowser(t, strings.TrimSuffix(c.stdout.String(), "/\n"))
	b.run(chromedp.Navigate(b.site + "/api/v1/runs/run/files/report.html"))
	b.until(told)
	b.clean()
	b.run(chromedp.Navigate(b.site + "/api/v1/runs/run/files/evil.html"))
	b.until(`document.title === "it asked"`)
	b.run(chromedp.Navigate(b.site + "/metrics")) // which counts what was answered
	if metrics := eval[string](b, "document.body.innerText"); !strings.Contains(metrics, `route="GET /api/v1/runs/{run}/files/{file}"`) || strings.Contains(metrics, "healthz") {
		t.Errorf("what runs in a file asked the service, and was answered:\n%s", metrics)
	}
	c.signal(syscall.SIGTERM)
	c.wait().want(t, exitDone, "stopping")
}
