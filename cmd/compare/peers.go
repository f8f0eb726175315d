package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"forkbench/live"
	"forkbench/peers"
	"forkbench/peers/rq"
	"forkbench/workload"
)

// checkPeers refuses a system that runs Python jobs where there are none.
func (o *options) checkPeers() (problems []string) {
	if o.workload == nil {
		return nil // --workload is wrong itself
	}
	if _, ok := o.workload.(workload.Python); ok {
		return nil
	}
	for _, c := range o.contestants {
		if c.model.needs != nil {
			problems = append(problems, fmt.Sprintf("--model=%s: runs Python jobs, and %s is none: leave it out, or choose another --workload",
				shorten(c.name, 80), o.workload.Name()))
		}
	}
	return problems
}

// findPeers asks the interpreter for what the contestants that are systems of
// others need, and says which versions there are.
func findPeers(ctx context.Context, o *options, app application) (versions string, err error) {
	var found []string
	asked := make(map[string]bool)
	for _, c := range o.contestants {
		if c.model.needs == nil || asked[c.model.name] {
			continue
		}
		asked[c.model.name] = true
		var path []string
		if python, ok := app.runtime.(live.Python); ok {
			path = python.Path
		}
		if app.python.path == "" {
			return "", &live.MissingError{What: c.model.name + " needs Python, which is not here", How: wayToPython}
		}
		text, err := peers.Versions(ctx, app.python.path, path, *c.model.needs)
		if _, missing := errors.AsType[*peers.MissingError](err); missing {
			err = exitWith(exitLacking, err)
		}
		if err != nil {
			return "", fmt.Errorf("--model=%s: %w", c.model.name, err)
		}
		if c.model.name == rqName {
			if err := o.checkRQ(ctx, app.python.path, path); err != nil {
				return "", err
			}
		}
		for part := range strings.SplitSeq(text, ", ") {
			if !slices.Contains(found, part) {
				found = append(found, part)
			}
		}
	}
	return strings.Join(found, ", "), nil
}

// checkRQ sees to it that the RQ which is installed can be what is asked of it,
// before anything is run.
func (o *options) checkRQ(ctx context.Context, interpreter string, path []string) error {
	installed, err := rq.Ask(ctx, interpreter, path)
	if err != nil {
		return fmt.Errorf("--model=%s: %w", rqName, err)
	}
	for i := range o.contestants {
		c := &o.contestants[i]
		if c.model.name != rqName {
			continue
		}
		c.options.rqUnprefixed = !installed.Prefix
		if err := installed.Refuse(rqModel(&c.options), o.redis == ""); err != nil {
			return exitWith(exitLacking, fmt.Errorf("--model=%s: %w", c.name, err))
		}
	}
	return nil
}
