package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"forkbench/sim"
	"forkbench/sim/profiles"
)

// readProfile reads what --profile names: a profile that ships, or a file.
func readProfile(text string) (*sim.Profile, error) {
	if slices.Contains(profiles.Names(), text) {
		return profiles.Read(text)
	}
	f, err := os.Open(text)
	if err != nil {
		if !strings.ContainsAny(text, "./") {
			return nil, fmt.Errorf("%w: a file, or one of %s", pathCause(err), strings.Join(profiles.Names(), ", "))
		}
		return nil, pathCause(err)
	}
	defer f.Close()
	p, err := sim.ReadProfile(f)
	if wrong, ok := errors.AsType[*sim.ProfileError](err); ok {
		lines := make([]string, len(wrong.Problems))
		for i, problem := range wrong.Problems {
			lines[i] = problem.String()
		}
		return nil, errors.New(strings.Join(lines, "\n"))
	}
	return p, err
}

// profileFlag is --profile of the commands that simulate. It says where the
// profile came from, too.
func profileFlag(to **sim.Profile, from *string) flag {
	return flag{group: groupMachine, name: "profile", value: "FILE", def: profiles.Default,
		usage: "what things cost on it: a file that `compare calibrate` wrote, or one that ships: " + strings.Join(profiles.Names(), ", "),
		set: func(text string) (err error) {
			*from = text
			*to, err = readProfile(text)
			return err
		}}
}
