package live

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestWarnOnce: models that warn of the same are heard once, and all else is heard.
func TestWarnOnce(t *testing.T) {
	core, seen := observer.New(zap.InfoLevel)
	m := Machine{Log: zap.New(core)}
	m.WarnOnce()
	other := m
	m.Log.Warn("prefork: its forks share a connection")
	other.Log.Warn("hybrid: its forks share a connection")
	other.Log.Warn("hybrid: its forks share a file")
	m.Log.Info("prefork: started")
	m.Log.Info("hybrid: started")
	if n := seen.Len(); n != 4 {
		t.Errorf("%d lines were heard, want 4: %v", n, seen.All())
	}
	new(Machine).WarnOnce() // without a log
}
