package signals

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// A sleeper is a system call that sleeps until another process does something. Its name is also
// that of the clauses about it: signal.restart-NAME, signal.eintr-NAME, ….
type sleeper struct {
	name string
	// prepare makes what the call sleeps on. The actor forks other itself, so that both have it.
	prepare func(a *actor.Actor) sleep
}

// A sleep is one that is prepared: the call, what ends it, and how it ends then.
type sleep struct {
	other *actor.Actor
	begin func() *actor.Call
	wake  func()
	want  types.GomegaMatcher
	after func(call *actor.Call) // looks at what it has brought, where that is more than a number
}

func (s sleep) expectEnd(call *actor.Call) {
	GinkgoHelper()
	s.wake()
	Expect(call).To(s.want)
	if s.after != nil {
		s.after(call)
	}
}

// aMoment is the text that wakes a sleeper.
var aMoment = []byte("x")

const longTime = int64(3600e9) // ns; nothing here sleeps so long

func readsPipe(read func(by actor.Caller, fd int) *actor.Call) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		r, w := a.Pipe(0)
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call { return read(a.Begin(), r) },
			wake:  func() { Must(other.Write(w, aMoment)) },
			want:  ReturnData(aMoment),
		}
	}
}

func writesPipe(write func(by actor.Caller, fd int) *actor.Call) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		r, w := a.Pipe(0)
		a.Fill(w)
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call { return write(a.Begin(), w) },
			wake:  func() { Must(other.Read(r, 65536)) },
			want:  Return(1),
			after: func(*actor.Call) {
				GinkgoHelper()
				Expect(other.Read(r, 10)).To(ReturnData(aMoment)) // and no more
			},
		}
	}
}

func readsTerminal(a *actor.Actor) sleep {
	master, slave := a.Terminal(0)
	other := a.Fork()
	return sleep{
		other: other,
		begin: func() *actor.Call { return a.Begin().Read(slave, 10) },
		wake:  func() { Must(other.Write(master, []byte("x\n"))) },
		want:  ReturnData("x\n"),
	}
}

func writesTerminal(a *actor.Actor) sleep {
	const stopOutput, startOutput = 0, 1 // TCOOFF, TCOON
	_, slave := a.Terminal(0)
	other := a.Fork()
	Must(a.Ioctl(slave, unix.TCXONC, stopOutput))
	return sleep{
		other: other,
		begin: func() *actor.Call { return a.Begin().Write(slave, aMoment) },
		wake:  func() { Must(other.Ioctl(slave, unix.TCXONC, startOutput)) },
		want:  Return(1),
	}
}

// pairOfSockets makes connected stream sockets, the first of which takes little.
func pairOfSockets(a *actor.Actor) (here, there int) {
	here, there = a.Sockets(unix.SOCK_STREAM)
	Must(a.Raw(unix.SYS_SETSOCKOPT, here, unix.SOL_SOCKET, unix.SO_SNDBUF, binary.NativeEndian.AppendUint32(nil, 1), 4))
	return here, there
}

// setTimeout sets SO_RCVTIMEO or SO_SNDTIMEO; option 0 sets none.
func setTimeout(a *actor.Actor, fd, option int) {
	if option == 0 {
		return
	}
	timeval := binary.NativeEndian.AppendUint64(nil, uint64(longTime/1e9))
	Must(a.Raw(unix.SYS_SETSOCKOPT, fd, unix.SOL_SOCKET, option, append(timeval, make([]byte, 8)...), 16))
}

// A socketCall receives or sends one byte through a socket.
type socketCall func(a *actor.Actor, fd int) *actor.Call

// receivesByte has a call sleep for a byte, on a socket with the option's timeout.
func receivesByte(option int, receive socketCall) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		here, there := pairOfSockets(a)
		setTimeout(a, here, option)
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call { return receive(a, here) },
			wake:  func() { Must(other.Write(there, aMoment)) },
			want:  Return(1),
			after: func(call *actor.Call) {
				GinkgoHelper()
				if call.Number() == unix.SYS_READ {
					Expect(call).To(ReturnData(aMoment))
				}
			},
		}
	}
}

// sendsByte has a call sleep for room, on a socket with the option's timeout.
func sendsByte(option int, send socketCall) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		here, there := pairOfSockets(a)
		a.Fill(here)
		setTimeout(a, here, option)
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call { return send(a, here) },
			wake: func() {
				// A sender waits until most of the room is free again.
				Must(other.Fcntl(there, unix.F_SETFL, unix.O_NONBLOCK))
				other.Repeat(1<<16).Read(there, 65536)
			},
			want: Return(1),
		}
	}
}

// oneByteMessage lays out a struct msghdr (and, behind it, what makes it a struct mmsghdr) with one byte.
func oneByteMessage(a *actor.Actor) actor.Mem {
	m := a.Alloc(64)
	m.PutUint64(16, a.Iovec(a.Bytes(aMoment)).Addr)
	m.PutUint64(24, 1)
	return m
}

func recvfrom(a *actor.Actor, fd int) *actor.Call {
	return a.Begin().Raw(unix.SYS_RECVFROM, fd, a.Alloc(1), 1, 0, nil, nil)
}

func recvmsg(a *actor.Actor, fd int) *actor.Call {
	return a.Begin().Raw(unix.SYS_RECVMSG, fd, oneByteMessage(a), 0)
}

func recvmmsg(a *actor.Actor, fd int) *actor.Call {
	return a.Begin().Raw(unix.SYS_RECVMMSG, fd, oneByteMessage(a), 1, 0, nil)
}

func recvmmsgTimed(a *actor.Actor, fd int) *actor.Call {
	return a.Begin().Raw(unix.SYS_RECVMMSG, fd, oneByteMessage(a), 1, 0, hour())
}

func sendto(a *actor.Actor, fd int) *actor.Call {
	return a.Begin().Raw(unix.SYS_SENDTO, fd, aMoment, 1, 0, nil, 0)
}

func sendmsg(a *actor.Actor, fd int) *actor.Call {
	return a.Begin().Raw(unix.SYS_SENDMSG, fd, oneByteMessage(a), 0)
}

func hour() []byte {
	return append(binary.NativeEndian.AppendUint64(nil, uint64(longTime/1e9)), make([]byte, 8)...)
}

// listeningSocket makes a listening socket that keeps one connection waiting and no more, and the address
// for connect.
func listeningSocket(a *actor.Actor) (fd int, address []byte) {
	address = binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
	address = append(append(address, actor.TempDir()+"/socket"...), 0)
	fd = Must(a.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	Must(a.Raw(unix.SYS_BIND, fd, address, len(address)))
	Must(a.Raw(unix.SYS_LISTEN, fd, 0))
	return fd, address
}

func accepts(option int) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		fd, address := listeningSocket(a)
		setTimeout(a, fd, option)
		other := a.Fork()
		var client int
		return sleep{
			other: other,
			begin: func() *actor.Call { return a.Begin().Raw(unix.SYS_ACCEPT, fd, nil, nil) },
			wake: func() {
				client = Must(other.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
				Must(other.Raw(unix.SYS_CONNECT, client, address, len(address)))
			},
			want: ReturnFD(),
			after: func(call *actor.Call) {
				GinkgoHelper()
				Must(other.Write(client, aMoment))
				Expect(a.Read(call.Value(), 1)).To(ReturnData(aMoment))
			},
		}
	}
}

// isDescriptorOf checks that what a call returned is a descriptor of the actor's.
func isDescriptorOf(a *actor.Actor) func(call *actor.Call) {
	return func(call *actor.Call) {
		GinkgoHelper()
		Expect(a.Fcntl(call.Value(), unix.F_GETFD, 0)).To(Return(0))
	}
}

func connects(option int) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		fd, address := listeningSocket(a)
		first := Must(a.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
		Must(a.Raw(unix.SYS_CONNECT, first, address, len(address)))
		second := Must(a.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
		setTimeout(a, second, option)
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call { return a.Begin().Raw(unix.SYS_CONNECT, second, address, len(address)) },
			wake:  func() { Must(other.Raw(unix.SYS_ACCEPT, fd, nil, nil)) },
			want:  Return(0),
		}
	}
}

// opensFIFO has an open wait for the other end's.
func opensFIFO(flags, others int) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call { return a.Begin().Open(path, flags, 0) },
			wake:  func() { Must(other.Open(path, others, 0)) },
			want:  ReturnFD(),
			after: isDescriptorOf(a),
		}
	}
}

func waitsForChild(wait func(by actor.Caller, pid int) *actor.Call, want func(pid int) int) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		child := a.Fork()
		return sleep{
			other: child,
			begin: func() *actor.Call { return wait(a.Begin(), child.PID()) },
			wake:  func() { child.Exit(3) },
			want:  Return(want(child.PID())),
			after: func(call *actor.Call) {
				GinkgoHelper()
				if call.Number() == unix.SYS_WAIT4 {
					Expect(call.Int()).To(Equal(3 << 8))
				} else {
					Expect(call.Siginfo().Signo()).To(Equal(unix.SIGCHLD))
					Expect(call.Siginfo().Status()).To(Equal(3))
					Expect(call.Siginfo().PID()).To(Equal(child.PID()))
					Expect(call.Siginfo().Code()).To(Equal(1)) // CLD_EXITED
				}
			},
		}
	}
}

// locks has a call wait for a lock that another process holds, each with a description of its own.
func locks(lock func(by actor.Caller, fd int, take bool) *actor.Call) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		path := actor.TempDir() + "/locked"
		fd := Must(a.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600))
		other := a.Fork()
		Must(other.Close(fd))
		fd2 := Must(other.Open(path, unix.O_RDWR, 0))
		Must(lock(other.Caller, fd2, true))
		return sleep{
			other: other,
			begin: func() *actor.Call { return lock(a.Begin(), fd, true) },
			wake:  func() { Must(lock(other.Caller, fd2, false)) },
			want:  Return(0),
		}
	}
}

// recordLock locks the first byte of a file, or unlocks it.
func recordLock(operation int) func(by actor.Caller, fd int, take bool) *actor.Call {
	return func(by actor.Caller, fd int, take bool) *actor.Call {
		kind := uint16(unix.F_UNLCK)
		if take {
			kind = unix.F_WRLCK
		}
		lock := make([]byte, 32) // l_type, l_whence, l_start, l_len, l_pid
		binary.NativeEndian.PutUint16(lock, kind)
		binary.NativeEndian.PutUint64(lock[16:], 1)
		return by.Raw(unix.SYS_FCNTL, fd, operation, lock)
	}
}

var queues atomic.Int64

// messageQueue makes a POSIX message queue for one message of one byte, which has no name any more.
func messageQueue(a *actor.Actor) int {
	name := fmt.Sprintf("ipcspec-%d-%d", os.Getpid(), queues.Add(1))
	attr := make([]byte, 64) // mq_flags, mq_maxmsg, mq_msgsize, mq_curmsgs
	binary.NativeEndian.PutUint64(attr[8:], 1)
	binary.NativeEndian.PutUint64(attr[16:], 1)
	fd := Must(a.Raw(unix.SYS_MQ_OPEN, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600, attr))
	Must(a.Raw(unix.SYS_MQ_UNLINK, name))
	return fd
}

func receivesMessage(timeout []byte) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		fd := messageQueue(a)
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call {
				return a.Begin().Raw(unix.SYS_MQ_TIMEDRECEIVE, fd, a.Alloc(1), 1, nil, orNil(timeout))
			},
			wake: func() { Must(other.Raw(unix.SYS_MQ_TIMEDSEND, fd, aMoment, 1, 0, nil)) },
			want: Return(1),
		}
	}
}

func sendsMessage(timeout []byte) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		fd := messageQueue(a)
		Must(a.Raw(unix.SYS_MQ_TIMEDSEND, fd, aMoment, 1, 0, nil))
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call {
				return a.Begin().Raw(unix.SYS_MQ_TIMEDSEND, fd, aMoment, 1, 0, orNil(timeout))
			},
			wake: func() { Must(other.Raw(unix.SYS_MQ_TIMEDRECEIVE, fd, other.Alloc(1), 1, nil, nil)) },
			want: Return(0),
			after: func(*actor.Call) {
				Expect(other.Raw(unix.SYS_MQ_TIMEDRECEIVE, fd, other.Alloc(1), 1, nil, nil)).To(Return(1))
			},
		}
	}
}

func orNil(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// farFuture is an absolute time.
var farFuture = append(binary.NativeEndian.AppendUint64(nil, 1<<33), make([]byte, 8)...)

const futexWait, futexWake, futexWaitBitset = 0, 1, 9

func waitsForFutex(operation int, timeout func() []byte) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		word := a.Alloc(4)
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call {
				var t any
				if timeout != nil {
					t = timeout()
				}
				return a.Begin().Raw(unix.SYS_FUTEX, word, operation, 0, t, nil, math.MaxUint32)
			},
			wake: func() { Must(other.Raw(unix.SYS_FUTEX, word, futexWake, 1, nil, nil, 0)) },
			want: Return(0),
		}
	}
}

func readsInotify(a *actor.Actor) sleep {
	path := actor.TempDir() + "/watched"
	file := Must(a.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600))
	watch := Must(a.Raw(unix.SYS_INOTIFY_INIT1, 0))
	descriptor := Must(a.Raw(unix.SYS_INOTIFY_ADD_WATCH, watch, path, unix.IN_MODIFY))
	event := binary.NativeEndian.AppendUint32(nil, uint32(descriptor))
	event = binary.NativeEndian.AppendUint32(event, unix.IN_MODIFY)
	event = append(event, make([]byte, 8)...) // no cookie and no name
	other := a.Fork()
	return sleep{
		other: other,
		begin: func() *actor.Call { return a.Begin().Read(watch, 4096) },
		wake:  func() { Must(other.Write(file, aMoment)) },
		want:  ReturnData(event),
	}
}

// suspends are calls that end by a signal only: SIGUSR2 wakes them.
func suspends(begin func(a *actor.Actor) *actor.Call, want types.GomegaMatcher) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		other := a.Fork()
		a.Handle(unix.SIGUSR2, 0)
		return sleep{
			other: other,
			begin: func() *actor.Call { return begin(a) },
			wake:  func() { Must(other.Kill(a.PID(), unix.SIGUSR2)) },
			want:  want,
		}
	}
}

// awaitsSignal has a call wait for SIGUSR2, which is blocked.
func awaitsSignal(timeout int64) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		other := a.Fork()
		a.SetMask(unix.SIGUSR2)
		return sleep{
			other: other,
			begin: func() *actor.Call { return a.Begin().Sigtimedwait(actor.Mask(unix.SIGUSR2), timeout) },
			wake:  func() { Must(other.Kill(a.PID(), unix.SIGUSR2)) },
			want:  Return(int(unix.SIGUSR2)),
			after: func(call *actor.Call) {
				GinkgoHelper()
				Expect(call.Siginfo().Signo()).To(Equal(unix.SIGUSR2))
				Expect(call.Siginfo().PID()).To(Equal(other.PID()))
			},
		}
	}
}

// multiplexes has a call wait until a pipe becomes readable.
func multiplexes(wait func(a *actor.Actor, r int, set *actor.FDSet) func() *actor.Call) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		r, w := a.Pipe(0)
		other := a.Fork()
		var set actor.FDSet // of select
		begin := wait(a, r, &set)
		return sleep{
			other: other,
			begin: func() *actor.Call {
				set = *actor.NewFDSet(r)
				return begin()
			},
			wake: func() { Must(other.Write(w, aMoment)) },
			want: Return(1),
			after: func(call *actor.Call) {
				GinkgoHelper()
				switch call.Number() {
				case unix.SYS_POLL, unix.SYS_PPOLL:
					Expect(call.Revents()).To(Equal([]int16{unix.POLLIN}))
				case unix.SYS_SELECT, unix.SYS_PSELECT6:
					Expect(set).To(Equal(*actor.NewFDSet(r)))
				case unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT:
					Expect(call.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: epollToken}}))
				}
			},
		}
	}
}

// epollToken is what an interest says of its descriptor.
const epollToken = 42

func epolls(wait func(by actor.Caller, epfd int) *actor.Call) func(a *actor.Actor, r int, _ *actor.FDSet) func() *actor.Call {
	return func(a *actor.Actor, r int, _ *actor.FDSet) func() *actor.Call {
		epfd := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, epollToken))
		return func() *actor.Call { return wait(a.Begin(), epfd) }
	}
}

func receivesSysV(a *actor.Actor) sleep {
	queue := Must(a.Raw(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600))
	got := a.Alloc(16)
	other := a.Fork()
	return sleep{
		other: other,
		begin: func() *actor.Call { return a.Begin().Raw(unix.SYS_MSGRCV, queue, got, 1, 0, 0) },
		wake:  func() { Must(other.Raw(unix.SYS_MSGSND, queue, sysVMessage(7, 1), 1, 0)) },
		want:  Return(1),
		after: func(*actor.Call) {
			GinkgoHelper()
			Expect(got.Copy()[:9]).To(Equal(sysVMessage(7, 1)))
		},
	}
}

// sysVMessage is a struct msgbuf of a type, with n bytes that say which.
func sysVMessage(kind byte, n int) []byte {
	return append(binary.NativeEndian.AppendUint64(nil, uint64(kind)), bytes.Repeat([]byte{kind}, n)...)
}

func sendsSysV(a *actor.Actor) sleep {
	const size = 4096
	queue := Must(a.Raw(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600))
	fill := a.Repeat(1<<16).Raw(unix.SYS_MSGSND, queue, sysVMessage(1, size), size, unix.IPC_NOWAIT)
	Expect(fill).To(FailWith(unix.EAGAIN))
	other := a.Fork()
	return sleep{
		other: other,
		begin: func() *actor.Call { return a.Begin().Raw(unix.SYS_MSGSND, queue, sysVMessage(7, size), size, 0) },
		wake:  func() { Must(other.Raw(unix.SYS_MSGRCV, queue, other.Alloc(8+size), size, 0, 0)) },
		want:  Return(0),
		after: func(*actor.Call) {
			GinkgoHelper()
			// All messages are there: those from before, less the one that made room, and, as the last, this one.
			last := other.Alloc(8 + size)
			get := other.Repeat(1<<16).Raw(unix.SYS_MSGRCV, queue, last, size, 0, unix.IPC_NOWAIT)
			Expect(get).To(FailWith(unix.ENOMSG))
			Expect(get.Total()).To(Equal(fill.Count() * size))
			Expect(bytes.Equal(last.Copy(), sysVMessage(7, size))).To(BeTrue(), "it is as it was sent")
		},
	}
}

func operatesSemaphore(wait func(by actor.Caller, id int, operation []byte) *actor.Call) func(a *actor.Actor) sleep {
	return func(a *actor.Actor) sleep {
		id := Must(a.Raw(unix.SYS_SEMGET, unix.IPC_PRIVATE, 1, 0o600))
		other := a.Fork()
		return sleep{
			other: other,
			begin: func() *actor.Call { return wait(a.Begin(), id, semaphoreOperation(-1)) },
			wake:  func() { Must(other.Raw(unix.SYS_SEMOP, id, semaphoreOperation(1), 1)) },
			want:  Return(0),
		}
	}
}

// semaphoreOperation is a struct sembuf for the first semaphore of a set.
func semaphoreOperation(by int16) []byte {
	b := binary.NativeEndian.AppendUint16(nil, 0)
	b = binary.NativeEndian.AppendUint16(b, uint16(by))
	return binary.NativeEndian.AppendUint16(b, 0)
}

// getsEvents waits for an asynchronous operation that nobody has asked for; SIGUSR2 ends that.
func getsEvents(a *actor.Actor) sleep {
	context := a.Alloc(8)
	Must(a.Raw(unix.SYS_IO_SETUP, 1, context))
	return suspends(func(a *actor.Actor) *actor.Call {
		return a.Begin().Raw(unix.SYS_IO_GETEVENTS, context.Uint64(0), 1, 1, a.Alloc(32), nil)
	}, FailWith(unix.EINTR))(a)
}

// The calls of signal(7)'s lists that can be brought to sleep everywhere.
var (
	// restartable go on after a handler with SA_RESTART.
	restartable = []sleeper{
		{"read-pipe", readsPipe(func(by actor.Caller, fd int) *actor.Call { return by.Read(fd, 10) })},
		{"readv-pipe", readsPipe(func(by actor.Caller, fd int) *actor.Call { return by.Readv(fd, 1, 9) })},
		{"write-pipe", writesPipe(func(by actor.Caller, fd int) *actor.Call { return by.Write(fd, aMoment) })},
		{"writev-pipe", writesPipe(func(by actor.Caller, fd int) *actor.Call { return by.Writev(fd, aMoment) })},
		{"read-terminal", readsTerminal},
		{"write-terminal", writesTerminal},
		{"read-socket", receivesByte(0, func(a *actor.Actor, fd int) *actor.Call { return a.Begin().Read(fd, 10) })},
		{"write-socket", sendsByte(0, func(a *actor.Actor, fd int) *actor.Call { return a.Begin().Write(fd, aMoment) })},
		{"open-fifo-to-read", opensFIFO(unix.O_RDONLY, unix.O_WRONLY)},
		{"open-fifo-to-write", opensFIFO(unix.O_WRONLY, unix.O_RDONLY)},
		{"wait4", waitsForChild(func(by actor.Caller, pid int) *actor.Call { return by.Wait4(pid, 0) }, func(pid int) int { return pid })},
		{"waitid", waitsForChild(func(by actor.Caller, pid int) *actor.Call {
			return by.Waitid(unix.P_PID, pid, unix.WEXITED)
		}, func(int) int { return 0 })},
		{"accept", accepts(0)},
		{"connect", connects(0)},
		{"recvfrom", receivesByte(0, recvfrom)},
		{"recvmsg", receivesByte(0, recvmsg)},
		{"recvmmsg", receivesByte(0, recvmmsg)},
		{"sendto", sendsByte(0, sendto)},
		{"sendmsg", sendsByte(0, sendmsg)},
		{"flock", locks(func(by actor.Caller, fd int, take bool) *actor.Call {
			operation := unix.LOCK_UN
			if take {
				operation = unix.LOCK_EX
			}
			return by.Raw(unix.SYS_FLOCK, fd, operation)
		})},
		{"setlkw", locks(recordLock(unix.F_SETLKW))},
		{"ofd-setlkw", locks(recordLock(unix.F_OFD_SETLKW))},
		{"mq-receive", receivesMessage(nil)},
		{"mq-timedreceive", receivesMessage(farFuture)},
		{"mq-send", sendsMessage(nil)},
		{"mq-timedsend", sendsMessage(farFuture)},
		{"futex-wait", waitsForFutex(futexWait, nil)},
		{"futex-wait-bitset", waitsForFutex(futexWaitBitset, nil)},
		{"read-inotify", readsInotify},
		// What the page says otherwise of, or does not say.
		{"recvmmsg-timeout", receivesByte(0, recvmmsgTimed)},
		{"connect-rcvtimeo", connects(unix.SO_RCVTIMEO)},
		{"sendto-rcvtimeo", sendsByte(unix.SO_RCVTIMEO, sendto)},
		{"sendmsg-rcvtimeo", sendsByte(unix.SO_RCVTIMEO, sendmsg)},
		{"accept-sndtimeo", accepts(unix.SO_SNDTIMEO)},
		{"recvfrom-sndtimeo", receivesByte(unix.SO_SNDTIMEO, recvfrom)},
	}

	// neverRestarted fail with EINTR whatever the handler's flags.
	neverRestarted = []sleeper{
		{"accept-rcvtimeo", accepts(unix.SO_RCVTIMEO)},
		{"recvfrom-rcvtimeo", receivesByte(unix.SO_RCVTIMEO, recvfrom)},
		{"recvmsg-rcvtimeo", receivesByte(unix.SO_RCVTIMEO, recvmsg)},
		{"recvmmsg-rcvtimeo", receivesByte(unix.SO_RCVTIMEO, recvmmsg)},
		{"connect-sndtimeo", connects(unix.SO_SNDTIMEO)},
		{"sendto-sndtimeo", sendsByte(unix.SO_SNDTIMEO, sendto)},
		{"sendmsg-sndtimeo", sendsByte(unix.SO_SNDTIMEO, sendmsg)},
		{"pause", suspends(func(a *actor.Actor) *actor.Call { return a.Begin().Raw(unix.SYS_PAUSE) }, FailWith(unix.EINTR))},
		{"sigsuspend", suspends(func(a *actor.Actor) *actor.Call { return a.Begin().Sigsuspend(uint64(0)) }, FailWith(unix.EINTR))},
		{"sigtimedwait", awaitsSignal(longTime)},
		{"sigwaitinfo", awaitsSignal(-1)},
		{"epoll-wait", multiplexes(epolls(func(by actor.Caller, epfd int) *actor.Call { return by.EpollWait(epfd, 1, -1) }))},
		{"epoll-pwait", multiplexes(epolls(func(by actor.Caller, epfd int) *actor.Call { return by.EpollPwait(epfd, 1, -1) }))},
		{"poll", multiplexes(func(a *actor.Actor, r int, _ *actor.FDSet) func() *actor.Call {
			return func() *actor.Call { return a.Begin().Poll(-1, actor.PollFD{FD: r, Events: unix.POLLIN}) }
		})},
		{"ppoll", multiplexes(func(a *actor.Actor, r int, _ *actor.FDSet) func() *actor.Call {
			return func() *actor.Call { return a.Begin().Ppoll(-1, actor.PollFD{FD: r, Events: unix.POLLIN}) }
		})},
		{"select", multiplexes(func(a *actor.Actor, r int, set *actor.FDSet) func() *actor.Call {
			return func() *actor.Call { return a.Begin().Select(r+1, set, nil, nil, -1) }
		})},
		{"pselect", multiplexes(func(a *actor.Actor, r int, set *actor.FDSet) func() *actor.Call {
			return func() *actor.Call { return a.Begin().Pselect(r+1, set, nil, nil, -1) }
		})},
		{"msgrcv", receivesSysV},
		{"msgsnd", sendsSysV},
		{"semop", operatesSemaphore(func(by actor.Caller, id int, operation []byte) *actor.Call {
			return by.Raw(unix.SYS_SEMOP, id, operation, 1)
		})},
		{"semtimedop", operatesSemaphore(func(by actor.Caller, id int, operation []byte) *actor.Call {
			return by.Raw(unix.SYS_SEMTIMEDOP, id, operation, 1, hour())
		})},
		{"clock-nanosleep", suspends(func(a *actor.Actor) *actor.Call {
			return a.Begin().Nanosleep(unix.CLOCK_MONOTONIC, 0, longTime)
		}, FailWith(unix.EINTR))},
		{"nanosleep", suspends(func(a *actor.Actor) *actor.Call {
			return a.Begin().Raw(unix.SYS_NANOSLEEP, hour(), nil)
		}, FailWith(unix.EINTR))},
		{"io-getevents", getsEvents},
		// Beyond what the page says.
		{"futex-wait-timed", waitsForFutex(futexWait, hour)},
		{"futex-wait-bitset-timed", waitsForFutex(futexWaitBitset, func() []byte { return farFuture })},
	}
)
