package live

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A waiter is a request that waits for its reply.
type waiter struct {
	answers kind
	which   int // for reap the pid, for once the seat: their replies come in the order of the exits
	reply   chan reply
}

type reply struct {
	body []byte
	file int // a descriptor that came with it; -1 if none did
	err  error
}

// ask sends a request (or none, where the process has it already) and waits for
// the reply, for at most the limit; 0 waits for ever.
//
// Several slots may ask one process at once, as they do of a shared template.
// Nobody owns the reading: whoever waits may take the token and read, hands what
// is for others to them, and gives the token back with its own reply. So a
// process that one slot uses costs no goroutine and no hand-over.
func (p *process) ask(w *waiter, limit time.Duration, request func([]byte) []byte) reply {
	if w.reply == nil {
		w.reply = make(chan reply, 1)
	}
	var deadline time.Time
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	if err := p.enqueue(w, deadline, request); err != nil {
		return reply{err: err}
	}
	for {
		if r, ok := p.awaitTurn(w, deadline); ok {
			return r
		}
		p.conn.bound(deadline, limit/30)
		err := p.readOne()
		p.token <- struct{}{}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return p.giveUp(w)
		}
	}
}

// awaitTurn returns with the reply, or with the token and false.
func (p *process) awaitTurn(w *waiter, deadline time.Time) (reply, bool) {
	select {
	case r := <-w.reply:
		return r, true
	default:
	}
	select {
	case <-p.token:
	default:
		var expired <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case r := <-w.reply:
			return r, true
		case <-expired:
			return p.giveUp(w), true
		case <-p.token:
		}
	}
	// The reply may have come between the look and the token.
	select {
	case r := <-w.reply:
		p.token <- struct{}{}
		return r, true
	default:
		return reply{}, false
	}
}

// errUnsent is why a request that the process has not got, or only in part, has no
// reply.
var errUnsent = errors.New("the request could not be sent")

// giveUp withdraws a waiter whose time is over, unless its reply has just come.
func (p *process) giveUp(w *waiter) reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case r := <-w.reply:
		return r
	default:
	}
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	return reply{err: os.ErrDeadlineExceeded}
}

// enqueue registers a waiter and sends its request, in the same order for all.
// A process that does not read holds up only those who send to it: it can be
// killed meanwhile, and what it says can be read.
func (p *process) enqueue(w *waiter, deadline time.Time, request func([]byte) []byte) error {
	if w.answers == kindForked || w.answers == kindState {
		p.conn.carries.Store(true)
	}
	p.sending.Lock()
	defer p.sending.Unlock()
	p.mu.Lock()
	if p.state == closed {
		p.mu.Unlock()
		return errDead
	}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	if request == nil {
		return nil
	}
	if err := p.conn.send(deadline, request); err != nil {
		p.giveUp(w)
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	return nil
}

// readOne reads a frame and delivers it. An error other than a passed deadline
// goes to everybody who waits.
func (p *process) readOne() error {
	k, body, err := p.conn.receive()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		for _, w := range p.waiting {
			w.reply <- reply{err: err}
		}
		p.waiting = p.waiting[:0]
		return err
	}
	r := reply{body: body, file: p.conn.claimFile(k)}
	which := 0
	if k == kindReaped || k == kindEnded {
		which = leading(body)
	}
	for i, w := range p.waiting {
		if w.answers != k || w.which != which {
			continue
		}
		if k != kindDone {
			// Somebody else may ask and read before this is looked at. A process
			// that runs jobs is asked by one slot only, and results may be large.
			r.body = slices.Clone(body)
		}
		p.waiting = slices.Delete(p.waiting, i, i+1)
		w.reply <- r
		return nil
	}
	// Nobody waits for it any more, or the process misbehaves: then its own
	// requests will find it late or dead.
	if r.file >= 0 {
		unix.Close(r.file)
	}
	return nil
}
