package sim

// An entry of a heap says whom to wake, and when.
type entry struct {
	key  uint64 // the order: a time, or the bits of a non-negative float64
	seq  uint64 // breaks ties: first come, first served
	who  *actor
	gen  uint32 // the entry is stale if who has been woken since
	kind entryKind
}

type entryKind uint8

const (
	wakeUp   entryKind = iota
	deadline           // look whether the job that who runs has exceeded its time
)

func (e *entry) stale() bool { return e.kind == wakeUp && e.gen != e.who.gen }

func (e *entry) before(o *entry) bool {
	return e.key < o.key || e.key == o.key && e.seq < o.seq
}

// A heap is a 4-ary min-heap of values: half the levels of a binary one, and
// the four children share a cache line or three.
type heap struct{ list []entry }

const arity = 4

func (h *heap) push(x entry) {
	h.list = append(h.list, x)
	i := len(h.list) - 1
	for i > 0 {
		parent := (i - 1) / arity
		if !x.before(&h.list[parent]) {
			break
		}
		h.list[i] = h.list[parent]
		i = parent
	}
	h.list[i] = x
}

// pop removes the first entry; there must be one.
func (h *heap) pop() entry {
	top := h.list[0]
	last := len(h.list) - 1
	x := h.list[last]
	h.list[last] = entry{} // let go of its actor
	h.list = h.list[:last]
	if last == 0 {
		return top
	}
	// x sinks from the place of the first one.
	list, i := h.list, 0
	for {
		first := i*arity + 1
		if first >= len(list) {
			break
		}
		least := first
		for j := first + 1; j < min(first+arity, len(list)); j++ {
			if list[j].before(&list[least]) {
				least = j
			}
		}
		if !list[least].before(&x) {
			break
		}
		list[i] = list[least]
		i = least
	}
	list[i] = x
	return top
}

// clear removes all entries.
func (h *heap) clear() {
	clear(h.list)
	h.list = h.list[:0]
}

// A queue is a first-in, first-out queue of actors that keeps its memory.
type queue struct {
	ring []waiting
	head int
	size int
}

// waiting is an actor in a queue; it is stale if the actor has been woken since.
type waiting struct {
	who *actor
	gen uint32
}

func (q *queue) empty() bool { return q.size == 0 }

func (q *queue) push(a *actor) {
	if q.size == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.size)&(len(q.ring)-1)] = waiting{a, a.gen}
	q.size++
}

func (q *queue) grow() {
	grown := make([]waiting, max(8, 2*len(q.ring)))
	n := copy(grown, q.ring[q.head:])
	copy(grown[n:], q.ring[:q.head])
	q.ring, q.head = grown, 0
}

func (q *queue) front() *actor { return q.ring[q.head].who }

// pop removes the first; there must be one. It is nil if it is stale.
func (q *queue) pop() *actor {
	w := q.ring[q.head]
	q.ring[q.head] = waiting{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.size--
	if w.gen != w.who.gen {
		return nil
	}
	return w.who
}
