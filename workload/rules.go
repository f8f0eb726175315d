package workload

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// table returns the lines of a table of the built-in Python module, where the
// rules of record_event stand for both languages.
func table(name string) []string {
	_, text, _ := strings.Cut(builtinSource, "\n"+name+" = ")
	text = strings.TrimPrefix(text, "r")
	text, _, _ = strings.Cut(strings.TrimPrefix(text, `"""`), `"""`)
	return strings.Split(strings.TrimSpace(text), "\n")
}

// A ruleTable is a table whose lines are a name and a regular expression each, in
// some notation. The first rule that matches a text counts.
type ruleTable struct {
	title  string
	search bool                                  // a match may lie anywhere in the text, or must be all of it
	read   func(line string) (name, expr string) // the parts of a line
}

// The tables of record_event, in the order in which a snapshot holds them.
const (
	agents = iota
	systems
	devices
	routes
	ruleTableCount
)

var ruleTables = [ruleTableCount]ruleTable{
	agents:  {"AGENTS", true, readAgent},
	systems: {"SYSTEMS", true, readPattern},
	devices: {"DEVICES", true, readPattern},
	routes:  {"ROUTES", false, readRoute},
}

func readAgent(line string) (name, expr string) {
	token, name, found := strings.Cut(line, " = ")
	if !found {
		name = token
	}
	return name, regexp.QuoteMeta(token)
}

func readPattern(line string) (name, expr string) { return cut(line, " = ") }

func readRoute(line string) (name, expr string) {
	name, rule := cut(line, " ")
	return name, routeExpression(rule)
}

func cut(line, separator string) (before, after string) {
	before, after, _ = strings.Cut(line, separator)
	return before, after
}

// routeExpression turns a route in Flask's notation into a regular expression.
func routeExpression(rule string) string {
	var e strings.Builder
	for rule != "" {
		literal, rest, _ := strings.Cut(rule, "<")
		e.WriteString(regexp.QuoteMeta(literal))
		if rest == "" {
			break
		}
		variable, after := cut(rest, ">")
		switch converter, _, _ := strings.Cut(variable, ":"); converter {
		case "int":
			e.WriteString("[0-9]+")
		case "path":
			e.WriteString("[^\n]+")
		default:
			e.WriteString("[^/]+")
		}
		rule = after
	}
	return e.String()
}

// rules is the compiled form of the tables: one flat block of memory, which is
// also the snapshot, and views into it.
type rules struct {
	flat   []byte
	tables [ruleTableCount]compiledTable
}

type compiledTable struct {
	automaton
	lines []string
}

// rulesMagic begins a snapshot. Its digit changes with the form.
const rulesMagic = "fbrules1"

var errSnapshot = errors.New("not a snapshot of the rules of go:record_event")

// compileRules does the one-time work: some 300 regular expressions.
func compileRules() (*rules, error) {
	flat := []byte(rulesMagic)
	for _, t := range ruleTables {
		var expressions []string
		for _, line := range table(t.title) {
			_, e := t.read(line)
			expressions = append(expressions, e)
		}
		var err error
		if flat, err = compileAutomaton(flat, expressions, t.search); err != nil {
			return nil, fmt.Errorf("%s: %w", t.title, err)
		}
	}
	return openRules(flat)
}

// openRules finds the rules in a snapshot. It compiles and copies nothing, and
// touches a few pages only.
func openRules(mem []byte) (*rules, error) {
	r := &rules{flat: mem}
	mem, found := bytes.CutPrefix(mem, []byte(rulesMagic))
	if !found {
		return nil, errSnapshot
	}
	for i, t := range ruleTables {
		var err error
		c := compiledTable{lines: table(t.title)}
		if c.automaton, mem, err = openAutomaton(mem, len(c.lines)); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errSnapshot, t.title, err)
		}
		r.tables[i] = c
	}
	if len(mem) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errSnapshot, len(mem))
	}
	return r, nil
}

// lookup returns the name of the first rule of a table that fits a text, and
// what follows the match; no name if none fits.
func (r *rules) lookup(table int, text string) (name, rest string) {
	c, t := &r.tables[table], &ruleTables[table]
	var rule int
	end := len(text)
	if t.search {
		rule, end = c.find(text)
	} else {
		rule = c.match(text)
	}
	if rule < 0 {
		return "", ""
	}
	name, _ = t.read(c.lines[rule])
	return name, text[end:]
}
