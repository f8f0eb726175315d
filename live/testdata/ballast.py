"""A parent as large as a real RQ worker: 30 MB resident and 150 mappings."""

from __future__ import annotations

import mmap

held = []
for i in range(110):
    # Two protections in turn, or the kernel would merge the neighbours.
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if i % 2 else 0)
    held.append(mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, protection))
heap = bytearray(18 << 20)
for page in range(0, len(heap), 4096):
    heap[page] = 1


def noop(*args: object) -> None:
    return None
