package rq

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Installed is what the RQ of an interpreter can do.
type Installed struct {
	Version string   `json:"version"`
	Old     bool     `json:"old"`     // before 1.10: it has not been tried
	Prefix  bool     `json:"prefix"`  // its keys can be kept apart from others; since 3.0
	Classes []string `json:"classes"` // of worker
}

// ask prints an Installed.
const ask = `
import json, re, sys
sys.path[1:1] = sys.argv[1].splitlines()
import rq, rq.defaults
version = str(getattr(rq, "__version__", "") or rq.VERSION)
print(json.dumps({
    "version": version,
    "old": tuple(map(int, re.findall(r"\d+", version)[:2])) < (1, 10),
    "prefix": hasattr(rq.defaults, "RQ_KEY_PREFIX"),
    "classes": [name for name in sys.argv[2:] if hasattr(rq, name)],
}))
`

// Ask asks an interpreter about its RQ, which must be there. It looks first where
// path says.
func Ask(ctx context.Context, interpreter string, path []string) (i Installed, err error) {
	out, err := exec.CommandContext(ctx, interpreter, append([]string{"-c", ask, strings.Join(path, "\n")}, Classes()...)...).Output()
	switch {
	case ctx.Err() != nil:
		return i, ctx.Err()
	case err != nil:
		return i, fmt.Errorf("ask %s about its RQ: %w", interpreter, err)
	}
	if err := json.Unmarshal(out, &i); err != nil {
		return i, fmt.Errorf("ask %s about its RQ: %w", interpreter, err)
	}
	return i, nil
}

// Refuse says why it cannot run a model; private says that the Redis server is for
// nobody else.
func (i Installed) Refuse(m Model, private bool) error {
	switch {
	case i.Old:
		return fmt.Errorf("rq %s is too old: 1.10 is the oldest that is known to work here", i.Version)
	case m.Class != "" && !slices.Contains(i.Classes, m.Class):
		return fmt.Errorf("rq %s has no %s: it has %s", i.Version, m.Class, strings.Join(i.Classes, ", "))
	case !i.Prefix && !private:
		return fmt.Errorf("rq %s cannot keep its keys apart from others on a server of yours (3.0 and newer can, by RQ_KEY_PREFIX): "+
			"leave out --redis, and it runs on a private server", i.Version)
	}
	return nil
}
