package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Limits on a profile's file: it is written by hand or by calibration, and is
// a few kB.
const (
	maxProfile = 4 << 20
	maxDepth   = 16
)

// ReadProfile reads a profile. Every field but services and warnings must be there,
// nothing else may be, and all values must make sense; the error is a *ProfileError with every
// problem at once, or says why the text is not JSON.
func ReadProfile(from io.Reader) (*Profile, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxProfile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the profile: %w", err)
	case len(text) > maxProfile:
		return nil, fmt.Errorf("%w: longer than %d MiB", errNotProfile, maxProfile>>20)
	}
	tree, err := parseTree(text)
	if err != nil {
		return nil, err
	}
	var r reader
	p := new(Profile)
	r.fill("", tree, reflect.ValueOf(p).Elem())
	r.checkSources(p)
	// What is missing or malformed is reported as that, not as a 0 too.
	named := make(map[string]bool)
	for _, x := range r.problems {
		named[x.Path] = true
	}
	if invalid, ok := errors.AsType[*ProfileError](p.Validate()); ok {
		for _, x := range invalid.Problems {
			if !named[x.Path] {
				r.problems = append(r.problems, x)
			}
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// A tree is JSON as it stands, with duplicate names still in it.
type tree struct {
	value  any // string, json.Number, bool, nil; or '{' or '[' as a json.Delim
	names  []string
	values []*tree // of an object's fields, or an array's items
}

func (t *tree) kind() string {
	switch v := t.value.(type) {
	case json.Delim:
		if v == '{' {
			return "an object"
		}
		return "a list"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case bool:
		return "true or false"
	}
	return "null"
}

func (t *tree) isObject() bool { return t.value == json.Delim('{') }
func (t *tree) isList() bool   { return t.value == json.Delim('[') }

func parseTree(text []byte) (*tree, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	t, err := parseValue(d, 0)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the end of it")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		at := min(int(d.InputOffset()), len(text))
		return nil, fmt.Errorf("%w: line %d: %w", errNotProfile, 1+bytes.Count(text[:at], []byte("\n")), err)
	}
	return t, nil
}

func parseValue(d *json.Decoder, depth int) (*tree, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	t := &tree{value: token}
	if _, open := token.(json.Delim); !open {
		return t, nil
	}
	for d.More() {
		if t.isObject() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			t.names = append(t.names, fmt.Sprint(name))
		}
		v, err := parseValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		t.values = append(t.values, v)
	}
	_, err = d.Token()
	return t, err
}

// fill sets v, a field of a profile, from what stands at path.
func (r *reader) fill(path string, t *tree, v reflect.Value) {
	if d, ok := reflect.TypeAssert[*Dist](v.Addr()); ok {
		r.dist(path, t, d)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.object(path, t, v)
	case reflect.Slice:
		if !t.isList() {
			r.problem(path, "is %s: must be a list", t.kind())
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(t.values), len(t.values)))
		for i, item := range t.values {
			r.fill(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i))
		}
	case reflect.Map:
		if !t.isObject() {
			r.problem(path, "is %s: must be an object of texts", t.kind())
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for i, name := range t.names {
			text := reflect.New(v.Type().Elem()).Elem()
			r.fill(join(path, name), t.values[i], text)
			v.SetMapIndex(reflect.ValueOf(name), text)
		}
	case reflect.String:
		text, ok := t.value.(string)
		if !ok {
			r.problem(path, "is %s: must be a text", t.kind())
		}
		v.SetString(text)
	case reflect.Int:
		if n, ok := t.value.(json.Number); ok {
			i, err := strconv.ParseInt(n.String(), 10, 64)
			if err != nil {
				r.problem(path, "is %s: must be a whole number", n)
			}
			v.SetInt(i)
			return
		}
		r.problem(path, "is %s: must be a whole number", t.kind())
	case reflect.Float64:
		v.SetFloat(r.float(path, t))
	case reflect.Bool:
		yes, ok := t.value.(bool)
		if !ok {
			r.problem(path, "is %s: must be true or false", t.kind())
		}
		v.SetBool(yes)
	default:
		panic("sim: a profile has no fields of kind " + v.Kind().String())
	}
}

func (r *reader) float(path string, t *tree) float64 {
	n, ok := t.value.(json.Number)
	if !ok {
		r.problem(path, "is %s: must be a number", t.kind())
		return 0
	}
	x, err := n.Float64()
	if err != nil {
		r.problem(path, "is %s: out of range", n)
		return 0
	}
	return x
}

// object sets the fields of a struct: each of them, and no others.
func (r *reader) object(path string, t *tree, v reflect.Value) {
	if !t.isObject() {
		r.problem(path, "is %s: must be an object", t.kind())
		return
	}
	var known []string
	for i := range v.NumField() {
		name, optional := fieldName(v.Type().Field(i))
		known = append(known, name)
		if j := slices.Index(t.names, name); j >= 0 {
			r.fill(join(path, name), t.values[j], v.Field(i))
		} else if !optional {
			r.problem(join(path, name), "is missing")
		}
	}
	r.checkNames(path, t, known)
}

// fieldName is a field's name in a file, and whether it may be left out.
func fieldName(f reflect.StructField) (name string, optional bool) {
	name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, rest == "omitempty"
}

// checkNames reports unknown and repeated names.
func (r *reader) checkNames(path string, t *tree, known []string) {
	for i, name := range t.names {
		switch {
		case !slices.Contains(known, name):
			r.problem(join(path, name), "is unknown; the fields here are %s", strings.Join(known, ", "))
		case slices.Index(t.names, name) < i:
			r.problem(join(path, name), "is there twice")
		}
	}
}

// dist sets a distribution.
func (r *reader) dist(path string, t *tree, d *Dist) {
	if _, ok := t.value.(json.Number); ok {
		*d = Constant(r.float(path, t))
		return
	}
	kind := -1
	if t.isObject() && len(t.names) == 1 {
		kind = slices.Index(distNames[:], t.names[0])
	}
	if kind <= int(constant) {
		r.problem(path, "must be a number, or an object with one of %s", strings.Join(distNames[1:], ", "))
		return
	}
	path, t = join(path, t.names[0]), t.values[0]
	before := len(r.problems)
	var made Dist
	switch distKind(kind) {
	case constant: // not reached
	case exponential:
		var p meanJSON
		r.fill(path, t, reflect.ValueOf(&p).Elem())
		made = Exponential(p.Mean)
	case lognormal:
		var p lognormalJSON
		r.fill(path, t, reflect.ValueOf(&p).Elem())
		made = Lognormal(p.Mean, p.CV)
	case hyperexponential:
		var p branchesJSON
		r.fill(path, t, reflect.ValueOf(&p).Elem())
		made = Hyperexponential(p.Weights, p.Means)
	case quantiles:
		var p quantilesJSON
		r.fill(path, t, reflect.ValueOf(&p).Elem())
		made = Quantiles(p.At, p.MS)
	}
	if len(r.problems) == before {
		*d = made
	}
}

// validate checks the value of every field below v.
func (r *reader) validate(path string, p *Profile) {
	r.walk(path, "", reflect.ValueOf(p).Elem())
}

func (r *reader) walk(path, name string, v reflect.Value) {
	if d, ok := reflect.TypeAssert[*Dist](v.Addr()); ok {
		if err := d.check(); err != nil {
			for _, e := range flatten(err) {
				r.problem(path, "%v", e)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field, _ := fieldName(v.Type().Field(i))
			r.walk(join(path, field), field, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			r.walk(fmt.Sprintf("%s[%d]", path, i), name, v.Index(i))
		}
	case reflect.Int:
		r.number(path, name, float64(v.Int()))
	case reflect.Float64:
		r.number(path, name, v.Float())
	default: // texts may say anything, and what is true or false either
	}
}

// flatten lists the errors that errors.Join has joined.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// checkSources checks that each field of the costs has a source, its own or
// that of the part that it is in, and that there are no sources of other things.
func (r *reader) checkSources(p *Profile) {
	if p.Sources == nil {
		return // reported already
	}
	var fields []string
	collect(&fields, "", reflect.ValueOf(p).Elem())
	used := make(map[string]bool)
	for _, field := range fields {
		found := false
		for path := field; path != "" && !found; path = parent(path) {
			found = p.Sources[path] != ""
			used[path] = used[path] || found
		}
		if !found {
			r.problem(field, "has no source: sources must name it, or the part that it is in")
		}
	}
	for path := range p.Sources {
		if !used[path] && !slices.Contains(fields, path) {
			r.problem(join("sources", path), "names no field, or one whose source is given in full elsewhere")
		}
	}
}

// collect lists the paths of the fields that have numbers.
func collect(fields *[]string, path string, v reflect.Value) {
	if _, ok := reflect.TypeAssert[Dist](v); ok {
		*fields = append(*fields, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name, _ := fieldName(v.Type().Field(i)); !slices.Contains([]string{"version", "name", "runs", "warnings", "sources"}, name) {
				collect(fields, join(path, name), v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(fields, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	default:
		*fields = append(*fields, path)
	}
}

// parent is the path of the part that a field is in: jobs[0].cpu_ms, jobs[0],
// jobs.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
