package actor

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The system calls that only this architecture has, or has in a layout of its own.

const (
	sysPipe  = unix.SYS_PIPE
	sysFork  = unix.SYS_FORK
	sysVfork = unix.SYS_VFORK
	sysAlarm = unix.SYS_ALARM

	epollSize = 12 // struct epoll_event is packed here
	epollData = 4

	// struct semid_ds has a spare word behind each time here.
	semidOtime = 48
	semidCtime = 64
	semidNsems = 80
	semidSize  = 104
)

// CodeReturn is the machine code that ends what Execute executes.
var CodeReturn = []byte{0xff, 0xe3} // JMP RBX

var archSignatures = map[uintptr]signature{
	unix.SYS_PIPE:         sig("pipe", "ptr"),
	unix.SYS_OPEN:         sig("open", "path", "open", "mode"),
	unix.SYS_CREAT:        sig("creat", "path", "mode"),
	unix.SYS_DUP2:         sig("dup2", "fd", "fd"),
	unix.SYS_POLL:         sig("poll", "ptr", "int", "int"),
	unix.SYS_SELECT:       sig("select", "int", "ptr", "ptr", "ptr", "ptr"),
	unix.SYS_EPOLL_WAIT:   sig("epoll_wait", "fd", "ptr", "int", "int"),
	unix.SYS_EPOLL_CREATE: sig("epoll_create", "int"),
	unix.SYS_MKNOD:        sig("mknod", "path", "mode", "hex"),
	unix.SYS_UNLINK:       sig("unlink", "path"),
	unix.SYS_STAT:         sig("stat", "path", "ptr"),
	unix.SYS_LSTAT:        sig("lstat", "path", "ptr"),
	unix.SYS_NEWFSTATAT:   sig("newfstatat", "fd", "path", "ptr", "hex"),
	unix.SYS_FORK:         sig("fork"),
	unix.SYS_VFORK:        sig("vfork"),
	unix.SYS_PAUSE:        sig("pause"),
	unix.SYS_SIGNALFD:     sig("signalfd", "fd", "ptr", "size"),
	unix.SYS_ALARM:        sig("alarm", "int"),
	unix.SYS_EVENTFD:      sig("eventfd", "uint"),
}

// OldPipe is pipe(2) itself, the system call without flags; the descriptors are in Call.FDs.
func (c Caller) OldPipe() *Call { return c.into2(unix.SYS_PIPE, 8, 0, nil) }

// Dup2 is dup2(2).
func (c Caller) Dup2(old, new int) *Call { return c.call(unix.SYS_DUP2, old, new) }

// Mknod is mknod(2).
func (c Caller) Mknod(path string, mode uint32, dev uint64) *Call {
	return c.call(unix.SYS_MKNOD, path, mode, dev)
}

// Stat is newfstatat(2) with AT_FDCWD and no flags; the result is in Call.Stat.
func (c Caller) Stat(path string) *Call { return c.Fstatat(unix.AT_FDCWD, path, 0) }

// Fstatat is newfstatat(2); the result is in Call.Stat.
func (c Caller) Fstatat(dirfd int, path string, flags int) *Call {
	return c.into2(unix.SYS_NEWFSTATAT, 256, 2, dirfd, path, nil, flags)
}

// Stat waits for an fstat or newfstatat and returns what it stored; the zero Stat where it failed.
func (c *Call) Stat() Stat {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 144 {
		return Stat{}
	}
	u64 := func(off int) uint64 { return binary.NativeEndian.Uint64(c.data[off:]) }
	u32 := func(off int) uint32 { return binary.NativeEndian.Uint32(c.data[off:]) }
	at := func(off int) unix.Timespec {
		return unix.Timespec{Sec: int64(u64(off)), Nsec: int64(u64(off + 8))}
	}
	return Stat{
		Dev: u64(0), Ino: u64(8), Nlink: u64(16), Mode: u32(24), UID: u32(28), GID: u32(32), Rdev: u64(40),
		Size: int64(u64(48)), Blocks: int64(u64(64)), Atim: at(72), Mtim: at(88), Ctim: at(104),
	}
}

// Poll is poll(2) with a timeout in milliseconds; the result is in Call.Revents.
func (c Caller) Poll(timeout int, fds ...PollFD) *Call {
	return c.pollCall(unix.SYS_POLL, fds, nil, len(fds), timeout)
}

// EpollWait is epoll_wait(2); the events are in Call.EpollEvents.
func (c Caller) EpollWait(epfd, maxEvents, timeout int) *Call {
	return c.epollWait(unix.SYS_EPOLL_WAIT, maxEvents, epfd, nil, maxEvents, timeout)
}

// Select is select(2) with a timeout in milliseconds (−1: none); the sets as for Pselect.
func (c Caller) Select(nfds int, read, write, except *FDSet, timeout int) *Call {
	var tv any
	if timeout >= 0 {
		b := make([]byte, 16)
		binary.NativeEndian.PutUint64(b, uint64(timeout/1000))
		binary.NativeEndian.PutUint64(b[8:], uint64(timeout%1000*1000))
		tv = b
	}
	return c.SelectFor(nfds, read, write, except, tv)
}

// SelectFor is select(2) with a struct timeval (bytes, a Mem, or nil).
func (c Caller) SelectFor(nfds int, read, write, except *FDSet, timeout any) *Call {
	return c.selectCall(unix.SYS_SELECT, []*FDSet{read, write, except}, nfds, nil, nil, nil, timeout)
}
