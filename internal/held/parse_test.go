package held

import (
	"encoding/binary"
	"testing"
)

func TestParseMapping(t *testing.T) {
	m, ok := parseMapping("7f0000000000-7f0000001000 r-xp 00002000 fd:00 4711                       /usr/lib/a b.so (deleted)")
	if want := (mapping{0x7f0000000000, 0x7f0000001000, true, false, "/usr/lib/a b.so (deleted)"}); !ok || m != want {
		t.Errorf("%+v, %v; want %+v", m, ok, want)
	}
	m, ok = parseMapping("7ffc0000-7ffc1000 rw-s 00000000 00:00 0                          [stack]")
	if want := (mapping{0x7ffc0000, 0x7ffc1000, false, true, ""}); !ok || m != want {
		t.Errorf("%+v, %v; want %+v", m, ok, want)
	}
	for _, wrong := range []string{"", "x", "1-2 rw 0 0 0", "g-h rwxp 0 0 0 /x"} {
		if m, ok := parseMapping(wrong); ok {
			t.Errorf("%q is %+v", wrong, m)
		}
	}
}

// answer is what the kernel sends of one socket.
func answer(inode uint32, kind, state byte, attributes ...[]byte) []byte {
	order := binary.NativeEndian
	body := append([]byte{1, kind, state, 0}, make([]byte, 12)...)
	order.PutUint32(body[4:], inode)
	for _, a := range attributes {
		body = append(body, a...)
	}
	b := order.AppendUint32(nil, uint32(16+len(body)))
	b = order.AppendUint16(b, 20)
	b = append(b, make([]byte, 10)...)
	return append(b, body...)
}

func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

func TestParseUnixSockets(t *testing.T) {
	peer := binary.NativeEndian.AppendUint32(nil, 12)
	b := append(answer(11, 1, 1, attribute(unixDiagPeer, peer)),
		answer(12, 2, 1, attribute(unixDiagName, []byte("/run/x.sock\x00")), attribute(unixDiagPeer, binary.NativeEndian.AppendUint32(nil, 11)))...)
	b = append(b, answer(13, 1, 10, attribute(unixDiagName, []byte("\x00abstract")))...)
	found := make(map[uint64]unixSocket)
	more, err := parseUnixSockets(b, found)
	if err != nil || !more {
		t.Fatal(more, err)
	}
	for inode, want := range map[uint64]unixSocket{
		11: {state: 1, peer: 12},
		12: {datagrams: true, state: 1, name: "/run/x.sock", peer: 11},
		13: {state: 10, name: "@abstract"},
	} {
		if found[inode] != want {
			t.Errorf("socket %d: %+v; want %+v", inode, found[inode], want)
		}
	}
}

func FuzzParseUnixSockets(f *testing.F) {
	f.Add(answer(11, 1, 1, attribute(unixDiagPeer, []byte{1, 0, 0, 0})))
	f.Add([]byte{16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(answer(1, 1, 1, []byte{3, 0, 0, 0}))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = parseUnixSockets(b, make(map[uint64]unixSocket))
	})
}
