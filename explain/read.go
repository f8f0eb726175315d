package explain

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"forkbench/internal/calltree"
)

// A profile is what profile.py saw of one job or of one warm-up.
type profile struct {
	Kind      string `json:"kind"` // "job" or "warm"
	Reference string `json:"reference"`
	Seq       int    `json:"seq"`       // of the job in its process, from 1
	Inherited int    `json:"inherited"` // jobs run by the processes it was forked from

	WallNS   int64 `json:"wall"`
	CPUNS    int64 `json:"cpu"`
	FaultNS  int64 `json:"fault_cost"` // CPU time to copy a page of the parent's
	Events   int64 `json:"events"`     // calls and returns seen
	Cut      int64 `json:"cut"`        // calls too many or too deep to have nodes
	Faults   int64 `json:"faults"`     // minor page faults
	Overhead struct {
		WallNS int64 `json:"wall"`
		CPUNS  int64 `json:"cpu"`
	} `json:"overhead"` // what the profiler adds to each call

	// Displaced is set where the job set a profiler of its own: what came after it
	// was not seen.
	Displaced bool `json:"displaced"`

	LeftOpen []string      `json:"left_open"`   // open afterwards, and not before
	Threads  int           `json:"threads"`     // more than before
	Native   int           `json:"native"`      // which of these are none of Python's
	Libs     []string      `json:"libraries"`   // that are loaded then, by their files and those' folders
	Handed   []string      `json:"handed_over"` // which of them a fork hands to a child
	Undone   []string      `json:"undone"`      // what a job in a parent had left open, and how that was given up
	Read     bool          `json:"read"`        // a warm-up that only reads an attribute
	Watched  []observation `json:"watched"`
	calltree.List
}

// An observation is one call of a watched function.
type observation struct {
	Name     string      `json:"name"`
	Place    int         `json:"place"` // of settings.Places; -1 if it was watched by its name
	WallNS   int64       `json:"wall"`
	CPUNS    int64       `json:"cpu"`
	Faults   int64       `json:"faults"`
	LeftOpen []string    `json:"left_open"`
	Threads  int         `json:"threads"`
	Events   [][2]string `json:"events"` // audit events: which, and about what
	Ways     []warmCall  `json:"ways"`
}

// An identifier of Python, perhaps dotted, and what arguments() writes: both go
// into the source of a module.
var dotted = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)

// A path in a module may go through calls without arguments.
var chained = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\(\))?(\.[\pL_][\pL\pN_]*(\(\))?)*$`)

// parseProfile reads a file of profile.py.
func parseProfile(text []byte) (*profile, error) {
	p := new(profile)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, err
	}
	if p.Kind != "job" && p.Kind != "warm" {
		return nil, fmt.Errorf("a profile is of kind %q", p.Kind)
	}
	if p.WallNS < 0 || p.CPUNS < 0 || p.FaultNS < 0 || p.Events < 0 || p.Faults < 0 || p.Overhead.WallNS < 0 || p.Overhead.CPUNS < 0 {
		return nil, errors.New("a profile has negative figures")
	}
	for i := range p.Watched {
		for _, w := range p.Watched[i].Ways {
			if !dotted.MatchString(w.Module) || w.Name != "" && !chained.MatchString(w.Name) {
				return nil, fmt.Errorf("a call has the name %q in the module %q", w.Name, w.Module)
			}
			if slices.ContainsFunc(w.Args, func(a string) bool { return strings.ContainsAny(a, "\n\r") }) {
				return nil, errors.New("an argument has several lines")
			}
		}
	}
	return p, nil
}

// tree is the profile's calls, without the profiler's own cost.
func (p *profile) tree() (*calltree.Node, error) {
	tops, err := p.Trees()
	if err != nil {
		return nil, err
	}
	each := calltree.Cost{Wall: time.Duration(p.Overhead.WallNS), CPU: time.Duration(p.Overhead.CPUNS)}
	// Beside the job's function there may be a finalizer that ran after it.
	if len(tops) > 0 && p.Kind == "job" {
		top := slices.MaxFunc(tops, func(a, b *calltree.Node) int { return cmp.Compare(a.Total().Wall, b.Total().Wall) })
		return top.WithoutOverhead(each), nil
	}
	root := &calltree.Node{Function: calltree.Function{Kind: calltree.Python, Name: "(all)"}, Calls: 1, Jobs: 1}
	for _, t := range tops {
		root.Children = append(root.Children, t.WithoutOverhead(each))
	}
	return root, nil
}

// readProfiles reads and removes all profiles in a directory, in the order of
// their names.
func readProfiles(dir string) ([]*profile, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []*profile
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".json") {
			continue // of a process that was killed while it wrote
		}
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return nil, err
		}
		p, err := parseProfile(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		list = append(list, p)
	}
	if list == nil {
		return nil, errors.New("the jobs ended well, but no profile of any is there: do they end their process themselves?")
	}
	return list, os.RemoveAll(dir)
}
