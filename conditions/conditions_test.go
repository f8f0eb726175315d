package conditions

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"forkbench/record"
)

func TestEnvironmentIsThisMachine(t *testing.T) {
	e := Environment()
	if want := runtime.GOOS + "/" + runtime.GOARCH; e.OS != want {
		t.Errorf("OS %q, want %q", e.OS, want)
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(release)); e.Kernel != want {
		t.Errorf("kernel %q, want %q", e.Kernel, want)
	}
	if e.Cores != runtime.NumCPU() || e.Go != fmt.Sprintf("%s, GOMAXPROCS=%d", runtime.Version(), runtime.GOMAXPROCS(0)) || e.Race != raceEnabled {
		t.Errorf("cores %d, Go %q, race %t", e.Cores, e.Go, e.Race)
	}
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	var kB int64
	if _, err := fmt.Sscanf(string(meminfo), "MemTotal: %d kB", &kB); err != nil {
		t.Fatal(err)
	}
	if e.MemoryBytes != kB*1024 {
		t.Errorf("memory %d, want %d", e.MemoryBytes, kB*1024)
	}
	if mode, err := os.ReadFile(hugePagesMode); err == nil {
		if e.HugePages == "" || !strings.Contains(string(mode), "["+e.HugePages+"]") {
			t.Errorf("huge pages %q, the kernel says %q", e.HugePages, mode)
		}
	}
}

func TestPacking(t *testing.T) {
	for in, want := range map[string]string{
		"quiet psi=1 sched_vcpu_pack=15 panic=1\n": "sched_vcpu_pack=15",
		"sched_vcpu_pack=15 sched_vcpu_pack=0":     "",
		"no_sched_vcpu_pack=15 sched_vcpu_packs":   "",
		"":                                         "",
	} {
		dir := t.TempDir()
		if got := Packing(dir); got != "" {
			t.Errorf("without a command line: %q", got)
		}
		if err := os.WriteFile(filepath.Join(dir, "cmdline"), []byte(in), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := Packing(dir); got != want {
			t.Errorf("Packing of %q is %q; want %q", in, got, want)
		}
	}
}

func TestSelected(t *testing.T) {
	for in, want := range map[string]string{
		"always [madvise] never\n": "madvise",
		"[always] madvise never":   "always",
		"":                         "",
		"always madvise":           "",
		"always [madvise":          "",
		"][":                       "",
	} {
		if got := selected(in); got != want {
			t.Errorf("selected(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJudge(t *testing.T) {
	const s = time.Second
	begin := reading{busy: 100 * s, steal: 2 * s, total: 1000 * s, stall: 5 * s, load1: 1.5}
	after := func(busy, steal, total time.Duration) reading {
		return reading{busy: 100*s + busy, steal: 2*s + steal, total: 1000*s + total, stall: 6 * s, load1: 9}
	}
	for _, c := range []struct {
		name string
		end  reading
		own  time.Duration
		want record.Noise
	}{
		{"quiet", after(10*s, 0, 20*s), 10 * s,
			record.Noise{StallNS: s, Load1: 1.5}},
		{"a little foreign", after(10*s, 0, 20*s), 9 * s,
			record.Noise{ForeignNS: s, StallNS: s, Load1: 1.5}},
		{"much foreign", after(10*s, 0, 20*s), 4 * s,
			record.Noise{ForeignNS: 6 * s, StallNS: s, Load1: 1.5, Contaminated: "other processes used 30 % of the CPU"}},
		{"steal", after(10*s, 2*s, 20*s), 10 * s,
			record.Noise{StealNS: 2 * s, StallNS: s, Load1: 1.5, Contaminated: "the hypervisor took 10 % of the CPU"}},
		{"both", after(10*s, 2*s, 20*s), 8 * s,
			record.Noise{ForeignNS: 2 * s, StealNS: 2 * s, StallNS: s, Load1: 1.5,
				Contaminated: "other processes used 10 % of the CPU and the hypervisor took 10 % of the CPU"}},
		{"own rounds up", after(10*s, 0, 20*s), 11 * s,
			record.Noise{StallNS: s, Load1: 1.5}},
		{"one tick of a short round", after(s/100, 0, s/10), 0,
			record.Noise{ForeignNS: s / 100, StallNS: s, Load1: 1.5}},
		{"six ticks of a short round", after(6*s/100, 0, s/10), 0,
			record.Noise{ForeignNS: 6 * s / 100, StallNS: s, Load1: 1.5, Contaminated: "other processes used 60 % of the CPU"}},
		{"no time passed", after(0, 0, 0), 0,
			record.Noise{StallNS: s, Load1: 1.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, judge(begin, c.end, c.own)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJudgeWithoutPressure(t *testing.T) {
	if n := judge(reading{stall: -1}, reading{stall: 7}, 0); n.StallNS != -1 {
		t.Errorf("stall %d, want -1", n.StallNS)
	}
}

// proc writes a /proc with the given accounts, in ticks of 10 ms, on each core.
func proc(t *testing.T, dir string, user, system, idle, steal int, pressure string) {
	t.Helper()
	var stat strings.Builder
	line := fmt.Sprintf("%d 0 %d %d 0 7 7 %d 0 0\n", user, system, idle, steal)
	stat.WriteString("cpu  " + line)
	usable := usableCores()
	for core := range 1024 {
		if usable.IsSet(core) {
			fmt.Fprintf(&stat, "cpu%d %s", core, line)
		}
	}
	// A core that is not ours, and fully busy.
	stat.WriteString("cpu1024 999999 0 0 0 0 0 0 0 0 0\n")
	files := map[string]string{"stat": stat.String(), "loadavg": "0.75 0.50 0.25 1/100 1234\n"}
	if pressure != "" {
		files["pressure/cpu"] = pressure
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoiseMeterReadsProc(t *testing.T) {
	dir := t.TempDir()
	cores := time.Duration(usableCores().Count())
	m := NoiseMeter{proc: dir}
	proc(t, dir, 1000, 500, 9000, 10, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n")
	m.Start()
	proc(t, dir, 1080, 520, 9090, 20, "some avg10=0.00 avg60=0.00 avg300=0.00 total=4000\n")
	got := m.Stop(cores * 400 * time.Millisecond)
	// Each core was busy for 1 s of 2 s, of which 0.4 s were ours; 0.1 s were stolen.
	want := record.Noise{
		ForeignNS:    cores * 600 * time.Millisecond,
		StealNS:      cores * 100 * time.Millisecond,
		StallNS:      3 * time.Millisecond,
		Load1:        0.75,
		Contaminated: "other processes used 30 % of the CPU",
	}
	// The accounts are floating-point seconds.
	near := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < time.Microsecond })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Error(diff)
	}

	// What comes after the end does not count.
	proc(t, dir, 9999, 520, 9090, 20, "some avg10=0.00 avg60=0.00 avg300=0.00 total=9000\n")
	if diff := cmp.Diff(want, m.Stop(cores*400*time.Millisecond), near); diff != "" {
		t.Errorf("asked later: %s", diff)
	}

	m.Start()
	if err := os.Remove(filepath.Join(dir, "pressure/cpu")); err != nil {
		t.Fatal(err)
	}
	if got := m.Stop(0); got.StallNS != -1 {
		t.Errorf("stall %d without a pressure file, want -1", got.StallNS)
	}
}

func TestNoiseMeterThatCannotTell(t *testing.T) {
	m := NoiseMeter{proc: filepath.Join(t.TempDir(), "none")}
	m.Start()
	if n := m.Stop(0); !strings.Contains(n.Contaminated, "foreign load is unknown") {
		t.Errorf("contaminated %q", n.Contaminated)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "stat"), []byte("cpu 0 0 0 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m = NoiseMeter{proc: dir}
	m.Start()
	if n := m.Stop(0); !strings.Contains(n.Contaminated, "foreign load is unknown") {
		t.Errorf("contaminated %q", n.Contaminated)
	}
}

// The real machine: what this test burns is foreign to a meter that was not
// told of it, and not to one that was.
func TestNoiseMeterSeesRealWork(t *testing.T) {
	var m NoiseMeter
	m.Start()
	start := ownCPU(t)
	for ownCPU(t)-start < 200*time.Millisecond {
	}
	used := ownCPU(t) - start
	blind, told := m.Stop(0), m.Stop(used)
	// Ticks may miss half of it at worst.
	if blind.ForeignNS < used/2 {
		t.Errorf("foreign %v after burning %v", blind.ForeignNS, used)
	}
	if told.ForeignNS >= blind.ForeignNS {
		t.Errorf("foreign %v when told of own work, %v when not", told.ForeignNS, blind.ForeignNS)
	}
}

func ownCPU(t *testing.T) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}
