package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
)

// A Writer writes lines to a file. It is safe for concurrent use. After the
// first error (a full disk, say) it writes nothing more and returns that error
// from every call.
type Writer struct {
	mu  sync.Mutex
	buf *bufio.Writer
	err error
}

var _ Sink = (*Writer)(nil)

// NewWriter returns a Writer on w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{buf: bufio.NewWriterSize(w, 64<<10)}
}

// Write appends one line. It may stay in memory until Flush.
func (w *Writer) Write(l Line) error {
	fields, err := json.Marshal(l)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	// The kind comes first, so that a line can be told from its beginning.
	// bufio keeps its first error, so the last write reports any of the four.
	w.buf.WriteString(`{"kind":"`)
	w.buf.WriteString(l.kind())
	w.buf.WriteString(`",`)
	w.buf.Write(fields[1:])
	w.err = w.buf.WriteByte('\n')
	return w.err
}

// Flush passes on what is in memory.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	return w.err
}

// A SyntaxError is a line that could not be read.
type SyntaxError struct {
	Line int // from 1
	Err  error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *SyntaxError) Unwrap() error { return e.Err }

// ErrTruncated says that the file ends in the middle of a line, as it does when
// the program was killed while it wrote. The lines before it are good.
var ErrTruncated = errors.New("the file ends in the middle of a line")

// maxLine bounds what one line may take in memory: a traceback is the longest
// thing in one.
const maxLine = 16 << 20

// Read yields the lines of a file, one at a time. It stops at the first error,
// a *SyntaxError.
func Read(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxLine)
		s.Split(scanWholeLines)
		n := 0
		for s.Scan() {
			n++
			l, err := parse(s.Bytes())
			if err == nil && (n == 1) != (l.kind() == "run") {
				err = errors.New("the header must be the first line, and only there")
			}
			if err != nil {
				yield(nil, &SyntaxError{n, err})
				return
			}
			if !yield(l, nil) {
				return
			}
		}
		switch err := s.Err(); {
		case err != nil:
			yield(nil, &SyntaxError{n + 1, err})
		case n == 0:
			yield(nil, &SyntaxError{1, errors.New("the file is empty")})
		}
	}
}

// scanWholeLines is bufio.ScanLines, except that a last line without its
// newline is an error.
func scanWholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, ErrTruncated
	}
	return 0, nil, nil
}

// parse reads a line. Its kind is looked for at its beginning, where a Writer puts it:
// to read each line twice would take as long again.
func parse(line []byte) (Line, error) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"kind":"`))
	if kind, _, closed := bytes.Cut(rest, []byte{'"'}); ok && closed {
		if l := newLine(string(kind)); l != nil {
			return l, json.Unmarshal(line, l)
		}
	}
	var tag struct {
		Kind    string `json:"kind"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(line, &tag); err != nil {
		return nil, err
	}
	switch l := newLine(tag.Kind); {
	case l != nil:
		return l, json.Unmarshal(line, l)
	case tag.Kind != "run":
		return nil, fmt.Errorf("unknown kind %q", tag.Kind)
	case tag.Version != Version:
		return nil, fmt.Errorf("format version %d: this program reads version %d", tag.Version, Version)
	}
	l := new(Header)
	return l, json.Unmarshal(line, l)
}

// newLine is an empty line of a kind that is not the header, or nil.
func newLine(kind string) Line {
	switch kind {
	case "job":
		return new(Job)
	case "process":
		return new(Process)
	case "sample":
		return new(Sample)
	case "round":
		return new(Round)
	case "prediction":
		return new(Prediction)
	default:
		return nil
	}
}
