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
