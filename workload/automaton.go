package workload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
)

// An automaton decides in one pass over a text which rule of a table fits it.
// It is one deterministic finite automaton for all the rules' regular
// expressions together, in a flat form that needs no parsing and no pointers, so
// that it can be used where it lies: in memory that another process made.
//
// The form, in little-endian integers of 2 bytes:
//
//	states, classes, rules
//	class  [256]              the class of each byte
//	accept [states]           1 + the first rule that is matched in a state, or 0
//	next   [states][classes]  the state that follows
//
// State 0 is where a text begins.
type automaton struct {
	states, classes, rules int
	class, accept, next    []byte // parts of the flat form
}

const (
	automatonHeader = 3 * 2
	automatonClass  = 256 * 2
	maxStates       = 1<<16 - 1
)

func at(words []byte, i int) int { return int(binary.LittleEndian.Uint16(words[2*i:])) }

// openAutomaton returns the automaton whose flat form mem begins with, which
// stays in that memory, and what follows it. It looks at the sizes, not at the
// tables, so that memory is only read where a text leads: if the tables are
// damaged, the automaton errs, but stays within them.
func openAutomaton(mem []byte, rules int) (automaton, []byte, error) {
	var a automaton
	if len(mem) < automatonHeader+automatonClass {
		return a, nil, errors.New("the automaton is cut short")
	}
	a.states, a.classes, a.rules = at(mem, 0), at(mem, 1), at(mem, 2)
	if a.rules != rules {
		return a, nil, fmt.Errorf("the automaton is of %d rules, not of %d", a.rules, rules)
	}
	if a.states == 0 || a.classes == 0 {
		return a, nil, errors.New("the automaton is empty")
	}
	mem = mem[automatonHeader:]
	a.class, mem = mem[:automatonClass], mem[automatonClass:]
	if len(mem) < 2*a.states*(1+a.classes) {
		return a, nil, errors.New("the automaton is cut short")
	}
	a.accept, mem = mem[:2*a.states], mem[2*a.states:]
	a.next, mem = mem[:2*a.states*a.classes], mem[2*a.states*a.classes:]
	return a, mem, nil
}

// step returns the state that follows a state when b is read.
func (a *automaton) step(state int, b byte) int {
	class := min(at(a.class, int(b)), a.classes-1)
	return min(at(a.next, state*a.classes+class), a.states-1)
}

// accepts returns the first rule that is matched in a state, or -1.
func (a *automaton) accepts(state int) int {
	return min(at(a.accept, state), a.rules) - 1
}

// find returns the first rule that matches anywhere in text, and where its first
// match ends; -1 if none does. The automaton must have been compiled to search.
func (a *automaton) find(text string) (rule, end int) {
	rule, end = a.accepts(0), 0
	for i, state := 0, 0; i < len(text); i++ {
		state = a.step(state, text[i])
		if r := a.accepts(state); r >= 0 && (rule < 0 || r < rule) {
			rule, end = r, i+1
		}
	}
	return rule, end
}

// match returns the first rule that matches the whole of text, or -1. The
// automaton must not have been compiled to search.
func (a *automaton) match(text string) int {
	state := 0
	for i := range len(text) {
		state = a.step(state, text[i])
	}
	return a.accepts(state)
}

// compileAutomaton appends the flat form of the automaton for the regular
// expressions to mem. The expressions are over ASCII and without assertions (^,
// $, \b); what a negated class matches of the rest of Unicode, it matches byte
// by byte. If search is set, a match may begin anywhere in the text.
//
// It is the subset construction: a state stands for the set of places in the
// programs of all expressions that a text may have led to.
func compileAutomaton(mem []byte, expressions []string, search bool) ([]byte, error) {
	program, starts, err := compilePrograms(expressions)
	if err != nil {
		return nil, err
	}
	classOf, classes := sortBytes(program)
	b := builder{program: program, visited: make([]int, len(program)), numbers: map[string]int{}}
	b.number(starts) // state 0
	if search {
		// Where a match may begin anywhere, the starts are among the places of
		// every state. They are left out of the sets and added to each step.
		b.always = b.sets[0]
		b.sets[0] = nil
		b.numbers = map[string]int{setKey(nil, b.accepts[0]): 0}
	}
	var next []int
	targets := make([][]int, classes)
	for from := 0; from < len(b.sets); from++ {
		for _, set := range [][]int{b.always, b.sets[from]} {
			for _, place := range set {
				for _, c := range program[place].reads {
					targets[c] = append(targets[c], int(program[place].Out))
				}
			}
		}
		for c := range targets {
			next = append(next, b.number(targets[c]))
			targets[c] = targets[c][:0]
		}
		if len(b.sets) > maxStates {
			return nil, fmt.Errorf("the expressions need more than %d states", maxStates)
		}
	}

	mem = appendWords(mem, len(b.sets), classes, len(expressions))
	mem = appendWords(mem, classOf[:]...)
	mem = appendWords(mem, b.accepts...)
	return appendWords(mem, next...), nil
}

func appendWords(mem []byte, words ...int) []byte {
	for _, w := range words {
		mem = binary.LittleEndian.AppendUint16(mem, uint16(w))
	}
	return mem
}

// An instruction is one of the program of an expression.
type instruction struct {
	syntax.Inst
	rule  int   // the expression's index
	reads []int // the classes of bytes that it consumes
}

// compilePrograms compiles the expressions into one program and returns it with
// the places where they begin.
func compilePrograms(expressions []string) (program []instruction, starts []int, err error) {
	for rule, e := range expressions {
		re, err := syntax.Parse(e, syntax.Perl)
		if err != nil {
			return nil, nil, err
		}
		p, err := syntax.Compile(re.Simplify())
		if err != nil {
			return nil, nil, err
		}
		base := len(program)
		for _, inst := range p.Inst {
			inst.Out += uint32(base)
			if inst.Op == syntax.InstAlt || inst.Op == syntax.InstAltMatch {
				inst.Arg += uint32(base)
			}
			if inst.Op == syntax.InstEmptyWidth {
				return nil, nil, fmt.Errorf("%q: assertions are not supported", e)
			}
			program = append(program, instruction{Inst: inst, rule: rule})
		}
		starts = append(starts, base+p.Start)
	}
	return program, starts, nil
}

// sortBytes sorts the 256 bytes into classes that no instruction can tell apart,
// and notes in each instruction which classes it consumes.
func sortBytes(program []instruction) (classOf [256]int, classes int) {
	numbers := map[string]int{}
	for c := range 256 {
		var readers []int
		for i := range program {
			if program[i].consumes(byte(c)) {
				readers = append(readers, i)
			}
		}
		key := setKey(readers, 0)
		n, known := numbers[key]
		if !known {
			n = len(numbers)
			numbers[key] = n
			for _, i := range readers {
				program[i].reads = append(program[i].reads, n)
			}
		}
		classOf[c] = n
	}
	return classOf, len(numbers)
}

func (inst *instruction) consumes(char byte) bool {
	reading := []syntax.InstOp{syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL}
	r := rune(char)
	if char >= 0x80 {
		r = 0x10ffff // in every negated class, and in no other of ours
	}
	return slices.Contains(reading, inst.Op) && inst.MatchRune(r)
}

// setKey writes a set down. The set must be sorted.
func setKey(set []int, accept int) string {
	key := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+4*len(set)), uint32(accept))
	for _, place := range set {
		key = binary.LittleEndian.AppendUint32(key, uint32(place))
	}
	return string(key)
}

// A builder numbers the states of an automaton as it finds them.
type builder struct {
	program []instruction
	always  []int          // places that every state has besides its own
	sets    [][]int        // of each state, the places that consume a byte
	accepts []int          // of each state, 1 + the first rule that it matches, or 0
	numbers map[string]int // of each set, by its key

	round   int
	visited []int // of each place, the round in which it was reached
}

// number returns the number of the state for the places that can be reached from
// the given ones without reading, a new one if it is new.
func (b *builder) number(from []int) int {
	b.round++
	for _, place := range b.always {
		b.visited[place] = b.round
	}
	var set []int
	accept := 0
	for places := slices.Clone(from); len(places) > 0; {
		place := places[len(places)-1]
		places = places[:len(places)-1]
		if b.visited[place] == b.round {
			continue
		}
		b.visited[place] = b.round
		switch inst := &b.program[place]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			places = append(places, int(inst.Out), int(inst.Arg))
		case syntax.InstCapture, syntax.InstNop:
			places = append(places, int(inst.Out))
		case syntax.InstMatch:
			if accept == 0 || inst.rule+1 < accept {
				accept = inst.rule + 1
			}
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			set = append(set, place)
		case syntax.InstFail, syntax.InstEmptyWidth: // a dead end, and refused before
		}
	}
	slices.Sort(set)
	key := setKey(set, accept)
	n, known := b.numbers[key]
	if !known {
		n = len(b.sets)
		b.numbers[key] = n
		b.sets = append(b.sets, set)
		b.accepts = append(b.accepts, accept)
	}
	return n
}
