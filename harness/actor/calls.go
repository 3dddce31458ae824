package actor

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// The system calls, with the kernel's names. Each gives a call that is done, or with Begin one
// that may be pending. Data that the kernel returns is found in Call.Data. Where a spec needs
// another address, layout or value than these offer, Raw takes anything.

// unwritten fills buffers before the kernel writes into them, so that a byte it did not write
// is not taken for a zero that it did.
const unwritten = 0xa5

// buffer returns memory for n bytes that the kernel is to fill.
func (c Caller) buffer(call *Call, n int) Mem {
	m := c.a.temp(call, n)
	for i := range m.view {
		m.view[i] = unwritten
	}
	return m
}

// keepData has the call's data taken from m when it is done, as far as its result says.
func (c *Call) keepData(m Mem) {
	c.finish = func(c *Call) {
		if c.result > 0 {
			c.data = append([]byte(nil), m.view[:min(int(c.result), len(m.view))]...)
		}
	}
}

// into makes a call that fills one buffer of n bytes; args has a hole (nil) at index at for it.
func (c Caller) into(nr uintptr, n, at int, args ...any) *Call {
	call := c.prepare(nr, args...)
	m := c.buffer(call, n)
	call.args[at], call.mem[at] = m.Addr, m
	call.keepData(m)
	return call.post(c)
}

// Read is read(2) into a buffer of n bytes.
func (c Caller) Read(fd, n int) *Call { return c.into(unix.SYS_READ, n, 1, fd, nil, n) }

// ReadInto is read(2) of n bytes into memory of the spec's own.
func (c Caller) ReadInto(fd int, m Mem, n int) *Call {
	call := c.prepare(unix.SYS_READ, fd, m, n)
	if m.view != nil {
		call.keepData(m)
	}
	return call.post(c)
}

// Write is write(2) of all of data.
func (c Caller) Write(fd int, data []byte) *Call {
	return c.call(unix.SYS_WRITE, fd, data, len(data))
}

// WriteFrom is write(2) of n bytes from memory of the spec's own.
func (c Caller) WriteFrom(fd int, m Mem, n int) *Call { return c.call(unix.SYS_WRITE, fd, m, n) }

// Pread64 is pread64(2).
func (c Caller) Pread64(fd, n int, off int64) *Call {
	return c.into(unix.SYS_PREAD64, n, 1, fd, nil, n, off)
}

// Pwrite64 is pwrite64(2).
func (c Caller) Pwrite64(fd int, data []byte, off int64) *Call {
	return c.call(unix.SYS_PWRITE64, fd, data, len(data), off)
}

// Iovec lays out an array of struct iovec for the given memory; it lives until the spec ends.
func (a *Actor) Iovec(parts ...Mem) Mem {
	v := a.Alloc(max(16*len(parts), 16))
	for i, part := range parts {
		v.PutUint64(16*i, part.Addr)
		v.PutUint64(16*i+8, uint64(part.n))
	}
	return v
}

// vector lays out an array of struct iovec for the length of one call.
func (c Caller) vector(call *Call, parts []Mem) Mem {
	v := c.a.temp(call, max(16*len(parts), 16))
	for i, part := range parts {
		v.PutUint64(16*i, part.Addr)
		v.PutUint64(16*i+8, uint64(part.n))
	}
	return v
}

// scatter makes a call whose second argument is an array of buffers to fill.
func (c Caller) scatter(nr uintptr, sizes []int, args ...any) *Call {
	call := c.prepare(nr, args...)
	var parts []Mem
	for _, n := range sizes {
		parts = append(parts, c.buffer(call, n))
	}
	v := c.vector(call, parts)
	call.args[1], call.mem[1] = v.Addr, v
	call.finish = func(c *Call) {
		left := int(c.result)
		for _, part := range parts {
			n := max(0, min(left, part.n))
			c.data = append(c.data, part.view[:n]...)
			left -= n
		}
	}
	return call.post(c)
}

// gather makes a call whose second argument is an array of buffers to read.
func (c Caller) gather(nr uintptr, bufs [][]byte, args ...any) *Call {
	call := c.prepare(nr, args...)
	var parts []Mem
	for _, b := range bufs {
		m := c.a.temp(call, len(b))
		copy(m.view, b)
		parts = append(parts, m)
	}
	v := c.vector(call, parts)
	call.args[1], call.mem[1] = v.Addr, v
	return call.post(c)
}

// Readv is readv(2) into buffers of the given sizes; Data is what they got, joined in order.
func (c Caller) Readv(fd int, sizes ...int) *Call {
	return c.scatter(unix.SYS_READV, sizes, fd, nil, len(sizes))
}

// Writev is writev(2).
func (c Caller) Writev(fd int, bufs ...[]byte) *Call {
	return c.gather(unix.SYS_WRITEV, bufs, fd, nil, len(bufs))
}

// Preadv is preadv(2).
func (c Caller) Preadv(fd int, off int64, sizes ...int) *Call {
	return c.scatter(unix.SYS_PREADV, sizes, fd, nil, len(sizes), off, 0)
}

// Pwritev is pwritev(2).
func (c Caller) Pwritev(fd int, off int64, bufs ...[]byte) *Call {
	return c.gather(unix.SYS_PWRITEV, bufs, fd, nil, len(bufs), off, 0)
}

// Preadv2 is preadv2(2). On 64-bit architectures the offset's upper half is not looked at.
func (c Caller) Preadv2(fd int, off int64, flags int, sizes ...int) *Call {
	return c.scatter(unix.SYS_PREADV2, sizes, fd, nil, len(sizes), off, 0, flags)
}

// Pwritev2 is pwritev2(2).
func (c Caller) Pwritev2(fd int, off int64, flags int, bufs ...[]byte) *Call {
	return c.gather(unix.SYS_PWRITEV2, bufs, fd, nil, len(bufs), off, 0, flags)
}

// Lseek is lseek(2).
func (c Caller) Lseek(fd int, off int64, whence int) *Call {
	return c.call(unix.SYS_LSEEK, fd, off, whence)
}

// Pipe2 is pipe2(2); the descriptors are in Call.FDs.
func (c Caller) Pipe2(flags int) *Call {
	return c.into2(unix.SYS_PIPE2, 8, 0, nil, flags)
}

// into2 makes a call that fills a structure of n bytes, all of which are the call's Data when it
// succeeds.
func (c Caller) into2(nr uintptr, n, at int, args ...any) *Call {
	call := c.prepare(nr, args...)
	m := c.buffer(call, n)
	call.args[at], call.mem[at] = m.Addr, m
	call.finish = func(c *Call) {
		if c.result >= 0 {
			c.data = m.Copy()
			if c.nr == unix.SYS_PIPE2 || c.nr == unix.SYS_SOCKETPAIR || c.nr == sysPipe {
				fds := c.fds()
				c.note = fmt.Sprintf("descriptors %d, %d", fds[0], fds[1])
			}
		}
	}
	return call.post(c)
}

func (c *Call) fds() [2]int {
	if len(c.data) < 8 {
		return [2]int{-1, -1}
	}
	return [2]int{
		int(int32(binary.NativeEndian.Uint32(c.data[0:]))), int(int32(binary.NativeEndian.Uint32(c.data[4:]))),
	}
}

// FDs waits for a call that makes two descriptors (pipe2, socketpair) and returns them; −1, −1
// where it failed.
func (c *Call) FDs() (first, second int) {
	c.regard |= Inspected
	c.wait()
	fds := c.fds()
	return fds[0], fds[1]
}

// Open is openat(2) with AT_FDCWD.
func (c Caller) Open(path string, flags int, mode uint32) *Call {
	return c.Openat(unix.AT_FDCWD, path, flags, mode)
}

// Openat is openat(2).
func (c Caller) Openat(dirfd int, path string, flags int, mode uint32) *Call {
	return c.call(unix.SYS_OPENAT, dirfd, path, flags, mode)
}

// Close is close(2).
func (c Caller) Close(fd int) *Call { return c.call(unix.SYS_CLOSE, fd) }

// Dup is dup(2).
func (c Caller) Dup(fd int) *Call { return c.call(unix.SYS_DUP, fd) }

// Dup3 is dup3(2).
func (c Caller) Dup3(old, new, flags int) *Call { return c.call(unix.SYS_DUP3, old, new, flags) }

// Fcntl is fcntl(2) with an integer argument.
func (c Caller) Fcntl(fd, cmd, arg int) *Call { return c.call(unix.SYS_FCNTL, fd, cmd, arg) }

// Ioctl is ioctl(2); the argument is an integer or Mem.
func (c Caller) Ioctl(fd int, req uint, arg any) *Call { return c.call(unix.SYS_IOCTL, fd, req, arg) }

// Fionread is ioctl(FIONREAD); Call.Int is the count that it stored.
func (c Caller) Fionread(fd int) *Call {
	return c.into2(unix.SYS_IOCTL, 4, 2, fd, FIONREAD, nil)
}

// Int waits for the call and returns the int that it stored.
func (c *Call) Int() int {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 4 {
		return -1
	}
	return int(int32(binary.NativeEndian.Uint32(c.data)))
}

// Mknodat is mknodat(2).
func (c Caller) Mknodat(dirfd int, path string, mode uint32, dev uint64) *Call {
	return c.call(unix.SYS_MKNODAT, dirfd, path, mode, dev)
}

// Mkfifo is mknodat(2) with AT_FDCWD and S_IFIFO: what mkfifo(3) calls.
func (c Caller) Mkfifo(path string, mode uint32) *Call {
	return c.Mknodat(unix.AT_FDCWD, path, unix.S_IFIFO|mode, 0)
}

// Mkdir is mkdirat(2) with AT_FDCWD.
func (c Caller) Mkdir(path string, mode uint32) *Call {
	return c.call(unix.SYS_MKDIRAT, unix.AT_FDCWD, path, mode)
}

// Unlink is unlinkat(2) with AT_FDCWD and no flags.
func (c Caller) Unlink(path string) *Call { return c.call(unix.SYS_UNLINKAT, unix.AT_FDCWD, path, 0) }

// Link is linkat(2) with AT_FDCWD and no flags.
func (c Caller) Link(old, new string) *Call {
	return c.call(unix.SYS_LINKAT, unix.AT_FDCWD, old, unix.AT_FDCWD, new, 0)
}

// Symlink is symlinkat(2) with AT_FDCWD.
func (c Caller) Symlink(target, path string) *Call {
	return c.call(unix.SYS_SYMLINKAT, target, unix.AT_FDCWD, path)
}

// Rename is renameat2(2) with AT_FDCWD and no flags.
func (c Caller) Rename(old, new string) *Call {
	return c.call(unix.SYS_RENAMEAT2, unix.AT_FDCWD, old, unix.AT_FDCWD, new, 0)
}

// Chmod is fchmodat(2) with AT_FDCWD.
func (c Caller) Chmod(path string, mode uint32) *Call {
	return c.call(unix.SYS_FCHMODAT, unix.AT_FDCWD, path, mode)
}

// Chown is fchownat(2) with AT_FDCWD and no flags.
func (c Caller) Chown(path string, uid, gid int) *Call {
	return c.call(unix.SYS_FCHOWNAT, unix.AT_FDCWD, path, uid, gid, 0)
}

// Chdir is chdir(2).
func (c Caller) Chdir(path string) *Call { return c.call(unix.SYS_CHDIR, path) }

// Umask is umask(2).
func (c Caller) Umask(mask uint32) *Call { return c.call(unix.SYS_UMASK, mask) }

// Ftruncate is ftruncate(2).
func (c Caller) Ftruncate(fd int, size int64) *Call { return c.call(unix.SYS_FTRUNCATE, fd, size) }

// Fallocate is fallocate(2).
func (c Caller) Fallocate(fd int, mode uint32, off, n int64) *Call {
	return c.call(unix.SYS_FALLOCATE, fd, mode, off, n)
}

// Fsync is fsync(2).
func (c Caller) Fsync(fd int) *Call { return c.call(unix.SYS_FSYNC, fd) }

// MemfdCreate is memfd_create(2).
func (c Caller) MemfdCreate(name string, flags uint) *Call {
	return c.call(unix.SYS_MEMFD_CREATE, name, flags)
}

// Splice is splice(2). Offsets are nil or the memory of a loff_t (Actor.Offset).
func (c Caller) Splice(in int, offIn any, out int, offOut any, n int, flags uint) *Call {
	return c.call(unix.SYS_SPLICE, in, offIn, out, offOut, n, flags)
}

// Offset returns the memory of a loff_t with the given value, for Splice.
func (a *Actor) Offset(v int64) Mem {
	m := a.Alloc(8)
	m.PutUint64(0, uint64(v))
	return m
}

// Tee is tee(2).
func (c Caller) Tee(in, out, n int, flags uint) *Call {
	return c.call(unix.SYS_TEE, in, out, n, flags)
}

// Vmsplice is vmsplice(2) over memory of the spec's own, which the pipe may go on to refer to.
func (c Caller) Vmsplice(fd int, flags uint, parts ...Mem) *Call {
	call := c.prepare(unix.SYS_VMSPLICE, fd, nil, len(parts), flags)
	v := c.vector(call, parts)
	call.args[1], call.mem[1] = v.Addr, v
	return call.post(c)
}

// Kill is kill(2).
func (c Caller) Kill(pid int, sig unix.Signal) *Call { return c.call(unix.SYS_KILL, pid, sig) }

// Tgkill is tgkill(2).
func (c Caller) Tgkill(pid, tid int, sig unix.Signal) *Call {
	return c.call(unix.SYS_TGKILL, pid, tid, sig)
}

// Getpid is getpid(2).
func (c Caller) Getpid() *Call { return c.call(unix.SYS_GETPID) }

// Getppid is getppid(2).
func (c Caller) Getppid() *Call { return c.call(unix.SYS_GETPPID) }

// Gettid is gettid(2).
func (c Caller) Gettid() *Call { return c.call(unix.SYS_GETTID) }

// Setsid is setsid(2).
func (c Caller) Setsid() *Call { return c.call(unix.SYS_SETSID) }

// Setpgid is setpgid(2).
func (c Caller) Setpgid(pid, pgid int) *Call { return c.call(unix.SYS_SETPGID, pid, pgid) }

// Getpgid is getpgid(2).
func (c Caller) Getpgid(pid int) *Call { return c.call(unix.SYS_GETPGID, pid) }

// Getuid is getuid(2).
func (c Caller) Getuid() *Call { return c.call(unix.SYS_GETUID) }

// Setresuid is setresuid(2).
func (c Caller) Setresuid(r, e, s int) *Call { return c.call(unix.SYS_SETRESUID, r, e, s) }

// Setresgid is setresgid(2).
func (c Caller) Setresgid(r, e, s int) *Call { return c.call(unix.SYS_SETRESGID, r, e, s) }

// Unshare is unshare(2).
func (c Caller) Unshare(flags int) *Call { return c.call(unix.SYS_UNSHARE, flags) }

// Mount is mount(2); an empty string is a null pointer.
func (c Caller) Mount(source, target, fstype string, flags uintptr, data string) *Call {
	return c.call(unix.SYS_MOUNT, orNull(source), target, orNull(fstype), flags, orNull(data))
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Socketpair is socketpair(2); the descriptors are in Call.FDs.
func (c Caller) Socketpair(domain, kind, protocol int) *Call {
	return c.into2(unix.SYS_SOCKETPAIR, 8, 3, domain, kind, protocol, nil)
}

// Socket is socket(2).
func (c Caller) Socket(domain, kind, protocol int) *Call {
	return c.call(unix.SYS_SOCKET, domain, kind, protocol)
}

// Eventfd2 is eventfd2(2).
func (c Caller) Eventfd2(initial uint32, flags int) *Call {
	return c.call(unix.SYS_EVENTFD2, initial, flags)
}

// Wait4 is wait4(2) without rusage; Call.Int is the wait status.
func (c Caller) Wait4(pid, options int) *Call {
	return c.into2(unix.SYS_WAIT4, 4, 1, pid, nil, options, nil)
}

// Prctl is prctl(2).
func (c Caller) Prctl(op int, args ...any) *Call {
	all := []any{op, nil, nil, nil, nil}
	copy(all[1:], args)
	return c.call(unix.SYS_PRCTL, all...)
}

// Mmap is mmap(2).
func (c Caller) Mmap(addr uint64, length, prot, flags, fd int, off int64) *Call {
	return c.call(unix.SYS_MMAP, addr, length, prot, flags, fd, off)
}

// Munmap is munmap(2).
func (c Caller) Munmap(addr uint64, length int) *Call { return c.call(unix.SYS_MUNMAP, addr, length) }

// Prlimit is prlimit64(2) on the calling process: it sets both limits and returns the old ones as
// Data, two 64-bit numbers (soft, hard).
func (c Caller) Prlimit(resource int, soft, hard uint64) *Call {
	limits := make([]byte, 16)
	binary.NativeEndian.PutUint64(limits, soft)
	binary.NativeEndian.PutUint64(limits[8:], hard)
	return c.into2(unix.SYS_PRLIMIT64, 16, 3, 0, resource, limits, nil)
}

// PollFD is struct pollfd of poll(2).
type PollFD struct {
	FD     int
	Events int16
}

// pollCall prepares a call whose first argument is an array of struct pollfd.
func (c Caller) pollCall(nr uintptr, fds []PollFD, args ...any) *Call {
	call := c.prepare(nr, args...)
	m := c.a.temp(call, max(8*len(fds), 8))
	for i, p := range fds {
		m.PutUint32(8*i, uint32(p.FD))
		m.PutUint16(8*i+4, uint16(p.Events))
		m.PutUint16(8*i+6, unwritten|unwritten<<8)
	}
	call.args[0], call.mem[0] = m.Addr, m
	call.finish = func(c *Call) {
		c.data = m.Copy()[:8*len(fds)]
		for i, p := range fds {
			if i > 0 {
				c.note += ", "
			}
			c.note += fmt.Sprintf("fd %d events %s revents %s", p.FD, Flags("poll", uint64(uint16(p.Events))),
				Flags("poll", uint64(binary.NativeEndian.Uint16(c.data[8*i+6:]))))
		}
	}
	return call.post(c)
}

// Revents waits for a poll and returns what it stored for each descriptor.
func (c *Call) Revents() []int16 {
	c.regard |= Inspected
	c.wait()
	var revents []int16
	for i := 0; i+8 <= len(c.data); i += 8 {
		revents = append(revents, int16(binary.NativeEndian.Uint16(c.data[i+6:])))
	}
	return revents
}

// Ppoll is ppoll(2) with a timeout in milliseconds (−1: none) and no mask.
func (c Caller) Ppoll(timeout int, fds ...PollFD) *Call {
	var ts any
	if timeout >= 0 {
		ts = timespec(int64(timeout) * 1e6)
	}
	return c.pollCall(unix.SYS_PPOLL, fds, nil, len(fds), ts, nil, 8)
}

func timespec(ns int64) []byte {
	b := make([]byte, 16)
	binary.NativeEndian.PutUint64(b, uint64(ns/1e9))
	binary.NativeEndian.PutUint64(b[8:], uint64(ns%1e9))
	return b
}

// FDSet is fd_set of select(2): a bit a descriptor.
type FDSet [1024 / 64]uint64

// NewFDSet returns a set of the given descriptors.
func NewFDSet(fds ...int) *FDSet {
	var s FDSet
	for _, fd := range fds {
		s[fd/64] |= 1 << (fd % 64)
	}
	return &s
}

// Has says whether a descriptor is in the set.
func (s *FDSet) Has(fd int) bool { return s[fd/64]>>(fd%64)&1 == 1 }

// Pselect is pselect6(2) with a timeout in milliseconds (−1: none) and no mask. When the call
// has returned, the sets (which may be nil) hold what it stored; Wait for it before looking.
func (c Caller) Pselect(nfds int, read, write, except *FDSet, timeout int) *Call {
	var ts any
	if timeout >= 0 {
		ts = timespec(int64(timeout) * 1e6)
	}
	return c.selectCall(unix.SYS_PSELECT6, []*FDSet{read, write, except}, nfds, nil, nil, nil, ts, nil)
}

// selectCall prepares a call whose second to fourth arguments are sets of descriptors.
func (c Caller) selectCall(nr uintptr, sets []*FDSet, args ...any) *Call {
	call := c.prepare(nr, args...)
	mem := make([]Mem, len(sets))
	for i, s := range sets {
		if s == nil {
			continue
		}
		mem[i] = c.a.temp(call, 8*len(s))
		for j, word := range s {
			mem[i].PutUint64(8*j, word)
		}
		call.args[i+1], call.mem[i+1] = mem[i].Addr, mem[i]
	}
	call.finish = func(*Call) {
		for i, s := range sets {
			if s == nil {
				continue
			}
			for j := range s {
				s[j] = mem[i].Uint64(8 * j)
			}
		}
	}
	return call.post(c)
}

// EpollCreate1 is epoll_create1(2).
func (c Caller) EpollCreate1(flags int) *Call { return c.call(unix.SYS_EPOLL_CREATE1, flags) }

// EpollCtl is epoll_ctl(2).
func (c Caller) EpollCtl(epfd, op, fd int, events uint32, data uint64) *Call {
	call := c.prepare(unix.SYS_EPOLL_CTL, epfd, op, fd, nil)
	m := c.a.temp(call, 16)
	m.PutUint32(0, events)
	m.PutUint64(epollData, data)
	call.args[3], call.mem[3] = m.Addr, m
	return call.post(c)
}

// EpollEvent is struct epoll_event.
type EpollEvent struct {
	Events uint32
	Data   uint64
}

// EpollPwait is epoll_pwait(2) without a mask; the events are in Call.EpollEvents.
func (c Caller) EpollPwait(epfd, maxEvents, timeout int) *Call {
	return c.epollWait(unix.SYS_EPOLL_PWAIT, maxEvents, epfd, nil, maxEvents, timeout, nil, 8)
}

// epollWait prepares a call whose second argument is an array of struct epoll_event to fill.
func (c Caller) epollWait(nr uintptr, maxEvents int, args ...any) *Call {
	call := c.prepare(nr, args...)
	m := c.buffer(call, max(epollSize*maxEvents, 16))
	call.args[1], call.mem[1] = m.Addr, m
	call.finish = func(c *Call) {
		if c.result > 0 {
			c.data = append([]byte(nil), m.view[:int(c.result)*epollSize]...)
		}
	}
	return call.post(c)
}

// EpollEvents waits for an epoll_pwait and returns the events it stored.
func (c *Call) EpollEvents() []EpollEvent {
	c.regard |= Inspected
	c.wait()
	var events []EpollEvent
	for i := 0; i+epollSize <= len(c.data); i += epollSize {
		events = append(events, EpollEvent{
			Events: binary.NativeEndian.Uint32(c.data[i:]),
			Data:   binary.NativeEndian.Uint64(c.data[i+epollData:]),
		})
	}
	return events
}

// Stat is what a spec may want of struct stat.
type Stat struct {
	Dev, Ino   uint64
	Nlink      uint64
	Mode       uint32
	UID, GID   uint32
	Rdev       uint64
	Size       int64
	Blocks     int64 // of 512 bytes
	Mtim, Ctim unix.Timespec
	Atim       unix.Timespec
}

// Fstat is fstat(2); the result is in Call.Stat.
func (c Caller) Fstat(fd int) *Call { return c.into2(unix.SYS_FSTAT, 256, 1, fd, nil) }

// FIONREAD is the ioctl(2) that counts unread bytes.
const FIONREAD = unix.TIOCINQ
