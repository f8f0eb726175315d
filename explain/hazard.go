package explain

import (
	"fmt"
	"slices"
	"strings"
)

// hazards says why the calls observed must not be made in a parent as they are:
// what they leave behind would be in every child. From other people's accidents:
// shared connections garble what is sent, threads are not there in a child but
// the locks that they held are.
func hazards(seen []observation) []string {
	var list []string
	add := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, o := range seen {
		for _, what := range o.LeftOpen {
			switch {
			case strings.HasPrefix(what, "socket:"):
				add("leaves a connection open%s", about(o, " to ", "socket.connect"))
			case strings.HasPrefix(what, "/") && !strings.HasPrefix(what, "/dev/") && !strings.HasPrefix(what, "/memfd:"):
				add("leaves %s open", plainFile(what))
			case strings.HasPrefix(what, "pipe:"), strings.HasPrefix(what, "anon_inode:"):
				add("leaves %s open", strings.TrimRight(strings.SplitN(what, "[", 2)[0], ":"))
			}
		}
		if o.Threads > 0 {
			add("starts a thread%s", about(o, ", for ", "_thread.start_new_thread"))
		}
	}
	return list
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

func plainFile(name string) string { return "the file " + shortened(name, 80) }

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
	for _, p := range r.looked {
		if p.Threads > 0 {
			return fmt.Sprintf("its jobs leave %d threads running", p.Threads)
		}
		for _, what := range p.Handed {
			if strings.HasPrefix(what, "socket:") {
				return "its jobs leave a connection open, which all children would share"
			}
		}
	}
	return ""
}
