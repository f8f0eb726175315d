package live

import (
	"strings"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// A telling passes on each warning once, whichever model's run it is of.
type telling struct {
	zapcore.Core
	told *sync.Map
}

// WarnOnce has the machine's runs, and those of its copies, pass on each warning once,
// whichever model's it is: where dozens of them look at one application.
func (m *Machine) WarnOnce() {
	if m.Log == nil {
		return
	}
	told := new(sync.Map)
	m.Log = m.Log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return telling{c, told} }))
}

// With keeps to it.
func (t telling) With(fields []zapcore.Field) zapcore.Core {
	return telling{t.Core.With(fields), t.told}
}

// Check has Write decide.
func (t telling) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if t.Enabled(e.Level) {
		return c.AddCore(e, t)
	}
	return c
}

// Write leaves out a warning that differs from a former one in the model that it
// begins with, or in nothing.
func (t telling) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if _, text, found := strings.Cut(e.Message, ": "); found && e.Level == zapcore.WarnLevel {
		if _, before := t.told.LoadOrStore(text, true); before {
			return nil
		}
	}
	return t.Core.Write(e, fields)
}
