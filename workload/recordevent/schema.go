package recordevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A property is something that an event may say, and what kind of value it is.
type property struct{ name, kind string }

// A schema is what events may look like.
type schema struct {
	kinds      []string              // of objects
	actions    map[string][]string   // on each kind
	properties map[string][]property // of each kind
	required   []property            // of any event
	optional   []property            // of any event
	routes     []string              // a name and a rule each
}

// eventSchema reads the schema from the tables of the Python module, once. The
// program that makes events up needs it as well as the process that checks them,
// so it is not part of the lazy work of go:record_event. It takes tens of
// microseconds.
var eventSchema = sync.OnceValue(func() *schema {
	s := &schema{
		actions:    map[string][]string{},
		properties: map[string][]property{},
		required:   properties(table("REQUIRED")),
		optional:   properties(table("OPTIONAL")),
		routes:     table("ROUTES"),
	}
	common := properties(table("COMMON"))
	for _, line := range table("SCHEMA") {
		kind, definition := cut(line, " = ")
		actions, own := cut(definition, " : ")
		s.kinds = append(s.kinds, kind)
		s.actions[kind] = strings.Fields(actions)
		s.properties[kind] = append(slices.Clone(common), properties(strings.Fields(own))...)
	}
	return s
})

func properties(fields []string) []property {
	var list []property
	for _, f := range fields {
		name, kind := cut(f, ":")
		list = append(list, property{name, kind})
	}
	return list
}

// converters check a value and bring it into the form in which it is stored. They
// do what those of the same names in the Python module do.
var converters = map[string]func(value any) (any, error){
	"text":    func(v any) (any, error) { return text(v) },
	"integer": func(v any) (any, error) { return integer(v) },
	"key":     key,
	"boolean": boolean,
	"decimal": decimal,
	"tags":    tags,
	"address": address,
	"url":     relativeURL,
	"mailbox": mailbox,
	"uuid":    uuid,
	"moment":  moment,
}

func text(value any) (string, error) {
	s, ok := value.(string)
	if !ok || utf8.RuneCountInString(s) > 2048 {
		return "", errors.New("must be text of at most 2048 characters")
	}
	return s, nil
}

func integer(value any) (int64, error) {
	n, _ := value.(json.Number)
	i, err := n.Int64()
	if err != nil {
		return 0, errors.New("must be an integer of 64 bits")
	}
	return i, nil
}

func key(value any) (any, error) {
	if s, ok := value.(string); ok {
		return text(s)
	}
	i, err := integer(value)
	return strconv.FormatInt(i, 10), err
}

func boolean(value any) (any, error) {
	b, ok := value.(bool)
	if !ok {
		return nil, errors.New("must be true or false")
	}
	return b, nil
}

func decimal(value any) (any, error) {
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	// The exponent is bounded before a number of that size is made.
	f, err := strconv.ParseFloat(s, 64)
	n, ok := new(big.Rat).SetString(s)
	if err != nil || !ok || math.Abs(f) >= 1e21 || f != 0 && math.Abs(f) < 1e-20 || strings.ContainsAny(s, "/xX_pP") {
		return nil, errors.New("must be a decimal number, as text")
	}
	return n.FloatString(3), nil
}

func tags(value any) (any, error) {
	list, ok := value.([]any)
	if !ok || len(list) > 100 {
		return nil, errors.New("must be a list of at most 100 texts")
	}
	found := []string{}
	for _, v := range list {
		s, err := text(v)
		if err != nil {
			return nil, err
		}
		found = append(found, strings.ToLower(strings.TrimSpace(s)))
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func address(value any) (any, error) {
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return nil, errors.New("must be an IP address")
	}
	return a.String(), nil
}

// relativeURL drops what must not be stored: the host and a key in the query.
func relativeURL(value any) (any, error) {
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil || !strings.HasPrefix(u.EscapedPath(), "/") {
		return nil, errors.New("must be an absolute URL or path")
	}
	var query []string
	for item := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(item, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr == nil && valueErr == nil && value != "" && name != "api_key" {
			query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(value))
		}
	}
	if query == nil {
		return u.EscapedPath(), nil
	}
	return u.EscapedPath() + "?" + strings.Join(query, "&"), nil
}

func mailbox(value any) (any, error) {
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		return nil, errors.New("must be a mail address")
	}
	if a.Name == "" {
		return strings.ToLower(a.Address), nil
	}
	return fmt.Sprintf("%s <%s>", a.Name, strings.ToLower(a.Address)), nil
}

func uuid(value any) (any, error) {
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	digits := strings.ReplaceAll(strings.ToLower(s), "-", "")
	if len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil, errors.New("must be a UUID")
	}
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-"), nil
}

func moment(value any) (any, error) {
	n, _ := value.(json.Number)
	seconds, err := n.Float64()
	if err != nil || !(seconds >= 0 && seconds < 1<<35) {
		return nil, errors.New("must be in seconds since 1970")
	}
	at := time.UnixMicro(int64(math.RoundToEven(seconds * 1e6))).UTC()
	return at.Format("2006-01-02T15:04:05.000-07:00"), nil
}
