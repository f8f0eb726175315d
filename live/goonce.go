package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"forkbench/workload"
)

// A onceOrder tells an execution of this binary that it is for one job, which
// lies in its seat: no frame to wait for, no JSON to take apart.
type onceOrder struct {
	seat     int
	job      uint64
	snapshot bool // descriptor 4 is one
	workload string
}

func (o onceOrder) String() string {
	return fmt.Sprintf("once %d %d %t %s", o.seat, o.job, o.snapshot, o.workload)
}

func parseOnceOrder(text string) (o onceOrder, err error) {
	fields := strings.SplitN(text, " ", 5)
	if len(fields) != 5 || fields[0] != "once" {
		return o, fmt.Errorf("%s=%q: not an order", childVar, text)
	}
	var errs [3]error
	o.seat, errs[0] = strconv.Atoi(fields[1])
	o.job, errs[1] = strconv.ParseUint(fields[2], 10, 64)
	o.snapshot, errs[2] = strconv.ParseBool(fields[3])
	o.workload = fields[4]
	if err := errors.Join(errs[:]...); err != nil {
		return o, fmt.Errorf("%s=%q: %w", childVar, text, err)
	}
	if o.seat < 0 {
		return o, fmt.Errorf("%s=%q: there is no seat %d", childVar, text, o.seat)
	}
	return o, nil
}

// runOnce runs the job in this process's seat and leaves there what came of it. Of
// the seats (descriptor 3) the job can reach no other.
func runOnce(text string, workloads []workload.Go) error {
	order, err := parseOnceOrder(text)
	if err != nil {
		return err
	}
	seat, err := mapSeat(3, order.seat)
	if err != nil {
		return fmt.Errorf("map seat %d: %w", order.seat, err)
	}
	payload, err := seat.payload()
	if err != nil {
		return fmt.Errorf("read the job from seat %d: %w", order.seat, err)
	}
	var w worker
	r := doneReply{id: order.job, status: statusUnready}
	if err := w.load(order.workload, order.snapshot, workloads); err != nil {
		r.detail = []byte(err.Error())
	} else {
		r = w.perform(order.job, payload)
	}
	return seat.say(appendDone(nil, r)[headerSize:])
}

// mapSeat maps one seat of those in a descriptor, and closes that.
func mapSeat(fd, number int) (*seat, error) {
	mem, err := unix.Mmap(fd, int64(number+1)*seatSize, seatSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &seat{number: number, mem: mem}, unix.Close(fd)
}

// payload is a copy of what the host has laid into the seat.
func (s *seat) payload() ([]byte, error) {
	size := int(binary.NativeEndian.Uint32(s.mem[seatPayload:]))
	if size > len(s.mem)-seatSaid {
		return nil, fmt.Errorf("a payload of %d bytes", size)
	}
	return slices.Clone(s.mem[seatSaid : seatSaid+size]), nil
}

// say leaves the outcome of the job, its length last.
func (s *seat) say(body []byte) error {
	if len(body) > len(s.mem)-seatSaid {
		return fmt.Errorf("an outcome of %d bytes does not fit into a seat", len(body))
	}
	copy(s.mem[seatSaid:], body)
	binary.NativeEndian.PutUint32(s.mem[seatLength:], uint32(len(body)))
	return nil
}
