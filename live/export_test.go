package live

// GroupOf is the control group of a run.
func GroupOf(g *Guard) string { return g.groups }

// WithoutGroup has a guard's runs go on as where no control group can be made.
func WithoutGroup(g *Guard) {
	_ = removeCgroup(g.groups)
	g.groups, g.reason = "", "a test"
}
