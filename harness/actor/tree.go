package actor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Fork has the actor fork a child (clone with SIGCHLD as its only flag) and returns it.
func (a *Actor) Fork() *Actor { return a.Clone(uint64(unix.SIGCHLD)) }

// Thread has the actor start a thread of its process, as the C library does, and returns it.
func (a *Actor) Thread() *Actor {
	return a.Clone(unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM)
}

// Clone has the actor call clone(2) with the given flags and exit signal, as a step of the set-up,
// and returns the child. A child that shares the memory gets a stack of its own.
func (a *Actor) Clone(flags uint64) *Actor {
	prepare()
	child := newActor(a.arena, a)
	if child == nil {
		stage.Unresolved(fmt.Sprintf("%s has no room for another child: %d actors share its arena", a.name, slotCount), 2)
	}
	var stack uint64
	if flags&unix.CLONE_VM != 0 {
		stack = child.slice(slotStack, slotData-slotStack).Addr + slotData - slotStack
	}
	var tid uint64
	if flags&unix.CLONE_THREAD != 0 {
		*word32(child.mem, slotTID) = 1
		tid = child.slice(slotTID, 4).Addr
		flags |= unix.CLONE_CHILD_CLEARTID
	}
	var pidfd uint64
	if flags&unix.CLONE_PIDFD != 0 {
		child.pidfd = a.Alloc(4)
		pidfd = child.pidfd.Addr
	}
	// The last argument is not the kernel's: it is the slot in which the child goes on.
	call := Caller{a: a}.prepare(unix.SYS_CLONE, flags, stack, pidfd, tid, 0, child.slice(0, slotSize).Addr)
	call.op, call.n = opClone, 5
	hello := word32(child.mem, slotHello)
	call.post(Caller{a: a, begin: flags&unix.CLONE_VFORK != 0})
	troupe.forked = true
	if flags&unix.CLONE_VFORK == 0 && !call.OK() {
		stage.Unresolved("set-up failed: "+call.String(), 2)
	}
	// A process that gets no answer from its child waits in vain: the parent is who can be asked.
	if !a.await(func() bool { return atomic.LoadUint32(hello) == 1 }) {
		stage.Unresolved(fmt.Sprintf("the child of %s does not answer (%s)", a.name, a.state()), 2)
	}
	if flags&unix.CLONE_THREAD != 0 {
		child.proc = a.proc
		child.tid = a.hostID(call, "task")
	} else {
		pid := a.hostID(call, "children")
		child.proc = &process{pid: pid}
		child.tid = pid
	}
	enlist(child)
	return child
}

// Pidfd returns the descriptor that a Clone with CLONE_PIDFD has left to the parent of the actor.
func (a *Actor) Pidfd() int { return int(int32(a.pidfd.Uint32(0))) }

// hostID translates the id that clone returned in the actor's PID namespace into this process's.
func (a *Actor) hostID(call *Call, kind string) int {
	id := int(call.result)
	if call.status == pending { // vfork: the parent has not returned yet
		id = 0
	}
	own, err := os.Readlink("/proc/self/ns/pid")
	theirs, err2 := os.Readlink(a.procFile("ns/pid"))
	if id != 0 && (err != nil || err2 != nil || own == theirs) {
		return id
	}
	var candidates []string
	if kind == "task" {
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", a.proc.pid))
		for _, e := range entries {
			candidates = append(candidates, e.Name())
		}
	} else if text, err := os.ReadFile(a.procFile("children")); err == nil {
		candidates = strings.Fields(string(text))
	}
	known := map[int]bool{}
	for _, other := range troupe.actors {
		known[other.tid] = true
	}
	for _, field := range candidates {
		if pid, err := strconv.Atoi(field); err == nil && !known[pid] {
			return pid
		}
	}
	stage.Unresolved(fmt.Sprintf("%s has forked, but its child is not to be seen in /proc", a.name), 3)
	return 0
}

// Exec has the actor execute its image again (execve of /proc/self/exe) and go on in it, so that
// what survives an execve can be looked at. It is a step of the set-up. Other threads of the
// process are gone then, as execve(2) says.
func (a *Actor) Exec() { a.ExecFile("/proc/self/exe") }

// ExecFile is Exec of a copy of the image that CopyImage has made.
func (a *Actor) ExecFile(path string) {
	fd, shared := a.newHome()
	moved := newActor(shared, a.parent)
	args := argv(fd, moved.slot)
	call := a.execveCall(path, args, nil)
	a.home = fd
	call.post(Caller{a: a, begin: true})
	if call.lie != nil && call.lie.Omit != nil {
		// A kernel that does nothing says that the new image runs, and the old one goes on.
		call.wait()
		must(a.setup().Close(fd))
		return
	}
	hello := word32(moved.mem, slotHello)
	ok := eventually(func() bool {
		return atomic.LoadUint32(hello) == 1 || call.look() == done || a.goneInExec()
	})
	if !ok || atomic.LoadUint32(hello) != 1 {
		stage.Unresolved("set-up failed: "+call.String()+": "+a.state(), 1)
	}
	call.result, call.status = 0, done
	call.regard |= Presupposed
	call.told()
	a.arena, a.slot, a.mem, a.alloc = moved.arena, moved.slot, moved.mem, moved.alloc
	a.pending = [maxDepth]*Call{}
	a.seen, a.areas = 0, nil
	a.tid = a.proc.pid // the thread that calls execve becomes the leader
}

// CopyImage has the actor write a copy of its image into a file, which everybody may execute.
func (a *Actor) CopyImage(path string) {
	a.WriteFile(path, a.ReadFile("/proc/self/exe"))
	Must(a.Chmod(path, 0o755))
}

// goneInExec looks whether the actor has ended during its execve. A thread that is not the leader
// takes the leader's id over then, so that its own is gone though it is not; by that time the
// leader's is its.
func (a *Actor) goneInExec() bool {
	if !a.gone() {
		return false
	}
	s, err := readStat(fmt.Sprintf("/proc/%d/stat", a.proc.pid))
	return err != nil || s.state == 'Z' || s.state == 'X'
}

// newHome makes an arena that the actor itself can pass on to its next image: a memfd of its own,
// since the Go process's descriptors may be out of its reach by now.
func (a *Actor) newHome() (fd int, shared *arena) {
	fd = Must(a.setup().call(unix.SYS_MEMFD_CREATE, "ipcspec-arena", 0))
	Must(a.setup().call(unix.SYS_FTRUNCATE, fd, arenaSize))
	own, err := unix.Open(fmt.Sprintf("/proc/%d/fd/%d", a.proc.pid, fd), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		stage.Unresolved(fmt.Sprintf("reach the memory that %s has made: %v", a.name, err), 2)
	}
	shared, err = mapArena(own)
	if err != nil {
		stage.Unresolved(err.Error(), 2)
	}
	troupe.Lock()
	troupe.arenas = append(troupe.arenas, shared)
	troupe.Unlock()
	return fd, shared
}

func (a *Actor) execveCall(path string, args, env []string) *Call {
	return Caller{a: a}.prepare(unix.SYS_EXECVE, path, a.pointers(args), a.pointers(env))
}

// pointers lays out a NULL-terminated array of strings.
func (a *Actor) pointers(list []string) Mem {
	m := a.Alloc(8 * (len(list) + 1))
	for i, s := range list {
		m.PutUint64(8*i, a.Bytes(append([]byte(s), 0)).Addr)
	}
	return m
}

// Execve calls execve(2) with a path, arguments and environment that the spec chooses; for calls
// that are to fail. Use Exec for one that succeeds.
func (c Caller) Execve(path string, args, env []string) *Call {
	return c.a.execveCall(path, args, env).post(c)
}

// Exit has the actor's process exit with the given code, and waits until it has.
func (a *Actor) Exit(code int) {
	call := a.Begin().call(unix.SYS_EXIT_GROUP, code)
	if !a.AwaitGone() {
		stage.Unresolved("set-up failed: "+call.String()+": "+a.state(), 1)
	}
	call.status = died
}

// waitStatus waits until the actor's process has ended and returns its wait status. The status of
// an actor that another actor forked is asked of that parent, which must be idle; it stays
// waitable.
func (a *Actor) waitStatus() (status unix.WaitStatus, why string) {
	if !eventually(a.gone) {
		return 0, "it has not ended: " + a.state()
	}
	if a.proc.direct {
		if !eventually(a.proc.exited) {
			return 0, "only this thread has ended"
		}
		return a.proc.status, ""
	}
	parent := a.parent
	if parent == nil || parent.gone() {
		return 0, "its parent is gone, too, so that nobody knows how it ended"
	}
	parent.collect()
	if p := parent.pending[parent.depth()]; p != nil {
		return 0, fmt.Sprintf("its parent is busy in %s and cannot be asked", p)
	}
	const cldExited, cldDumped, idPID = 1, 3, 1
	info := parent.Alloc(128)
	var call *Call
	// The process has ended when its last thread has, which need not be this one.
	told := eventually(func() bool {
		call = parent.setup().call(unix.SYS_WAITID, idPID, a.localPID(parent), info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, 0)
		return !call.OK() || info.Uint32(0) != 0
	})
	if !told || !call.OK() {
		return 0, "its parent cannot say how it ended: " + call.String()
	}
	value := info.Uint32(24)
	switch info.Uint32(8) {
	case cldExited:
		return unix.WaitStatus(value << 8), ""
	case cldDumped:
		return unix.WaitStatus(value | 0x80), ""
	default:
		return unix.WaitStatus(value), ""
	}
}

// localPID is the actor's process id as another actor sees it.
func (a *Actor) localPID(by *Actor) int {
	own, err := os.Readlink("/proc/self/ns/pid")
	theirs, err2 := os.Readlink(by.procFile("ns/pid"))
	if err != nil || err2 != nil || own == theirs {
		return a.proc.pid
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.proc.pid))
	if err != nil {
		return a.proc.pid
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			ids := strings.Fields(rest)
			if id, err := strconv.Atoi(ids[len(ids)-1]); err == nil {
				return id
			}
		}
	}
	return a.proc.pid
}
