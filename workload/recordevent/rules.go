package recordevent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// table returns the lines of a table of the Python module, where the rules stand
// for both languages.
func table(name string) []string {
	_, text, _ := strings.Cut(Source, "\n"+name+" = ")
	text = strings.TrimPrefix(text, "r")
	text, _, _ = strings.Cut(strings.TrimPrefix(text, `"""`), `"""`)
	return strings.Split(strings.TrimSpace(text), "\n")
}

func cut(line, separator string) (before, after string) {
	before, after, _ = strings.Cut(line, separator)
	return before, after
}

// A rule is a name and a regular expression, in the notation of its table. The first one
// of a table that matches a text counts.
type rule struct{ name, pattern string }

// The tables, in the order in which a snapshot has their programs.
const (
	agents = iota
	systems
	devices
	routes
	versions
	tableCount
)

// readTables reads the rules, which is not part of the one-time work: it takes some
// microseconds.
func readTables() (tables [tableCount][]rule) {
	for _, line := range table("AGENTS") {
		token, name := cut(line, " = ")
		if name == "" {
			name = token
		}
		tables[agents] = append(tables[agents], rule{name, token})
	}
	for i, title := range map[int]string{systems: "SYSTEMS", devices: "DEVICES"} {
		for _, line := range table(title) {
			name, pattern := cut(line, " = ")
			tables[i] = append(tables[i], rule{name, pattern})
		}
	}
	for _, line := range table("ROUTES") {
		name, path := cut(line, " ")
		tables[routes] = append(tables[routes], rule{name, path})
	}
	tables[versions] = []rule{{"version", `[/ ]v?\d+(?:\.\d+){0,3}`}} // what follows an agent's name
	return tables
}

// expression is a rule's regular expression.
func (r *rule) expression(table int) string {
	switch table {
	case agents:
		return regexp.QuoteMeta(r.pattern)
	case routes:
		return routeExpression(r.pattern)
	}
	return r.pattern
}

// routeExpression turns a route in Flask's notation into a regular expression.
func routeExpression(path string) string {
	converters := map[string]string{"int": "[0-9]+", "path": "[^\n]+"}
	var e strings.Builder
	for path != "" {
		literal, rest, found := strings.Cut(path, "<")
		e.WriteString(regexp.QuoteMeta(literal))
		if !found {
			break
		}
		variable, after := cut(rest, ">")
		converter, _ := cut(variable, ":")
		if expression, known := converters[converter]; known {
			e.WriteString(expression)
		} else {
			e.WriteString("[^/]+")
		}
		path = after
	}
	return e.String()
}

// rules are the compiled tables, in a form that needs no parsing and no pointers, so
// that it can be used where it lies: in memory that another process made. It is the
// programs that package regexp/syntax compiles the expressions to, in little-endian:
//
//	magic, checksum of all that follows
//	starts [rules]uint32   where each rule's program begins, as a number of an instruction
//	instructions           of instructionSize bytes: the operation, two targets, a set of bytes
type rules struct {
	flat         []byte
	tables       [tableCount][]rule
	firsts       [tableCount]int // the number of each table's first rule
	starts, code []byte
}

const (
	rulesMagic      = "fbrules2" // its digit changes with the form
	rulesHeader     = len(rulesMagic) + 4
	instructionSize = 40
)

// The operations of instructions.
const (
	opRead  = iota // a byte of the set, then go on at the first target
	opJump         // go on at the first target
	opTry          // go on at the first target, or else at the second
	opMatch        // the text matches up to here
)

var (
	errSnapshot = errors.New("not a snapshot of the rules of go:record_event")
	castagnoli  = crc32.MakeTable(crc32.Castagnoli) // what processors have an instruction for
)

// compileRules does the one-time work: it compiles some 250 regular expressions.
func compileRules() (*rules, error) {
	var starts, code []byte
	for table, t := range readTables() {
		for _, r := range t {
			expression := r.expression(table)
			parsed, err := syntax.Parse(expression, syntax.Perl)
			if err != nil {
				return nil, err
			}
			program, err := syntax.Compile(parsed.Simplify())
			if err != nil {
				return nil, err
			}
			base := len(code) / instructionSize
			starts = binary.LittleEndian.AppendUint32(starts, uint32(base+program.Start))
			for i := range program.Inst {
				if code, err = appendInstruction(code, base, &program.Inst[i]); err != nil {
					return nil, fmt.Errorf("%q: %w", expression, err)
				}
			}
		}
	}
	if n := len(code) / instructionSize; n > math.MaxUint16 {
		return nil, fmt.Errorf("the rules need %d instructions, more than %d", n, math.MaxUint16)
	}
	body := slices.Concat(starts, code)
	flat := binary.LittleEndian.AppendUint32([]byte(rulesMagic), crc32.Checksum(body, castagnoli))
	return openRules(append(flat, body...))
}

// appendInstruction writes an instruction down. Expressions are over ASCII; what a
// negated class matches of the rest of Unicode, it matches byte by byte.
func appendInstruction(code []byte, base int, inst *syntax.Inst) ([]byte, error) {
	var flat [instructionSize]byte
	binary.LittleEndian.PutUint16(flat[2:], uint16(base+int(inst.Out)))
	switch inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		flat[0] = opTry
		binary.LittleEndian.PutUint16(flat[4:], uint16(base+int(inst.Arg)))
	case syntax.InstCapture, syntax.InstNop:
		flat[0] = opJump
	case syntax.InstMatch:
		flat[0] = opMatch
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		for b := range 256 {
			r := rune(b)
			if b >= utf8.RuneSelf {
				r = utf8.MaxRune // in every negated class, and in no other of ours
			}
			if inst.MatchRune(r) {
				flat[8+b/8] |= 1 << (b % 8)
			}
		}
	case syntax.InstFail: // reads a byte of no set
	case syntax.InstEmptyWidth:
		return nil, errors.New("assertions are not supported")
	}
	return append(code, flat[:]...), nil
}

// openRules finds the rules in a snapshot. It compiles and copies nothing.
func openRules(flat []byte) (*rules, error) {
	r := &rules{flat: flat, tables: readTables()}
	count := 0
	for i := range r.tables {
		r.firsts[i] = count
		count += len(r.tables[i])
	}
	if len(flat) < rulesHeader+4*count || !bytes.HasPrefix(flat, []byte(rulesMagic)) {
		return nil, errSnapshot
	}
	body := flat[rulesHeader:]
	if binary.LittleEndian.Uint32(flat[len(rulesMagic):]) != crc32.Checksum(body, castagnoli) {
		return nil, fmt.Errorf("%w: it is damaged", errSnapshot)
	}
	r.starts, r.code = body[:4*count], body[4*count:]
	return r, nil
}

// find returns the name of the first rule of a table that matches anywhere in a text,
// and what follows the match; no name if none does.
func (r *rules) find(table int, text string) (name, rest string) {
	for i := range r.tables[table] {
		start := r.start(table, i)
		first := r.code[start*instructionSize:][:instructionSize]
		for from := range len(text) {
			if first[0] == opRead && !reads(first, text[from]) {
				continue // nearly always
			}
			if end := r.match(start, text, from); end >= 0 {
				return r.tables[table][i].name, text[end:]
			}
		}
	}
	return "", ""
}

// fit returns the name of the first rule of a table that matches the whole of a text,
// or none. Rules of routes end in what takes all that there is.
func (r *rules) fit(table int, text string) string {
	for i := range r.tables[table] {
		if r.match(r.start(table, i), text, 0) == len(text) {
			return r.tables[table][i].name
		}
	}
	return ""
}

func (r *rules) start(table, rule int) int {
	return int(binary.LittleEndian.Uint32(r.starts[4*(r.firsts[table]+rule):]))
}

// match runs a program on a text, and returns where its match ends that begins at
// from, or -1. It prefers what the regular expression does.
func (r *rules) match(at int, text string, from int) (end int) {
	for {
		inst := r.code[at*instructionSize:][:instructionSize]
		switch inst[0] {
		case opMatch:
			return from
		case opTry:
			if end := r.match(int(binary.LittleEndian.Uint16(inst[2:])), text, from); end >= 0 {
				return end
			}
			at = int(binary.LittleEndian.Uint16(inst[4:]))
			continue
		case opRead:
			if from == len(text) || !reads(inst, text[from]) {
				return -1
			}
			from++
		}
		at = int(binary.LittleEndian.Uint16(inst[2:]))
	}
}

// reads reports whether a byte is in an instruction's set.
func reads(inst []byte, b byte) bool { return inst[8+b/8]&(1<<(b%8)) != 0 }
