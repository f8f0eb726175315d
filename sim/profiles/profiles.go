// Package profiles holds the profiles that ship with compare: what things cost
// for applications whose figures are known, for package sim to run. Each says
// where its numbers come from.
package profiles

import (
	"embed"
	"fmt"
	"path"
	"strings"

	"forkbench/sim"
)

//go:embed *.json
var files embed.FS

// Default is the profile of the default workload.
const Default = "record_event"

// Names lists them, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // what is embedded can be read
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
	}
	return names
}

// Read reads the profile with a name. Each call returns a profile of its own.
func Read(name string) (*sim.Profile, error) {
	f, err := files.Open(name + ".json")
	if err != nil {
		return nil, fmt.Errorf("no profile is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	defer f.Close()
	return sim.ReadProfile(f)
}
