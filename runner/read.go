package runner

import (
	"encoding/json"
	"fmt"

	"forkbench/internal/format"
	"forkbench/record"
)

// ReadSummary reads a summary as WriteJSON writes it. Of one from before jobs done were
// told from jobs settled it says what was done: the same where all were, and else the
// share of it that was, with a warning.
func ReadSummary(text []byte) (*Summary, error) {
	s := new(Summary)
	var told struct {
		Models []map[string]json.RawMessage `json:"models"`
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return nil, err
	}
	for i := range s.Models {
		m := &s.Models[i]
		if _, ok := told.Models[i]["jobs_done_per_s"]; ok || m.Jobs.Settled == 0 {
			continue
		}
		share := float64(m.Jobs.Done) / float64(m.Jobs.Settled)
		m.DonePerS = m.Throughput.scaled(share)
		if share > 0 {
			cpu := m.CPU.scaled(1 / share)
			m.CPUDone = &cpu
		}
		if share < 1 {
			s.warn(record.Remark{Code: WarnOldSummary, Models: []string{plain(m.Model)}, Args: args{"done": m.Jobs.Done, "settled": m.Jobs.Settled}, Text: fmt.Sprintf("the summary is of an older version, which did not tell jobs done from jobs settled:"+
				" what is per job done is estimated from what is per job settled, and the %s of %s that were done",
				format.Count(m.Jobs.Done), format.Plural(m.Jobs.Settled, "job"))})
		}
	}
	return s, nil
}

// scaled is the interval of so many times the value.
func (i Interval) scaled(by float64) Interval {
	scale := func(bound *float64) *float64 {
		if bound == nil {
			return nil
		}
		return new(*bound * by)
	}
	return Interval{i.Median * by, scale(i.Low), scale(i.High)}
}

// scaled is all parts so many times.
func (c CPU) scaled(by float64) CPU {
	return CPU{
		Interval: c.Interval.scaled(by), Children: c.Children * by, Parents: c.Parents * by, Strayed: c.Strayed * by,
		Supervisor: c.Supervisor * by, Redis: c.Redis * by, Services: c.Services * by,
	}
}
