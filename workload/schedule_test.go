package workload

import (
	"testing"
	"time"
)

func TestScheduleOf(t *testing.T) {
	january := trace{"f", []time.Duration{0, 330 * 24 * time.Hour, 330*24*time.Hour + time.Second}}
	for _, test := range []struct {
		plan Arrivals
		jobs int
		want Schedule
	}{
		{burst{}, 1000, Schedule{}},
		{constant{"rate:1/s", 1}, 601, Schedule{10 * time.Minute, time.Second, 1}},
		{constant{"rate:1/s", 1}, 1, Schedule{}},
		{constant{"rate:1/s", 1}, 0, Schedule{}},
		{january, 3, Schedule{330*24*time.Hour + time.Second, 330 * 24 * time.Hour, 1}},
		{trace{"f", []time.Duration{time.Hour}}, 1, Schedule{time.Hour, time.Hour, 0}},
	} {
		if got := ScheduleOf(test.plan, 1, test.jobs); got != test.want {
			t.Errorf("%s, %d jobs: %+v; want %+v", test.plan, test.jobs, got, test.want)
		}
	}
	if got := ScheduleOf(january, 1, 1000); got.Length < 300*330*24*time.Hour || got.Before == 0 {
		t.Errorf("repeated: %+v", got)
	}
}
