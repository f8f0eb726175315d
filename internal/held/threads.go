package held

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"forkbench/internal/proc"
)

// A Thread is one of a process's beside its first.
type Thread struct {
	TID  int
	Name string // the kernel's: a library may have set it, or else it is the program's

	// Library is the file whose code the thread waits or runs in: of those on its
	// stack the innermost that is not the C library. It is the interpreter's for a
	// thread of Python's own, and empty where it cannot be told.
	Library string
}

// settling bounds the wait for threads to sleep: that of a pool spins for a while
// before it does, and one that was told to end, and was waited for, is in the list
// for a moment yet.
const settling = 200 * time.Millisecond

// Threads lists a process's threads but the first, and those that are ending. It waits a little
// for those that run: where they wait tells what they are.
func Threads(pid int) ([]Thread, error) {
	var list []Thread
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		found, running, err := tasks(pid)
		if err != nil {
			return nil, err
		}
		if list = found; !running || time.Since(began) > settling {
			break
		}
	}
	if list == nil {
		return nil, nil
	}
	var code []mapping
	_ = maps(pid, func(m mapping) bool {
		if m.executable && m.path != "" {
			code = append(code, m)
		}
		return true
	})
	for i := range list {
		list[i].Library = libraryOf(pid, list[i].TID, code)
	}
	return list, nil
}

// tasks lists a process's threads but the first, without their libraries, and
// reports whether one of them runs.
func tasks(pid int) (list []Thread, running bool, err error) {
	dir := fmt.Sprintf("/proc/%d/task/", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false, err
	}
	for _, entry := range entries {
		tid, err := strconv.Atoi(entry.Name())
		if err != nil || tid == pid {
			continue
		}
		name, err := os.ReadFile(dir + entry.Name() + "/comm")
		if err != nil {
			continue // it has ended
		}
		s, ok := proc.TaskStands(pid, tid)
		if !ok || s.Exiting {
			continue
		}
		running = running || s.State == 'R'
		list = append(list, Thread{TID: tid, Name: strings.TrimSpace(string(name))})
	}
	return list, running, nil
}

// stackSize is how much of a thread's stack is looked through.
const stackSize = 16 << 10

// libraryOf finds the innermost return address on a thread's stack that is not in
// the C library. Something that was left on the stack may be taken for one, so it
// is a hint; a pool's thread that waits for work has little else there.
func libraryOf(pid, tid int, code []mapping) string {
	sp, ok := stackPointer(pid, tid)
	if !ok {
		return ""
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer mem.Close()
	stack := make([]byte, stackSize)
	n, _ := mem.ReadAt(stack, int64(sp)) // it may end before
	for ; n >= 8; n -= 8 {
		word := binary.NativeEndian.Uint64(stack)
		stack = stack[8:]
		i, in := slices.BinarySearchFunc(code, word, func(m mapping, at uint64) int {
			switch {
			case at < m.from:
				return 1
			case at >= m.to:
				return -1
			}
			return 0
		})
		if in && !isCLibrary(code[i].path) {
			return code[i].path
		}
	}
	return ""
}

// stackPointer is a thread's, where it waits in a system call.
func stackPointer(pid, tid int) (uint64, bool) {
	for range 20 { // one that spins between two looks waits sooner or later
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
		if err != nil {
			return 0, false
		}
		// The call's number, six arguments, the stack pointer and the program counter;
		// "running", or -1 and the last two.
		if fields := strings.Fields(string(text)); len(fields) >= 3 {
			sp, err := strconv.ParseUint(fields[len(fields)-2], 0, 64)
			return sp, err == nil && sp < 1<<63
		}
	}
	return 0, false
}

func isCLibrary(path string) bool {
	name := filepath.Base(path)
	for _, prefix := range []string{"libc.", "libc-", "libpthread", "ld-", "ld.", "libm.", "libm-", "libdl"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// A Pool is the threads that a library keeps for its own arithmetic.
type Pool struct {
	Name     string // as its users call it
	Variable string // of the environment, that limits its threads; empty if there is none

	// EndsAtFork says that the library ends its threads itself before a fork, and
	// starts them again when they are needed, in parent and child.
	EndsAtFork bool
}

// pools are the well-known ones, by a part of their libraries' names, or of the folder
// and the name where that one says nothing.
var pools = []struct {
	part string
	Pool
}{
	// driver/others/blas_server.c registers a handler with pthread_atfork.
	{"openblas", Pool{"OpenBLAS", "OPENBLAS_NUM_THREADS", true}},
	{"libgomp", Pool{"GNU OpenMP", "OMP_NUM_THREADS", false}},
	{"libiomp", Pool{"Intel OpenMP", "OMP_NUM_THREADS", false}},
	{"libomp", Pool{"LLVM OpenMP", "OMP_NUM_THREADS", false}},
	{"libmkl", Pool{"MKL", "MKL_NUM_THREADS", false}},
	{"libblis", Pool{"BLIS", "BLIS_NUM_THREADS", false}},
	{"numexpr/interpreter.", Pool{"NumExpr", "NUMEXPR_NUM_THREADS", false}},
	{"libtbb", Pool{"TBB", "", false}},
}

// PoolOf is the well-known pool that a library is, if it is one. Of its path, the last
// folder and the name are looked at.
func PoolOf(library string) (Pool, bool) {
	name := filepath.Base(library)
	long := filepath.Base(filepath.Dir(library)) + "/" + name
	for _, p := range pools {
		if strings.Contains(name, p.part) || strings.Contains(p.part, "/") && strings.Contains(long, p.part) {
			return p.Pool, true
		}
	}
	return Pool{}, false
}

// PoolLimitedBy is a well-known pool whose threads a variable of the environment
// limits; of several, one that does not end them at a fork.
func PoolLimitedBy(variable string) (found Pool, ok bool) {
	for _, p := range pools {
		if p.Variable == variable && (!ok || !p.EndsAtFork) {
			found, ok = p.Pool, true
		}
	}
	return found, ok
}

// Pools lists the libraries of well-known pools that a process has loaded.
func Pools(pid int) []string {
	var found []string
	_ = maps(pid, func(m mapping) bool {
		if _, ok := PoolOf(m.path); ok && m.executable && !slices.Contains(found, m.path) {
			found = append(found, m.path)
		}
		return true
	})
	return found
}
