package sim

// A server is Redis: one thread, on the same cores as everything else.
type server struct {
	station station
	thread  thread
}

// A client has Redis do something, one request at a time, and is told when it
// is done. It is a machine: nobody's coroutine waits for it.
type client struct {
	actor  *actor
	host   *Host
	done   func()
	phase  phase
	thread *thread // of the supervisor
	own    int64   // of the supervisor's CPU
	cost   int64   // of the server's CPU
	trip   int64
}

type phase uint8

const (
	idle      phase = iota
	composing       // by the supervisor, or waiting for it
	composed        // so that it can be sent
	awaiting        // for the server's thread
	served          // by it
	under           // way: the answer is
)

func newClient(h *Host, done func()) client {
	return client{host: h, done: done, actor: &actor{}}
}

// request asks for n jobs to be read or settled, each at a cost.
func (c *client) request(each *Dist, n int) {
	h := c.host
	if c.actor.fire == nil {
		c.actor.fire = c.fire
	}
	h.used.commands++
	h.random.begin(forJob, ^uint64(h.used.commands))
	c.cost = h.profile.Redis.Command.draw(&h.random)
	c.trip = h.profile.Redis.RoundTrip.draw(&h.random)
	if each.kind == constant {
		c.cost += nanos(float64(n) * each.a)
	} else {
		for range n {
			c.cost = min(c.cost+each.draw(&h.random), maxNS)
		}
	}
	c.phase = awaiting
	if batch := &h.profile.Supervisor.Batch; !batch.zero() {
		c.phase = composing
		c.own = batch.draw(&h.random) + h.wakeSupervisor()
		c.enter(&h.supervisor)
		return
	}
	c.enter(&h.server.station)
}

// enter goes on when the client may use the station.
func (c *client) enter(s *station) {
	if s.free > 0 {
		s.free--
		c.fire()
		return
	}
	s.queue.push(c.actor)
}

// compute goes on when the client has had so much CPU.
func (c *client) compute(t *thread, d int64) {
	c.actor.place = computing
	c.host.add(c.actor, t, d)
}

// fire goes on to the next phase.
func (c *client) fire() {
	h := c.host
	if h.dead {
		return
	}
	switch c.phase {
	case composing:
		c.phase = composed
		c.thread = h.supervisorThread()
		c.compute(c.thread, c.own)
	case composed:
		h.used.supervisor = h.used.supervisor.Add(split(c.own, h.profile.Supervisor.System))
		h.resting = append(h.resting, c.thread)
		h.supervisor.leave(&h.engine)
		c.phase = awaiting
		c.enter(&h.server.station)
	case awaiting:
		c.phase = served
		if c.cost > 0 {
			c.compute(&h.server.thread, c.cost)
			return
		}
		fallthrough
	case served:
		h.used.redis = h.used.redis.Add(split(c.cost, h.profile.Redis.System))
		h.server.station.leave(&h.engine)
		c.phase = under
		if c.trip > 0 {
			c.actor.place = sleeping
			h.schedule(c.actor, later(h.now, c.trip), wakeUp)
			return
		}
		fallthrough
	case under:
		c.phase = idle
		c.done()
	case idle:
	}
}
