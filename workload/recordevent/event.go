package recordevent

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Event is the arguments of the record_event job with the given ID: one event, made up
// from r, such as a team's dashboard tool would report. It is valid.
func Event(r *rand.Rand, id uint64) []byte {
	s := eventSchema()
	kind := pick(r, s.kinds)
	properties := map[string]any{}
	for _, p := range s.properties[kind] {
		// Properties may be left out; where an event came from is nearly always
		// said.
		often := 0.5
		if p.name == "user_agent" || p.name == "url" || p.name == "ip" {
			often = 0.97
		}
		if r.Float64() < often {
			properties[p.name] = invent(r, p)
		}
	}
	// About 200 events a second, so that the jobs of a run lie close together.
	const start = 1_700_000_000_000
	at := start + int64(5*id) + r.Int64N(5)
	args, err := json.Marshal([]any{map[string]any{
		"action":                pick(r, s.actions[kind]),
		"object_type":           kind,
		"object_id":             1 + r.IntN(5000),
		"org_id":                1 + r.IntN(3),
		"user_id":               1 + int(99*r.Float64()*r.Float64()), // some are busier than others
		"timestamp":             float64(at) / 1000,
		"additional_properties": properties,
	}})
	if err != nil {
		panic(err) // plain values have a JSON form
	}
	return args
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// invent makes up a value for a property.
func invent(r *rand.Rand, p property) any {
	switch p.kind {
	case "integer":
		return r.IntN(1000)
	case "boolean":
		return r.IntN(2) == 0
	case "decimal":
		return fmt.Sprintf("%d.%03d", r.IntN(100), r.IntN(1000))
	case "uuid":
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x",
			r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
	case "address":
		if r.IntN(4) == 0 {
			return fmt.Sprintf("2001:db8:%x:%x::%x", 1+r.IntN(0xffff), 1+r.IntN(0xffff), 1+r.IntN(0xffff))
		}
		return fmt.Sprintf("%s.%d", pick(r, []string{"192.0.2", "198.51.100", "203.0.113"}), 1+r.IntN(254))
	case "mailbox":
		return pick(r, people) + pick(r, []string{" <me@example.org>", " <Office@Example.org>", " <mail@dept.example.org>"})
	case "tags":
		tags := make([]string, r.IntN(4))
		for i := range tags {
			tags[i] = pick(r, topics)
		}
		return tags
	case "url":
		return inventURL(r)
	}
	switch p.name {
	case "user_agent":
		return inventAgent(r)
	case "screen":
		return pick(r, []string{"1920x1080", "2560x1440", "1440x900", "390x844"})
	}
	return pick(r, topics) + " " + pick(r, []string{"by week", "by region", "this year", "– draft"})
}

var people = []string{
	"Ada Example", "Grace Sample", "José Muster", "Zoë Vzorová", "Ken Beispiel", "Nguyễn Mẫu",
}

var topics = []string{"Sales", "churn", "Latency", "billing", "Umsätze", "sign-ups", "errors", "売上"}

// inventURL fills in one of the routes.
func inventURL(r *rand.Rand) string {
	_, rule := cut(pick(r, eventSchema().routes), " ")
	var path strings.Builder
	for rule != "" {
		literal, rest := cut(rule, "<")
		path.WriteString(literal)
		if rest == "" {
			break
		}
		var variable string
		variable, rule = cut(rest, ">")
		switch {
		case strings.HasPrefix(variable, "int:"):
			fmt.Fprint(&path, 1+r.IntN(5000))
		case strings.HasPrefix(variable, "path:"):
			path.WriteString(pick(r, []string{"account", "js/app.js", "queue/default"}))
		default:
			path.WriteString(pick(r, []string{"csv", "json", "weekly-sales", "8Xk2mPq0"}))
		}
	}
	switch r.IntN(3) {
	case 0:
		fmt.Fprintf(&path, "?page=%d&q=%s+report", 1+r.IntN(20), pick(r, []string{"open", "ma%C3%9F", "a%26b"}))
	case 1:
		fmt.Fprintf(&path, "?api_key=%016x&p_days=%d", r.Uint64(), 1+r.IntN(90))
	}
	return "https://bi.example.org" + path.String()
}

// inventAgent is the header of a program in some version, # being a number.
func inventAgent(r *rand.Rand) string {
	var agent strings.Builder
	for _, c := range pick(r, agentForms) {
		if c == '#' {
			fmt.Fprint(&agent, 1+r.IntN(140))
			continue
		}
		agent.WriteRune(c)
	}
	return agent.String()
}

var agentForms = []string{
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.#.# Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Safari/537.36 Edg/#.0.#.#",
	"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/#.1 Safari/605.1.15",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Safari/537.36 OPR/#.0.0.0",
	"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/#.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:#.0) Gecko/20100101 Firefox/#.0",
	"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_# like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.# Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 16_# like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/#.0.#.# Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (iPad; CPU OS 16_# like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/#.0 Mobile/15E148 Safari/605.1.15",
	"Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/#.0 Chrome/#.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Linux; Android 12; Redmi Note 11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
	"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
	"python-requests/2.#.#",
	"Python-urllib/3.#",
	"curl/8.#.0",
	"okhttp/4.#.#",
	"axios/1.#.#",
	"Go-http-client/2.0",
	"PostmanRuntime/7.#.#",
	"Prometheus/2.#.0",
	"a script of ours",
}
