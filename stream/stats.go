package stream

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/internal/proc"
	"forkbench/record"
)

// Stats is what a server has done since it was started.
type Stats struct {
	// CPU is the processor time that it used. The total of a private server is
	// exact; its split into user and system time, and the user's own server, are
	// as the kernel and INFO tell.
	CPU      record.CPU
	CPUKnown bool  // false for a server that does not tell
	Commands int64 // commands executed for anybody, this question included; 0 if it does not tell
}

// Stats asks the server. For a cluster it is the sum over the masters.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	var (
		mu  sync.Mutex // ForEachMaster asks them at the same time
		sum = Stats{CPUKnown: true}
	)
	ask := func(ctx context.Context, c *redis.Client) error {
		one, err := infoStats(ctx, c, s.proc == nil)
		mu.Lock()
		defer mu.Unlock()
		sum.CPU = sum.CPU.Add(one.CPU)
		sum.CPUKnown = sum.CPUKnown && one.CPUKnown
		sum.Commands += one.Commands
		return err
	}
	var err error
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(ctx, ask)
	case *redis.Client:
		err = ask(ctx, c)
	}
	if err != nil {
		return Stats{}, s.explain(err)
	}
	if s.proc != nil {
		if sum.CPU, err = s.processCPU(); err != nil {
			return Stats{}, err
		}
		sum.CPUKnown = true
	}
	return sum, nil
}

// infoStats reads INFO, https://redis.io/docs/latest/commands/info/. What a
// server refuses to tell is unknown, not an error.
func infoStats(ctx context.Context, c *redis.Client, cpu bool) (Stats, error) {
	var s Stats
	text, err := c.Info(ctx, "stats").Result()
	if err != nil && !isReply(err) {
		return s, err
	}
	// What the calls in commandstats add up to, on every server and in one line.
	s.Commands, _ = strconv.ParseInt(parseInfo(text)["total_commands_processed"], 10, 64) // 0 if unknown
	if !cpu {
		return s, nil
	}
	text, err = c.Info(ctx, "cpu").Result()
	if err != nil && !isReply(err) {
		return s, err
	}
	info := parseInfo(text)
	user, err1 := seconds(info["used_cpu_user"])
	system, err2 := seconds(info["used_cpu_sys"])
	if err1 == nil && err2 == nil {
		s.CPU, s.CPUKnown = record.CPU{User: user, System: system}, true
	}
	return s, nil
}

func seconds(s string) (time.Duration, error) {
	f, err := strconv.ParseFloat(s, 64)
	return time.Duration(f * float64(time.Second)), err
}

// processCPU is the processor time of the private server, all threads.
func (s *Server) processCPU() (record.CPU, error) {
	pid := s.Pid()
	total, err := proc.CPU(pid)
	if err != nil {
		if s.proc.exited() {
			return record.CPU{}, fmt.Errorf("%s: %w", s.proc.obituary(), ErrLost)
		}
		return record.CPU{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return record.CPU{}, err
	}
	user, system, err := statTicks(stat)
	if err != nil {
		return record.CPU{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cpu = split(total, user, system, s.cpu)
	return s.cpu, nil
}

// split divides a total in the ratio of user to system ticks. Neither part ever
// gets smaller than it was before, as in the kernel's own cputime_adjust.
func split(total time.Duration, user, system uint64, before record.CPU) record.CPU {
	c := record.CPU{User: total}
	if user+system > 0 {
		c.User = time.Duration(float64(total) * float64(user) / float64(user+system))
	}
	c.User = max(c.User, before.User)
	c.User = min(c.User, total-before.System)
	c.System = total - c.User
	return c
}

// statTicks reads utime and stime from /proc/PID/stat, proc_pid_stat(5).
func statTicks(stat []byte) (user, system uint64, err error) {
	// The second field is the name in parentheses, which may itself hold some.
	_, rest, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, 0, fmt.Errorf("unexpected content %q", stat)
	}
	if user, err = strconv.ParseUint(string(fields[11]), 10, 64); err != nil {
		return 0, 0, err
	}
	system, err = strconv.ParseUint(string(fields[12]), 10, 64)
	return user, system, err
}
