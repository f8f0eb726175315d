package workload

import "context"

// WithPayloads is w with the given payloads in place of its own: the job with
// ID i gets payloads[i % len(payloads)], whatever the seed. It is w itself if
// there are none. The payloads are not copied and must not change.
//
// The result has those of the optional interfaces of this package that w has
// (Warmer and Snapshotter as far as they count, which is with Go).
func WithPayloads(w Workload, payloads [][]byte) Workload {
	if len(payloads) == 0 {
		return w
	}
	l := listed{w.Name(), payloads}
	p, isPython := w.(Python)
	g, isGo := w.(Go)
	warmer, isWarmer := w.(Warmer)
	snap, isSnap := w.(Snapshotter)
	// A type has a method or has it not, so it takes one for each combination.
	switch {
	case isPython && isGo && isWarmer && isSnap:
		return struct {
			listed
			pythonPart
			goPart
			Warmer
			Snapshotter
		}{l, p, g, warmer, snap}
	case isPython && isGo && isSnap:
		return struct {
			listed
			pythonPart
			goPart
			Snapshotter
		}{l, p, g, snap}
	case isPython && isGo && isWarmer:
		return struct {
			listed
			pythonPart
			goPart
			Warmer
		}{l, p, g, warmer}
	case isPython && isGo:
		return struct {
			listed
			pythonPart
			goPart
		}{l, p, g}
	case isPython:
		return struct {
			listed
			pythonPart
		}{l, p}
	case isGo && isWarmer && isSnap:
		return struct {
			listed
			goPart
			Warmer
			Snapshotter
		}{l, g, warmer, snap}
	case isGo && isSnap:
		return struct {
			listed
			goPart
			Snapshotter
		}{l, g, snap}
	case isGo && isWarmer:
		return struct {
			listed
			goPart
			Warmer
		}{l, g, warmer}
	case isGo:
		return struct {
			listed
			goPart
		}{l, g}
	}
	return l
}

// Listed is how many payloads w has that come from a list, which is gone through
// again and again: those of [WithPayloads], or of a job file. It is 0 where payloads
// are made.
func Listed(w Workload) int {
	if l, ok := w.(interface{ count() int }); ok {
		return l.count()
	}
	return 0
}

// listed is a workload's name with payloads from a list.
type listed struct {
	name     string
	payloads [][]byte
}

func (l listed) Name() string                { return l.name }
func (l listed) count() int                  { return len(l.payloads) }
func (l listed) Payload(_, id uint64) []byte { return l.payloads[id%uint64(len(l.payloads))] }

// What Python and Go add to Workload.
type (
	pythonPart interface{ PythonFunction() PythonFunction }
	goPart     interface {
		Run(ctx context.Context, payload []byte) ([]byte, error)
	}
)
