package serve

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"forkbench/runner"
)

// The pages are made here and need no script: what a job is called is data to
// html/template.
//
//go:embed pages
var assets embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"when":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"figure": figure,
	"size":   size,
	"join":   strings.Join,
	"last": func(points []Point) *Point {
		if len(points) == 0 {
			return nil
		}
		return &points[len(points)-1]
	},
}).ParseFS(assets, "pages/*.html"))

// figure writes a measured value, with three digits or all of those before the point.
func figure(x float64) string {
	if x >= 100 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// size writes a number of bytes.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	if n < 1e6 {
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// A view is what a page shows; each uses some of it.
type view struct {
	Title    string
	Reload   bool // while it has something to wait for
	SignedIn bool // there is a token, so there is a way in
	Problem  *Problem

	List   *RunList
	Filter url.Values
	More   string

	Run      *RunDetail
	Progress *Progress
	HasPage  bool

	Workloads *Workloads
	Asked     Request
	Problems  []string

	Diff     *runner.Diff
	Old, New string

	Doc   *docView
	Wrong bool
}

// States are those to filter by.
func (view) States() []State { return []State{Queued, Running, Done, Failed, Cancelled, Interrupted} }

func (s *Server) pageRoutes() []route {
	return []route{
		{"GET /{$}", s.pageList},
		{"GET /start", s.pageStart},
		{"POST /start", s.start},
		{"GET /runs/{run}", s.pageRun},
		{"POST /runs/{run}/cancel", s.cancelFromPage},
		{"POST /runs/{run}/delete", s.deleteFromPage},
		{"GET /diff", s.pageDiff},
		{"GET /docs", s.pageDocs},
		{"GET /login", s.pageLogin},
		{"POST /login", s.signIn},
		{"GET /static/{file}", s.static},
	}
}

// show writes a page. It is made whole before any of it is sent.
func (s *Server) show(w http.ResponseWriter, status int, name string, v view) {
	v.SignedIn = !s.login.without
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		s.log.Error("a page cannot be made", zap.String("page", name), zap.Error(err))
		writeProblem(w, Problem{Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever asked may have gone
}

func (s *Server) pageList(w http.ResponseWriter, r *http.Request) error {
	list, err := s.listed(r)
	if err != nil {
		return err
	}
	v := view{Title: "Runs", List: list, Filter: r.URL.Query()}
	if list.Next != "" {
		q := r.URL.Query()
		q.Set("after", list.Next)
		v.More = "/?" + q.Encode()
	}
	for i := range list.Runs {
		v.Reload = v.Reload || !list.Runs[i].State.Ended()
	}
	s.show(w, http.StatusOK, "list.html", v)
	return nil
}

func (s *Server) pageStart(w http.ResponseWriter, _ *http.Request) error {
	list := s.workloadList()
	s.show(w, http.StatusOK, "start.html", view{Title: "Start a run", Workloads: &list, Asked: Request{Jobs: 1000, Workers: 4, Cores: 4}})
	return nil
}

// start is the form's way to what POST /api/v1/runs does.
func (s *Server) start(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return &httpError{http.StatusBadRequest, err.Error()}
	}
	form := r.PostForm
	var problems []string
	number := func(name string) int {
		text := strings.TrimSpace(form.Get(name))
		if text == "" {
			return 0
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %q: is not a whole number", name, short(text)))
		}
		return n
	}
	q := Request{
		Kind: form.Get("kind"), Jobs: number("jobs"), Workers: number("workers"), Rounds: number("rounds"),
		Models: form["models"], Arrivals: strings.TrimSpace(form.Get("arrivals")), Commit: strings.TrimSpace(form.Get("commit")), Tags: strings.Fields(form.Get("tags")),
	}
	if q.Kind == Simulation {
		q.Profile, q.Cores = form.Get("profile"), number("cores")
	} else {
		q.Workload = strings.TrimSpace(form.Get("workload"))
	}
	var name string
	var err error
	if problems == nil {
		if name, err = s.queue.add(&q); err == nil {
			s.index.forget()
			http.Redirect(w, r, "/runs/"+name, http.StatusSeeOther)
			return nil
		}
		e, wrong := err.(*requestError) //nolint:errorlint // it is returned as it is
		if !wrong {
			return err
		}
		problems = e.problems
	}
	list := s.workloadList()
	s.show(w, http.StatusUnprocessableEntity, "start.html", view{Title: "Start a run", Workloads: &list, Asked: q, Problems: problems})
	return nil
}

func (s *Server) pageRun(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("run")
	d, err := s.detail(name)
	if err != nil {
		return err
	}
	v := view{Title: d.Workload, Run: d, Reload: !d.State.Ended()}
	for _, f := range d.Files {
		v.HasPage = v.HasPage || f.Name == pageName
	}
	if v.Reload || d.Verdict == "" {
		f, most := &follower{store: s.store, run: name}, int64(mostRead)
		if s.queue.busy() {
			most = busyRead
		}
		if v.Progress, err = f.follow(most); err != nil {
			return err
		}
	}
	list, err := s.index.list(Filter{Workload: d.Workload})
	if err != nil {
		return err
	}
	v.List = &RunList{}
	for _, other := range list {
		if other.Name != name && other.Kind == d.Kind && other.Jobs == d.Jobs && other.State.Ended() && other.Verdict != "" && len(v.List.Runs) < 50 {
			v.List.Runs = append(v.List.Runs, other)
		}
	}
	s.show(w, http.StatusOK, "run.html", v)
	return nil
}

func (s *Server) cancelFromPage(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("run")
	if err := s.cancel(name); err != nil {
		return err
	}
	http.Redirect(w, r, "/runs/"+name, http.StatusSeeOther)
	return nil
}

func (s *Server) deleteFromPage(w http.ResponseWriter, r *http.Request) error {
	if err := s.remove(r.PathValue("run")); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (s *Server) pageDiff(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := view{Title: "What changed", Old: q.Get("old"), New: q.Get("new")}
	if v.Old != "" && v.New != "" {
		var err error
		if v.Diff, err = s.diff(r.Context(), v.Old, v.New); err != nil {
			return err
		}
	} else {
		list, err := s.index.list(Filter{})
		if err != nil {
			return err
		}
		v.List = &RunList{}
		for _, run := range list {
			if run.Verdict != "" && len(v.List.Runs) < mostRuns {
				v.List.Runs = append(v.List.Runs, run)
			}
		}
	}
	s.show(w, http.StatusOK, "diff.html", v)
	return nil
}

func (s *Server) pageDocs(w http.ResponseWriter, _ *http.Request) error {
	doc, err := documentation()
	if err != nil {
		return err
	}
	s.show(w, http.StatusOK, "docs.html", view{Title: "The API", Doc: doc})
	return nil
}

func (s *Server) pageLogin(w http.ResponseWriter, _ *http.Request) error {
	s.show(w, http.StatusOK, "login.html", view{Title: "Sign in"})
	return nil
}

// static are the files that pages load.
func (s *Server) static(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
	kind := types[path.Ext(name)]
	if kind == "" || strings.Contains(name, "/") {
		return fs.ErrNotExist
	}
	text, err := assets.ReadFile("pages/" + name)
	if err != nil {
		return fs.ErrNotExist
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(text) // whoever asked may have gone
	return nil
}
