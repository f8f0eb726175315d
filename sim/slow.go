package sim

import "slices"

// Slowed is the profile on cores on which everything takes so many times the CPU,
// but for what goes on until a deadline. Waiting stays as it is.
func (p *Profile) Slowed(factor float64) *Profile {
	q := *p
	q.Jobs = slices.Clone(p.Jobs)
	for _, d := range []*Dist{
		&q.Boot.CPU, &q.OneTime.CPU, &q.FirstJob.CPU, &q.Young.CPU,
		&q.Fork.Base, &q.Fork.Start, &q.Fork.Reap, &q.Socket.Parent, &q.Socket.Child, &q.Socket.Supervisor,
		&q.Exit.Base, &q.Cores.ColdParent, &q.Cores.ColdChild,
		&q.Supervisor.Dispatch, &q.Supervisor.Collect, &q.Supervisor.Fork, &q.Supervisor.Batch, &q.Supervisor.Wake, &q.Supervisor.Protocol,
		&q.Redis.Command, &q.Redis.Read, &q.Redis.Settle,
	} {
		*d = d.Scaled(factor)
	}
	for _, x := range []*float64{&q.Fork.PerMB, &q.Exit.PerMB, &q.Exit.PerPage, &q.Memory.Copy, &q.Memory.Fresh, &q.Pace} {
		*x *= factor
	}
	q.Services = slices.Clone(p.Services)
	for i := range q.Services {
		s := &q.Services[i]
		s.Job, s.First = s.Job.Scaled(factor), s.First.Scaled(factor)
	}
	for i := range q.Jobs {
		c := &q.Jobs[i]
		c.CPU = c.CPU.Scaled(1 + c.Elastic*(factor-1))
	}
	return &q
}
