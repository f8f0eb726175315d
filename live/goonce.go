package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
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

// runOnce runs the job in this process's seat (descriptor 3) and leaves there
// what came of it.
func runOnce(text string, workloads []workload.Go) error {
	order, err := parseOnceOrder(text)
	if err != nil {
		return err
	}
	unix.CloseOnExec(3)
	place := int64(order.seat) * seatSize
	payload, err := readPayload(3, place)
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
	body := appendDone(nil, r)[headerSize:]
	if len(body) > seatSize-seatSaid {
		return fmt.Errorf("an outcome of %d bytes does not fit into a seat", len(body))
	}
	if err := writeAll(3, body, place+seatSaid); err != nil {
		return err
	}
	return writeAll(3, binary.NativeEndian.AppendUint32(nil, uint32(len(body))), place+seatLength)
}

// readPayload reads what the host has laid into a seat.
func readPayload(fd int, place int64) ([]byte, error) {
	head := make([]byte, 4096)
	n, err := unix.Pread(fd, head, place)
	if err != nil {
		return nil, err
	}
	if n < len(head) {
		return nil, io.ErrUnexpectedEOF
	}
	size := int(binary.NativeEndian.Uint32(head[seatPayload:]))
	if size > seatSize-seatSaid {
		return nil, fmt.Errorf("a payload of %d bytes", size)
	}
	if size <= len(head)-seatSaid {
		return head[seatSaid : seatSaid+size], nil
	}
	payload := make([]byte, size)
	for got := 0; got < size; {
		n, err := unix.Pread(fd, payload[got:], place+seatSaid+int64(got))
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		got += n
	}
	return payload, nil
}

func writeAll(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, at)
		if err != nil {
			return os.NewSyscallError("pwrite", err)
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}
