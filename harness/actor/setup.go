package actor

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Steps of a spec's set-up. They are made by the actor like any call, but nothing is judged by
// them: where one fails the spec is unresolved.

// must is Must with the place of its caller's caller.
func must(c *Call) int {
	c.regard |= Presupposed
	if !c.ok() {
		stage.Unresolved("set-up failed: "+c.String(), 2)
	}
	return c.value()
}

// Pipe makes a pipe with pipe2(2).
func (a *Actor) Pipe(flags int) (r, w int) {
	call := a.Pipe2(flags)
	must(call)
	return call.FDs()
}

// Sockets makes a pair of connected UNIX domain sockets of a kind (SOCK_STREAM, perhaps with flags).
func (a *Actor) Sockets(kind int) (here, there int) {
	pair := a.Socketpair(unix.AF_UNIX, kind, 0)
	must(pair)
	return pair.FDs()
}

// ExhaustFiles lets the system have no more open files than there are, for everybody without privilege, until
// the spec ends, and returns the lowest free number of the actor.
func (a *Actor) ExhaustFiles() (free int) {
	// The kernel counts files for each CPU and adds them up in batches, so that a system that has few may
	// seem to have none.
	for range 128 {
		ends := a.Quietly().Pipe2(0)
		must(ends)
		_, free = ends.FDs()
	}
	// Lowering the limit closes nothing, so that all that are open are more than this.
	ChangeFile("/proc/sys/fs/file-max", "1")
	return free + 1
}

// TCP makes a pair of TCP sockets that are connected over the loopback interface.
func (a *Actor) TCP() (here, there int) {
	address := a.Alloc(16) // struct sockaddr_in
	address.PutUint16(0, unix.AF_INET)
	copy(address.Sub(4, 4).Bytes(), []byte{127, 0, 0, 1})
	size := a.Alloc(4)
	size.PutUint32(0, 16)
	listener := must(a.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(a.Raw(unix.SYS_BIND, listener, address, 16))
	must(a.Raw(unix.SYS_LISTEN, listener, 1))
	must(a.Raw(unix.SYS_GETSOCKNAME, listener, address, size))
	here = must(a.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(a.Raw(unix.SYS_CONNECT, here, address, 16))
	there = must(a.Raw(unix.SYS_ACCEPT4, listener, nil, nil, 0))
	must(a.Close(listener))
	return here, there
}

// Terminal makes a pseudoterminal, which becomes nobody's controlling terminal. The flags are for the
// slave.
func (a *Actor) Terminal(flags int) (master, slave int) {
	master = must(a.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0))
	must(a.Ioctl(master, unix.TIOCSPTLCK, a.Alloc(4)))
	number := a.Alloc(4)
	must(a.Ioctl(master, unix.TIOCGPTN, number))
	return master, must(a.Open(fmt.Sprintf("/dev/pts/%d", number.Uint32(0)), unix.O_RDWR|unix.O_NOCTTY|flags, 0))
}

// SendDescriptor sends a descriptor over a connected UNIX domain socket.
func (a *Actor) SendDescriptor(socket, fd int) {
	header, _ := a.oneDescriptor(fd)
	must(a.Raw(unix.SYS_SENDMSG, socket, header, 0))
}

// ReceiveDescriptor receives one, and returns its number.
func (a *Actor) ReceiveDescriptor(socket int) int {
	header, control := a.oneDescriptor(-1)
	must(a.Raw(unix.SYS_RECVMSG, socket, header, 0))
	return int(int32(control.Uint32(16)))
}

// oneDescriptor lays out a struct msghdr with a byte of data and room for a descriptor.
func (a *Actor) oneDescriptor(fd int) (header, control Mem) {
	control = a.Alloc(24) // CMSG_SPACE(sizeof(int))
	control.PutUint64(0, 20)
	control.PutUint32(8, unix.SOL_SOCKET)
	control.PutUint32(12, unix.SCM_RIGHTS)
	control.PutUint32(16, uint32(fd))
	header = a.Alloc(56)
	header.PutUint64(16, a.Iovec(a.Bytes([]byte("x"))).Addr)
	header.PutUint64(24, 1)
	header.PutUint64(32, control.Addr)
	header.PutUint64(40, 24)
	return header, control
}

// Fill writes into a pipe (or another descriptor) until it takes no more, to the byte, and returns
// how many bytes went in. The description's O_NONBLOCK is as before afterwards.
func (a *Actor) Fill(fd int) int {
	flags := must(a.Fcntl(fd, unix.F_GETFL, 0))
	if flags&unix.O_NONBLOCK == 0 {
		must(a.Fcntl(fd, unix.F_SETFL, flags|unix.O_NONBLOCK))
	}
	total := 0
	for n := 64 << 10; n > 0; {
		call := a.Write(fd, make([]byte, n))
		switch {
		case call.OK() && call.Value() > 0:
			if total += call.Value(); total > bottomless {
				stage.Unresolved(fmt.Sprintf("set-up failed: descriptor %d took %d bytes and is not full", fd, total), 1)
			}
		case call.Errno() == unix.EAGAIN:
			n /= 2
		default:
			stage.Unresolved("set-up failed: "+call.String(), 1)
		}
	}
	if flags&unix.O_NONBLOCK == 0 {
		must(a.Fcntl(fd, unix.F_SETFL, flags))
	}
	return total
}

// bottomless is more than any pipe or socket holds.
const bottomless = 64 << 20

// ReadFile returns the content of a file as the actor sees it.
func (a *Actor) ReadFile(path string) string {
	fd := must(a.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0))
	var text strings.Builder
	for {
		call := a.Read(fd, 4096)
		n := must(call)
		if n == 0 {
			break
		}
		text.Write(call.Data())
	}
	must(a.Close(fd))
	return text.String()
}

// WriteFile replaces the content of a file, creating it where it is not there.
func (a *Actor) WriteFile(path, text string) {
	fd := must(a.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o666))
	if text != "" {
		if n := must(a.Write(fd, []byte(text))); n != len(text) {
			stage.Unresolved(fmt.Sprintf("set-up failed: only %d of %d bytes went into %s", n, len(text), path), 1)
		}
	}
	must(a.Close(fd))
}

// Rlimit returns a resource limit of the actor.
func (a *Actor) Rlimit(resource int) (soft, hard uint64) {
	m := a.Alloc(16)
	must(a.setup().call(unix.SYS_PRLIMIT64, 0, resource, nil, m))
	return m.Uint64(0), m.Uint64(8)
}

// SetRlimit sets a soft resource limit of the actor. Where it is that already, nothing is asked of a
// kernel that may not let it be set.
func (a *Actor) SetRlimit(resource int, soft uint64) {
	was, hard := a.Rlimit(resource)
	if was == soft {
		return
	}
	must(a.Prlimit(resource, soft, hard))
}

// Null is the null pointer.
var Null = Mem{}

// Unmapped returns an address at which the actor has no memory.
func (a *Actor) Unmapped() Mem {
	return a.area("unmapped", func() Mem {
		m := a.AllocAligned(wholePage, wholePage)
		must(a.setup().call(unix.SYS_MUNMAP, m, wholePage))
		return Mem{Addr: m.Addr, n: wholePage}
	})
}

// wholePage is a multiple of the page size of every kernel there is.
const wholePage = 64 << 10

// area makes a special piece of memory once.
func (a *Actor) area(name string, make func() Mem) Mem {
	if m, ok := a.areas[name]; ok {
		return m
	}
	if a.areas == nil {
		a.areas = map[string]Mem{}
	}
	m := make()
	a.areas[name] = m
	return m
}

// PageEnd returns n bytes of memory, n at most a page, right behind which the actor has none.
func (a *Actor) PageEnd(n int) Mem {
	m := a.AllocAligned(2*wholePage, wholePage)
	must(a.setup().call(unix.SYS_MUNMAP, m.At(wholePage), wholePage))
	return m.Sub(wholePage-n, n)
}

// ReadOnly returns memory that holds data and that the actor, and the kernel for it, may read but
// not write. It is private to the actor's process in the sense of mprotect(2): a thread sees it
// likewise, a forked child too.
func (a *Actor) ReadOnly(data []byte) Mem {
	n := align(max(len(data), 1), wholePage)
	m := a.AllocAligned(n, wholePage)
	copy(m.view, data)
	must(a.setup().call(unix.SYS_MPROTECT, m, n, unix.PROT_READ))
	return m.Sub(0, len(data))
}

// NoAccess returns memory that is mapped and that the actor may neither read nor write.
func (a *Actor) NoAccess() Mem {
	return a.area("no access", func() Mem {
		m := a.AllocAligned(wholePage, wholePage)
		must(a.setup().call(unix.SYS_MPROTECT, m, wholePage, unix.PROT_NONE))
		return Mem{Addr: m.Addr, n: wholePage}
	})
}

// Store copies data to an address of the actor's, by the actor itself; for memory that the Go
// process does not share. It returns EFAULT as a result where the actor faults and has a handler
// for that; without one the actor dies.
func (a *Actor) Store(to Mem, data []byte) *Call {
	call := Caller{a: a}.prepare(0, to, data, len(data))
	call.op = opCopy
	return call.post(a.Caller)
}

// Work has the actor use up CPU time in user mode: it copies n bytes of memory onto themselves.
func (a *Actor) Work(m Mem, n int) *Call {
	call := Caller{a: a}.prepare(0, m, m, n)
	call.op = opCopy
	return call.post(a.Caller)
}

// Load copies n bytes from an address of the actor's, by the actor itself; they are the call's
// Data. As for Store, a fault is the signal that it is.
func (a *Actor) Load(from Mem, n int) *Call {
	call := Caller{a: a}.prepare(0, nil, from, n)
	m := a.buffer(call, n)
	call.op, call.args[0], call.mem[0] = opCopy, m.Addr, m
	call.finish = func(c *Call) {
		if c.result == 0 {
			c.data = m.Copy()
		}
	}
	return call.post(a.Caller)
}

// Credentials and namespaces.

const capabilityVersion3 = 0x20080522

// Capabilities returns the actor's effective capabilities as a bit set.
func (a *Actor) Capabilities() uint64 {
	effective, _, _ := a.capget()
	return effective
}

func (a *Actor) capget() (effective, permitted, inheritable uint64) {
	header, data := a.Alloc(8), a.Alloc(24)
	header.PutUint32(0, capabilityVersion3)
	must(a.setup().call(unix.SYS_CAPGET, header, data))
	join := func(off int) uint64 { return uint64(data.Uint32(off)) | uint64(data.Uint32(off+12))<<32 }
	return join(0), join(4), join(8)
}

// DropCapabilities takes the capabilities in the set from the actor, effective and permitted.
func (a *Actor) DropCapabilities(set uint64) {
	effective, permitted, inheritable := a.capget()
	a.capset(effective&^set, permitted&^set, inheritable&^set)
}

func (a *Actor) capset(effective, permitted, inheritable uint64) {
	header, data := a.Alloc(8), a.Alloc(24)
	header.PutUint32(0, capabilityVersion3)
	for i, v := range []uint64{effective, permitted, inheritable} {
		data.PutUint32(4*i, uint32(v))
		data.PutUint32(4*i+12, uint32(v>>32))
	}
	must(a.setup().call(unix.SYS_CAPSET, header, data))
}

// dropTo makes the actor an ordinary user's, where this process may change users at all, and
// leaves it no capabilities but those to keep.
func (a *Actor) dropTo(uid int, keep uint64) {
	const capSetgid, capSetuid = 6, 7
	effective := a.Capabilities()
	if effective>>capSetuid&1 == 0 || effective>>capSetgid&1 == 0 {
		a.DropCapabilities(^keep)
		return
	}
	if keep == 0 {
		a.BecomeUser(uid)
		return
	}
	// Changing the user takes the effective capabilities in any case, and the permitted ones
	// unless told not to.
	must(a.setup().call(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0))
	a.BecomeUser(uid)
	must(a.setup().call(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 0, 0, 0, 0))
	a.capset(effective&keep, effective&keep, 0)
}

// BecomeUser gives the actor another user and group id (real, effective and saved) and no
// supplementary groups; its capabilities go unless the id is 0.
func (a *Actor) BecomeUser(uid int) {
	must(a.setup().call(unix.SYS_SETGROUPS, 0, nil))
	must(a.setup().call(unix.SYS_SETRESGID, uid, uid, uid))
	must(a.setup().call(unix.SYS_SETRESUID, uid, uid, uid))
}

// enter puts the actor into fresh namespaces and returns the actor that is in all of them: in a
// PID namespace of its own that is a grandchild, so that it is not the namespace's init.
func (a *Actor) enter(flags int) *Actor {
	const capSysAdmin = 21
	if a.Capabilities()>>capSysAdmin&1 == 0 {
		flags |= unix.CLONE_NEWUSER
	}
	uid, gid := os.Getuid(), os.Getgid()
	if flags&unix.CLONE_NEWUSER != 0 {
		must(a.setup().call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER))
		a.mapIDs(uid, gid)
		flags &^= unix.CLONE_NEWUSER
	}
	if flags != 0 {
		must(a.setup().call(unix.SYS_UNSHARE, flags))
	}
	a.ownIPC = a.ownIPC || flags&unix.CLONE_NEWIPC != 0
	if flags&unix.CLONE_NEWNS != 0 {
		must(a.setup().call(unix.SYS_MOUNT, "none", "/", nil, unix.MS_REC|unix.MS_PRIVATE, nil))
	}
	if flags&unix.CLONE_NEWPID != 0 {
		first := a.Fork()
		return first.Fork()
	}
	return a
}

// TryNamespaces finds out whether actors can be put into fresh namespaces (Namespaces), and says
// why not; "" where they can.
func TryNamespaces(flags int) (why string) {
	held := stage
	attempt := &trial{held: held}
	stage = attempt
	first := len(troupe.actors) == 0
	defer func() {
		stage = held
		if first {
			EndAll() // so that the spec's actors have the same names when nothing had to be tried
		}
		if r := recover(); r != nil {
			if r != attempt {
				panic(r)
			}
			why = attempt.why
		}
	}()
	New(Namespaces(flags))
	return ""
}

// trial is a stage on which failing has no consequence but to be known.
type trial struct {
	held Stage
	why  string
}

func (t *trial) Fail(message string, _ ...int)       { t.why = message; panic(t) }
func (t *trial) Unresolved(message string, _ ...int) { t.why = message; panic(t) }
func (t *trial) Cleanup(f func())                    { t.held.Cleanup(f) }

// mapIDs maps root in the actor's new user namespace to the user that it was before.
func (a *Actor) mapIDs(uid, gid int) {
	for _, m := range []struct{ file, text string }{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("0 %d 1\n", uid)},
		{"gid_map", fmt.Sprintf("0 %d 1\n", gid)},
	} {
		path := fmt.Sprintf("/proc/%d/%s", a.proc.pid, m.file)
		if _, err := os.Stat(path); err != nil && m.file == "setgroups" {
			continue // a kernel that does not demand it (before Linux 3.19, gVisor)
		}
		if err := os.WriteFile(path, []byte(m.text), 0); err != nil {
			stage.Unresolved(fmt.Sprintf("map the ids of %s's user namespace: %v", a.name, err), 2)
		}
	}
}

// Sigset returns the memory of a kernel sigset_t.
func (a *Actor) Sigset(sigs ...unix.Signal) Mem {
	m := a.Alloc(8)
	var bits uint64
	for _, s := range sigs {
		bits |= Bit(s)
	}
	binary.NativeEndian.PutUint64(m.view, bits)
	return m
}
