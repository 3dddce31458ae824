package events

import (
	"encoding/binary"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// newEpoll makes an epoll instance as a step of the set-up.
func newEpoll(a *actor.Actor) int { return Must(a.EpollCreate1(0)) }

// add registers a descriptor as a step of the set-up.
func add(a *actor.Actor, epfd, fd int, events uint32, data uint64) {
	Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, events, data))
}

// event is what epoll_wait reports.
func event(events uint32, data uint64) actor.EpollEvent {
	return actor.EpollEvent{Events: events, Data: data}
}

// signalMask lays out a signal set for the calls that take one.
func signalMask(sigs ...unix.Signal) []byte {
	return binary.NativeEndian.AppendUint64(nil, actor.Mask(sigs...))
}

// duration lays out a struct timespec.
func duration(seconds, nanoseconds int64) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(seconds))
	return binary.NativeEndian.AppendUint64(b, uint64(nanoseconds))
}

// A watch is an epoll instance with the read end of an empty pipe in it, registered for EPOLLIN with data
// 1, and another process that can write to the pipe.
type watch struct {
	a, other   *actor.Actor
	epfd, r, w int
}

func newWatch() watch {
	a := actor.New()
	r, w := a.Pipe(0)
	epfd := newEpoll(a)
	add(a, epfd, r, unix.EPOLLIN, 1)
	return watch{a: a, other: a.Fork(), epfd: epfd, r: r, w: w}
}

// fire makes the pipe readable.
func (w watch) fire() { Must(w.other.Write(w.w, oneByte)) }

// fired is the event that fire makes.
var fired = event(unix.EPOLLIN, 1)

var _ = Describe("What epoll_wait reports", func() {
	Clause("epollwait.reports-ready-members", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := readyPipe(a)
		empty, _ := a.Pipe(0)
		add(a, epfd, r, unix.EPOLLIN, 1)
		add(a, epfd, empty, unix.EPOLLIN, 2)
		add(a, epfd, w, unix.EPOLLOUT, 3)

		Expect(a.EpollWait(epfd, 8, 0)).To(ReturnEvents(event(unix.EPOLLIN, 1), event(unix.EPOLLOUT, 3)))
		Must(a.Read(r, 1))
		Expect(a.EpollWait(epfd, 8, 0)).To(ReturnEvents(event(unix.EPOLLOUT, 3)))
	})

	Clause("epollwait.data-as-registered", func() {
		a := actor.New()
		for _, data := range []uint64{0, 1<<64 - 1, 0x0123456789abcdef} {
			epfd := newEpoll(a)
			r, _ := readyPipe(a)
			add(a, epfd, r, unix.EPOLLIN, data)
			Expect(a.EpollWait(epfd, 2, 0)).To(ReturnEvents(event(unix.EPOLLIN, data)))
		}
	})

	Clause("epollwait.data-of-latest-mod", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, unix.EPOLLIN, 1)
		Expect(a.EpollCtl(epfd, unix.EPOLL_CTL_MOD, r, unix.EPOLLIN, 2)).To(Return(0))
		Expect(a.EpollWait(epfd, 2, 0)).To(ReturnEvents(event(unix.EPOLLIN, 2)))
	})

	// threeReady makes an instance with three members that are ready, with data 0 to 2.
	threeReady := func(a *actor.Actor) int {
		epfd := newEpoll(a)
		for data := range 3 {
			r, _ := readyPipe(a)
			add(a, epfd, r, unix.EPOLLIN, uint64(data))
		}
		return epfd
	}

	// untouchedBehind checks that a call stored n events into a buffer for four, and nothing behind.
	untouchedBehind := func(a *actor.Actor, epfd, n, want int) {
		GinkgoHelper()
		const size = 16 // no struct epoll_event is larger
		buffer := a.Alloc(4 * size)
		before := buffer.Copy()
		for i := range before {
			before[i] = 0xee
		}
		copy(buffer.Bytes(), before)
		Expect(a.Raw(unix.SYS_EPOLL_PWAIT, epfd, buffer, n, 0, nil, 8)).To(Return(want))
		Expect(buffer.Copy()[want*size:]).To(Equal(before[want*size:]))
	}
	Clause("epollwait.at-most-n", func() {
		a := actor.New()
		epfd := threeReady(a)
		all := a.EpollWait(epfd, 3, 0)
		Expect(all.EpollEvents()).To(ConsistOf(event(unix.EPOLLIN, 0), event(unix.EPOLLIN, 1), event(unix.EPOLLIN, 2)))
		Expect(a.EpollWait(epfd, 2, 0)).To(Return(2))
		untouchedBehind(a, epfd, 1, 1)
	})

	Clause("epollwait.fewer-than-n", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, unix.EPOLLIN, 7)
		Expect(a.EpollWait(epfd, 4, 0)).To(ReturnEvents(event(unix.EPOLLIN, 7)))
		untouchedBehind(a, epfd, 4, 1)
		Must(a.Read(r, 1))
		untouchedBehind(a, epfd, 4, 0)
	})

	for _, n := range []struct {
		id string
		n  int
	}{{"epollwait.n-zero", 0}, {"epollwait.n-negative", -1}} {
		Clause(n.id, func() {
			a := actor.New()
			epfd := threeReady(a)
			buffer := a.Alloc(64)
			Expect(a.Raw(unix.SYS_EPOLL_PWAIT, epfd, buffer, n.n, 0, nil, 8)).To(FailWith(unix.EINVAL))
			Expect(a.Raw(unix.SYS_EPOLL_WAIT, epfd, buffer, n.n, 0)).To(FailWith(unix.EINVAL))
			Expect(a.Raw(unix.SYS_EPOLL_WAIT, newEpoll(a), buffer, n.n, -1)).To(FailWith(unix.EINVAL))
		})
	}

	Clause("epollwait.round-robin", func() {
		a := actor.New()
		epfd := threeReady(a)
		var first []uint64
		for range 3 {
			wait := a.EpollWait(epfd, 1, 0)
			Expect(wait).To(Return(1))
			Expect(wait.EpollEvents()[0].Events).To(Equal(uint32(unix.EPOLLIN)))
			first = append(first, wait.EpollEvents()[0].Data)
		}
		Expect(first).To(ConsistOf(uint64(0), uint64(1), uint64(2)))
		for _, data := range first {
			Expect(a.EpollWait(epfd, 1, 0)).To(ReturnEvents(event(unix.EPOLLIN, data)))
		}
	})
})

var _ = Describe("How long epoll_wait waits", func() {
	Clause("epollwait.timeout-zero", func() {
		w := newWatch()
		Expect(w.a.EpollWait(w.epfd, 2, 0)).To(Return(0))
		w.fire()
		Expect(w.a.EpollWait(w.epfd, 2, 0)).To(ReturnEvents(fired))
	})

	Clause("epollwait.timeout-infinite", func() {
		w := newWatch()
		wait := w.a.Begin().EpollWait(w.epfd, 2, -1)
		Expect(wait).To(Block())
		w.fire()
		Expect(wait).To(ReturnEvents(fired))
	})

	Clause("epollwait.timeout-never-early", func() {
		w := newWatch()
		for _, timeout := range []int64{1, 3} {
			before := now(w.a, unix.CLOCK_MONOTONIC)
			Expect(w.a.EpollWait(w.epfd, 2, int(timeout))).To(Return(0))
			Expect(now(w.a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", timeout*ms))
		}
	})

	Clause("epollwait.event-before-timeout", func() {
		w := newWatch()
		wait := w.a.Begin().EpollWait(w.epfd, 2, 1<<30)
		Expect(wait).To(Block())
		w.fire()
		Expect(wait).To(ReturnEvents(fired))
	})

	for _, restart := range []struct {
		name  string
		flags uint64
	}{{"", 0}, {"SA_RESTART", actor.SA_RESTART}} {
		Clause("epollwait.interrupted", restart.name, func() {
			w := newWatch()
			w.a.Handle(unix.SIGUSR1, restart.flags)
			interruptCall(w.a.Begin().EpollWait(w.epfd, 2, -1))
			w.fire()
			Expect(w.a.EpollWait(w.epfd, 2, 0)).To(ReturnEvents(fired))
		})
		Clause("epollwait.interrupted-with-timeout", restart.name, func() {
			w := newWatch()
			w.a.Handle(unix.SIGUSR1, restart.flags)
			interruptCall(w.a.Begin().EpollWait(w.epfd, 2, 1<<30))
			w.fire()
			Expect(w.a.EpollWait(w.epfd, 2, 0)).To(ReturnEvents(fired))
		})
	}

	Clause("epollwait.ignored-signal", func() {
		w := newWatch()
		w.a.Ignore(unix.SIGUSR1)
		wait := w.a.Begin().EpollWait(w.epfd, 2, -1)
		Expect(wait).To(Block())
		Must(w.other.Kill(w.a.PID(), unix.SIGUSR1))
		Expect(wait).To(Block())
		w.fire()
		Expect(wait).To(ReturnEvents(fired))
	})

	Clause("epollwait.add-wakes", func() {
		w := newWatch()
		thread := w.a.Thread()
		r, _ := readyPipe(w.a)
		wait := w.a.Begin().EpollWait(w.epfd, 2, -1)
		Expect(wait).To(Block())
		Expect(thread.EpollCtl(w.epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 2)).To(Return(0))
		Expect(wait).To(ReturnEvents(event(unix.EPOLLIN, 2)))
	})

	Clause("epollwait.add-then-ready-wakes", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		thread := a.Thread()
		wait := a.Begin().EpollWait(epfd, 2, -1)
		Expect(wait).To(Block())
		Expect(thread.EpollCtl(epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 2)).To(Return(0))
		Expect(wait).To(Block())
		Must(thread.Write(w, oneByte))
		Expect(wait).To(ReturnEvents(event(unix.EPOLLIN, 2)))
	})

	Clause("epollwait.empty-list-sleeps", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		thread := a.Thread()
		Expect(a.EpollWait(epfd, 2, 0)).To(Return(0))
		wait := a.Begin().EpollWait(epfd, 2, -1)
		Expect(wait).To(Block())
		add(thread, epfd, r, unix.EPOLLIN, 5)
		Expect(wait).To(ReturnEvents(event(unix.EPOLLIN, 5)))
	})

	Clause("epollwait.removed-list-sleeps", func() {
		w := newWatch()
		thread := w.a.Thread()
		wait := w.a.Begin().EpollWait(w.epfd, 2, -1)
		Expect(wait).To(Block())
		Expect(thread.EpollCtl(w.epfd, unix.EPOLL_CTL_DEL, w.r, 0, 0)).To(Return(0))
		w.fire()
		Expect(wait).To(Block())
		add(thread, w.epfd, w.r, unix.EPOLLIN, 6)
		Expect(wait).To(ReturnEvents(event(unix.EPOLLIN, 6)))
	})

	Clause("epollwait.closed-member-sleeps", func() {
		a := actor.New()
		thread := a.Thread()
		epfd := newEpoll(a)
		r, _ := a.Pipe(0)
		add(a, epfd, r, unix.EPOLLIN, 1)
		ready, _ := readyPipe(a)
		wait := a.Begin().EpollWait(epfd, 2, -1)
		Expect(wait).To(Block())
		Must(thread.Close(r))
		Expect(wait).To(Block())
		add(thread, epfd, ready, unix.EPOLLIN, 2)
		Expect(wait).To(ReturnEvents(event(unix.EPOLLIN, 2)))
	})
})

var _ = Describe("epoll_wait that fails", func() {
	Clause("epollwait.ebadf", func() {
		a := actor.New()
		closed := newEpoll(a)
		Must(a.Close(closed))
		for _, fd := range []int{closed, -1, 1 << 20} {
			Expect(a.EpollWait(fd, 1, -1)).To(FailWith(unix.EBADF))
		}
	})

	Clause("epollwait.not-epoll", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		for _, fd := range []int{r, newEventfd(a, 1, 0), newTimerfd(a, 0)} {
			Expect(a.EpollWait(fd, 1, -1)).To(FailWith(unix.EINVAL))
		}
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("epollwait.fault", func() {
		w := newWatch()
		w.fire()
		for _, buffer := range []actor.Mem{w.a.Unmapped(), w.a.ReadOnly(make([]byte, 64))} {
			Expect(w.a.Raw(unix.SYS_EPOLL_WAIT, w.epfd, buffer, 2, 0)).To(FailWith(unix.EFAULT))
		}
		Expect(w.a.EpollWait(w.epfd, 2, 0)).To(ReturnEvents(fired))
	})
})

var _ = Describe("epoll_pwait and epoll_pwait2", func() {
	Clause("epollwait.pwait-signal-while-asleep", func() {
		w := newWatch()
		w.a.Handle(unix.SIGUSR1, 0)
		w.a.SetMask(unix.SIGUSR1)
		interruptCall(w.a.Begin().EpollPwaitMasked(w.epfd, 2, -1, signalMask()))
		expectMask(w.a, unix.SIGUSR1)
	})

	Clause("epollwait.pwait-sigsetsize", func() {
		w := newWatch()
		w.fire()
		buffer := w.a.Alloc(64)
		for _, size := range []int{0, 4, 7, 9, 16, 128} {
			Expect(w.a.Raw(unix.SYS_EPOLL_PWAIT, w.epfd, buffer, 2, 0, make([]byte, 128), size)).To(FailWith(unix.EINVAL), "size %d", size)
		}
		Expect(w.a.EpollWait(w.epfd, 2, 0)).To(ReturnEvents(fired))
	})

	Clause("epollwait.pwait-mask-fault", func() {
		w := newWatch()
		w.fire()
		Expect(w.a.EpollPwaitMasked(w.epfd, 2, 0, w.a.Unmapped())).To(FailWith(unix.EFAULT))
		Expect(w.a.EpollWait(w.epfd, 2, 0)).To(ReturnEvents(fired))
	})

	Clause("epollwait.pwait2-null-timeout", func() {
		w := newWatch()
		wait := w.a.Begin().EpollPwait2(w.epfd, 2, nil, nil)
		Expect(wait).To(Block())
		w.fire()
		Expect(wait).To(ReturnEvents(fired))
	})

	Clause("epollwait.pwait2-zero-timeout", func() {
		w := newWatch()
		Expect(w.a.EpollPwait2(w.epfd, 2, duration(0, 0), nil)).To(Return(0))
	})

	Clause("epollwait.pwait2-nanoseconds", func() {
		w := newWatch()
		const ns = 1_234_567
		before := now(w.a, unix.CLOCK_MONOTONIC)
		Expect(w.a.EpollPwait2(w.epfd, 2, duration(0, ns), nil)).To(Return(0))
		Expect(now(w.a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", ns))
		Expect(w.a.EpollPwait2(w.epfd, 2, duration(0, 1), nil)).To(Return(0))
	})

	Clause("epollwait.pwait2-reports", func() {
		w := newWatch()
		add(w.a, w.epfd, w.w, unix.EPOLLOUT, 1<<63)
		w.fire()
		Expect(w.a.EpollPwait2(w.epfd, 4, duration(0, 0), nil).EpollEvents()).To(ConsistOf(fired, event(unix.EPOLLOUT, 1<<63)))
		Expect(w.a.EpollPwait2(w.epfd, 1, nil, nil)).To(Return(1))
	})

	Clause("epollwait.pwait2-bad-timeout", func() {
		w := newWatch()
		for _, bad := range [][]byte{duration(0, second), duration(0, -1), duration(-1, 0)} {
			Expect(w.a.EpollPwait2(w.epfd, 2, bad, nil)).To(FailWith(unix.EINVAL))
		}
		w.fire()
		Expect(w.a.EpollPwait2(w.epfd, 2, duration(0, second-1), nil)).To(ReturnEvents(fired), "the greatest number of nanoseconds")
	})

	Clause("epollwait.pwait2-timeout-unchanged", func() {
		w := newWatch()
		timeout := w.a.Bytes(duration(0, soon))
		Expect(w.a.EpollPwait2(w.epfd, 2, timeout, nil)).To(Return(0))
		Expect(timeout.Copy()).To(Equal(duration(0, soon)))
		w.fire()
		Expect(w.a.EpollPwait2(w.epfd, 2, timeout, nil)).To(ReturnEvents(fired))
		Expect(timeout.Copy()).To(Equal(duration(0, soon)))
	})
})
