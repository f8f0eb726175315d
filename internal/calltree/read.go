package calltree

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A List is a tree as profilers write it down: functions, and nodes that name
// them and their parents by index.
type List struct {
	Functions []ListFunction `json:"functions"`

	// Nodes has, for each: the parent's index in Nodes, which is a smaller one, or
	// -1; the function's index; the line of the call; the number of calls; wall
	// and CPU time in nanoseconds, without the calls below.
	Nodes [][6]int64 `json:"nodes"`
}

// A ListFunction is a function as an array of its kind, name, file and line.
type ListFunction Function

// UnmarshalJSON reads the array.
func (f *ListFunction) UnmarshalJSON(text []byte) error {
	var line int
	parts := []any{&f.Kind, &f.Name, &f.File, &line}
	n := len(parts)
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) != n {
		return fmt.Errorf("a function has %d parts, not %d", len(parts), n)
	}
	switch f.Kind {
	case Python, C, Import:
	default:
		return fmt.Errorf("a function is of kind %q", f.Kind)
	}
	if f.Name == "" {
		return errors.New("a function has no name")
	}
	f.Line = line
	return nil
}

// maxTime bounds what a call may have taken: a sum of many is still a number.
const maxTime = int64(24 * time.Hour)

// Trees makes the trees of the nodes without a parent, each of one job.
func (l *List) Trees() ([]*Node, error) {
	var tops []*Node
	nodes := make([]*Node, len(l.Nodes))
	at := make(map[[2]int64]*Node, len(l.Nodes)) // code made at run time may look alike: it counts as one
	for i, row := range l.Nodes {
		parent, function := row[0], row[1]
		switch {
		case function < 0 || function >= int64(len(l.Functions)):
			return nil, fmt.Errorf("node %d names function %d of %d", i, function, len(l.Functions))
		case parent < -1 || parent >= int64(i):
			return nil, fmt.Errorf("node %d names node %d as its parent", i, parent)
		case row[2] < 0 || row[3] < 0 || row[3] > 1<<50:
			return nil, fmt.Errorf("node %d has a negative or impossible count", i)
		case row[4] < 0 || row[4] > maxTime || row[5] < 0 || row[5] > maxTime:
			return nil, fmt.Errorf("node %d has an impossible time", i)
		}
		place := [2]int64{parent, function}
		n := at[place]
		if n == nil {
			n = &Node{Function: Function(l.Functions[function]), CallLine: int(row[2]), Jobs: 1}
			at[place] = n
			if parent < 0 {
				tops = append(tops, n)
			} else {
				nodes[parent].Children = append(nodes[parent].Children, n)
			}
		}
		n.Calls += float64(row[3])
		n.Self = n.Self.Add(Cost{time.Duration(row[4]), time.Duration(row[5])})
		nodes[i] = n
	}
	return tops, nil
}
