package workload

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Bounds on what a specification may ask of one job. They are far above what
// makes sense: they are there to catch a unit mistaken.
const (
	maxSpec     = 4096
	maxDuration = time.Hour
	maxSize     = 64 << 30
)

// Default is the workload that a comparison runs when none is named, and
// DefaultGo what it falls back to where there is no Python.
const (
	Default   = "record_event"
	DefaultGo = "go:record_event"
)

// Parse reads a workload's specification, as the --workload flag takes it: one
// of the forms that [Builtin] lists. The error names everything that is wrong
// with it.
func Parse(spec string) (Workload, error) {
	spec = strings.TrimSpace(spec)
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("workload %q...: longer than %d bytes", spec[:64], maxSpec)
	}
	w, err := parse(spec)
	if err != nil {
		return nil, fmt.Errorf("workload %q: %w", spec, err)
	}
	return w, nil
}

func parse(spec string) (Workload, error) {
	if isMix(spec) {
		return parseMix(spec)
	}
	switch prefix, rest, _ := strings.Cut(spec, ":"); {
	case prefix == "py":
		return parsePython(spec, rest)
	case prefix == "jobs":
		return parseReplay(spec, rest)
	case spec == DefaultGo:
		return new(goRecordEvent), nil
	case spec == "go:noop":
		return goNoop{}, nil
	case spec == "act":
		return newAct(), nil
	}
	c, err := parseClass(spec)
	if err != nil {
		return nil, err
	}
	return newPython(spec, c), nil
}

// isMix reports whether spec is meant as a mix, so that what is wrong with it
// can be said in those terms: it has several parts, or begins with a share.
func isMix(spec string) bool {
	head, _, found := strings.Cut(spec, "%")
	return strings.Contains(spec, ",") || found && !strings.ContainsFunc(head, unicode.IsLetter)
}

func parseMix(spec string) (Workload, error) {
	var (
		m    mix
		sum  float64
		sums []string
		errs []error
	)
	for i, part := range strings.Split(spec, ",") {
		part = strings.TrimSpace(part)
		share, c, err := parsePart(part)
		if err != nil {
			errs = append(errs, fmt.Errorf("part %d, %q: %w", i+1, part, err))
			continue
		}
		sum += share
		sums = append(sums, strconv.FormatFloat(share, 'g', -1, 64))
		m = append(m, mixClass{upTo: sum / 100, class: c})
	}
	if len(errs) == 0 && math.Abs(sum-100) > 1e-9 {
		errs = append(errs, fmt.Errorf("the shares of a mix must add up to 100: %s = %.10g",
			strings.Join(sums, " + "), sum))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return newMix(spec, m), nil
}

// parsePart reads one part of a mix, as in 90%cpu:1ms.
func parsePart(part string) (share float64, c class, err error) {
	number, spec, found := strings.Cut(part, "%")
	if !found || strings.ContainsFunc(number, unicode.IsLetter) {
		return 0, class{}, fmt.Errorf("a part of a mix begins with its share, as in 90%%cpu:1ms")
	}
	share, err = parseNumber(strings.TrimSpace(number))
	if err != nil || share <= 0 || share > 100 {
		err = fmt.Errorf("%q is not a share: give a percentage above 0 and up to 100, as in 90%%cpu:1ms", number)
	}
	spec = strings.TrimSpace(spec)
	var specErr error
	if strings.HasPrefix(spec, "py:") || strings.HasPrefix(spec, "go:") {
		specErr = fmt.Errorf("a mix holds only built-in Python jobs, as in 90%%cpu:1ms,10%%noop")
	} else {
		c, specErr = parseClass(spec)
	}
	return share, c, errors.Join(err, specErr)
}

// parseClass reads the specification of a built-in Python job.
func parseClass(spec string) (class, error) {
	name, arg, hasArg := strings.Cut(spec, ":")
	for _, j := range builtinJobs {
		if j.name != name {
			continue
		}
		if j.parse == nil {
			if hasArg {
				return class{}, fmt.Errorf("%s takes nothing after its name", name)
			}
			return j.class, nil
		}
		if arg == "" {
			return class{}, fmt.Errorf("%s needs a %s, as in %s", name, strings.ToLower(j.argument), j.example)
		}
		return j.parse(arg, j.example)
	}
	return class{}, unknown(spec)
}

// unknown is the error for a name that is none, with the nearest that is one.
func unknown(spec string) error {
	name, arg, _ := strings.Cut(spec, ":")
	if strings.EqualFold(name, "go") {
		name = spec
	}
	var names, forms []string
	for _, d := range Builtin() {
		n := d.Name
		if !strings.HasPrefix(n, "go:") {
			n, _, _ = strings.Cut(n, ":")
		}
		names, forms = append(names, n), append(forms, d.Name)
	}
	if i := nearest(name, names); i >= 0 {
		return fmt.Errorf("unknown name %q; did you mean %s?", name, forms[i])
	}
	if isPythonName(name) && isPythonName(arg) {
		return fmt.Errorf("unknown name %q; a Python function is py:%s", name, spec)
	}
	return fmt.Errorf("unknown name %q; the workloads are %s", name, strings.Join(forms, ", "))
}

func parsePython(spec, rest string) (Workload, error) {
	module, function, found := strings.Cut(rest, ":")
	if !found {
		if i := strings.LastIndexByte(rest, '.'); i > 0 && isPythonName(rest) {
			return nil, fmt.Errorf("needs a colon between module and function, as in py:%s:%s", rest[:i], rest[i+1:])
		}
		return nil, errors.New("needs a module and a function, as in py:app.tasks:record_event")
	}
	var errs []error
	if !isPythonName(module) {
		errs = append(errs, fmt.Errorf("%q is not the name of a module, as in py:app.tasks:record_event", module))
	}
	if !isPythonName(function) {
		errs = append(errs, fmt.Errorf("%q is not the name of a function, as in py:app.tasks:record_event", function))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return imported{spec, module, function}, nil
}

// isPythonName reports whether s is one or more identifiers with dots between
// them.
func isPythonName(s string) bool {
	for id := range strings.SplitSeq(s, ".") {
		for i, r := range id {
			if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
				return false
			}
		}
		if id == "" {
			return false
		}
	}
	return true
}

func parseDuration(s, example string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration: give a number and a unit (ns, us, ms, s, m, h), as in %s", s, example)
	case d <= 0:
		return 0, fmt.Errorf("a duration of %s: must be more than 0, as in %s", s, example)
	case d > maxDuration:
		return 0, fmt.Errorf("a duration of %s: must be at most 1h, as in %s", s, example)
	}
	return d, nil
}

// ParseSize reads a number of bytes, as in 200MB: MB is a million, M and MiB are
// 2^20, and 0 needs no unit. It reports false if the text is none. What is too
// large for any machine may come back as infinite; bounds are the caller's.
func ParseSize(s string) (bytes float64, ok bool) {
	if s == "0" {
		return 0, true
	}
	number := strings.TrimRight(s, "BKMGi")
	unit, known := map[string]float64{
		"B":  1,
		"KB": 1e3, "MB": 1e6, "GB": 1e9,
		"K": 1 << 10, "M": 1 << 20, "G": 1 << 30,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	}[s[len(number):]]
	n, err := parseNumber(number)
	return n * unit, err == nil && known
}

// parseSize reads what a workload is told to hold or write.
func parseSize(s, example string) (int64, error) {
	size, ok := ParseSize(s)
	switch {
	case !ok:
		return 0, fmt.Errorf("%q is not a size: give a number and a unit (B, KB, MB, GB, or K, M, G for powers of 1024), as in %s", s, example)
	case size < 1:
		return 0, fmt.Errorf("a size of %s: must be at least 1B, as in %s", s, example)
	case size > maxSize:
		return 0, fmt.Errorf("a size of %s: must be at most %dG, as in %s", s, maxSize>>30, example)
	}
	return int64(size), nil
}

// parseProbability reads 0.05 or 5%.
func parseProbability(s, example string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	p, err := parseNumber(number)
	if percent {
		p /= 100
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a probability: give a number up to 1 or a percentage, as in %s", s, example)
	case p <= 0:
		return 0, fmt.Errorf("a probability of %s: must be more than 0, as in %s; noop is the job that nothing happens to", s, example)
	case p > 1:
		return 0, fmt.Errorf("a probability of %s: must be at most 1 or 100%%, as in %s", s, example)
	}
	return p, nil
}

// parseNumber reads a decimal number. One that is too large becomes infinite,
// which every bound catches.
func parseNumber(s string) (float64, error) {
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, strconv.ErrSyntax // ParseFloat knows hexadecimal, Inf and NaN too
	}
	n, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil
	}
	return n, err
}
