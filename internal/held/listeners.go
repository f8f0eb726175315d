package held

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"forkbench/internal/proc"
)

// A Listener is a socket on this machine that takes connections.
type Listener struct {
	Address string // "127.0.0.1:5432", or a Unix socket's name
	Owners  []int  // the processes that have it open, as far as this program may see
}

// Listeners lists those that connections of the processes lead to: services on this
// machine that the processes use. Where this program listens itself is left out.
// They are looked for in this program's own network.
func Listeners(pids []int) []Listener {
	var mine []uint64
	for _, pid := range pids {
		for inode := range socketsOf(strconv.Itoa(pid)) {
			mine = append(mine, inode)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	inet := inetSockets(os.Getpid())
	local, _ := unixSockets()
	wanted := make(map[string][]uint64) // the listening sockets' inodes
	for _, inode := range mine {
		if s, ok := inet[inode]; ok && s.protocol == "TCP" && s.connected && isLocal(s.remote) {
			wanted[s.remote] = listening(inet, s.remote)
		}
		if s, ok := local[inode]; ok && !s.datagrams && s.peer != 0 && local[s.peer].name != "" {
			name := local[s.peer].name
			wanted[name] = nil
			for other, l := range local {
				if l.state == tcpListen && l.name == name {
					wanted[name] = append(wanted[name], other)
				}
			}
		}
	}
	var found []Listener
	for address, inodes := range wanted {
		if len(inodes) > 0 { // else it is the other end of a connection that the process has taken itself
			found = append(found, Listener{Address: address})
		}
	}
	if len(found) == 0 {
		return nil
	}
	owners := make(map[uint64][]int)
	for _, pid := range proc.All() {
		for inode := range socketsOf(strconv.Itoa(pid)) {
			owners[inode] = append(owners[inode], pid)
		}
	}
	for i := range found {
		for _, inode := range wanted[found[i].Address] {
			found[i].Owners = append(found[i].Owners, owners[inode]...)
		}
		slices.Sort(found[i].Owners)
		found[i].Owners = slices.Compact(found[i].Owners)
	}
	found = slices.DeleteFunc(found, func(l Listener) bool { return slices.Contains(l.Owners, os.Getpid()) })
	slices.SortFunc(found, func(a, b Listener) int { return strings.Compare(a.Address, b.Address) })
	return found
}

// PortOwners lists the processes that listen on a TCP port of this machine, and
// reports whether anybody does: whose they are is not shown to everybody.
func PortOwners(port int) (pids []int, listens bool) {
	inodes := make(map[uint64]bool)
	for inode, s := range inetSockets(os.Getpid()) {
		if _, p, err := net.SplitHostPort(s.local); err == nil && s.listens && p == strconv.Itoa(port) {
			inodes[inode] = true
		}
	}
	if len(inodes) == 0 {
		return nil, false
	}
	for _, pid := range proc.All() {
		for inode := range socketsOf(strconv.Itoa(pid)) {
			if inodes[inode] {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids, true
}

// listening is the sockets that take connections for an address of this machine.
func listening(inet map[uint64]inetSocket, address string) []uint64 {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	var found []uint64
	for inode, s := range inet {
		if _, p, err := net.SplitHostPort(s.local); err == nil && s.listens && p == port {
			found = append(found, inode)
		}
	}
	return found
}

// isLocal reports whether an address is one of this machine's.
func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	if err != nil || ip == nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	addresses, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}
