package held

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"forkbench/record"
)

// sockets knows what the sockets of a process are connected to. The kernel's
// tables are read when the first is asked for.
type sockets struct {
	pid   int
	read  bool
	inet  map[uint64]inetSocket
	unix  map[uint64]unixSocket
	owned map[uint64]bool // by this program
}

type inetSocket struct {
	protocol      string
	local, remote string
	connected     bool // it has another end
	listens       bool
}

// describe says what a socket is, or nothing where it does not matter.
func (s *sockets) describe(link string) (kind record.HazardKind, what string, caution bool) {
	inode, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]"), 10, 64)
	if err != nil {
		return "", "", false
	}
	if !s.read {
		s.read = true
		s.inet = inetSockets(s.pid)
		s.unix, _ = unixSockets()
		s.owned = ownSockets()
	}
	if i, ok := s.inet[inode]; ok {
		switch {
		case i.listens:
			return record.HazardListener, "a socket that listens on " + i.local, true
		case i.connected && i.protocol == "TCP":
			return record.HazardConnection, "a TCP connection to " + i.remote, false
		case i.connected:
			return record.HazardDatagrams, "a UDP socket for " + i.remote, true
		case i.protocol == "UDP":
			return record.HazardDatagrams, "a UDP socket at " + i.local, true
		}
		return "", "", false
	}
	u, ok := s.unix[inode]
	switch {
	case !ok || s.owned[u.peer]:
		return "", "", false
	case u.state == tcpListen:
		return record.HazardListener, "a socket that listens on " + u.name, true
	case u.peer == 0:
		return "", "", false // nobody is there
	}
	other := s.unix[u.peer].name
	if other == "" {
		other = "another process"
		if s.holds(u.peer) {
			return record.HazardPipe, "both ends of a socket pair", true
		}
	}
	if u.datagrams {
		return record.HazardDatagrams, "a Unix datagram socket to " + other, true
	}
	return record.HazardConnection, "a Unix connection to " + other, false
}

// holds reports whether the process has a socket.
func (s *sockets) holds(inode uint64) bool {
	return socketsOf(strconv.Itoa(s.pid))[inode]
}

// ownSockets are the sockets of this program.
func ownSockets() map[uint64]bool { return socketsOf("self") }

func socketsOf(pid string) map[uint64]bool {
	found := make(map[uint64]bool)
	entries, _ := os.ReadDir("/proc/" + pid + "/fd")
	for _, entry := range entries {
		link, err := os.Readlink("/proc/" + pid + "/fd/" + entry.Name())
		if text, ok := strings.CutPrefix(link, "socket:["); err == nil && ok {
			if inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64); err == nil {
				found[inode] = true
			}
		}
	}
	return found
}

// The kernel's number of a socket that listens, of every family.
const tcpListen = 10

// inetSockets are those of the process's network, as far as they can be read.
func inetSockets(pid int) map[uint64]inetSocket {
	found := make(map[uint64]inetSocket)
	fs, err := procfs.NewFS(fmt.Sprintf("/proc/%d", pid)) // which has a net of its own
	if err != nil {
		return found
	}
	add := func(protocol string, inode uint64, local, remote net.IP, localPort, remotePort, state uint64) {
		found[inode] = inetSocket{
			protocol: protocol, local: address(local, localPort), remote: address(remote, remotePort),
			connected: remotePort != 0, listens: protocol == "TCP" && state == tcpListen,
		}
	}
	//nolint:staticcheck // netlink, recommended instead, answers for this program's network only
	tcp := []func() (procfs.NetTCP, error){fs.NetTCP, fs.NetTCP6}
	for _, read := range tcp {
		lines, _ := read()
		for _, l := range lines {
			add("TCP", l.Inode, l.LocalAddr, l.RemAddr, l.LocalPort, l.RemPort, l.St)
		}
	}
	for _, read := range []func() (procfs.NetUDP, error){fs.NetUDP, fs.NetUDP6} {
		lines, _ := read()
		for _, l := range lines {
			add("UDP", l.Inode, l.LocalAddr, l.RemAddr, l.LocalPort, l.RemPort, l.St)
		}
	}
	return found
}

func address(ip net.IP, port uint64) string {
	if four := ip.To4(); four != nil {
		ip = four
	}
	return net.JoinHostPort(ip.String(), strconv.FormatUint(port, 10))
}

// A unixSocket is one as sock_diag tells of it: /proc/net/unix does not know who
// is at the other end.
type unixSocket struct {
	datagrams bool
	state     uint8
	name      string
	peer      uint64 // the other end's inode; 0 if there is none
}

// Of linux/unix_diag.h.
const (
	unixDiagRequest  = 24
	unixDiagShowName = 0x01
	unixDiagShowPeer = 0x04
	unixDiagName     = 0
	unixDiagPeer     = 2
)

// unixSockets asks the kernel for all Unix sockets of this network.
func unixSockets() (map[uint64]unixSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("ask for Unix sockets: %w", err)
	}
	defer unix.Close(fd)
	order := binary.NativeEndian
	b := make([]byte, 0, unix.NLMSG_HDRLEN+unixDiagRequest)
	b = order.AppendUint32(b, unix.NLMSG_HDRLEN+unixDiagRequest)
	b = order.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = order.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = order.AppendUint64(b, 0)          // sequence number, port
	b = append(b, unix.AF_UNIX, 0, 0, 0)  // family, protocol, padding
	b = order.AppendUint32(b, ^uint32(0)) // in every state
	b = order.AppendUint32(b, 0)          // of any inode
	b = order.AppendUint32(b, unixDiagShowName|unixDiagShowPeer)
	b = order.AppendUint64(b, ^uint64(0)) // no cookie
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("ask for Unix sockets: %w", err)
	}
	found := make(map[uint64]unixSocket)
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return found, fmt.Errorf("list Unix sockets: %w", err)
		}
		if more, err := parseUnixSockets(buf[:n], found); !more || err != nil {
			return found, err
		}
	}
}

// parseUnixSockets adds the sockets of a datagram of answers. More is true if
// others follow.
func parseUnixSockets(b []byte, found map[uint64]unixSocket) (more bool, err error) {
	order := binary.NativeEndian
	const fixed = 16 // struct unix_diag_msg
	for len(b) >= unix.NLMSG_HDRLEN {
		size, kind := int(order.Uint32(b)), order.Uint16(b[4:])
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, fmt.Errorf("list Unix sockets: an answer of %d bytes in %d", size, len(b))
		}
		body := b[unix.NLMSG_HDRLEN:size]
		b = b[min(align(size), len(b)):]
		switch {
		case kind == unix.NLMSG_DONE:
			return false, nil
		case kind == unix.NLMSG_ERROR:
			return false, fmt.Errorf("list Unix sockets: the kernel has no unix_diag")
		case len(body) < fixed:
			continue
		}
		s := unixSocket{datagrams: body[1] == unix.SOCK_DGRAM, state: body[2]}
		inode := uint64(order.Uint32(body[4:]))
		for rest := body[fixed:]; len(rest) >= 4; {
			length, attribute := int(order.Uint16(rest)), order.Uint16(rest[2:])
			if length < 4 || length > len(rest) {
				break
			}
			switch value := rest[4:length]; {
			case attribute == unixDiagName:
				s.name = unixName(value)
			case attribute == unixDiagPeer && len(value) >= 4:
				s.peer = uint64(order.Uint32(value))
			}
			rest = rest[min(align(length), len(rest)):]
		}
		found[inode] = s
	}
	return true, nil
}

// align rounds up to what netlink's messages and attributes are aligned to.
func align(n int) int { return (n + 3) &^ 3 }

// unixName is a Unix socket's name as tools print it: abstract ones with an @.
func unixName(b []byte) string {
	if len(b) > 0 && b[0] == 0 {
		return "@" + strings.TrimRight(string(b[1:]), "\x00")
	}
	return strings.TrimRight(string(b), "\x00")
}
