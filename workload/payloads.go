package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Bounds on a payload file.
const (
	maxPayload  = 16 << 20 // bytes in a line
	maxPayloads = 1 << 30  // bytes in all
	maxProblems = 10       // reported before it gives up
)

// ErrNoPayloads says that a payload file holds none.
var ErrNoPayloads = errors.New("no payload in the file: it needs a JSON value on each line")

// ReadPayloads reads a file of payloads: a JSON value on each line, UTF-8; blank
// lines are skipped. The name is for errors, which carry the number of the line
// and, where there is one, the column.
//
// The payloads are kept in memory, because jobs come back to them: a file of
// more than 1 GiB, or a line of more than 16 MiB, is an error.
func ReadPayloads(r io.Reader, name string) ([][]byte, error) {
	return readPayloads(r, name, maxPayloads)
}

func readPayloads(r io.Reader, name string, limit int) ([][]byte, error) {
	var (
		payloads [][]byte
		errs     []error
		total    int
	)
	for line, err := range lines(r, name, maxPayload) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		if total += len(line.text); total > limit {
			errs = append(errs, fmt.Errorf("%s:%d: the payloads take more than %d bytes", name, line.number, limit))
			break
		}
		if column, err := checkJSON(line.text); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d:%d: %w", name, line.number, line.indent+column, err))
			if len(errs) == maxProblems {
				errs = append(errs, fmt.Errorf("%s: the rest was not read", name))
				break
			}
			continue
		}
		payloads = append(payloads, bytes.Clone(line.text))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if payloads == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrNoPayloads)
	}
	return payloads, nil
}

// checkJSON says what is wrong with a JSON text, and in which column.
func checkJSON(text []byte) (column int, err error) {
	var value json.RawMessage
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(text, &value); {
	case errors.As(err, &syntax):
		return int(syntax.Offset), fmt.Errorf("not JSON: %w", err)
	case err != nil:
		return 1, fmt.Errorf("not JSON: %w", err)
	}
	// The decoder would replace what is not UTF-8; Python refuses it.
	if !utf8.Valid(text) {
		i := bytes.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError })
		return i + 1, errors.New("not UTF-8")
	}
	return 0, nil
}
