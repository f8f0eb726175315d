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
		part, _, _ := strings.Cut(part, "#") // what comes after it means nothing here
		mark := "?"
		if strings.Contains(part, "?") {
			mark = "&"
		}
		parts[i] = part + mark + "password=" + url.QueryEscape(password)
	}
	return strings.Join(parts, ";")
}
