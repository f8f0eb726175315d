package explain_test

import (
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkbench/explain"
	"forkbench/live"
	"forkbench/report"
	"forkbench/workload"
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
	wantText(t, it.Tried, "ssl.create_default_context(), made in a parent, ") // and why it is not the answer
}

// TestDescriptor: a descriptor's machinery is not an answer; reading the attribute of
// an object that a module holds is.
func TestDescriptor(t *testing.T) {
	it := wantPaste(t, explained(t, "described"), "described:settings.rates", "described.settings.rates")
	if strings.Contains(it.Call, "__get__") {
		t.Errorf("named by its machinery: %s", it.Call)
	}
}

// TestFactory: a method of what a function returns that needs nothing.
func TestFactory(t *testing.T) {
	wantPaste(t, explained(t, "made"), "made:client().load", "made.client().load()")
}

// TestParts: where the first finding cannot be called, what it consists of is tried
// and measured.
func TestParts(t *testing.T) {
	r := explained(t, "in_parts")
	it := wantFirst(t, r, "in_parts.prepare")
	if !it.InPart || it.WarmUp != nil {
		t.Errorf("in part: %v, hoisted by %q", it.InPart, it.WarmUp)
	}
	var flags []string
	for _, part := range r.Findings[1:] {
		if part.PartOf == it.Call && part.Saved != nil {
			flags = append(flags, part.Flag)
		}
	}
	slices.Sort(flags)
	if want := []string{"in_parts:load_rates", "in_parts:load_words"}; !slices.Equal(flags, want) {
		t.Errorf("parts %q, want %q", flags, want)
	}
	if r.Hoist == nil || len(r.Hoist.Steps) != 2 || r.Hoist.Steps[0].Import != "in_parts" {
		t.Errorf("to paste: %+v", r.Hoist)
	}
	if !strings.Contains(r.Verdict, "; what can be made there is in_parts.load_") {
		t.Errorf("verdict: %s", r.Verdict)
	}
}

// TestLambda: what has no name is told with its place.
func TestLambda(t *testing.T) {
	r := explained(t, "unnamed")
	wantFirst(t, r, "unnamed.<lambda> (unnamed.py:7)")
	if !strings.Contains(r.Verdict, "unnamed.<lambda> (unnamed.py:7) runs again in every fork") {
		t.Errorf("verdict: %s", r.Verdict)
	}
}

// TestNotVerified: without a try, nothing is said to be callable or not: it is not
// tried, and what may do it is printed.
func TestNotVerified(t *testing.T) {
	needs(t, "sqlalchemy")
	for module, want := range map[string]string{
		"filled":     "not tried: --warm=ssl:create_default_context",
		"in_parts":   "not tried: of its parts, --warm=in_parts:load_",
		"connection": "; not tried: --warm=undo:connection:engine.connect",
	} {
		t.Run(module, func(t *testing.T) {
			p := plan(t, module)
			p.Verify = false
			r, err := p.Run(t.Context())
			check(t, err)
			var b strings.Builder
			check(t, r.Report().WriteText(&b, report.TextOptions{}))
			if text := strings.Join(strings.Fields(b.String()), " "); !strings.Contains(text, want) || r.Findings[0].Untried == "" {
				t.Errorf("want %q in:\n%s", want, b.String())
			}
			if len(r.Together) > 0 || r.Findings[0].WarmUp != nil || r.Findings[0].Saved != nil {
				t.Errorf("tried all the same: %+v", r.Findings[0])
			}
		})
	}
}

// TestMethodOfHeld: a method of an object that a module holds, where what it calls
// gets something that nobody can write down.
func TestMethodOfHeld(t *testing.T) {
	wantPaste(t, explained(t, "held"), "held:client.load", "held.client.load()")
}

// old is where scripts/deps.sh has put the libraries of scripts/old/explain.txt, at
// versions that applications still pin.
func old(t *testing.T) string {
	t.Helper()
	text, err := exec.Command("python3", "-c", "import sys, os; print(os.path.join(sys.prefix, 'old', 'explain'))").Output()
	check(t, err)
	dir := strings.TrimSpace(string(text))
	if _, err := os.Stat(filepath.Join(dir, "sqlalchemy")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("%v: run `make test`, which has its own Python", err)
	}
	return dir
}

// explainedWith explains the jobs of a test application that imports from a folder.
func explainedWith(t *testing.T, dir, module string) *explain.Result {
	t.Helper()
	p := plan(t, module)
	python := p.Machine.Runtime.(live.Python)
	python.Path = append([]string{dir}, python.Path...)
	p.Machine.Runtime = python
	r, err := p.Run(t.Context())
	check(t, err)
	return r
}

// TestFirstInit: the event of SQLAlchemy 1.3 is four calls of machinery above the
// answer, which has a public name and needs nothing.
func TestFirstInit(t *testing.T) {
	r := explainedWith(t, old(t), "old_orm")
	it := wantPaste(t, r, "sqlalchemy.orm:configure_mappers", "sqlalchemy.orm.configure_mappers() runs again in every fork")
	wantHoisted(t, it, "sqlalchemy.orm.configure_mappers()")
}

// TestFirstInitNotVerified: the same by name alone, which nothing has tried: what holds
// nearly all of it, has a public name and needs nothing.
func TestFirstInitNotVerified(t *testing.T) {
	dir := old(t)
	p := plan(t, "old_orm")
	python := p.Machine.Runtime.(live.Python)
	python.Path = append([]string{dir}, python.Path...)
	p.Machine.Runtime, p.Verify = python, false
	r, err := p.Run(t.Context())
	check(t, err)
	it := wantFirst(t, r, "sqlalchemy.orm.mapper.configure_mappers")
	if it.Untried != "sqlalchemy.orm:configure_mappers" || it.WarmUp != nil {
		t.Errorf("untried %q, hoisted by %q", it.Untried, it.WarmUp)
	}
}

// TestHeldByClass: what a class holds, as each of Django's models does, is not an object
// of a module; a property of it is read all the same.
func TestHeldByClass(t *testing.T) {
	wantPaste(t, explained(t, "related"), "related:Order._meta.fields_map", "related.Order._meta.fields_map")
}

// TestTemplate: a method of a module's object, with the argument that jobs have.
func TestTemplate(t *testing.T) {
	r := explainedWith(t, old(t), "templated")
	wantPaste(t, r, "templated:environment.get_template('report.html')", "templated.environment.get_template('report.html')")
}

// TestCachedProperty: the same, of what a cached property of a module's object has made.
func TestCachedProperty(t *testing.T) {
	r := explainedWith(t, old(t), "mailed")
	wantPaste(t, r, "mailed:mailer.env.get_template('invoice.html')", "mailed.mailer.env.get_template('invoice.html')")
}

// TestPlugins: a loader behind a subscript comes down to imports, and importlib is
// no answer.
func TestPlugins(t *testing.T) {
	wantPaste(t, explained(t, "plugged"), "xml.dom.minidom,xml.sax.expatreader,http.cookiejar,mailbox,imaplib,plistlib,configparser,optparse",
		"import xml.dom.minidom (and 7 more) runs again in every fork")
}

// TestEntryPoints: the standard library's cached property over the metadata of what
// is installed.
func TestEntryPoints(t *testing.T) {
	wantPaste(t, explained(t, "entered"), "entered:exporters.names", "entered.exporters.names")
}

// TestKeys: one-time work of each of three keys is found though the second and
// third job do it, too, and a rare key does not hide it.
func TestKeys(t *testing.T) {
	p := plan(t, "keyed")
	keys := []string{`["de"]`, `["en"]`, `["fr"]`}
	p.Source = func(n int) iter.Seq[workload.Job] {
		return func(yield func(workload.Job) bool) {
			for i := range n {
				payload := keys[i%3]
				if i%11 == 10 {
					payload = fmt.Sprintf(`["rare-%d"]`, i)
				}
				if !yield(workload.Job{ID: uint64(i), Payload: []byte(payload)}) {
					return
				}
			}
		}
	}
	p.Jobs = 9
	r, err := p.Run(t.Context())
	check(t, err)
	it := wantPaste(t, r, "keyed:table('de'),keyed:table('en'),keyed:table('fr')", "keyed.table(")
	if strings.Contains(r.Verdict, "nothing worth hoisting") {
		t.Errorf("%+v: %s", it, r.Verdict)
	}
}

// TestScattered: many small imports are a finding together, as patterns are, to be
// done as a whole, and what is listed says how much of the difference it is.
func TestScattered(t *testing.T) {
	r := explained(t, "scattered")
	for _, want := range []string{" small imports", "re._compiler.compile"} {
		i := slices.IndexFunc(r.Findings, func(it explain.Item) bool { return strings.HasSuffix(it.Call, want) })
		if i < 0 {
			t.Errorf("no %q in %s", want, calledWhat(r))
			continue
		}
		if it := r.Findings[i]; (len(it.WarmUp) < 8 || it.Saved == nil) && it.Untried == "" || len(it.Parts) == 0 {
			t.Errorf("%s: hoisted by %q, also done by %q, tried %q, saved %v, parts %q, hazards %q, cautions %q", it.Call, it.WarmUp, it.By, it.Tried, it.Saved, it.Parts, it.Hazards, it.Cautions)
		}
	}
	if r.Named == nil || r.Named.WallMS <= 0 || r.Named.WallMS > r.OneTime.Wall.Median {
		t.Errorf("named: %+v of %v", r.Named, r.OneTime.Wall.Median)
	}
	sum := r.Named.CPUMS
	for _, k := range r.Rest {
		sum += k.CPUMS
	}
	if sum > 1.001*r.OneTime.CPU.Median {
		t.Errorf("what is named and the rest come to %v ms of CPU, the whole is %v", sum, r.OneTime.CPU.Median)
	}
}

func calledWhat(r *explain.Result) (names []string) {
	for _, it := range r.Findings {
		names = append(names, it.Call)
	}
	return names
}
