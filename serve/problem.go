package serve

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

// A Problem is an error as the API tells it (RFC 9457).
type Problem struct {
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail,omitempty"`
	Errors []string `json:"errors,omitempty"` // all that is wrong with a request
}

// statusOf is how an error is answered.
func statusOf(err error) int {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	if _, ok := errors.AsType[*requestError](err); ok {
		return http.StatusUnprocessableEntity
	}
	if e, ok := errors.AsType[*httpError](err); ok {
		return e.status
	}
	switch {
	case errors.Is(err, errNoRun), errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, errBusy), errors.Is(err, errEnded):
		return http.StatusConflict
	case errors.Is(err, errFull), errors.Is(err, errWatched), errors.Is(err, errMeasuring):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// An httpError is an error with the status to answer.
type httpError struct {
	status int
	detail string
}

func (e *httpError) Error() string { return e.detail }

// fail answers an error: a page where pages are, else a problem.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := Problem{Status: statusOf(err), Detail: err.Error()}
	if e, ok := errors.AsType[*requestError](err); ok {
		p.Detail, p.Errors = "the request has errors", e.problems
	}
	if p.Status == http.StatusInternalServerError {
		s.log.Error("a request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
		p.Detail = "see the service's log" // what went wrong inside is nobody's business
	}
	if errors.Is(err, errMeasuring) || errors.Is(err, errFull) {
		w.Header().Set("Retry-After", "10")
	}
	p.Title = http.StatusText(p.Status)
	if !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.show(w, p.Status, "error.html", view{Title: p.Title, Problem: &p})
		return
	}
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked may have gone
}
