package record

// A HazardKind says what a Hazard is.
type HazardKind string

// What forks of a process must not share, or should know that they do.
const (
	HazardConnection   HazardKind = "connection"    // each fork's bytes are mixed with the others'
	HazardDatabase     HazardKind = "database"      // SQLite's: its locks are a process's own
	HazardFile         HazardKind = "file"          // one offset for all
	HazardEvents       HazardKind = "events"        // an epoll or inotify instance: events go to one of all
	HazardDevice       HazardKind = "device"        // a driver's context, a GPU's say, is the opener's
	HazardPipe         HazardKind = "pipe"          // a pipe, a socket pair, an eventfd
	HazardListener     HazardKind = "listener"      // connections go to one of all
	HazardDatagrams    HazardKind = "datagrams"     // whole messages are sent, answers go to one of all
	HazardThread       HazardKind = "thread"        // it is not in a fork
	HazardNativeThread HazardKind = "native_thread" // likewise, of a library that is not Python
	HazardLock         HazardKind = "lock"          // held by a thread that is not in the fork: for ever
)

// A Hazard is something that a process from which others were forked had, and
// that forks must not share or cannot inherit.
type Hazard struct {
	Kind HazardKind `json:"kind"`
	What string     `json:"what"` // a noun with its article: "a TCP connection to 127.0.0.1:5432"

	// From is what the process did when it came to be, as far as that is known: "the
	// import of app", "--warm=app:connect", "the first 5 jobs of the promoted child".
	From string `json:"from,omitempty"`

	// Caution says that it does no harm as a rule: it is told, and the model may be
	// recommended.
	Caution bool `json:"caution,omitempty"`

	// Unverified says that it was seen in the parent, but not whether its forks had
	// it, too: the application may close it around a fork.
	Unverified bool `json:"unverified,omitempty"`

	// Env is the variable that leaves a pool of native threads without any, as
	// NAME=VALUE; empty where there is none.
	Env string `json:"env,omitempty"`

	// Cure is what to do about it, in a sentence without its full stop.
	Cure string `json:"cure"`
}

// Same reports whether it is the other hazard, wherever each came from.
func (h *Hazard) Same(o Hazard) bool { return h.Kind == o.Kind && h.What == o.What }

// Clause says what is wrong, so that it can follow "because".
func (h *Hazard) Clause() string {
	var text string
	switch h.Kind {
	case HazardThread, HazardNativeThread:
		text = "its forks lack " + h.What
	case HazardLock:
		text = "its forks cannot ever take " + h.What
	case HazardConnection, HazardDatabase, HazardFile, HazardEvents, HazardDevice, HazardPipe, HazardListener, HazardDatagrams:
		text = "its forks share " + h.What
		if h.Unverified {
			text = "its forks may share " + h.What
		}
	}
	if h.From != "" {
		text += " (from " + h.From + ")"
	}
	return text
}
