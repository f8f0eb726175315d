package explain

import (
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/format"
)

// How what is left open is told begins, and how what SQLite has ends.
const (
	connectionLeft, fileLeft, threadLeft = "leaves a connection open", "leaves the file ", "starts a thread"
	databaseLeft                         = " (sqlite3.connect)"
)

// hazards says why the calls observed must not be made in a parent as they are:
// what they leave behind would be in every child. From other people's accidents:
// shared connections garble what is sent, threads are not there in a child but
// the locks that they held are.
func hazards(seen []observation) []string {
	var list []string
	told := make(map[string]bool)
	for _, o := range seen {
		var kinds []string
		// Of each kind those of one call are told: of another, names may be others.
		add := func(kind, format string, args ...any) {
			if text := fmt.Sprintf(format, args...); !told[kind] && !slices.Contains(list, text) {
				list = append(list, text)
			}
			kinds = append(kinds, kind)
		}
		for _, what := range o.LeftOpen {
			switch {
			case strings.HasPrefix(what, "socket:"):
				add("connection", connectionLeft+"%s", about(o, " to ", "socket.connect"))
			case strings.HasPrefix(what, "/") && !strings.HasPrefix(what, "/dev/") && !strings.HasPrefix(what, "/memfd:"):
				add("file", fileLeft+"%s open%s", shortened(what, 80), by(o, what))
			case strings.HasPrefix(what, "pipe:"):
				add("pipe", "leaves a pipe open")
			case strings.HasPrefix(what, "anon_inode:"):
				add("pipe", "leaves an %s descriptor open", strings.Trim(strings.TrimPrefix(what, "anon_inode:"), "[]"))
			}
		}
		if o.Threads > 0 {
			add("thread", threadLeft+"%s", about(o, ", for ", "_thread.start_new_thread"))
		}
		for _, kind := range kinds {
			told[kind] = true
		}
	}
	return list
}

// by names the call that opened a file, where it is known.
func by(o observation, file string) string {
	for _, e := range o.Events {
		if e[0] == "sqlite3.connect" && strings.Contains(e[1], file) {
			return databaseLeft
		}
	}
	return ""
}

// cautions says what calls do that should be known before they are made anywhere
// else. Nothing is left of it, so it may be right in a parent.
func cautions(seen []observation) []string {
	words := map[string]string{
		"socket.connect": "connects to ", "sqlite3.connect": "opens the database ", "subprocess.Popen": "runs ",
		"os.system": "runs ", "os.posix_spawn": "runs ", "os.fork": "forks", "write": "writes to ",
		"_thread.start_new_thread": "starts a thread for ",
	}
	var list []string
	for _, o := range seen {
		for _, e := range o.Events {
			text := words[e[0]]
			if text == "" {
				continue
			}
			if text += shortened(e[1], 60); !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	return list
}

// about is what an event was about, after the words before it; or nothing.
func about(o observation, words, event string) string {
	for _, e := range o.Events {
		if e[0] == event && e[1] != "" {
			return words + shortened(e[1], 60)
		}
	}
	return ""
}

// brief is a hazard without whom a connection is to, or what a thread is for, which
// stand below.
func brief(hazard string) string {
	if before, _, ok := strings.Cut(hazard, " open to "); ok {
		return before + " open"
	}
	before, _, _ := strings.Cut(hazard, ", for ")
	return before
}

// shortened keeps the end of a long text, which is where names differ.
func shortened(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > most {
		return "…" + string(runes[len(runes)-most+1:])
	}
	return text
}

// noRefork is why a process that has run jobs must not be made the parent of
// others here; or "".
func (r *run) noRefork() string {
	if r.unfit != "" {
		return r.unfit
	}
	for _, p := range r.looked {
		if p.Threads > 0 {
			return fmt.Sprintf("its jobs leave %s running", format.Plural(p.Threads, "thread"))
		}
		for _, what := range p.Handed {
			if strings.HasPrefix(what, "socket:") {
				r.connected = true
				return "its jobs leave a connection open, which all children would share"
			}
		}
	}
	if r.failed != "" {
		return "in its forks, " + r.failed
	}
	return ""
}
