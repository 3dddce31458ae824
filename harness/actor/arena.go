package actor

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An arena is memory that the Go process shares with a tree of actors: slots with their control
// page, event log, stack and buffers.
type arena struct {
	fd   int
	mem  []byte
	used int          // slots handed out
	busy atomic.Int32 // Go-side operations under way; the mapping may go only when there are none
}

func newArena() (*arena, error) {
	fd, err := memfd("ipcspec-arena", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.Ftruncate(fd, arenaSize); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("size the arena: %w", err)
	}
	return mapArena(fd)
}

// mapArena maps an arena that is already there, and owns fd from now on.
func mapArena(fd int) (*arena, error) {
	mem, err := unix.Mmap(fd, 0, arenaSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("map the arena: %w", err)
	}
	return &arena{fd: fd, mem: mem}, nil
}

func (r *arena) close() {
	unix.Close(r.fd)
	// A spec that was given up on may still have a goroutine that looks at this memory.
	if r.busy.Load() == 0 {
		_ = unix.Munmap(r.mem) // nothing can be done about it, and nothing depends on it
	}
}

// slot hands out the next slot.
func (r *arena) slot() (int, bool) {
	if r.used == slotCount {
		return 0, false
	}
	r.used++
	return r.used - 1, true
}

// A Mem is a range of an actor's memory. The zero Mem is the null pointer.
type Mem struct {
	// Addr is the address in the actor.
	Addr uint64
	// view is the same memory in the Go process, nil where there is none.
	view []byte
	n    int
}

// Len returns the number of bytes from Addr on.
func (m Mem) Len() int { return m.n }

// Bytes returns the memory itself as the Go process sees it, not a copy; nil for memory that is
// not shared with it.
func (m Mem) Bytes() []byte { return m.view }

// At returns the memory from byte off on.
func (m Mem) At(off int) Mem {
	at := Mem{Addr: m.Addr + uint64(off), n: m.n - off}
	if m.view != nil {
		at.view = m.view[off:]
	}
	return at
}

// Sub returns n bytes of the memory from byte off on.
func (m Mem) Sub(off, n int) Mem {
	at := m.At(off)
	at.n = n
	if at.view != nil {
		at.view = at.view[:n:n]
	}
	return at
}

// Copy returns a copy of the bytes, as they are now.
func (m Mem) Copy() []byte { return append([]byte(nil), m.view...) }

// Uint32 and the others read and write integers in host byte order at byte off.
func (m Mem) Uint32(off int) uint32 { return binary.NativeEndian.Uint32(m.view[off:]) }

// Uint64 reads 8 bytes at off.
func (m Mem) Uint64(off int) uint64 { return binary.NativeEndian.Uint64(m.view[off:]) }

// PutUint32 writes 4 bytes at off.
func (m Mem) PutUint32(off int, v uint32) { binary.NativeEndian.PutUint32(m.view[off:], v) }

// PutUint64 writes 8 bytes at off.
func (m Mem) PutUint64(off int, v uint64) { binary.NativeEndian.PutUint64(m.view[off:], v) }

// PutUint16 writes 2 bytes at off.
func (m Mem) PutUint16(off int, v uint16) { binary.NativeEndian.PutUint16(m.view[off:], v) }

// Uint16 reads 2 bytes at off.
func (m Mem) Uint16(off int) uint16 { return binary.NativeEndian.Uint16(m.view[off:]) }

// CString returns the bytes up to the first NUL.
func (m Mem) CString() string {
	for i, b := range m.view {
		if b == 0 {
			return string(m.view[:i])
		}
	}
	return string(m.view)
}

// words of the control page.

func word32(mem []byte, off int) *uint32 { return (*uint32)(unsafe.Pointer(&mem[off])) }
func word64(mem []byte, off int) *uint64 { return (*uint64)(unsafe.Pointer(&mem[off])) }

// Buffers. What lives as long as the spec grows upwards; what lives as long as a call grows
// downwards from the slot's end, and starts over when no such buffer is in use.

type allocator struct {
	low, high int
	temps     int
}

const pageSize = 4096 // the alignment of large buffers; every page size of interest divides a slot

func align(n, to int) int { return (n + to - 1) / to * to }

func (a *Actor) slice(off, n int) Mem {
	return Mem{
		Addr: arenaBase + uint64(a.slot)*slotSize + uint64(off),
		view: a.mem[off : off+n : off+n],
		n:    n,
	}
}

// Alloc returns n bytes of zeroed memory that the actor and the Go process share, aligned to 64
// bytes, or to a page from a page on. It lives until the spec ends.
func (a *Actor) Alloc(n int) Mem {
	to := 64
	if n >= pageSize {
		to = pageSize
	}
	return a.AllocAligned(n, to)
}

// AllocAligned is Alloc with another alignment, a power of two in bytes, at most 64 KiB.
func (a *Actor) AllocAligned(n, to int) Mem {
	off := align(a.alloc.low, to)
	if off+n > a.alloc.high {
		stage.Unresolved(fmt.Sprintf("%s: no room for a buffer of %d bytes in its arena", a.name, n), 1)
	}
	a.alloc.low = off + n
	return a.slice(off, n)
}

// Bytes returns memory that holds a copy of data and lives until the spec ends.
func (a *Actor) Bytes(data []byte) Mem {
	m := a.Alloc(len(data))
	copy(m.view, data)
	return m
}

// temp returns memory for the length of one call; c counts as its user.
func (a *Actor) temp(c *Call, n int) Mem {
	if a.alloc.temps == 0 {
		a.alloc.high = slotSize
	}
	off := (a.alloc.high - n) &^ 63
	if off < a.alloc.low {
		stage.Unresolved(fmt.Sprintf("%s: no room for a buffer of %d bytes in its arena", a.name, n), 1)
	}
	a.alloc.high = off
	a.alloc.temps++
	c.temps++
	m := a.slice(off, n)
	clear(m.view)
	return m
}

func ptr(mem []byte, off int) unsafe.Pointer { return unsafe.Pointer(&mem[off]) }
