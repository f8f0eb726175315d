package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/calltree"
	"forkbench/internal/format"
)

// Much one-time work has no call of its own that is worth a line: dozens of small
// imports, patterns compiled here and there, and code that only runs slower the
// first time. It is gathered by kind, so that what is told adds up to the whole:
// imports and patterns are findings together, of the rest it is said what it is.

// The kinds of calls that are findings together where each is too small.
const (
	smallImports  = "small imports"
	smallPatterns = "patterns compiled"
)

// A Rest is a kind of what a first job costs more that is in no finding.
type Rest struct {
	Kind   string  `json:"kind"`
	Places int     `json:"places"` // in the tree of calls
	WallMS float64 `json:"wall_ms"`
	CPUMS  float64 `json:"cpu_ms"`
	Most   string  `json:"most,omitempty"` // the most expensive of them
}

// The kinds of the rest.
const (
	restOnce   = "small calls that later jobs do not make"
	restC      = "C functions that later jobs do not call"
	restSlower = "code that runs slower the first time"
)

// remainder is what is in no finding.
type remainder struct {
	named    map[*calltree.Node]bool // the places of findings
	together map[string][][]*calltree.Node
	kinds    map[string]*restOf
}

type restOf struct {
	places int
	cost   calltree.Cost
	most   calltree.Function
	least  float64 // what the most expensive costs
}

// leftover walks the difference between first and later jobs around the findings.
func leftover(first, later *calltree.Node, findings []*found) *remainder {
	m := &remainder{named: make(map[*calltree.Node]bool), together: make(map[string][][]*calltree.Node), kinds: make(map[string]*restOf)}
	for _, f := range findings {
		for _, path := range f.Paths {
			m.named[path[len(path)-1]] = true
		}
	}
	m.walk([]*calltree.Node{first}, later)
	return m
}

func (m *remainder) walk(path []*calltree.Node, later *calltree.Node) {
	n := path[len(path)-1]
	fresh := len(path) > 1 && once(n, later)
	own := n.Self
	switch {
	case m.named[n] && fresh:
		return
	case m.named[n]: // its own code is told, and perhaps what it calls is not
		own = calltree.Cost{}
	case fresh && n.Kind == calltree.Import:
		m.together[smallImports] = append(m.together[smallImports], slices.Clone(path))
		return
	case fresh && compilesPattern(n.Function):
		m.together[smallPatterns] = append(m.together[smallPatterns], slices.Clone(path))
		return
	case !fresh && later != nil:
		own = own.Sub(later.Self)
	}
	own = calltree.Cost{Wall: max(0, own.Wall), CPU: max(0, own.CPU)}
	kind := restSlower
	if fresh && n.Kind == calltree.C {
		kind = restC
	} else if fresh {
		kind = restOnce
	}
	if own != (calltree.Cost{}) {
		k := m.kinds[kind]
		if k == nil {
			k = &restOf{}
			m.kinds[kind] = k
		}
		k.places++
		k.cost = k.cost.Add(own)
		if s := cost(own).score(); s > k.least {
			k.least, k.most = s, n.Function
		}
	}
	for _, c := range n.Children {
		m.walk(append(path, c), later.Child(c.Function))
	}
}

// compilesPattern reports whether a function is what re.compile calls for a
// pattern that its cache does not have.
func compilesPattern(f calltree.Function) bool {
	return f.Name == "re._compiler.compile" || f.Name == "sre_compile.compile"
}

// gather makes findings of the small ones of a kind where they are worth it
// together.
func (r *run) gather() {
	m := leftover(r.cold.first, r.cold.later, r.findings)
	for _, kind := range []string{smallImports, smallPatterns} {
		var sum calltree.Cost
		f := &found{group: kind}
		for _, path := range m.together[kind] {
			n := path[len(path)-1]
			sum, f.Calls, f.Jobs = sum.Add(n.Total()), f.Calls+n.Calls, max(f.Jobs, n.Jobs)
			f.Paths = append(f.Paths, path)
		}
		if f.Cost = sum; r.share(f) < minShare {
			continue
		}
		slices.SortStableFunc(f.Paths, func(a, b []*calltree.Node) int {
			return cmp.Compare(cost(b[len(b)-1].Total()).score(), cost(a[len(a)-1].Total()).score())
		})
		f.Call = f.Paths[0][len(f.Paths[0])-1].Function
		r.findings = append(r.findings, f)
	}
	slices.SortStableFunc(r.findings, func(a, b *found) int {
		return cmp.Compare(b.Cost.Wall+b.Cost.CPU, a.Cost.Wall+a.Cost.CPU)
	})
}

// functions are those that a finding consists of: several for small ones together.
func (f *found) functions() []calltree.Function {
	if f.group == "" {
		return []calltree.Function{f.Call}
	}
	var list []calltree.Function
	for _, path := range f.Paths {
		if fn := path[len(path)-1].Function; !slices.Contains(list, fn) {
			list = append(list, fn)
		}
	}
	return list
}

// name is what a finding is called: a function with its place where its own name
// says nothing.
func (f *found) name() string {
	switch {
	case f.group == smallImports:
		return fmt.Sprintf("%d %s", len(f.functions()), f.group)
	case f.group != "":
		return fmt.Sprintf("%d %s", len(f.Paths), f.group)
	case strings.Contains(f.Call.Name, "<lambda>") && f.Call.File != "":
		return fmt.Sprintf("%s (%s:%d)", f.Call, f.Call.File[strings.LastIndexByte(f.Call.File, '/')+1:], f.Call.Line)
	}
	return f.Call.String()
}

// largest names the first few of small ones together.
func (f *found) largest() (list []string) {
	all := cost(f.Cost).score()
	for _, path := range f.Paths[:min(4, len(f.Paths))] {
		n := path[len(path)-1]
		list = append(list, fmt.Sprintf("%s (%s of it)", n.Function, format.Percent(part(int64(cost(n.Total()).score()), int64(all)), 0)))
	}
	return list
}

// rest is what of the difference is in no finding, by kind, in milliseconds of
// unprofiled time: so much of it as the findings leave, divided as in the profile.
func (r *run) rest(wall, cpu float64) []Rest {
	m := leftover(r.cold.first, r.cold.later, r.findings)
	for kind, paths := range m.together { // too small even together
		k := &restOf{}
		for _, path := range paths {
			n := path[len(path)-1]
			k.places, k.cost = k.places+1, k.cost.Add(n.Total())
			if s := cost(n.Total()).score(); s > k.least {
				k.least, k.most = s, n.Function
			}
		}
		m.kinds[kind] = k
	}
	var all calltree.Cost
	for _, k := range m.kinds {
		all = all.Add(k.cost)
	}
	var list []Rest
	for kind, k := range m.kinds {
		list = append(list, Rest{
			Kind: kind, Places: k.places, Most: k.most.String(),
			WallMS: wall * part(int64(k.cost.Wall), int64(all.Wall)), CPUMS: cpu * part(int64(k.cost.CPU), int64(all.CPU)),
		})
	}
	slices.SortFunc(list, func(a, b Rest) int {
		return cmp.Or(cmp.Compare(b.WallMS+b.CPUMS, a.WallMS+a.CPUMS), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// part is x of a whole, 0 where there is none.
func part(x, of int64) float64 {
	if of <= 0 {
		return 0
	}
	return max(0, float64(x)/float64(of))
}

// account says how much of the difference is named, and what the rest is. What is
// named is never more than the whole: times of single calls, and the difference of
// whole jobs, are measured in other jobs each.
func (r *run) account() {
	res := r.result
	whole := res.OneTime
	named := &Rest{Kind: "named"}
	for _, it := range res.Findings {
		if it.PartOf == "" {
			named.Places++
			named.WallMS, named.CPUMS = named.WallMS+it.CallMS, named.CPUMS+it.CallCPU
		}
	}
	if named.Places == 0 {
		return
	}
	named.WallMS, named.CPUMS = min(named.WallMS, max(0, whole.Wall.Median)), min(named.CPUMS, max(0, whole.CPU.Median))
	res.Named = named
	for _, k := range r.rest(max(0, whole.Wall.Median-named.WallMS), max(0, whole.CPU.Median-named.CPUMS)) {
		if max(k.WallMS, k.CPUMS) >= smallest*max(whole.Wall.Median, whole.CPU.Median) {
			res.Rest = append(res.Rest, k)
		}
	}
}

// share is how much of the difference is named, by the clock.
func (r *Result) share() string {
	if r.Named == nil || r.OneTime.Wall.Median <= 0 {
		return ""
	}
	text := fmt.Sprintf(" What is named below comes to %s of it (%s)", milliseconds(r.Named.WallMS), format.Percent(r.Named.WallMS/r.OneTime.Wall.Median, 0))
	if r.OneTime.CPU.Median > 0 {
		text += fmt.Sprintf(", and to %s of the CPU (%s)", milliseconds(r.Named.CPUMS), format.Percent(r.Named.CPUMS/r.OneTime.CPU.Median, 0))
	}
	return text + "."
}
