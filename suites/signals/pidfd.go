package signals

import (
	"fmt"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// pidfdEvents asks what poll has to say of a descriptor, without waiting.
func pidfdEvents(a *actor.Actor, fd int) int16 {
	poll := a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN})
	events := poll.Revents()[0]
	if events == 0 {
		ExpectWithOffset(1, poll).To(Return(0))
	} else {
		ExpectWithOffset(1, poll).To(Return(1))
	}
	return events
}

// pidfdOf opens a descriptor of a process as a step of the set-up.
func pidfdOf(a, target *actor.Actor, flags uint) int {
	open := a.PidfdOpen(target.PID(), flags)
	if flags != 0 { // an old kernel may lack them, and the clause says so
		ExpectWithOffset(1, open).To(ReturnFD())
	}
	return Must(open)
}

// threadPidfd opens a descriptor of a single thread.
func threadPidfd(a, thread *actor.Actor) int {
	open := a.PidfdOpen(thread.TID(), unix.PIDFD_THREAD)
	ExpectWithOffset(1, open).To(ReturnFD())
	return open.Value()
}

// procDirectory opens the directory of a process in /proc.
func procDirectory(a, target *actor.Actor) int {
	return Must(a.Open(fmt.Sprintf("/proc/%d", target.PID()), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
}

// reap has the parent wait for a child that has ended.
func reap(parent, child *actor.Actor) { Must(parent.Wait4(child.PID(), 0)) }

var _ = Describe("pidfd_open", func() {
	Clause("pidfd-open.refers-to-process", func() {
		a := killTarget()
		child, other := a.Fork(), a.Fork()
		sender := killTarget()

		first := sender.PidfdOpen(child.PID(), 0)
		Expect(first).To(ReturnFD())
		second := sender.PidfdOpen(child.PID(), 0)
		Expect(second).To(ReturnFD())
		Expect(second.Value()).NotTo(Equal(first.Value()))
		Must(sender.PidfdSendSignal(first.Value(), unix.SIGUSR1, nil, 0))
		expectKills(child, unix.SIGUSR1)
		Must(sender.PidfdSendSignal(second.Value(), unix.SIGUSR2, nil, 0))
		expectKills(child, unix.SIGUSR1, unix.SIGUSR2)
		expectNoKills(a, other, sender)
	})

	Clause("pidfd-open.self", func() {
		a := killTarget()
		fd := a.PidfdOpen(a.PID(), 0)
		Expect(fd).To(ReturnFD())
		Must(a.PidfdSendSignal(fd.Value(), unix.SIGUSR1, nil, 0))
		expectKills(a, unix.SIGUSR1)
		Expect(pidfdEvents(a, fd.Value())).To(BeZero())
	})

	for _, flags := range []uint{0, unix.PIDFD_NONBLOCK} {
		Clause("pidfd-open.close-on-exec", fmt.Sprintf("flags %#x", flags), func() {
			a := actor.New()
			fd := a.PidfdOpen(a.PID(), flags)
			Expect(fd).To(ReturnFD())
			Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
			Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(Equal(int(flags)))
			a.Exec()
			Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
		})
	}

	Clause("pidfd-open.follows-exec", func() {
		a := actor.New()
		child := a.Fork()
		fd := a.PidfdOpen(child.PID(), 0)
		Expect(fd).To(ReturnFD())
		child.Exec()

		Expect(pidfdEvents(a, fd.Value())).To(BeZero())
		Must(a.PidfdSendSignal(fd.Value(), unix.SIGTERM, nil, 0))
		Expect(child).To(BeKilledBy(unix.SIGTERM))
		Expect(pidfdEvents(a, fd.Value())).To(Equal(int16(unix.POLLIN)))
	})

	Clause("pidfd-open.not-a-later-process", func() {
		outside := killTarget()
		first, _ := pidNamespace(outside)
		child := first.Fork()
		pid := Must(child.Getpid())
		fd := first.PidfdOpen(pid, 0)
		Expect(fd).To(ReturnFD())
		child.Exit(0)
		Must(first.Wait4(pid, 0))

		// The next process of the namespace has the same id.
		first.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Sprint(pid-1))
		later := first.Fork()
		Presuppose(Must(later.Getpid()) == pid, "a kernel that gives a process the id which ns_last_pid asks for")
		Expect(first.PidfdSendSignal(fd.Value(), unix.SIGUSR1, nil, 0)).To(FailWith(unix.ESRCH))
		Expect(first.Waitid(unix.P_PIDFD, fd.Value(), unix.WEXITED|unix.WNOHANG)).To(FailWith(unix.ECHILD))
		expectNoKills(later)
		Must(first.Kill(pid, unix.SIGUSR1))
		expectKills(later, unix.SIGUSR1)
	})

	Clause("pidfd-open.blocking", func() {
		a := actor.New()
		child := a.Fork()
		fd := a.PidfdOpen(child.PID(), 0)
		Expect(fd).To(ReturnFD())
		Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(BeZero())

		wait := a.Begin().Waitid(unix.P_PIDFD, fd.Value(), unix.WEXITED)
		Expect(wait).To(Block())
		child.Exit(3)
		Expect(wait).To(Return(0))
		Expect(wait.Siginfo().Status()).To(Equal(3))
	})

	Clause("pidfd-open.nonblock-flag", func() {
		a := actor.New()
		fd := a.PidfdOpen(a.PID(), unix.PIDFD_NONBLOCK)
		Expect(fd).To(ReturnFD())
		Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(Equal(unix.O_NONBLOCK))
	})

	Clause("pidfd-open.nonblock-eagain", func() {
		a := actor.New()
		child := a.Fork()
		fd := a.PidfdOpen(child.PID(), unix.PIDFD_NONBLOCK)
		Expect(fd).To(ReturnFD())

		Expect(a.Waitid(unix.P_PIDFD, fd.Value(), unix.WEXITED)).To(FailWith(unix.EAGAIN))
		child.Exit(3)
		wait := a.Waitid(unix.P_PIDFD, fd.Value(), unix.WEXITED)
		Expect(wait).To(Return(0))
		expectChild(wait, child, cldExited, 3)
		Expect(a.Waitid(unix.P_PIDFD, fd.Value(), unix.WEXITED)).To(FailWith(unix.ECHILD))
	})

	Clause("pidfd-open.thread", func() {
		first := killTarget()
		second, third := first.Thread(), first.Thread()
		sender := actor.New()

		for _, thread := range []*actor.Actor{second, first} {
			// One that blocks the signal keeps it; sent to the process, another thread would take it.
			thread.SetMask(unix.SIGUSR1)
			fd := sender.PidfdOpen(thread.TID(), unix.PIDFD_THREAD)
			Expect(fd).To(ReturnFD())
			Must(sender.PidfdSendSignal(fd.Value(), unix.SIGUSR1, nil, 0))
			expectNoKills(thread, third)
			expectLeft(thread, unix.SIGUSR1)
			thread.SetMask()
			Must(thread.Getpid())
			Expect(thread).To(Catch(unix.SIGUSR1))
		}
		expectNoKills(third)
		Must(second.Getpid())
		Expect(second).To(Catch(unix.SIGUSR1))
	})

	Clause("pidfd-open.thread-nonblock", func() {
		a := actor.New()
		thread := a.Thread()
		fd := a.PidfdOpen(thread.TID(), unix.PIDFD_THREAD|unix.PIDFD_NONBLOCK)
		Expect(fd).To(ReturnFD())
		Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(Equal(unix.O_NONBLOCK))
		Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("pidfd-open.thread-id-without-flag", func() {
		a := actor.New()
		thread := a.Thread()
		next := pidfdOf(a, a, 0) + 1

		// EINVAL until Linux 6.14; ENOENT since then.
		Expect(a.PidfdOpen(thread.TID(), 0)).To(FailWith(unix.EINVAL, unix.ENOENT))
		Expect(pidfdOf(a, a, 0)).To(Equal(next))
	})

	Clause("pidfd-open.einval-flags", func() {
		a := actor.New()
		for _, flags := range []uint{1, 0x40, unix.PIDFD_NONBLOCK | 2, 0x80000000, math.MaxUint32} {
			Expect(a.PidfdOpen(a.PID(), flags)).To(FailWith(unix.EINVAL))
		}
		expectNoDescriptor(a, 0)
	})

	Clause("pidfd-open.einval-pid", func() {
		a := actor.New()
		for _, pid := range []int{0, -1, -a.PID(), math.MinInt32} {
			Expect(a.PidfdOpen(pid, 0)).To(FailWith(unix.EINVAL))
		}
		expectNoDescriptor(a, 0)
	})

	Clause("pidfd-open.emfile", func() {
		a := actor.New()
		last := pidfdOf(a, a, 0)
		a.SetRlimit(unix.RLIMIT_NOFILE, uint64(last+1))

		Expect(a.PidfdOpen(a.PID(), 0)).To(FailWith(unix.EMFILE))
		Must(a.Close(last))
		Expect(a.PidfdOpen(a.PID(), 0)).To(Return(last))
	})

	Clause("pidfd-open.enfile", func() {
		a := actor.New()
		free := a.ExhaustFiles()
		Expect(a.PidfdOpen(a.PID(), 0)).To(FailWith(unix.ENFILE))
		expectNoDescriptor(a, free)
	})

	Clause("pidfd-open.esrch", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(0)
		zombie := pidfdOf(a, child, 0)
		Expect(a.Fcntl(zombie, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		reap(a, child)
		Expect(a.PidfdOpen(child.PID(), 0)).To(FailWith(unix.ESRCH))
		expectNoDescriptor(a, zombie+1)
	})

	Clause("pidfd-open.zombie", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(5)

		fd := a.PidfdOpen(child.PID(), 0)
		Expect(fd).To(ReturnFD())
		Expect(pidfdEvents(a, fd.Value())).To(Equal(int16(unix.POLLIN)))
		wait := a.Waitid(unix.P_PIDFD, fd.Value(), unix.WEXITED)
		Expect(wait).To(Return(0))
		expectChild(wait, child, cldExited, 5)
	})

	for _, how := range []string{"SIG_IGN", "SA_NOCLDWAIT"} {
		Clause("pidfd-open.no-zombie", how, func() {
			a := actor.New()
			if how == "SIG_IGN" {
				a.Ignore(unix.SIGCHLD)
			} else {
				a.Handle(unix.SIGCHLD, actor.SA_NOCLDWAIT|actor.SA_RESTART)
			}
			child := a.Fork()
			before := pidfdOf(a, child, 0)
			child.Begin().Raw(unix.SYS_EXIT_GROUP, 0)
			poll := a.Poll(-1, actor.PollFD{FD: before, Events: unix.POLLIN})
			Must(poll)
			Expect(poll.Revents()[0] & unix.POLLIN).NotTo(BeZero())
			Expect(a.Wait4(child.PID(), 0)).To(FailWith(unix.ECHILD)) // and so it is gone
			Expect(a.PidfdOpen(child.PID(), 0)).To(FailWith(unix.ESRCH))
		})
	}

	Clause("pidfd-open.clone-pidfd", func() {
		a := killTarget()
		a.Ignore(unix.SIGCHLD)
		child := a.Clone(unix.CLONE_PIDFD | uint64(unix.SIGCHLD))

		Expect(a.PidfdSendSignal(child.Pidfd(), unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(child, unix.SIGUSR1)
		Expect(a.Fcntl(child.Pidfd(), unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		child.Begin().Raw(unix.SYS_EXIT_GROUP, 0)
		Must(a.Poll(-1, actor.PollFD{FD: child.Pidfd(), Events: unix.POLLIN}))
		Expect(a.Wait4(child.PID(), 0)).To(FailWith(unix.ECHILD))
		Expect(a.PidfdSendSignal(child.Pidfd(), unix.SIGUSR1, nil, 0)).To(FailWith(unix.ESRCH))
	})
})

// A watch is one of the calls that tell whether a descriptor is readable.
type pidfdWatch struct {
	name string
	// begin makes the call, with no time to wait or with all the time there is; told judges that it has
	// returned and said that the descriptor is readable, untold that it has not said so.
	begin  func(a *actor.Actor, fd int, forever bool) *actor.Call
	told   func(c *actor.Call, fd int)
	untold func(c *actor.Call, fd int)
}

func pidfdWatches() []pidfdWatch {
	timeout := func(forever bool) int {
		if forever {
			return -1
		}
		return 0
	}
	var set *actor.FDSet
	return []pidfdWatch{
		{"poll", func(a *actor.Actor, fd int, forever bool) *actor.Call {
			return a.Begin().Poll(timeout(forever), actor.PollFD{FD: fd, Events: unix.POLLIN})
		}, func(c *actor.Call, _ int) {
			ExpectWithOffset(1, c).To(Return(1))
			ExpectWithOffset(1, c.Revents()[0]).To(Equal(int16(unix.POLLIN)))
		}, func(c *actor.Call, _ int) {
			ExpectWithOffset(1, c).To(ReturnRevents(0))
		}},
		{"select", func(a *actor.Actor, fd int, forever bool) *actor.Call {
			set = actor.NewFDSet(fd)
			return a.Begin().Select(fd+1, set, nil, nil, timeout(forever))
		}, func(c *actor.Call, fd int) {
			ExpectWithOffset(1, c).To(Return(1))
			ExpectWithOffset(1, set.Has(fd)).To(BeTrue())
		}, func(c *actor.Call, fd int) {
			ExpectWithOffset(1, c).To(Return(0))
			ExpectWithOffset(1, set.Has(fd)).To(BeFalse())
		}},
		{"epoll", func(a *actor.Actor, fd int, forever bool) *actor.Call {
			ep := Must(a.EpollCreate1(0))
			Must(a.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, 7))
			return a.Begin().EpollWait(ep, 1, timeout(forever))
		}, func(c *actor.Call, _ int) {
			ExpectWithOffset(1, c).To(Return(1))
			ExpectWithOffset(1, c.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: 7}}))
		}, func(c *actor.Call, _ int) {
			ExpectWithOffset(1, c).To(ReturnEvents())
		}},
	}
}

var _ = Describe("Watching a process by a descriptor", func() {
	for _, watch := range pidfdWatches() {
		Clause("pidfd-open.readable-at-exit", watch.name, func() {
			a := actor.New()
			child := a.Fork()
			fd := pidfdOf(a, child, 0)

			watch.untold(watch.begin(a, fd, false), fd)
			child.Exit(0)
			for range 2 {
				watch.told(watch.begin(a, fd, false), fd)
			}
		})

		Clause("pidfd-open.wakes-at-exit", watch.name, func() {
			a := actor.New()
			child := a.Fork()
			fd := pidfdOf(a, child, 0)

			call := watch.begin(a, fd, true)
			Expect(call).To(Block())
			Must(actor.New().Kill(child.PID(), unix.SIGKILL))
			watch.told(call, fd)
		})
	}

	Clause("pidfd-open.hangup-when-reaped", func() {
		a := actor.New()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		ep := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, 7))
		child.Exit(0)

		Expect(pidfdEvents(a, fd)).To(Equal(int16(unix.POLLIN)))
		Expect(a.EpollWait(ep, 1, 0).EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: 7}}))
		reap(a, child)
		Expect(pidfdEvents(a, fd)).To(Equal(int16(unix.POLLIN | unix.POLLHUP)))
		hangup := a.EpollWait(ep, 1, 0)
		Expect(hangup).To(Return(1))
		Expect(hangup.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN | unix.EPOLLHUP, Data: 7}}))
	})

	Clause("pidfd-open.hangup-wakes", func() {
		a := actor.New()
		// Where a process has no hangup, the watcher would sleep for good: see that it has.
		first := a.Fork()
		gone := pidfdOf(a, first, 0)
		first.Exit(0)
		reap(a, first)
		Expect(pidfdEvents(a, gone)).To(Equal(int16(unix.POLLIN | unix.POLLHUP)))

		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		watcher := a.Fork()
		child.Exit(0)

		poll := watcher.Begin().Poll(-1, actor.PollFD{FD: fd})
		Expect(poll).To(Block())
		reap(a, child)
		Expect(poll).To(Return(1))
		Expect(poll.Revents()[0]).To(Equal(int16(unix.POLLHUP)))
	})

	Clause("pidfd-open.read-einval", func() {
		a := actor.New()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)

		Expect(a.Read(fd, 8)).To(FailWith(unix.EINVAL))
		child.Exit(0)
		Expect(a.Read(fd, 8)).To(FailWith(unix.EINVAL))
		reap(a, child)
		Expect(a.Read(fd, 8)).To(FailWith(unix.EINVAL))
	})

	Clause("pidfd-open.last-thread", func() {
		a := actor.New()
		child := a.Fork()
		thread := child.Thread()
		fd := pidfdOf(a, child, 0)

		poll := a.Begin().Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN})
		Expect(poll).To(Block())
		child.Begin().Raw(unix.SYS_EXIT, 0)
		Expect(child.AwaitGone()).To(BeTrue())
		Expect(poll).To(Block())
		thread.Begin().Raw(unix.SYS_EXIT, 0)
		Expect(poll).To(Return(1))
		Expect(poll.Revents()[0]).To(Equal(int16(unix.POLLIN)))
	})

	Clause("pidfd-open.thread-exit", func() {
		a := actor.New()
		thread := a.Thread()
		watcher := actor.New()
		fd := threadPidfd(watcher, thread)

		poll := watcher.Begin().Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN})
		Expect(poll).To(Block())
		endThread(thread)
		// Nobody waits for a thread, so that it may be gone already.
		Expect(poll).To(ReturnReventsPerhaps(unix.POLLHUP, unix.POLLIN))
		Must(a.Getpid())
	})

	Clause("pidfd-open.thread-leader-exit", func() {
		a := actor.New()
		child := a.Fork()
		thread := child.Thread()
		fd := pidfdOf(a, child, unix.PIDFD_THREAD)

		child.Begin().Raw(unix.SYS_EXIT, 0)
		Expect(child.AwaitGone()).To(BeTrue())
		Expect(pidfdEvents(a, fd)).To(BeZero())
		poll := a.Begin().Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN})
		Expect(poll).To(Block())
		thread.Begin().Raw(unix.SYS_EXIT, 0)
		Expect(poll).To(Return(1))
		Expect(poll.Revents()[0]).To(Equal(int16(unix.POLLIN)))
	})
})

var _ = Describe("What else a descriptor of a process serves for", func() {
	Clause("pidfd-open.waitid-child", func() {
		a := actor.New()
		child, other := a.Fork(), a.Fork()
		fd := pidfdOf(a, child, 0)
		other.Exit(4)

		wait := a.Begin().Waitid(unix.P_PIDFD, fd, unix.WEXITED)
		Expect(wait).To(Block())
		child.Exit(3)
		Expect(wait).To(Return(0))
		expectChild(wait, child, cldExited, 3)
		Expect(a.Waitid(unix.P_PIDFD, fd, unix.WEXITED)).To(FailWith(unix.ECHILD))
		Expect(other).To(Exit(4)) // still waitable
	})

	Clause("pidfd-open.waitid-no-child", func() {
		a := actor.New()
		child, stranger := a.Fork(), actor.New()
		grandchild := child.Fork()
		for _, target := range []*actor.Actor{stranger, grandchild, a} {
			fd := pidfdOf(a, target, 0)
			for _, options := range []int{unix.WEXITED, unix.WEXITED | unix.WNOHANG} {
				Expect(a.Waitid(unix.P_PIDFD, fd, options)).To(FailWith(unix.ECHILD))
			}
		}
	})

	Clause("pidfd-open.getfd", func() {
		a := actor.New()
		child := a.Fork()
		r, w := child.Pipe(0)
		fd := pidfdOf(a, child, 0)

		dup := a.Raw(unix.SYS_PIDFD_GETFD, fd, r, 0)
		Expect(dup).To(ReturnFD())
		Must(child.Write(w, []byte("hello")))
		Expect(a.Read(dup.Value(), 5)).To(ReturnData("hello"))
		Expect(a.Fcntl(dup.Value(), unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(a.Raw(unix.SYS_PIDFD_GETFD, fd, w+1, 0)).To(FailWith(unix.EBADF))
	})

	Clause("pidfd-open.setns", func() {
		a := actor.New()
		child := a.Fork()
		Must(child.Unshare(unix.CLONE_NEWUTS))
		fd := pidfdOf(a, child, 0)
		const path = "/proc/self/ns/uts"
		theirs := child.Stat(path).Stat().Ino
		Presuppose(a.Stat(path).Stat().Ino != theirs, "two UTS namespaces that differ")

		Expect(a.Raw(unix.SYS_SETNS, fd, unix.CLONE_NEWUTS)).To(Return(0))
		Expect(a.Stat(path).Stat().Ino).To(Equal(theirs))
	})

	Clause("pidfd-open.madvise", func() {
		a := actor.New()
		child := a.Fork()
		const length = 1 << 16
		memory := a.AllocAligned(length, length) // at the same address in the child
		fd := pidfdOf(a, child, 0)

		Expect(a.Raw(unix.SYS_PROCESS_MADVISE, fd, a.Iovec(memory), 1, unix.MADV_COLD, 0)).To(Return(length))
		r, _ := a.Pipe(0)
		Expect(a.Raw(unix.SYS_PROCESS_MADVISE, r, a.Iovec(memory), 1, unix.MADV_COLD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("pidfd-open.proc-directory", func() {
		a := killTarget()
		child := a.Fork()
		dir := procDirectory(a, child)

		Expect(a.PidfdSendSignal(dir, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(child, unix.SIGUSR1)
		Expect(a.EpollCtl(Must(a.EpollCreate1(0)), unix.EPOLL_CTL_ADD, dir, unix.EPOLLIN, 0)).To(FailWith(unix.EPERM))
		child.Exit(0)
		Expect(a.Waitid(unix.P_PIDFD, dir, unix.WEXITED|unix.WNOHANG)).To(FailWith(unix.EBADF))
	})
})

var _ = Describe("pidfd_send_signal", func() {
	Clause("pidfd-send-signal.to-process", func() {
		a := killTarget()
		child, other := a.Fork(), a.Fork()
		fd := pidfdOf(a, child, 0)

		Expect(a.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(child, unix.SIGUSR1)
		Expect(a.PidfdSendSignal(fd, unix.SIGUSR2, nil, 0)).To(Return(0))
		expectKills(child, unix.SIGUSR1, unix.SIGUSR2)
		expectNoKills(a, other)
	})

	Clause("pidfd-send-signal.kills", func() {
		a := actor.New()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)

		Expect(a.PidfdSendSignal(fd, unix.SIGSTOP, nil, 0)).To(Return(0))
		Expect(child.AwaitStopped()).To(BeTrue())
		Expect(a.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)).To(Return(0))
		Expect(child).To(BeKilledBy(unix.SIGKILL))
	})

	Clause("pidfd-send-signal.no-child-needed", func() {
		target := killTarget()
		a := actor.New()
		fd := pidfdOf(a, target, 0)
		heir := a.Fork()
		Must(a.Close(fd))

		Expect(heir.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(target, unix.SIGUSR1)
	})

	Clause("pidfd-send-signal.info", func() {
		a := queueTarget()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)

		Expect(a.PidfdSendSignal(fd, rtSignal, actor.Queued(rtSignal, actor.SI_QUEUE, 4711, 815, queuedValue), 0)).To(Return(0))
		expectQueued(child, queuedValue)
		info := child.Events()[0].Info
		Expect(info.PID()).To(Equal(4711))
		Expect(info.UID()).To(Equal(815))
	})

	Clause("pidfd-send-signal.null-info", func() {
		a := killTarget()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)

		Expect(a.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(child, unix.SIGUSR1)
		info := child.Events()[0].Info
		Expect(info.Signo()).To(Equal(unix.SIGUSR1))
		Expect(info.Errno()).To(BeZero())
		Expect(info.Code()).To(Equal(actor.SI_USER))
		Expect(info.PID()).To(Equal(a.PID()))
		Expect(info.UID()).To(Equal(Must(a.Getuid())))
	})

	Clause("pidfd-send-signal.real-uid", func() {
		target, sender := killTarget(), actor.New()
		fd := pidfdOf(sender, target, 0)
		uid := FreshUser()
		Must(target.Setresuid(uid, uid, uid))
		Must(sender.Setresuid(uid, FreshUser(), FreshUser()))

		Expect(sender.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(target, unix.SIGUSR1)
		Expect(target.Events()[0].Info.UID()).To(Equal(uid))
	})

	Clause("pidfd-send-signal.ancestor-namespace", func() {
		outside := killTarget()
		_, member := pidNamespace(outside)
		fd := pidfdOf(outside, member, 0)

		Expect(outside.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(member, unix.SIGUSR1)
	})

	Clause("pidfd-send-signal.einval-namespace", func() {
		outside := killTarget()
		target := outside.Fork()
		fd := pidfdOf(outside, target, 0)
		_, member := pidNamespace(outside) // with the descriptor

		Expect(member.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(FailWith(unix.EINVAL))
		Expect(member.PidfdSendSignal(fd, 0, nil, 0)).To(FailWith(unix.EINVAL))
		expectNoKills(target)
	})

	Clause("pidfd-send-signal.process-scope", func() {
		target, sender := killTarget(), actor.New()
		thread := target.Thread()
		target.SetMask(unix.SIGUSR1)
		fd := pidfdOf(sender, target, 0)

		Expect(sender.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKills(thread, unix.SIGUSR1)
		expectNoKills(target)
	})

	Clause("pidfd-send-signal.thread-scope", func() {
		target, sender := killTarget(), actor.New()
		thread := target.Thread()
		for _, one := range []*actor.Actor{target, thread} {
			one.SetMask(unix.SIGUSR1)
			fd := threadPidfd(sender, one)

			Expect(sender.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
			expectNoKills(target, thread)
			Expect(one.PendingSignals()).To(Equal(actor.Bit(unix.SIGUSR1)))
			Must(one.Sigtimedwait(actor.Bit(unix.SIGUSR1), 0))
			one.SetMask()
		}
	})

	Clause("pidfd-send-signal.thread-code", func() {
		target, sender := killTarget(), actor.New()
		fd := pidfdOf(sender, target, unix.PIDFD_THREAD)

		Expect(sender.PidfdSendSignal(fd, unix.SIGUSR1, nil, 0)).To(Return(0))
		expectKillsAs(target, actor.SI_TKILL, unix.SIGUSR1)
		info := target.Events()[0].Info
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.UID()).To(Equal(Must(sender.Getuid())))
	})

	for _, flags := range []uint{0, unix.PIDFD_THREAD} {
		name := map[uint]string{0: "of a process", unix.PIDFD_THREAD: "of a thread"}[flags]

		Clause("pidfd-send-signal.thread", name, func() {
			target, sender := killTarget(), actor.New()
			thread := target.Thread()
			target.SetMask(unix.SIGUSR1)
			fd := pidfdOf(sender, target, flags)

			Expect(sender.PidfdSendSignal(fd, unix.SIGUSR1, nil, unix.PIDFD_SIGNAL_THREAD)).To(Return(0))
			expectNoKills(target, thread)
			Expect(target.PendingSignals()).To(Equal(actor.Bit(unix.SIGUSR1)))
			target.SetMask()
			Must(target.Getpid())
			Expect(target).To(Catch(unix.SIGUSR1))
		})

		Clause("pidfd-send-signal.thread-group", name, func() {
			target, sender := killTarget(), actor.New()
			thread := target.Thread()
			target.SetMask(unix.SIGUSR1)
			fd := pidfdOf(sender, target, flags)

			Expect(sender.PidfdSendSignal(fd, unix.SIGUSR1, nil, unix.PIDFD_SIGNAL_THREAD_GROUP)).To(Return(0))
			expectKills(thread, unix.SIGUSR1)
			expectNoKills(target)
		})

		Clause("pidfd-send-signal.process-group", name, func() {
			a := killTarget()
			leader, member, _ := killGroup(a)
			fd := pidfdOf(a, leader, flags)

			Expect(a.PidfdSendSignal(fd, unix.SIGUSR1, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)).To(Return(0))
			expectKills(leader, unix.SIGUSR1)
			expectKills(member, unix.SIGUSR1)
			expectNoKills(a)
		})
	}

	Clause("pidfd-send-signal.process-group-no-leader", func() {
		a := killTarget()
		leader, member, _ := killGroup(a)
		fd := pidfdOf(a, member, 0)

		Expect(a.PidfdSendSignal(fd, unix.SIGUSR1, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)).To(FailWith(unix.ESRCH))
		expectNoKills(a, leader, member)
	})

	Clause("pidfd-send-signal.ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		dir := Must(a.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0))
		closed := pidfdOf(a, a, 0)
		Must(a.Close(closed))

		for _, fd := range []int{-1, closed, r, w, dir, math.MaxInt32} {
			Expect(a.PidfdSendSignal(fd, 0, nil, 0)).To(FailWith(unix.EBADF))
		}
	})

	Clause("pidfd-send-signal.einval-signal", func() {
		a := killTarget()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		for _, sig := range invalidSignals {
			Expect(a.PidfdSendSignal(fd, sig, nil, 0)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(child)
	})

	Clause("pidfd-send-signal.einval-flags", func() {
		a := killTarget()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		for _, flags := range []uint{0x100, 0x80000000, math.MaxUint32} {
			Expect(a.PidfdSendSignal(fd, unix.SIGUSR1, nil, flags)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(child)
	})

	Clause("pidfd-send-signal.one-scope", func() {
		a := killTarget()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		const thread, group, processes = unix.PIDFD_SIGNAL_THREAD, unix.PIDFD_SIGNAL_THREAD_GROUP, unix.PIDFD_SIGNAL_PROCESS_GROUP
		for _, flags := range []uint{thread | group, thread | processes, group | processes, thread | group | processes} {
			Expect(a.PidfdSendSignal(fd, unix.SIGUSR1, nil, flags)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(child)
	})

	Clause("pidfd-send-signal.eperm", func() {
		target, sender := killTarget(), actor.New()
		fd := pidfdOf(sender, target, 0) // and what it may do is not decided here
		target.BecomeUser(FreshUser())
		sender.BecomeUser(FreshUser())

		for _, sig := range []unix.Signal{0, unix.SIGUSR1, unix.SIGKILL, unix.SIGCONT} {
			Expect(sender.PidfdSendSignal(fd, sig, nil, 0)).To(FailWith(unix.EPERM))
		}
		expectNoKills(target)
	})

	Clause("pidfd-send-signal.eperm-code", func() {
		a := queueTarget()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		for _, code := range append([]int{actor.SI_TKILL}, kernelCodes...) {
			Expect(a.PidfdSendSignal(fd, rtSignal, actor.Queued(rtSignal, code, 1, 2, 3), 0)).To(FailWith(unix.EPERM))
		}
		expectNoKills(child)
	})

	Clause("pidfd-send-signal.self-any-code", func() {
		a := queueTarget()
		fd := pidfdOf(a, a, 0)
		for i, code := range []int{actor.SI_USER, actor.SI_KERNEL, actor.SI_TKILL, actor.SI_QUEUE} {
			Expect(a.PidfdSendSignal(fd, rtSignal, actor.Queued(rtSignal, code, 1, 2, 3), 0)).To(Return(0))
			Expect(a.AwaitEvents(i + 1)).To(HaveLen(i + 1))
			Expect(a.Events()[i].Signal).To(Equal(rtSignal))
			Expect(a.Events()[i].Info.Code()).To(Equal(code))
		}
	})

	Clause("pidfd-send-signal.esrch", func() {
		a := actor.New()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		child.Exit(7)

		Expect(a.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)).To(Return(0))
		Expect(child).To(Exit(7))
		reap(a, child)
		for _, sig := range []unix.Signal{0, unix.SIGTERM, unix.SIGKILL} {
			Expect(a.PidfdSendSignal(fd, sig, nil, 0)).To(FailWith(unix.ESRCH))
		}
	})

	Clause("pidfd-send-signal.esrch-proc", func() {
		a := actor.New()
		child := a.Fork()
		dir := procDirectory(a, child)
		Expect(a.PidfdSendSignal(dir, unix.SIGTERM, nil, 0)).To(Return(0))
		Expect(child).To(BeKilledBy(unix.SIGTERM))
		reap(a, child)
		for _, sig := range []unix.Signal{0, unix.SIGTERM} {
			Expect(a.PidfdSendSignal(dir, sig, nil, 0)).To(FailWith(unix.ESRCH))
		}
	})
})

// expectNoDescriptor checks that a number, the lowest that was free, is no descriptor of an actor's, so
// that a call which failed has opened none.
func expectNoDescriptor(a *actor.Actor, fd int) {
	GinkgoHelper()
	Expect(a.Fcntl(fd, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
}
