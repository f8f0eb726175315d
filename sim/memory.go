package sim

// memory is the pages of one process. Pages that it shares with the process
// that it was forked from are mapped and not its own; writing to one makes a
// copy.
type memory struct {
	mapped int64 // resident, shared ones included
	own    int64 // frames that exist because of it: allocated, or copied
	file   int64 // of a booted one, shared with all
	heirs  int   // children that may still map its frames
	gone   bool  // it has ended
}

// pages is the memory of the whole tree. All that is shared is shared within
// it, so the sum of the processes' PSS is the number of frames.
type pages struct {
	frames int64 // distinct
	mapped int64 // summed over the processes: RSS
	booted int   // processes that map the application's files
}

// boot gives a booted process its pages, of which file come from files that all
// share.
func (t *pages) boot(m *memory, n, file int64) {
	t.allocate(m, n-file)
	m.file = file
	m.mapped += file
	t.mapped += file
	if t.booted++; t.booted == 1 {
		t.frames += file
	}
}

// allocate gives a process new pages, or takes them back if n is negative.
func (t *pages) allocate(m *memory, n int64) {
	m.mapped += n
	m.own += n
	t.mapped += n
	t.frames += n
}

// inherit makes child's memory a copy of parent's, all of it shared.
func (t *pages) inherit(child, parent *memory) {
	child.mapped = parent.mapped
	parent.heirs++
	t.mapped += child.mapped
}

// write has a process write to n of the pages that it shares, or to as many as
// there are. It returns how many were copied.
func (t *pages) write(m *memory, n int64) int64 {
	n = min(n, m.mapped-m.own-m.file)
	m.own += n
	t.frames += n
	return n
}

// end takes a process's memory away. Frames that its children map stay until
// the last of them has ended.
func (t *pages) end(p *process) {
	t.mapped -= p.mem.mapped
	p.mem.mapped = 0
	p.mem.gone = true
	if p.maker == nil {
		if t.booted--; t.booted == 0 {
			t.frames -= p.mem.file
		}
	}
	for q := p; q != nil && q.mem.gone && q.mem.heirs == 0; q = q.maker {
		t.frames -= q.mem.own
		q.mem.own = 0
		if q.maker != nil {
			q.maker.mem.heirs--
		}
	}
}
