package stream

import (
	"net/url"
	"strings"
)

// WithPassword is a text of addresses as Connect takes it, with a password in
// those that have none.
func WithPassword(text, password string) string {
	parts := apart(text)
	for i, part := range parts {
		a, err := parseAddress(part)
		if err != nil {
			continue // Connect will say why
		}
		if _, login := a.login(); login != "" {
			continue
		}
		parts[i] = with(part, "password="+url.QueryEscape(password))
	}
	return strings.Join(parts, ";")
}

// WithOptions is a text of addresses with options added to each, as they stand
// after the question mark: what their owner keeps elsewhere, master_name, say.
func WithOptions(text, options string) string {
	parts := apart(text)
	for i := range parts {
		parts[i] = with(parts[i], options)
	}
	return strings.Join(parts, ";")
}

func with(address, options string) string {
	address, _, _ = strings.Cut(address, "#") // what comes after it means nothing here
	mark := "?"
	if strings.Contains(address, "?") {
		mark = "&"
	}
	return address + mark + options
}
