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
	payloads, err := entries(r, name, "payloads", limit, func(l line) ([]byte, error) {
		if column, err := checkJSON(l.text); err != nil {
			return nil, fmt.Errorf("%d: %w", l.indent+column, err)
		}
		return bytes.Clone(l.text), nil
	})
	if err != nil {
		return nil, err
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
