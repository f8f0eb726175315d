package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"forkbench/live"
	"forkbench/record"
	"forkbench/workload"
)

// A contestant is a model as it takes part in a comparison, with knobs of its
// own where --model gives it some: hybrid(jobs-per-child=10).
type contestant struct {
	model    model
	name     string
	settings []setting
	options  options // with the settings in effect
}

// A setting is a knob that --model sets for one contestant only.
type setting struct {
	knob  string
	value string
	bare  bool // without a value: warm
}

func (s setting) String() string {
	if s.bare {
		return s.knob
	}
	return s.knob + "=" + s.value
}

// parseContestants reads the value of --model: names of models with commas
// between them, each perhaps with settings in parentheses. The settings' values
// are not looked at.
func parseContestants(text string) ([]contestant, error) {
	known := knownModels()
	var list []contestant
	var errs []error
	for _, part := range workload.SplitList(text) {
		part = strings.TrimSpace(part)
		name, rest, hasSettings := strings.Cut(part, "(")
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(known, func(m model) bool { return m.name == name })
		switch {
		case part == "":
			errs = append(errs, fmt.Errorf("a name is missing: one or more of %s, or all", strings.Join(modelNames(known), ", ")))
		case name == allModels && !hasSettings:
			for _, m := range builtInModels() {
				list = append(list, contestant{model: m, name: m.name})
			}
		case name == allModels:
			errs = append(errs, fmt.Errorf("%s: all takes no settings: name the models", shorten(part, 80)))
		case i < 0:
			errs = append(errs, fmt.Errorf("%s: %w", shorten(name, 80), unknown(name, append(modelNames(known), allModels))))
		case !hasSettings:
			list = append(list, contestant{model: known[i], name: name})
		default:
			c, err := withSettings(known[i], rest)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", shorten(part, 80), err))
				continue
			}
			list = append(list, c)
		}
	}
	seen := make(map[string]int)
	for _, c := range list {
		if seen[c.name]++; seen[c.name] == 2 {
			errs = append(errs, fmt.Errorf("%s is named twice", c.name))
		}
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return list, nil
}

// withSettings reads what follows a model's opening parenthesis.
func withSettings(m model, text string) (contestant, error) {
	inside, ok := strings.CutSuffix(text, ")")
	if !ok {
		return contestant{}, errors.New("a closing parenthesis is missing, as in hybrid(jobs-per-child=10)")
	}
	c := contestant{model: m}
	var errs []error
	var texts []string
	for _, part := range workload.SplitList(inside) {
		knob, value, valued := strings.Cut(strings.TrimSpace(part), "=")
		s := setting{knob: strings.TrimSpace(knob), value: strings.TrimSpace(value), bare: !valued}
		typed := s.String()
		s.knob = m.knob(s.knob)
		switch {
		case s.knob == "":
			errs = append(errs, fmt.Errorf("a setting is missing: its knobs are %s", strings.Join(m.knobs, ", ")))
		case !slices.Contains(m.knobs, s.knob):
			errs = append(errs, fmt.Errorf("%s is no knob of %s: %w", shorten(s.knob, 40), m.name, unknown(s.knob, m.knobs)))
		case s.bare && s.knob != warmKnob:
			errs = append(errs, fmt.Errorf("%s needs a value: %[1]s=…", s.knob))
		case s.knob != warmKnob && slices.ContainsFunc(c.settings, func(o setting) bool { return o.knob == s.knob }):
			errs = append(errs, fmt.Errorf("%s is set twice", s.knob))
		default:
			c.settings = append(c.settings, s)
			texts = append(texts, typed)
		}
	}
	c.name = fmt.Sprintf("%s(%s)", m.name, strings.Join(texts, ","))
	return c, errors.Join(errs...)
}

// knob is the flag that a setting is: of rq, class is rq-class.
func (m model) knob(name string) string {
	if full := m.name + "-" + name; slices.Contains(m.knobs, full) {
		return full
	}
	return name
}

// settle puts the settings into effect, on top of the flags that all contestants
// share.
func (c *contestant) settle(shared *options) (problems []string) {
	c.options = *shared
	o := &c.options
	o.warms = c.model.warms
	for _, s := range c.settings {
		if s.knob == warmKnob {
			o.warms = true
			if !s.bare {
				o.warm = nil // its own instead
			}
		}
	}
	flags := flagsOf(o)
	for _, s := range c.settings {
		if s.bare || s.knob == warmKnob && s.value == "" {
			continue
		}
		f := flags[slices.IndexFunc(flags, func(f flag) bool { return f.name == s.knob })]
		if err := f.set(s.value); err != nil {
			problems = append(problems, fmt.Sprintf("--model=%s: %s: %v", shorten(c.name, 80), s, err))
		}
	}
	return problems
}

// sets reports whether --model sets a knob for this contestant, with a value.
func (c *contestant) sets(knob string) bool {
	return slices.ContainsFunc(c.settings, func(s setting) bool { return s.knob == knob && !s.bare })
}

// knobs is what the model's knobs are set to, as typed; the warm-ups only where
// it does any, with those that the workload brings along.
func (c *contestant) knobs(own []string) map[string]string {
	all := make(map[string]string)
	for _, name := range c.model.knobs {
		if text := c.options.texts[name]; text != "" {
			all[name] = text
		}
	}
	for _, s := range c.settings {
		all[s.knob] = s.value
	}
	delete(all, warmKnob)
	if c.options.warms {
		all[warmKnob] = strings.Join(slices.Concat(own, c.options.warm), ",")
	}
	return all
}

// spec is the contestant as records have it.
func (c *contestant) spec(ownWarm []string) record.Model {
	m := record.Model{Name: c.name, Knobs: c.knobs(ownWarm)}
	if c.name != c.model.name {
		m.Model = c.model.name
	}
	return m
}

// on is the machine for this contestant: the one of all, unless it warms
// something of its own.
func (c *contestant) on(m *live.Machine) *live.Machine {
	python, ok := m.Runtime.(live.Python)
	if !ok || slices.Equal(python.Warm, c.options.warm) {
		return m
	}
	python.Warm = c.options.warm
	own := *m
	own.Runtime = python
	return &own
}

func contestantNames(list []contestant) []string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.name
	}
	return names
}

// kinds is the names of the models that take part, each once.
func kinds(list []contestant) []string {
	var names []string
	for _, c := range list {
		if !slices.Contains(names, c.model.name) {
			names = append(names, c.model.name)
		}
	}
	return names
}
