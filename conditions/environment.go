// Package conditions says what a measurement depends on besides the code that
// was measured: the machine, and what else the machine did meanwhile.
package conditions

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"forkbench/record"
)

// Packing is how the kernel was told to pack what runs on few of a virtual
// machine's cores: the parameter on its command line, in the given proc directory;
// empty where it spreads it, as Linux is released. Forked children begin on their
// parent's core then, though another one is idle.
func Packing(proc string) string {
	line, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		return ""
	}
	found := ""
	for parameter := range strings.FieldsSeq(string(line)) {
		if value, ok := strings.CutPrefix(parameter, "sched_vcpu_pack="); ok {
			found = parameter // the last one holds
			if value == "0" {
				found = ""
			}
		}
	}
	return found
}

const hugePagesMode = "/sys/kernel/mm/transparent_hugepage/enabled"

// Environment describes this machine and this program. The fields about Python,
// Redis, forks and cgroups are left empty: whoever uses those fills them in.
// What the system does not tell is left empty too.
func Environment() record.Environment {
	e := record.Environment{
		OS:     runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: kernel(),
		Cores:  runtime.NumCPU(), // of the affinity mask, not of the machine
		Go:     fmt.Sprintf("%s, GOMAXPROCS=%d", runtime.Version(), runtime.GOMAXPROCS(0)),
		Race:   raceEnabled,

		Packing:           Packing("/proc"),
		SupervisorThreads: runtime.GOMAXPROCS(0),
	}
	if mode, err := os.ReadFile(hugePagesMode); err == nil {
		e.HugePages = selected(string(mode))
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return e
	}
	if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
		e.CPU = strings.Join(strings.Fields(cpus[0].ModelName), " ")
	}
	if mem, err := fs.Meminfo(); err == nil && mem.MemTotalBytes != nil {
		e.MemoryBytes = int64(*mem.MemTotalBytes)
	}
	return e
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// selected is the choice in brackets of a sysfs file: "always [madvise] never".
func selected(choices string) string {
	_, rest, _ := strings.Cut(choices, "[")
	choice, _, ok := strings.Cut(rest, "]")
	if !ok {
		return ""
	}
	return choice
}
