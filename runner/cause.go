package runner

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"forkbench/models"
)

// A Cause is one reason why jobs of a model were not done, with how many it
// explains. Jobs have the same cause if they ended the same way and their last
// words differ in numbers and identifiers only.
type Cause struct {
	Status models.Status `json:"status"` // how they ended
	Jobs   int           `json:"jobs"`
	Text   string        `json:"text"` // the words of one of them, the first
}

// What is kept of causes: of a round, and in a summary.
const (
	maxCauses = 64
	topCauses = 10
)

// A cause is a Cause in the making. Its first job is that with the least ID.
type cause struct {
	jobs int
	id   uint64
	text string
}

type causeKey struct {
	status models.Status
	text   string // without what differs from job to job
}

// causes counts why the jobs of a round were not done, in bounded memory: where
// there are more kinds than maxCauses, those that come later are told apart by
// how they ended only.
type causes struct {
	byKey map[causeKey]*cause

	// The last Detail and what came of it: jobs fail alike.
	status models.Status
	detail string
	last   *cause
}

func (c *causes) add(id uint64, status models.Status, detail string) {
	if c.last == nil || status != c.status || detail != c.detail {
		text := lastWords(status, detail)
		c.status, c.detail, c.last = status, detail, c.of(causeKey{status, shape(text)}, id, text)
	}
	c.last.jobs++
	if id < c.last.id {
		c.last.id, c.last.text = id, lastWords(status, detail)
	}
}

func (c *causes) of(key causeKey, id uint64, text string) *cause {
	if c.byKey == nil {
		c.byKey = make(map[causeKey]*cause)
	}
	known := c.byKey[key]
	if known == nil && len(c.byKey) >= maxCauses {
		key.text, text = "", "for many different reasons"
		known = c.byKey[key]
	}
	if known == nil {
		known = &cause{id: id, text: text}
		c.byKey[key] = known
	}
	return known
}

// forget lets go of what serves only while jobs still come.
func (c *causes) forget() { c.detail, c.last = "", nil }

// causes is why the model's jobs were not done, in all rounds, the commonest
// first.
func (m *modelState) causes() []Cause {
	all := make(map[causeKey]*Cause)
	var order []*Cause
	for _, r := range m.rounds {
		for key, c := range r.causes.byKey {
			known := all[key]
			if known == nil {
				known = &Cause{Status: key.status, Text: c.text}
				all[key] = known
				order = append(order, known)
			}
			known.Jobs += c.jobs
		}
	}
	slices.SortFunc(order, func(a, b *Cause) int {
		return cmp.Or(cmp.Compare(b.Jobs, a.Jobs), cmp.Compare(a.Status, b.Status), strings.Compare(a.Text, b.Text))
	})
	list := make([]Cause, 0, min(len(order), topCauses))
	for _, c := range order[:min(len(order), topCauses)] {
		list = append(list, *c)
	}
	return list
}

// noWords is what is said of a job that gave no reason.
const noWords = "no reason given"

// lastWords is why a job was not done, in its own words, fit for one line: the
// line of a traceback that names the exception, else the first line of what was
// found out about the end of its process, or the last of what an application
// says.
func lastWords(status models.Status, detail string) string {
	lines := strings.FieldsFunc(detail, func(r rune) bool { return r == '\n' || r == '\r' })
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
	switch {
	case len(lines) == 0:
		return noWords
	case strings.HasPrefix(lines[0], "panic: "): // a Go stack follows
		return plain(lines[0])
	}
	if text, ok := exception(lines); ok {
		return plain(text)
	}
	if status == models.Failed {
		return plain(lines[len(lines)-1])
	}
	return plain(lines[0])
}

// exception is the line of a Python traceback that names the exception. What an
// exception says may have several lines, of which it is the first; of exceptions
// that led to others, the last one counts.
func exception(lines []string) (string, bool) {
	last := -1
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimLeft(line, " |+"), `File "`) && line[0] == ' ' {
			last = i
		}
	}
	if last < 0 {
		return "", false
	}
	for _, line := range lines[last+1:] {
		if line[0] != ' ' && line[0] != '\t' {
			return line, true
		}
	}
	// A group's are indented, each behind a bar.
	for _, line := range slices.Backward(lines[last+1:]) {
		if text := strings.Trim(line, " |+-"); strings.ContainsFunc(text, unicode.IsLetter) {
			return text, true
		}
	}
	return "", false
}

// uuid matches one: a part of it may have no digit.
var uuid = regexp.MustCompile(`\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`)

// shape is a text without what differs from job to job: each word with a digit in
// it (a number, an address, an identifier) is as good as any other.
func shape(text string) string {
	text = uuid.ReplaceAllLiteralString(text, "#")
	out := make([]byte, 0, len(text))
	word, digit := 0, false // where the word begins, and whether it has one
	end := func() {
		if digit {
			out = append(out[:word], '#')
		}
		digit = false
	}
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			digit = digit || unicode.IsDigit(r)
			out = utf8.AppendRune(out, r)
			continue
		}
		end()
		out = utf8.AppendRune(out, r)
		word = len(out)
	}
	end()
	return string(out)
}
