package events

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	ctlAdd = unix.EPOLL_CTL_ADD
	ctlMod = unix.EPOLL_CTL_MOD
	ctlDel = unix.EPOLL_CTL_DEL

	in, out   = unix.EPOLLIN, unix.EPOLLOUT
	hup       = unix.EPOLLHUP
	edge      = unix.EPOLLET
	oneshot   = unix.EPOLLONESHOT
	exclusive = unix.EPOLLEXCLUSIVE
)

// expectEvents checks that an instance has exactly these events, in this order, to report now.
func expectEvents(a *actor.Actor, epfd int, events ...actor.EpollEvent) {
	GinkgoHelper()
	Expect(a.EpollWait(epfd, 8, 0)).To(ReturnEvents(events...))
}

var _ = Describe("The interest list", func() {
	Clause("epollctl.add", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		Expect(a.EpollCtl(epfd, ctlAdd, r, in, 4)).To(Return(0))
		expectEvents(a, epfd)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 4))
	})

	Clause("epollctl.add-twice", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := readyPipe(a)
		add(a, epfd, r, in, 1)
		Expect(a.EpollCtl(epfd, ctlAdd, r, out, 2)).To(FailWith(unix.EEXIST))
		expectEvents(a, epfd, event(in, 1))
		Must(a.Read(r, 1))
		expectEvents(a, epfd)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epollctl.mod", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, out, 1)
		expectEvents(a, epfd, event(out, 1))
		Expect(a.EpollCtl(epfd, ctlMod, here, in, 2)).To(Return(0))
		expectEvents(a, epfd)
		Must(a.Write(there, oneByte))
		expectEvents(a, epfd, event(in, 2))
	})

	Clause("epollctl.mod-stranger", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		Expect(a.EpollCtl(epfd, ctlMod, r, in, 1)).To(FailWith(unix.ENOENT))
		expectEvents(a, epfd)
	})

	Clause("epollctl.del", func() {
		a := actor.New()
		epfd := newEpoll(a)
		one, _ := readyPipe(a)
		other, _ := readyPipe(a)
		add(a, epfd, one, in, 1)
		add(a, epfd, other, in, 2)
		Expect(a.EpollCtl(epfd, ctlDel, one, 0, 0)).To(Return(0))
		expectEvents(a, epfd, event(in, 2))
	})

	Clause("epollctl.del-twice", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := readyPipe(a)
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(FailWith(unix.ENOENT))
		add(a, epfd, r, in, 1)
		Must(a.EpollCtl(epfd, ctlDel, r, 0, 0))
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(FailWith(unix.ENOENT))
		Expect(a.EpollCtl(epfd, ctlDel, w, 0, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("epollctl.del-null-event", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		for _, nothing := range []actor.Mem{actor.Null, a.Unmapped()} {
			add(a, epfd, r, in, 1)
			Expect(a.Raw(unix.SYS_EPOLL_CTL, epfd, ctlDel, r, nothing)).To(Return(0))
			expectEvents(a, epfd)
		}
	})

	Clause("epollctl.add-after-del", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, out, 1)
		Must(a.EpollCtl(epfd, ctlDel, here, 0, 0))
		Expect(a.EpollCtl(epfd, ctlAdd, here, in, 2)).To(Return(0))
		expectEvents(a, epfd)
		Must(a.Write(there, oneByte))
		expectEvents(a, epfd, event(in, 2))
	})

	Clause("epollctl.unknown-op", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		other, _ := readyPipe(a)
		add(a, epfd, r, in, 1)
		for _, op := range []int{0, 4, 5, 100, -1} {
			Expect(a.EpollCtl(epfd, op, r, 0, 2)).To(FailWith(unix.EINVAL), "operation %d", op)
			Expect(a.EpollCtl(epfd, op, other, in, 2)).To(FailWith(unix.EINVAL), "operation %d", op)
		}
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epollctl.add-fault", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.PageEnd(8)} {
			Expect(a.Raw(unix.SYS_EPOLL_CTL, epfd, ctlAdd, r, nowhere)).To(FailWith(unix.EFAULT))
		}
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("epollctl.mod-fault", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in, 1)
		for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.PageEnd(8)} {
			Expect(a.Raw(unix.SYS_EPOLL_CTL, epfd, ctlMod, r, nowhere)).To(FailWith(unix.EFAULT))
		}
		expectEvents(a, epfd, event(in, 1))
	})

	operations := []int{ctlAdd, ctlMod, ctlDel}

	Clause("epollctl.epfd-closed", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		closed := newEpoll(a)
		Must(a.Close(closed))
		for _, op := range operations {
			for _, epfd := range []int{closed, -1, 1 << 20} {
				Expect(a.EpollCtl(epfd, op, r, in, 0)).To(FailWith(unix.EBADF))
			}
		}
	})

	Clause("epollctl.fd-closed", func() {
		a := actor.New()
		epfd := newEpoll(a)
		closed, _ := readyPipe(a)
		Must(a.Close(closed))
		for _, op := range operations {
			for _, fd := range []int{closed, -1, 1 << 20} {
				Expect(a.EpollCtl(epfd, op, fd, in, 0)).To(FailWith(unix.EBADF))
			}
		}
		expectEvents(a, epfd)
	})

	Clause("epollctl.epfd-not-epoll", func() {
		a := actor.New()
		r, w := readyPipe(a)
		for _, op := range operations {
			for _, epfd := range []int{w, newEventfd(a, 0, 0)} {
				Expect(a.EpollCtl(epfd, op, r, in, 0)).To(FailWith(unix.EINVAL))
			}
		}
	})

	Clause("epollctl.fork-shares-instance", func() {
		parent := actor.New()
		epfd := newEpoll(parent)
		child := parent.Fork()
		r, _ := readyPipe(child) // the parent does not have it
		Expect(child.EpollCtl(epfd, ctlAdd, r, in, 3)).To(Return(0))
		Expect(parent.EpollWait(epfd, 2, 0)).To(ReturnEvents(event(in, 3)))
	})
})

var _ = Describe("What can be added to an epoll instance", func() {
	Clause("epollctl.self", func() {
		a := actor.New()
		epfd := newEpoll(a)
		for _, op := range []int{ctlAdd, ctlMod, ctlDel} {
			Expect(a.EpollCtl(epfd, op, epfd, in, 0)).To(FailWith(unix.EINVAL))
		}
		expectEvents(a, epfd)
	})

	Clause("epollctl.regular-file", func() {
		a := actor.New(actor.Dir(actor.TempDir()))
		epfd := newEpoll(a)
		file := Must(a.Open("file", unix.O_RDWR|unix.O_CREAT, 0o600))
		Expect(a.EpollCtl(epfd, ctlAdd, file, in|out, 0)).To(FailWith(unix.EPERM))
		expectEvents(a, epfd)
	})

	Clause("epollctl.directory", func() {
		a := actor.New()
		epfd := newEpoll(a)
		directory := Must(a.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0))
		Expect(a.EpollCtl(epfd, ctlAdd, directory, in, 0)).To(FailWith(unix.EPERM))
		expectEvents(a, epfd)
	})

	for _, kind := range []struct {
		name  string
		ready func(a *actor.Actor) int // a descriptor that can be read
	}{
		{"pipe", func(a *actor.Actor) int { r, _ := readyPipe(a); return r }},
		{"FIFO", func(a *actor.Actor) int {
			Must(a.Mkfifo("fifo", 0o600))
			fd := Must(a.Open("fifo", unix.O_RDWR, 0))
			Must(a.Write(fd, oneByte))
			return fd
		}},
		{"stream socket", func(a *actor.Actor) int {
			here, there := a.Sockets(unix.SOCK_STREAM)
			Must(a.Write(there, oneByte))
			return here
		}},
		{"datagram socket", func(a *actor.Actor) int {
			here, there := a.Sockets(unix.SOCK_DGRAM)
			Must(a.Write(there, oneByte))
			return here
		}},
		{"terminal", func(a *actor.Actor) int {
			master, slave := a.Terminal(0)
			Must(a.Write(master, []byte("x\n")))
			return slave
		}},
		{"eventfd", func(a *actor.Actor) int { return newEventfd(a, 1, 0) }},
		{"timerfd", func(a *actor.Actor) int { return expiredTimerfd(a, 0) }},
		{"signalfd", func(a *actor.Actor) int {
			a.SetMask(unix.SIGUSR1)
			fd := Must(a.Signalfd4(-1, []unix.Signal{unix.SIGUSR1}, 0))
			Must(a.Kill(a.PID(), unix.SIGUSR1))
			return fd
		}},
		{"pidfd", func(a *actor.Actor) int {
			child := a.Fork()
			fd := Must(a.PidfdOpen(child.PID(), 0))
			child.Exit(0)
			Must(a.Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN}))
			return fd
		}},
		{"inotify", func(a *actor.Actor) int {
			fd := Must(a.Raw(unix.SYS_INOTIFY_INIT1, 0))
			Must(a.Raw(unix.SYS_INOTIFY_ADD_WATCH, fd, ".", unix.IN_CREATE))
			Must(a.Mkfifo("watched", 0o600))
			return fd
		}},
		{"epoll", func(a *actor.Actor) int {
			inner := newEpoll(a)
			r, _ := readyPipe(a)
			add(a, inner, r, in, 0)
			return inner
		}},
	} {
		Clause("epollctl.every-pollable-kind", kind.name, func() {
			a := actor.New(actor.Dir(actor.TempDir()))
			epfd := newEpoll(a)
			fd := kind.ready(a)
			Expect(a.EpollCtl(epfd, ctlAdd, fd, in, 9)).To(Return(0))
			expectEvents(a, epfd, event(in, 9))
			Expect(a.EpollCtl(epfd, ctlDel, fd, 0, 0)).To(Return(0))
			expectEvents(a, epfd)
		})
	}
})

var _ = Describe("The events of a member", func() {
	// readyBothWays makes a socket that can be read and written.
	readyBothWays := func(a *actor.Actor) int {
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Write(there, oneByte))
		return here
	}
	for _, asked := range []struct {
		id           string
		events, want uint32
	}{
		{"epollctl.in-only", in, in},
		{"epollctl.out-only", out, out},
	} {
		Clause(asked.id, func() {
			a := actor.New()
			epfd := newEpoll(a)
			Expect(a.EpollCtl(epfd, ctlAdd, readyBothWays(a), asked.events, 1)).To(Return(0))
			expectEvents(a, epfd, event(asked.want, 1))
		})
	}

	for _, flag := range []uint32{edge, oneshot} {
		Clause("epollctl.input-flags-not-returned", actor.Flags("epoll", uint64(flag)), func() {
			a := actor.New()
			epfd := newEpoll(a)
			Expect(a.EpollCtl(epfd, ctlAdd, readyBothWays(a), in|out|flag, 1)).To(Return(0))
			expectEvents(a, epfd, event(in|out, 1))
			expectEvents(a, epfd) // it has its effect
		})
	}

	Clause("epollctl.no-events", func() {
		a := actor.New()
		epfd := newEpoll(a)
		fd := readyBothWays(a)
		Expect(a.EpollCtl(epfd, ctlAdd, fd, 0, 1)).To(Return(0))
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlMod, fd, in, 1)).To(Return(0))
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epollctl.rdhup-on-close", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, unix.EPOLLRDHUP, 1)
		expectEvents(a, epfd)
		Must(a.Close(there))
		expectEvents(a, epfd, event(unix.EPOLLRDHUP|hup, 1))
	})

	Clause("epollctl.rdhup-on-shutdown", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, unix.EPOLLRDHUP, 1)
		Must(a.Write(there, oneByte))
		expectEvents(a, epfd)
		Must(a.Raw(unix.SYS_SHUTDOWN, there, unix.SHUT_WR))
		expectEvents(a, epfd, event(unix.EPOLLRDHUP, 1))
	})

	Clause("epollctl.rdhup-only-when-asked", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, in, 1)
		Must(a.Raw(unix.SYS_SHUTDOWN, there, unix.SHUT_WR))
		expectEvents(a, epfd, event(in, 1)) // the end of file can be read
	})

	Clause("epollctl.pri", func() {
		a := actor.New()
		asked, other := newEpoll(a), newEpoll(a)
		master, slave := a.Terminal(0)
		on := a.Alloc(4)
		on.PutUint32(0, 1)
		Must(a.Ioctl(master, unix.TIOCPKT, on))
		add(a, asked, master, unix.EPOLLPRI, 1)
		add(a, other, master, out, 2)
		expectEvents(a, asked)
		Must(a.Ioctl(slave, unix.TCFLSH, unix.TCIFLUSH))
		expectEvents(a, asked, event(unix.EPOLLPRI, 1))
		expectEvents(a, other, event(out, 2))
	})

	Clause("epollctl.err-on-closed-reader", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, w, 0, 1)
		expectEvents(a, epfd)
		Must(a.Close(r))
		expectEvents(a, epfd, event(unix.EPOLLERR, 1))
	})

	Clause("epollctl.hup-on-closed-writer", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, 0, 1)
		expectEvents(a, epfd)
		Must(a.Close(w))
		expectEvents(a, epfd, event(hup, 1))
	})

	Clause("epollctl.hup-on-closed-socket", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, 0, 1)
		expectEvents(a, epfd)
		Must(a.Close(there))
		expectEvents(a, epfd, event(hup, 1))
	})

	Clause("epollctl.hup-before-data-is-read", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("data")))
		Must(a.Close(w))
		add(a, epfd, r, in, 1)
		expectEvents(a, epfd, event(in|hup, 1))
		Expect(a.Read(r, 3)).To(ReturnData("dat"))
		expectEvents(a, epfd, event(in|hup, 1))
		Expect(a.Read(r, 3)).To(ReturnData("a"))
		expectEvents(a, epfd, event(hup, 1))
		Expect(a.Read(r, 3)).To(Return(0))
	})
})

var _ = Describe("A level-triggered member", func() {
	Clause("epollctl.level-by-default", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in, 1)
		for range 3 {
			expectEvents(a, epfd, event(in, 1))
		}
		Must(a.Read(r, 1))
		expectEvents(a, epfd)
	})
})

var _ = Describe("An edge-triggered member", func() {
	// member makes an instance with the read end of a pipe.
	member := func(flags uint32) (a *actor.Actor, epfd, r, w int) {
		a = actor.New()
		epfd = newEpoll(a)
		r, w = a.Pipe(unix.O_NONBLOCK)
		add(a, epfd, r, in|flags, 1)
		return a, epfd, r, w
	}

	Clause("epollctl.edge-reports-once", func() {
		a, epfd, _, w := member(edge)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		expectEvents(a, epfd)
	})

	Clause("epollctl.edge-new-data", func() {
		a, epfd, r, w := member(edge)
		for range 3 {
			Must(a.Write(w, oneByte))
			expectEvents(a, epfd, event(in, 1))
			expectEvents(a, epfd)
		}
		Expect(a.Read(r, 8)).To(ReturnData("xxx"))
	})

	Clause("epollctl.edge-partial-read", func() {
		a, epfd, r, w := member(edge)
		Must(a.Write(w, []byte("abc")))
		expectEvents(a, epfd, event(in, 1))
		Expect(a.Read(r, 1)).To(ReturnData("a"))
		expectEvents(a, epfd)
		Expect(a.Read(r, 8)).To(ReturnData("bc"))
	})

	Clause("epollctl.edge-mod-rereads", func() {
		a, epfd, r, w := member(edge)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlMod, r, in|edge, 2)).To(Return(0))
		expectEvents(a, epfd, event(in, 2))
		expectEvents(a, epfd)
	})

	Clause("epollctl.edge-out", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, out|edge, 1)
		expectEvents(a, epfd, event(out, 1))
		expectEvents(a, epfd)
		n := a.Fill(here)
		expectEvents(a, epfd)
		Must(a.Fcntl(there, unix.F_SETFL, unix.O_NONBLOCK))
		for n > 0 {
			n -= Must(a.Read(there, 1<<20))
		}
		expectEvents(a, epfd, event(out, 1))
	})

	Clause("epollctl.edge-first-report", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		Expect(a.EpollCtl(epfd, ctlAdd, r, in|edge, 1)).To(Return(0))
		expectEvents(a, epfd, event(in, 1))
		expectEvents(a, epfd)
	})

	Clause("epollctl.oneshot-once", func() {
		a, epfd, r, w := member(oneshot)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd)
		Must(a.Read(r, 2))
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd)
	})

	Clause("epollctl.oneshot-rearmed", func() {
		a, epfd, r, w := member(oneshot)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlMod, r, in|oneshot, 2)).To(Return(0))
		expectEvents(a, epfd, event(in, 2))
		expectEvents(a, epfd)
		Must(a.Read(r, 1))
		Expect(a.EpollCtl(epfd, ctlMod, r, in|oneshot, 3)).To(Return(0))
		expectEvents(a, epfd)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 3))
		expectEvents(a, epfd)
	})

	Clause("epollctl.oneshot-stays-member", func() {
		a, epfd, r, w := member(oneshot)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		Expect(a.EpollCtl(epfd, ctlAdd, r, in, 2)).To(FailWith(unix.EEXIST))
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(Return(0))
		Expect(a.EpollCtl(epfd, ctlAdd, r, in, 2)).To(Return(0))
		expectEvents(a, epfd, event(in, 2))
	})

	Clause("epollctl.oneshot-no-hup", func() {
		a, epfd, r, w := member(oneshot)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		Must(a.Close(w))
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlMod, r, in|oneshot, 2)).To(Return(0))
		expectEvents(a, epfd, event(in|hup, 2))
		expectEvents(a, epfd)
	})

	Clause("epollctl.oneshot-changed-mask", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, out|oneshot, 1)
		expectEvents(a, epfd, event(out, 1))
		Expect(a.EpollCtl(epfd, ctlMod, here, in|oneshot, 2)).To(Return(0))
		expectEvents(a, epfd)
		Must(a.Write(there, oneByte))
		expectEvents(a, epfd, event(in, 2))
		expectEvents(a, epfd)
	})
})

var _ = Describe("EPOLLWAKEUP", func() {
	for _, id := range []string{"epollctl.wakeup-with-capability", "epollctl.wakeup-ignored"} {
		Clause(id, func() {
			a := actor.New()
			epfd := newEpoll(a)
			r, w := a.Pipe(0)
			Expect(a.EpollCtl(epfd, ctlAdd, r, in|unix.EPOLLWAKEUP, 1)).To(Return(0))
			expectEvents(a, epfd)
			Must(a.Write(w, oneByte))
			expectEvents(a, epfd, event(in, 1))
			Expect(a.EpollCtl(epfd, ctlMod, r, in|unix.EPOLLWAKEUP, 2)).To(Return(0))
			expectEvents(a, epfd, event(in, 2))
		})
	}
})

var _ = Describe("EPOLLEXCLUSIVE", func() {
	Clause("epollctl.exclusive-add", func() {
		a := actor.New()
		bits := []uint32{in, out, unix.EPOLLERR, hup, edge, unix.EPOLLWAKEUP}
		for set := range 1 << len(bits) {
			events := uint32(0)
			for i, bit := range bits {
				if set>>i&1 == 1 {
					events |= bit
				}
			}
			epfd := newEpoll(a)
			here, there := a.Sockets(unix.SOCK_STREAM)
			Must(a.Write(there, oneByte))
			Expect(a.EpollCtl(epfd, ctlAdd, here, events|exclusive, 1)).To(Return(0), "events %#x", events)
			var want []actor.EpollEvent
			if ready := events & (in | out); ready != 0 {
				want = append(want, event(ready, 1))
			}
			expectEvents(a, epfd, want...)
			if events&edge != 0 {
				want = nil
			}
			expectEvents(a, epfd, want...)
			Expect(a.EpollCtl(epfd, ctlMod, here, in, 1)).To(FailWith(unix.EINVAL), "it is exclusive")
			for _, fd := range []int{epfd, here, there} {
				Must(a.Close(fd))
			}
		}
	})

	Clause("epollctl.exclusive-other-events", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		for bit := range 32 {
			events := uint32(1) << bit
			if events&(in|out|unix.EPOLLERR|hup|edge|unix.EPOLLWAKEUP|exclusive) == 0 {
				Expect(a.EpollCtl(epfd, ctlAdd, r, in|events|exclusive, 1)).To(FailWith(unix.EINVAL), "events %#x", events)
			}
		}
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("epollctl.exclusive-mod", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in, 1)
		Expect(a.EpollCtl(epfd, ctlMod, r, in|exclusive, 2)).To(FailWith(unix.EINVAL))
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epollctl.exclusive-then-mod", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in|exclusive, 1)
		Expect(a.EpollCtl(epfd, ctlMod, r, in, 2)).To(FailWith(unix.EINVAL))
		Expect(a.EpollCtl(epfd, ctlMod, r, in|exclusive, 2)).To(FailWith(unix.EINVAL))
		expectEvents(a, epfd, event(in, 1))
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(Return(0))
		expectEvents(a, epfd)
	})

	Clause("epollctl.exclusive-epoll-target", func() {
		a := actor.New()
		epfd, target := newEpoll(a), newEpoll(a)
		Expect(a.EpollCtl(epfd, ctlAdd, target, in|exclusive, 1)).To(FailWith(unix.EINVAL))
		Expect(a.EpollCtl(epfd, ctlDel, target, 0, 0)).To(FailWith(unix.ENOENT))
		Expect(a.EpollCtl(epfd, ctlAdd, target, in, 1)).To(Return(0))
	})

	// sleepers has processes sleep in epoll_wait on an instance of their own, each with the read end of
	// one pipe and the given flags, and makes the pipe readable.
	sleepers := func(flags ...uint32) []*actor.Call {
		GinkgoHelper()
		a := actor.New()
		r, w := a.Pipe(0)
		var waits []*actor.Call
		for _, f := range flags {
			sleeper := a.Fork()
			epfd := newEpoll(sleeper)
			Expect(sleeper.EpollCtl(epfd, ctlAdd, r, in|f, 1)).To(Return(0))
			wait := sleeper.Begin().EpollWait(epfd, 2, -1)
			Expect(wait).To(Block())
			waits = append(waits, wait)
		}
		Must(a.Write(w, oneByte))
		return waits
	}
	Clause("epollctl.exclusive-wakes-one", func() {
		waits := sleepers(exclusive, exclusive)
		first, _ := firstDone(waits)
		Expect(first).To(ReturnEvents(event(in, 1)))
	})

	Clause("epollctl.not-exclusive-wakes-all", func() {
		for _, wait := range sleepers(0, 0) {
			Expect(wait).To(ReturnEvents(event(in, 1)))
		}
	})

	Clause("epollctl.exclusive-and-not", func() {
		waits := sleepers(exclusive, 0, exclusive, 0)
		Expect(waits[1]).To(ReturnEvents(event(in, 1)))
		Expect(waits[3]).To(ReturnEvents(event(in, 1)))
		first, _ := firstDone([]*actor.Call{waits[0], waits[2]})
		Expect(first).To(ReturnEvents(event(in, 1)))
	})
})

var _ = Describe("Nested epoll instances", func() {
	Clause("epollctl.loop-of-two", func() {
		a := actor.New()
		one, other := newEpoll(a), newEpoll(a)
		Must(a.EpollCtl(one, ctlAdd, other, in, 1))
		Expect(a.EpollCtl(other, ctlAdd, one, in, 2)).To(FailWith(unix.ELOOP))
		Expect(a.EpollCtl(other, ctlDel, one, 0, 0)).To(FailWith(unix.ENOENT))
		r, _ := readyPipe(a)
		add(a, other, r, in, 3)
		expectEvents(a, one, event(in, 1))
		expectEvents(a, other, event(in, 3))
	})

	Clause("epollctl.loop-of-three", func() {
		a := actor.New()
		one, two, three := newEpoll(a), newEpoll(a), newEpoll(a)
		Must(a.EpollCtl(one, ctlAdd, two, in, 1))
		Must(a.EpollCtl(two, ctlAdd, three, in, 2))
		Expect(a.EpollCtl(three, ctlAdd, one, in, 3)).To(FailWith(unix.ELOOP))
		Expect(a.EpollCtl(three, ctlDel, one, 0, 0)).To(FailWith(unix.ENOENT))
	})

	// nested makes an instance with a pipe in it, and so many around it, each in the next.
	nested := func(a *actor.Actor, depth int) (outermost *actor.Call, epfd, w int) {
		GinkgoHelper()
		epfd = newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in, 0)
		for range depth - 1 {
			outer := newEpoll(a)
			outermost = a.EpollCtl(outer, ctlAdd, epfd, in, 5)
			if outermost.Errno() != 0 {
				return outermost, epfd, w
			}
			Expect(outermost).To(Return(0))
			epfd = outer
		}
		return outermost, epfd, w
	}
	Clause("epollctl.nesting-of-five", func() {
		a := actor.New()
		outermost, epfd, w := nested(a, 5)
		Expect(outermost).To(Return(0))
		expectEvents(a, epfd)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 5))
	})

	Clause("epollctl.nesting-too-deep", func() {
		a := actor.New()
		outermost, epfd, _ := nested(a, 6)
		Expect(outermost).To(FailWith(unix.ELOOP))
		outside := newEpoll(a)
		Expect(a.EpollCtl(outside, ctlAdd, epfd, in, 1)).To(FailWith(unix.ELOOP))
		Expect(a.EpollCtl(outside, ctlDel, epfd, 0, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("epollctl.nesting-too-deep-from-inside", func() {
		a := actor.New()
		inner := newEpoll(a)
		for range 4 { // each inside the one before
			next := newEpoll(a)
			Expect(a.EpollCtl(inner, ctlAdd, next, in, 1)).To(Return(0))
			inner = next
		}
		sixth := newEpoll(a)
		Expect(a.EpollCtl(inner, ctlAdd, sixth, in, 2)).To(FailWith(unix.ELOOP))
		Expect(a.EpollCtl(inner, ctlDel, sixth, 0, 0)).To(FailWith(unix.ENOENT))
	})
})

var _ = Describe("The limit of max_user_watches", func() {
	limitWatches := func(n int) {
		actor.ChangeFile("/proc/sys/fs/epoll/max_user_watches", fmt.Sprint(n))
	}
	Clause("epollctl.watches-limit", func() {
		a := actor.New()
		epfd := newEpoll(a)
		one, w := readyPipe(a)
		limitWatches(1)
		Expect(a.EpollCtl(epfd, ctlAdd, one, in, 1)).To(Return(0))
		Expect(a.EpollCtl(epfd, ctlAdd, w, out, 2)).To(FailWith(unix.ENOSPC))
		expectEvents(a, epfd, event(in, 1))
		Must(a.EpollCtl(epfd, ctlDel, one, 0, 0))
		Expect(a.EpollCtl(epfd, ctlAdd, w, out, 2)).To(Return(0))
		expectEvents(a, epfd, event(out, 2))
	})

	Clause("epollctl.watches-limit-across-instances", func() {
		a := actor.New()
		one, other := newEpoll(a), newEpoll(a)
		r, w := a.Pipe(0)
		child := a.Fork()
		limitWatches(2)
		Expect(a.EpollCtl(one, ctlAdd, r, in, 0)).To(Return(0))
		Expect(a.EpollCtl(other, ctlAdd, r, in, 0)).To(Return(0))
		Expect(child.EpollCtl(newEpoll(child), ctlAdd, w, out, 0)).To(FailWith(unix.ENOSPC))
		Expect(a.EpollCtl(one, ctlAdd, w, out, 0)).To(FailWith(unix.ENOSPC))
	})

	Clause("epollctl.watches-limit-per-user", func() {
		a := actor.New()
		other := actor.New(actor.Unprivileged(FreshUser()))
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		theirs, _ := other.Pipe(0)
		limitWatches(1)
		Must(a.EpollCtl(epfd, ctlAdd, r, in, 0))
		Expect(a.EpollCtl(epfd, ctlAdd, w, out, 0)).To(FailWith(unix.ENOSPC))
		Expect(other.EpollCtl(newEpoll(other), ctlAdd, theirs, in, 0)).To(Return(0))
	})
})
