package workload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// A line is a line of a text file, without the blanks at its ends.
type line struct {
	number int    // from 1
	indent int    // how many bytes stood before the text
	text   []byte // valid until the next line is read
}

// lines yields the lines of a file that are not blank, and an error that names
// the file and the line if it cannot go on.
func lines(r io.Reader, name string, limit int) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(nil, limit+1) // the newline counts
		l := line{}
		for s.Scan() {
			if s.Err() != nil {
				break // what was read of a line before the file failed
			}
			l.number++
			text := s.Bytes()
			if l.number == 1 {
				text = bytes.TrimPrefix(text, []byte("\ufeff"))
			}
			l.text = bytes.TrimLeft(text, " \t\r")
			l.indent = len(text) - len(l.text)
			l.text = bytes.TrimRight(l.text, " \t\r")
			if len(l.text) > 0 && !yield(l, nil) {
				return
			}
		}
		switch err := s.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(line{}, fmt.Errorf("%s:%d: the line is longer than %d bytes", name, l.number+1, limit))
		case err != nil:
			yield(line{}, fmt.Errorf("%s:%d: %w", name, l.number+1, err))
		}
	}
}

// entries reads a file with an entry on each line, and reports up to maxProblems
// at once. what names the entries in an error; parse returns an error that begins
// with what stands after the number of the line.
func entries[T any](r io.Reader, name, what string, limit int, parse func(line) (T, error)) ([]T, error) {
	var (
		all   []T
		errs  []error
		total int
	)
	for line, err := range lines(r, name, maxPayload) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		if total += len(line.text); total > limit {
			errs = append(errs, fmt.Errorf("%s:%d: the %s take more than %d bytes", name, line.number, what, limit))
			break
		}
		entry, err := parse(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d:%w", name, line.number, err))
			if len(errs) == maxProblems {
				errs = append(errs, fmt.Errorf("%s: the rest was not read", name))
				break
			}
			continue
		}
		all = append(all, entry)
	}
	return all, errors.Join(errs...)
}
