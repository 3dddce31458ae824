package events

import (
	"fmt"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	tfdNonblock = unix.TFD_NONBLOCK
	tfdCloexec  = unix.TFD_CLOEXEC
	absolute    = unix.TFD_TIMER_ABSTIME
	cancelOnSet = unix.TFD_TIMER_CANCEL_ON_SET
	setTicks    = 0x40085400 // TFD_IOC_SET_TICKS

	ms     = int64(time.Millisecond)
	second = int64(time.Second)

	// soon is long enough to be measured and short enough to wait for; never is longer than any spec.
	soon  = 2 * ms
	never = 1000 * second
)

// The clocks that everybody may make a timerfd on.
var timerClocks = []struct {
	name string
	id   int
}{
	{"CLOCK_REALTIME", unix.CLOCK_REALTIME}, {"CLOCK_MONOTONIC", unix.CLOCK_MONOTONIC}, {"CLOCK_BOOTTIME", unix.CLOCK_BOOTTIME},
}

// The clocks that wake the system up, with the clock that they follow.
var alarmClocks = []struct {
	name       string
	id, follow int
}{
	{"CLOCK_REALTIME_ALARM", unix.CLOCK_REALTIME_ALARM, unix.CLOCK_REALTIME},
	{"CLOCK_BOOTTIME_ALARM", unix.CLOCK_BOOTTIME_ALARM, unix.CLOCK_BOOTTIME},
}

// once is a timer's setting without an interval.
func once(ns int64) actor.Itimer { return actor.Itimer{Value: ns} }

// newTimerfd makes a timer on CLOCK_MONOTONIC as a step of the set-up.
func newTimerfd(a *actor.Actor, flags int) int {
	return Must(a.TimerfdCreate(unix.CLOCK_MONOTONIC, flags))
}

// armedTimerfd makes a timer on CLOCK_MONOTONIC with that setting.
func armedTimerfd(a *actor.Actor, flags int, t actor.Itimer) int {
	fd := newTimerfd(a, flags)
	Must(a.TimerfdSettime(fd, 0, t))
	return fd
}

// expiredTimerfd makes a timer that has expired once.
func expiredTimerfd(a *actor.Actor, flags int) int {
	fd := armedTimerfd(a, flags, once(1))
	Must(a.Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN}))
	return fd
}

// passTime has the actor wait until another timer of so many nanoseconds has expired, which is later
// than one that was set before to as many or fewer.
func passTime(a *actor.Actor, ns int64) {
	GinkgoHelper()
	before := now(a, unix.CLOCK_MONOTONIC)
	later := armedTimerfd(a, 0, once(ns))
	Expect(a.Read(later, 8)).To(returnCount(1))
	Must(a.Close(later))
	Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", ns))
}

// now returns what a clock says to the actor, in nanoseconds.
func now(a *actor.Actor, clock int) int64 {
	call := a.ClockGettime(clock)
	Must(call)
	return call.Nanoseconds()
}

// expectDisarmed checks that a timer is disarmed and that no expiration waits to be read.
func expectDisarmed(a *actor.Actor, fd int) {
	GinkgoHelper()
	gettime := a.TimerfdGettime(fd)
	Expect(gettime).To(Return(0))
	Expect(gettime.Itimerspec().Value).To(BeZero())
	Expect(a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN})).To(ReturnRevents(0))
}

// expectReadable checks what poll, select and epoll say of a descriptor as one to read from.
func expectReadable(a *actor.Actor, fd int, readable bool) {
	GinkgoHelper()
	var revents int16
	var events []actor.EpollEvent
	if readable {
		revents, events = unix.POLLIN, []actor.EpollEvent{{Events: unix.EPOLLIN, Data: 1}}
	}
	Expect(a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN})).To(ReturnRevents(revents))
	read := actor.NewFDSet(fd)
	Expect(a.Select(fd+1, read, nil, nil, 0)).To(Return(len(events)))
	Expect(read.Has(fd)).To(Equal(readable), "select's readfds")
	epfd := Must(a.EpollCreate1(0))
	Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, 1))
	Expect(a.EpollWait(epfd, 2, 0)).To(ReturnEvents(events...))
	Must(a.Close(epfd))
}

// expectSetting checks that a call about a timer told a setting of so much or a little less, with that
// interval.
func expectSetting(call *actor.Call, value, interval int64) {
	GinkgoHelper()
	got := call.Itimerspec()
	Expect(got.Interval).To(Equal(interval))
	Expect(got.Value).To(And(BeNumerically(">", 0), BeNumerically("<=", value)))
	Expect(got.Value).To(BeNumerically(">", value/2), "a spec does not last so long")
}

// expectGettime checks that timerfd_gettime returns 0 and tells that.
func expectGettime(a *actor.Actor, fd int, value, interval int64) {
	GinkgoHelper()
	gettime := a.TimerfdGettime(fd)
	Expect(gettime).To(Return(0))
	expectSetting(gettime, value, interval)
}

var _ = Describe("A new timerfd", func() {
	Clause("timerfd.returns-descriptor", func() {
		a := actor.New()
		low, _ := a.Pipe(0)
		Must(a.Close(low))

		Expect(a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)).To(Return(low))
		expectDisarmed(a, low)
	})

	for _, clock := range timerClocks {
		Clause("timerfd.each-clock", clock.name, func() {
			a := actor.New()
			fd := a.TimerfdCreate(clock.id, 0)
			Expect(fd).To(ReturnFD())
			Expect(a.TimerfdSettime(fd.Value(), 0, once(1))).To(Return(0))
			Expect(a.Read(fd.Value(), 8)).To(returnCount(1))
		})
	}

	for _, clock := range alarmClocks {
		Clause("timerfd.alarm-clocks", clock.name, func() {
			a := actor.New()
			fd := a.TimerfdCreate(clock.id, 0)
			Expect(fd).To(ReturnFD())
			before := now(a, clock.follow)
			Expect(a.TimerfdSettime(fd.Value(), 0, once(soon))).To(Return(0))
			Expect(a.Read(fd.Value(), 8)).To(returnCount(1))
			Expect(now(a, clock.follow) - before).To(BeNumerically(">=", soon))
		})

		Clause("timerfd.alarm-clock-eperm", clock.name, func() {
			a := actor.New()
			Expect(a.TimerfdCreate(clock.id, 0)).To(FailWith(unix.EPERM))
			Expect(a.Fcntl(0, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
		})

		Clause("timerfd.alarm-settime-eperm", clock.name, func() {
			a := actor.New()
			fd := Must(a.TimerfdCreate(clock.id, 0))
			b := a.Fork()
			b.DropCapabilities(^uint64(0))

			Expect(b.TimerfdSettime(fd, 0, once(never))).To(FailWith(unix.EPERM))
			expectDisarmed(a, fd)
			Expect(a.TimerfdSettime(fd, 0, once(never))).To(Return(0))
		})
	}

	Clause("timerfd.unknown-clock", func() {
		a := actor.New()
		ownCPU := -6 // the CPU clock of the calling process, as clock_getcpuclockid(3) makes it
		for _, clock := range []int{
			unix.CLOCK_PROCESS_CPUTIME_ID, unix.CLOCK_THREAD_CPUTIME_ID, unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_REALTIME_COARSE,
			unix.CLOCK_MONOTONIC_COARSE, unix.CLOCK_TAI, 10, 100, 1 << 30, -1, ownCPU,
		} {
			Expect(a.TimerfdCreate(clock, 0)).To(FailWith(unix.EINVAL), "clock %d", clock)
		}
		Expect(a.Fcntl(0, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("timerfd.objects-are-separate", func() {
		a := actor.New()
		one, other := a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0), a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)
		Expect(one).To(ReturnFD())
		Expect(other).To(ReturnFD())

		Expect(a.TimerfdSettime(one.Value(), 0, once(never))).To(Return(0))
		expectDisarmed(a, other.Value())
		expectGettime(a, one.Value(), never, 0)
	})

	for _, flags := range []struct {
		id                        string
		flags, descriptor, status int
	}{
		{"timerfd.flags-zero", 0, 0, 0},
		{"timerfd.nonblock", tfdNonblock, 0, unix.O_NONBLOCK},
		{"timerfd.cloexec", tfdCloexec, unix.FD_CLOEXEC, 0},
		{"timerfd.both-flags", tfdNonblock | tfdCloexec, unix.FD_CLOEXEC, unix.O_NONBLOCK},
	} {
		Clause(flags.id, func() {
			a := actor.New()
			fd := a.TimerfdCreate(unix.CLOCK_MONOTONIC, flags.flags)
			Expect(fd).To(ReturnFD())
			Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(Return(flags.descriptor))
			status := a.Fcntl(fd.Value(), unix.F_GETFL, 0)
			Expect(status).To(ReturnSuccess())
			Expect(status.Value() & unix.O_NONBLOCK).To(Equal(flags.status))
		})
	}

	Clause("timerfd.create-unknown-flags", func() {
		a := actor.New()
		for bit := range 32 {
			if flags := 1 << bit; flags&(tfdNonblock|tfdCloexec) == 0 {
				Expect(a.TimerfdCreate(unix.CLOCK_MONOTONIC, flags)).To(FailWith(unix.EINVAL))
				Expect(a.TimerfdCreate(unix.CLOCK_MONOTONIC, flags|tfdCloexec)).To(FailWith(unix.EINVAL))
			}
		}
		Expect(a.Fcntl(0, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("timerfd.emfile", func() {
		a := actor.New()
		a.Pipe(0)
		a.SetRlimit(unix.RLIMIT_NOFILE, 2)

		Expect(a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)).To(FailWith(unix.EMFILE))
		Must(a.Close(1))
		Expect(a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)).To(Return(1))
	})

	Clause("timerfd.enfile", func() {
		a := actor.New()
		free := a.ExhaustFiles()
		Expect(a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)).To(FailWith(unix.ENFILE))
		Expect(a.Fcntl(free, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})
})

var _ = Describe("Setting a timerfd to a relative time", func() {
	Clause("timerfd.settime-returns-zero", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Expect(a.TimerfdSettime(fd, 0, once(soon))).To(Return(0))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	for _, clock := range timerClocks {
		Clause("timerfd.relative-never-early", clock.name, func() {
			a := actor.New()
			fd := Must(a.TimerfdCreate(clock.id, 0))
			before := now(a, clock.id)
			Expect(a.TimerfdSettime(fd, 0, once(soon))).To(Return(0))
			Expect(a.Read(fd, 8)).To(returnCount(1))
			Expect(now(a, clock.id) - before).To(BeNumerically(">=", soon))
		})
	}

	Clause("timerfd.one-nanosecond", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Expect(a.TimerfdSettime(fd, 0, once(1))).To(Return(0))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("timerfd.seconds-only", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Expect(a.TimerfdSettime(fd, 0, once(never))).To(Return(0))
		expectGettime(a, fd, never, 0)
	})

	Clause("timerfd.interval-seconds-only", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Expect(a.TimerfdSettime(fd, 0, actor.Itimer{Value: never, Interval: 7 * second})).To(Return(0))
		expectGettime(a, fd, never, 7*second)
	})

	Clause("timerfd.zero-disarms", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: 1, Interval: ms})
		Must(a.Read(fd, 8))
		Expect(a.TimerfdSettime(fd, 0, actor.Itimer{Interval: ms})).To(Return(0))
		passTime(a, soon)
		expectDisarmed(a, fd)
	})

	Clause("timerfd.disarm-forgets-expirations", func() {
		a := actor.New()
		fd := expiredTimerfd(a, tfdNonblock)
		Expect(a.TimerfdSettime(fd, 0, actor.Itimer{})).To(Return(0))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		expectDisarmed(a, fd)
	})

	Clause("timerfd.settime-restarts-count", func() {
		a := actor.New()
		fd := armedTimerfd(a, tfdNonblock, actor.Itimer{Value: 1, Interval: ms})
		passTime(a, 3*ms)
		Expect(a.Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN})).To(ReturnRevents(unix.POLLIN))
		Expect(a.TimerfdSettime(fd, 0, once(never))).To(Return(0))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		Must(a.TimerfdSettime(fd, 0, once(1)))
		Must(a.Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN}))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("timerfd.expires-once", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Expect(a.TimerfdSettime(fd, 0, once(ms))).To(Return(0))
		Expect(a.Read(fd, 8)).To(returnCount(1))
		passTime(a, 2*ms)
		expectDisarmed(a, fd)
	})

	Clause("timerfd.interval-repeats", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		before := now(a, unix.CLOCK_MONOTONIC)
		Expect(a.TimerfdSettime(fd, 0, actor.Itimer{Value: ms, Interval: ms})).To(Return(0))
		for total := int64(0); total < 4; {
			read := a.Read(fd, 8)
			Expect(read).To(Return(8))
			n := read.Word()
			elapsed := now(a, unix.CLOCK_MONOTONIC) - before
			Expect(n).To(And(BeNumerically(">=", 1), BeNumerically("<=", elapsed/ms-total)))
			total += int64(n)
		}
	})

	Clause("timerfd.interval-counts", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		var before, after int64 // the timer is set in between
		for range 100 {
			before = now(a, unix.CLOCK_MONOTONIC)
			Must(a.TimerfdSettime(fd, 0, actor.Itimer{Value: ms, Interval: ms}))
			if after = now(a, unix.CLOCK_MONOTONIC); after-before < ms/2 {
				break
			}
		}
		// However late this process is, the clock allows so many expirations and no more. It leaves
		// no room for a wrong count once it allows but one, the same right before a read as after it.
		total, several := int64(0), false
		for range 100 {
			passTime(a, 3*ms) // several expirations, nobody reads them
			least := (now(a, unix.CLOCK_MONOTONIC) - after) / ms
			read := a.Read(fd, 8)
			Expect(read).To(Return(8))
			n := int64(read.Word())
			total += n
			most := (now(a, unix.CLOCK_MONOTONIC) - before) / ms
			Expect(n).To(BeNumerically(">=", 1))
			Expect(total).To(BeNumerically("<=", most))
			if several = several || n >= 2; several && least == most {
				break
			}
		}
		Expect(several).To(BeTrue(), "no read counted several expirations")
	})

	Clause("timerfd.interval-differs-from-first", func() {
		a := actor.New()
		short, long := newTimerfd(a, 0), newTimerfd(a, 0)
		Expect(a.TimerfdSettime(long, 0, actor.Itimer{Value: never, Interval: ms})).To(Return(0))
		Expect(a.TimerfdSettime(short, 0, actor.Itimer{Value: ms, Interval: never})).To(Return(0))

		Expect(a.Read(short, 8)).To(returnCount(1))
		expectGettime(a, short, never, never)
		expectGettime(a, long, never, ms)
		passTime(a, 2*ms)
		for _, fd := range []int{short, long} {
			Expect(a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN})).To(ReturnRevents(0))
		}
	})
})

var _ = Describe("The setting that timerfd_settime replaces", func() {
	Clause("timerfd.null-old-value", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		setting := a.Alloc(32) // interval, then value
		setting.PutUint64(16, uint64(never/second))
		Expect(a.Raw(unix.SYS_TIMERFD_SETTIME, fd, 0, setting, nil)).To(Return(0))
		expectGettime(a, fd, never, 0)
	})

	Clause("timerfd.old-value", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: never, Interval: 3*second + 5})
		settime := a.TimerfdSettime(fd, 0, once(2*never))
		Expect(settime).To(Return(0))
		expectSetting(settime, never, 3*second+5)
		expectGettime(a, fd, 2*never, 0)
	})

	Clause("timerfd.old-value-disarmed", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		settime := a.TimerfdSettime(fd, 0, once(never))
		Expect(settime).To(Return(0))
		Expect(settime.Itimerspec()).To(Equal(actor.Itimer{}))
		expectGettime(a, fd, never, 0)
	})

	Clause("timerfd.old-value-of-absolute", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Must(a.TimerfdSettime(fd, absolute, once(now(a, unix.CLOCK_MONOTONIC)+never)))
		settime := a.TimerfdSettime(fd, 0, actor.Itimer{})
		Expect(settime).To(Return(0))
		expectSetting(settime, never, 0)
		expectDisarmed(a, fd)
	})
})

var _ = Describe("Setting a timerfd to an absolute time", func() {
	for _, clock := range timerClocks {
		Clause("timerfd.absolute-never-early", clock.name, func() {
			a := actor.New()
			fd := Must(a.TimerfdCreate(clock.id, 0))
			at := now(a, clock.id) + soon
			Expect(a.TimerfdSettime(fd, absolute, once(at))).To(Return(0))
			Expect(a.Read(fd, 8)).To(returnCount(1))
			Expect(now(a, clock.id)).To(BeNumerically(">=", at))
		})

		Clause("timerfd.absolute-past", clock.name, func() {
			a := actor.New()
			fd := Must(a.TimerfdCreate(clock.id, 0))
			before := now(a, clock.id)
			at := before - ms
			Expect(a.TimerfdSettime(fd, absolute, once(at))).To(Return(0))
			Expect(a.Read(fd, 8)).To(returnCount(1))
			// A relative timer would take as long again as the clock has gone by now.
			Expect(now(a, clock.id)).To(BeNumerically("<", before+at))
			expectDisarmed(a, fd)
		})
	}

	Clause("timerfd.absolute-past-interval", func() {
		a := actor.New()
		fd := Must(a.TimerfdCreate(unix.CLOCK_REALTIME, 0))
		at := now(a, unix.CLOCK_REALTIME) - 10*never - never/2
		Presuppose(at > 0, "a real-time clock that is not in the first hours of 1970")
		Expect(a.TimerfdSettime(fd, absolute, actor.Itimer{Value: at, Interval: never})).To(Return(0))
		Expect(a.Read(fd, 8)).To(returnCount(11))
	})

	Clause("timerfd.absolute-zero-disarms", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: 1, Interval: ms})
		Must(a.Read(fd, 8))
		disarm := a.TimerfdSettime(fd, absolute, actor.Itimer{})
		Expect(disarm).To(Return(0))
		Expect(disarm.Itimerspec().Interval).To(Equal(ms))
		passTime(a, soon)
		expectDisarmed(a, fd)
	})
})

var _ = Describe("timerfd_gettime", func() {
	Clause("timerfd.gettime-disarmed", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		gettime := a.TimerfdGettime(fd)
		Expect(gettime).To(Return(0))
		Expect(gettime.Itimerspec()).To(Equal(actor.Itimer{}))
	})

	Clause("timerfd.gettime-remaining", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		first := a.TimerfdGettime(fd)
		Expect(first).To(Return(0))
		expectSetting(first, never, 0)
		passTime(a, soon)
		second := a.TimerfdGettime(fd)
		Expect(second).To(Return(0))
		expectSetting(second, first.Itimerspec().Value-soon, 0)
	})

	Clause("timerfd.gettime-absolute-is-relative", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Must(a.TimerfdSettime(fd, absolute, actor.Itimer{Value: now(a, unix.CLOCK_MONOTONIC) + never, Interval: second}))
		expectGettime(a, fd, never, second)
	})

	Clause("timerfd.gettime-interval", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: 1, Interval: ms + 1})
		Must(a.Read(fd, 8))
		gettime := a.TimerfdGettime(fd)
		Expect(gettime).To(Return(0))
		Expect(gettime.Itimerspec().Interval).To(Equal(ms + 1))
	})

	Clause("timerfd.gettime-one-shot", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		expectGettime(a, fd, never, 0)
	})

	Clause("timerfd.gettime-after-one-shot", func() {
		a := actor.New()
		fd := expiredTimerfd(a, 0)
		gettime := a.TimerfdGettime(fd)
		Expect(gettime).To(Return(0))
		Expect(gettime.Itimerspec()).To(Equal(actor.Itimer{}))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("timerfd.gettime-within-interval", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: 1, Interval: never})
		Must(a.Read(fd, 8))
		expectGettime(a, fd, never, never)
	})

	Clause("timerfd.gettime-changes-nothing", func() {
		a := actor.New()
		fd := expiredTimerfd(a, tfdNonblock)
		Expect(a.TimerfdGettime(fd)).To(Return(0))
		Expect(a.Read(fd, 8)).To(returnCount(1))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))

		Must(a.TimerfdSettime(fd, 0, actor.Itimer{Value: never, Interval: second}))
		Expect(a.TimerfdGettime(fd)).To(Return(0))
		expectGettime(a, fd, never, second)
	})
})

var _ = Describe("A read of a timerfd", func() {
	Clause("timerfd.read-eight-bytes", func() {
		a := actor.New()
		fd := expiredTimerfd(a, 0)
		buffer := a.Bytes([]byte("replaced|as it was"))
		Expect(a.ReadInto(fd, buffer, 18)).To(Return(8))
		Expect(buffer.Copy()).To(Equal(append(count(1), "|as it was"...)))
	})

	Clause("timerfd.read-host-order", func() {
		a := actor.New()
		fd := expiredTimerfd(a, 0)
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("timerfd.read-resets", func() {
		a := actor.New()
		fd := expiredTimerfd(a, tfdNonblock)
		Expect(a.Read(fd, 8)).To(returnCount(1))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("timerfd.read-short-buffer", func() {
		a := actor.New()
		fd := expiredTimerfd(a, 0)
		for n := range 8 {
			buffer := a.Bytes([]byte("untouched"))
			Expect(a.ReadInto(fd, buffer, n)).To(FailWith(unix.EINVAL))
			Expect(string(buffer.Copy())).To(Equal("untouched"))
		}
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("timerfd.read-short-buffer-armed", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		Expect(a.Read(fd, 7)).To(FailWith(unix.EINVAL))
		Expect(a.Read(fd, 0)).To(FailWith(unix.EINVAL))
		expectGettime(a, fd, never, 0)
	})

	Clause("timerfd.read-blocks", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		other := a.Fork()

		read := a.Begin().Read(fd, 8)
		Expect(read).To(Block())
		Must(other.TimerfdSettime(fd, 0, once(soon)))
		Expect(read).To(returnCount(1))
	})

	Clause("timerfd.read-disarmed-blocks", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		other := a.Fork()

		read := a.Begin().Read(fd, 8)
		Expect(read).To(Block())
		Expect(other.TimerfdSettime(fd, 0, once(1))).To(Return(0))
		Expect(read).To(returnCount(1))
	})

	Clause("timerfd.read-eagain", func() {
		a := actor.New()
		fd := armedTimerfd(a, tfdNonblock, once(never))
		buffer := a.Bytes([]byte("untouched"))
		Expect(a.ReadInto(fd, buffer, 8)).To(FailWith(unix.EAGAIN))
		Expect(string(buffer.Copy())).To(Equal("untouched"))
	})

	Clause("timerfd.read-nonblock-by-setfl", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		Expect(a.Fcntl(fd, unix.F_SETFL, 0)).To(Return(0))
		Expect(a.Begin().Read(fd, 8)).To(Block())
	})

	Clause("timerfd.read-interrupted", func() {
		a := actor.New()
		a.Handle(unix.SIGUSR1, 0)
		fd := armedTimerfd(a, 0, once(never))
		interruptCall(a.Begin().Read(fd, 8))
		Must(a.TimerfdSettime(fd, 0, once(1)))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("timerfd.write-refused", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		Expect(a.Write(fd, count(1))).To(FailWith(unix.EINVAL))
		expectDisarmed(a, fd)
	})
})

var _ = Describe("A timerfd with TFD_TIMER_CANCEL_ON_SET", func() {
	// cancelable makes a timer that the setting of the clock cancels.
	cancelable := func(a *actor.Actor, flags int) int {
		fd := Must(a.TimerfdCreate(unix.CLOCK_REALTIME, flags))
		Must(a.TimerfdSettime(fd, absolute|cancelOnSet, once(now(a, unix.CLOCK_REALTIME)+never)))
		return fd
	}
	// setClock sets the clock to the time that it has, which is a discontinuous change, too.
	setClock := func(a *actor.Actor) {
		Must(a.ClockSettime(unix.CLOCK_REALTIME, now(a, unix.CLOCK_REALTIME)))
	}

	Clause("timerfd.cancel-flag-accepted", func() {
		a := actor.New()
		fd := Must(a.TimerfdCreate(unix.CLOCK_REALTIME, 0))
		at := now(a, unix.CLOCK_REALTIME) + soon
		Expect(a.TimerfdSettime(fd, absolute|cancelOnSet, once(at))).To(Return(0))
		Expect(a.Read(fd, 8)).To(returnCount(1))
		Expect(now(a, unix.CLOCK_REALTIME)).To(BeNumerically(">=", at))
	})

	Clause("timerfd.cancel-read", func() {
		a := actor.New()
		fd := cancelable(a, tfdNonblock)
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		setClock(a)
		Expect(a.Read(fd, 8)).To(FailWith(unix.ECANCELED))
	})

	Clause("timerfd.cancel-wakes-read", func() {
		a := actor.New()
		fd := cancelable(a, 0)
		other := a.Fork()
		read := a.Begin().Read(fd, 8)
		Expect(read).To(Block())
		setClock(other)
		Expect(read).To(FailWith(unix.ECANCELED))
	})

	Clause("timerfd.cancel-alarm-clock", func() {
		a := actor.New()
		fd := Must(a.TimerfdCreate(unix.CLOCK_REALTIME_ALARM, tfdNonblock))
		other := Must(a.TimerfdCreate(unix.CLOCK_BOOTTIME_ALARM, tfdNonblock))
		Expect(a.TimerfdSettime(fd, absolute|cancelOnSet, once(now(a, unix.CLOCK_REALTIME)+never))).To(Return(0))
		Must(a.TimerfdSettime(other, absolute|cancelOnSet, once(now(a, unix.CLOCK_BOOTTIME)+never)))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		setClock(a)
		Expect(a.Read(fd, 8)).To(FailWith(unix.ECANCELED))
		Expect(a.Read(other, 8)).To(FailWith(unix.EAGAIN))
		expectGettime(a, other, never, 0)
	})

	Clause("timerfd.cancel-told-once", func() {
		a := actor.New()
		fd := cancelable(a, tfdNonblock)
		setClock(a)
		Expect(a.Read(fd, 8)).To(FailWith(unix.ECANCELED))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		expectGettime(a, fd, never, 0)
	})

	Clause("timerfd.cancel-poll", func() {
		a := actor.New()
		fd := cancelable(a, 0)
		Expect(a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN})).To(ReturnRevents(0))
		setClock(a)
		Expect(a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN})).To(ReturnRevents(unix.POLLIN))
	})

	for _, other := range []struct {
		id           string
		clock, flags int
	}{
		{"timerfd.cancel-not-without-flag", unix.CLOCK_REALTIME, absolute},
		{"timerfd.cancel-not-monotonic", unix.CLOCK_MONOTONIC, absolute | cancelOnSet},
		{"timerfd.cancel-not-relative", unix.CLOCK_REALTIME, cancelOnSet},
	} {
		Clause(other.id, func() {
			a := actor.New()
			fd := Must(a.TimerfdCreate(other.clock, tfdNonblock))
			value := never
			if other.flags&absolute != 0 {
				value += now(a, other.clock)
			}
			Expect(a.TimerfdSettime(fd, other.flags, once(value))).To(Return(0))
			witness := cancelable(a, tfdNonblock)
			setClock(a)
			Expect(a.Read(witness, 8)).To(FailWith(unix.ECANCELED))
			Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		})
	}

	Clause("timerfd.cancel-settime", func() {
		a := actor.New()
		fd := cancelable(a, tfdNonblock)
		setClock(a)
		at := now(a, unix.CLOCK_REALTIME) + 2*never
		Expect(a.TimerfdSettime(fd, absolute|cancelOnSet, once(at))).To(FailWith(unix.ECANCELED))
		expectGettime(a, fd, 2*never, 0)
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})
})

var _ = Describe("The fdinfo of a timerfd", func() {
	// pair is a time as fdinfo shows it, in nanoseconds.
	pair := func(s string) int64 {
		GinkgoHelper()
		var seconds, ns int64
		_, err := fmt.Sscanf(s, "(%d, %d)", &seconds, &ns)
		Expect(err).NotTo(HaveOccurred(), "%q", s)
		return seconds*second + ns
	}

	for _, clock := range timerClocks {
		Clause("timerfd.fdinfo-setting", clock.name, func() {
			a := actor.New()
			fd := Must(a.TimerfdCreate(clock.id, 0))
			Expect(fdinfoLine(a, fd, "clockid")).To(Equal(fmt.Sprint(clock.id)))
			Expect(pair(fdinfoLine(a, fd, "it_value"))).To(BeZero())
			Expect(pair(fdinfoLine(a, fd, "it_interval"))).To(BeZero())

			for _, flags := range []int{absolute, 0} {
				value := never
				if flags == absolute {
					value += now(a, clock.id)
				}
				before := now(a, unix.CLOCK_MONOTONIC)
				Expect(a.TimerfdSettime(fd, flags, actor.Itimer{Value: value, Interval: 3*second + 5})).To(Return(0))
				Expect(strconv.ParseInt(fdinfoLine(a, fd, "settime flags"), 8, 64)).To(BeEquivalentTo(flags))
				left := pair(fdinfoLine(a, fd, "it_value"))
				passed := now(a, unix.CLOCK_MONOTONIC) - before
				Expect(left).To(And(BeNumerically("<=", never), BeNumerically(">=", never-passed-second)))
				Expect(pair(fdinfoLine(a, fd, "it_interval"))).To(Equal(3*second + 5))
			}
		})
	}

	Clause("timerfd.fdinfo-ticks", func() {
		a := actor.New()
		fd := Must(a.TimerfdCreate(unix.CLOCK_REALTIME, tfdNonblock))
		Expect(fdinfoLine(a, fd, "ticks")).To(Equal("0"))
		start := now(a, unix.CLOCK_REALTIME)
		Must(a.TimerfdSettime(fd, absolute, actor.Itimer{Value: start - 3*never - never/2, Interval: never}))
		Must(a.Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN}))
		Must(a.TimerfdGettime(fd)) // counts what has expired by now
		Expect(fdinfoLine(a, fd, "ticks")).To(Equal("4"))
		Expect(a.Read(fd, 8)).To(returnCount(4))
		Expect(fdinfoLine(a, fd, "ticks")).To(Equal("0"))
	})
})

var _ = Describe("The readiness of a timerfd", func() {
	Clause("timerfd.not-readable-before", func() {
		a := actor.New()
		expectReadable(a, newTimerfd(a, 0), false)
		expectReadable(a, armedTimerfd(a, 0, once(never)), false)
	})

	Clause("timerfd.readable-after-expiration", func() {
		a := actor.New()
		fd := expiredTimerfd(a, 0)
		expectReadable(a, fd, true)
		Must(a.Read(fd, 8))
		expectReadable(a, fd, false)
	})

	Clause("timerfd.ppoll-pselect", func() {
		a := actor.New()
		waiting, expired := armedTimerfd(a, 0, once(never)), expiredTimerfd(a, 0)
		Expect(a.Ppoll(0, actor.PollFD{FD: waiting, Events: unix.POLLIN}, actor.PollFD{FD: expired, Events: unix.POLLIN})).To(ReturnRevents(0, unix.POLLIN))
		read := actor.NewFDSet(waiting, expired)
		Expect(a.Pselect(max(waiting, expired)+1, read, nil, nil, 0)).To(Return(1))
		Expect(read.Has(waiting)).To(BeFalse())
		Expect(read.Has(expired)).To(BeTrue())
	})

	// wakes checks that an expiration ends a call that sleeps.
	wakes := func(begin func(a *actor.Actor, fd int) *actor.Call, end func(*actor.Call, int)) {
		GinkgoHelper()
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		other := a.Fork()
		call := begin(a, fd)
		Expect(call).To(Block())
		Must(other.TimerfdSettime(fd, 0, once(soon)))
		end(call, fd)
		Expect(other.Read(fd, 8)).To(returnCount(1))
	}
	Clause("timerfd.expiration-wakes-poll", "poll", func() {
		wakes(func(a *actor.Actor, fd int) *actor.Call {
			return a.Begin().Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN})
		}, func(call *actor.Call, _ int) { Expect(call).To(ReturnRevents(unix.POLLIN)) })
	})
	Clause("timerfd.expiration-wakes-poll", "select", func() {
		var read *actor.FDSet
		wakes(func(a *actor.Actor, fd int) *actor.Call {
			read = actor.NewFDSet(fd)
			return a.Begin().Select(fd+1, read, nil, nil, -1)
		}, func(call *actor.Call, fd int) {
			Expect(call).To(Return(1))
			Expect(read.Has(fd)).To(BeTrue())
		})
	})
	Clause("timerfd.expiration-wakes-poll", "epoll_wait", func() {
		wakes(func(a *actor.Actor, fd int) *actor.Call {
			epfd := Must(a.EpollCreate1(0))
			Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, 3))
			return a.Begin().EpollWait(epfd, 2, -1)
		}, func(call *actor.Call, _ int) {
			Expect(call).To(ReturnEvents(actor.EpollEvent{Events: unix.EPOLLIN, Data: 3}))
		})
	})

	Clause("timerfd.epoll-edge", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		epfd := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLET, 3))
		before := now(a, unix.CLOCK_MONOTONIC)
		Must(a.TimerfdSettime(fd, 0, actor.Itimer{Value: ms, Interval: ms}))
		for n := range int64(3) {
			Expect(a.EpollWait(epfd, 2, -1)).To(ReturnEvents(actor.EpollEvent{Events: unix.EPOLLIN, Data: 3}))
			Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", (n+1)*ms))
			Must(a.Read(fd, 8))
		}
	})
})

var _ = Describe("An ioctl on a timerfd", func() {
	Clause("timerfd.set-ticks", func() {
		a := actor.New()
		fd := armedTimerfd(a, tfdNonblock, once(never))
		Expect(a.Ioctl(fd, setTicks, count(0x0102030405060708))).To(Return(0))
		Expect(a.Read(fd, 8)).To(returnCount(0x0102030405060708))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("timerfd.set-ticks-wakes", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		other := a.Fork()
		read := a.Begin().Read(fd, 8)
		Expect(read).To(Block())
		Expect(other.Ioctl(fd, setTicks, count(5))).To(Return(0))
		Expect(read).To(returnCount(5))
	})

	Clause("timerfd.set-ticks-zero", func() {
		a := actor.New()
		fd := expiredTimerfd(a, 0)
		Expect(a.Ioctl(fd, setTicks, count(0))).To(FailWith(unix.EINVAL))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("timerfd.unknown-ioctl", func() {
		a := actor.New()
		fd := expiredTimerfd(a, 0)
		Expect(a.Ioctl(fd, unix.TCGETS, a.Alloc(64))).To(FailWith(unix.ENOTTY))
		Expect(a.Ioctl(fd, setTicks+1, count(7))).To(FailWith(unix.ENOTTY))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})
})

var _ = Describe("Descriptors of one timerfd", func() {
	Clause("timerfd.duplicate-same-timer", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		duplicate := Must(a.Dup(fd))
		Expect(a.TimerfdSettime(duplicate, 0, actor.Itimer{Value: never, Interval: second})).To(Return(0))
		expectGettime(a, fd, never, second)

		Expect(a.TimerfdSettime(fd, 0, once(1))).To(Return(0))
		Expect(a.Close(fd)).To(Return(0))
		Expect(a.Read(duplicate, 8)).To(returnCount(1))
		expectDisarmed(a, duplicate)
		Expect(a.Read(fd, 8)).To(FailWith(unix.EBADF))
	})

	Clause("timerfd.close-last", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: 1, Interval: ms})
		Expect(a.Close(fd)).To(Return(0))
		Expect(a.TimerfdGettime(fd)).To(FailWith(unix.EBADF))
		Expect(a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)).To(Return(fd))
		expectDisarmed(a, fd)
	})

	Clause("timerfd.shared-after-fork", func() {
		parent := actor.New()
		fd := newTimerfd(parent, 0)
		child := parent.Fork()

		Expect(child.TimerfdSettime(fd, 0, actor.Itimer{Value: never, Interval: second})).To(Return(0))
		expectGettime(parent, fd, never, second)
		Expect(parent.TimerfdSettime(fd, 0, once(1))).To(Return(0))
		Expect(child.Read(fd, 8)).To(returnCount(1))
		expectDisarmed(child, fd)
	})

	Clause("timerfd.one-read-of-two-processes", func() {
		parent := actor.New()
		fd := expiredTimerfd(parent, tfdNonblock)
		child := parent.Fork()

		Expect(child.Read(fd, 8)).To(returnCount(1))
		Expect(parent.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("timerfd.kept-by-exec", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: soon, Interval: never})
		closed := newTimerfd(a, tfdCloexec)
		a.Exec()
		Expect(a.Fcntl(closed, unix.F_GETFD, 0)).To(FailWith(unix.EBADF), "the program was executed")
		Expect(a.Read(fd, 8)).To(returnCount(1))
		expectGettime(a, fd, never, never)
	})

	Clause("timerfd.cloexec-closed-by-exec", func() {
		a := actor.New()
		closed, kept := newTimerfd(a, tfdCloexec), armedTimerfd(a, 0, once(never))
		a.Exec()
		Expect(a.TimerfdGettime(closed)).To(FailWith(unix.EBADF))
		expectGettime(a, kept, never, 0)
	})
})

var _ = Describe("timerfd_settime and timerfd_gettime that fail", func() {
	Clause("timerfd.settime-ebadf", func() {
		a := actor.New()
		closed := newTimerfd(a, 0)
		Must(a.Close(closed))
		for _, fd := range []int{closed, -1, 1 << 20} {
			Expect(a.TimerfdSettime(fd, 0, once(never))).To(FailWith(unix.EBADF))
			Expect(a.TimerfdGettime(fd)).To(FailWith(unix.EBADF))
		}
	})

	Clause("timerfd.settime-not-timerfd", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, fd := range []int{r, newEventfd(a, 0, 0), Must(a.EpollCreate1(0))} {
			Expect(a.TimerfdSettime(fd, 0, once(never))).To(FailWith(unix.EINVAL))
			Expect(a.TimerfdGettime(fd)).To(FailWith(unix.EINVAL))
		}
	})

	Clause("timerfd.settime-fault", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: never, Interval: second})
		for _, setting := range []actor.Mem{a.Unmapped(), a.PageEnd(31)} {
			Expect(a.Raw(unix.SYS_TIMERFD_SETTIME, fd, 0, setting, nil)).To(FailWith(unix.EFAULT))
		}
		expectGettime(a, fd, never, second)
	})

	Clause("timerfd.old-value-fault", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		setting := a.Alloc(32)
		setting.PutUint64(16, 1)
		for _, old := range []actor.Mem{a.Unmapped(), a.ReadOnly(make([]byte, 32)), a.PageEnd(31)} {
			Expect(a.Raw(unix.SYS_TIMERFD_SETTIME, fd, 0, setting, old)).To(FailWith(unix.EFAULT))
		}
	})

	Clause("timerfd.gettime-fault", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, once(never))
		for _, to := range []actor.Mem{a.Unmapped(), a.ReadOnly(make([]byte, 32)), a.PageEnd(31)} {
			Expect(a.Raw(unix.SYS_TIMERFD_GETTIME, fd, to)).To(FailWith(unix.EFAULT))
		}
		expectGettime(a, fd, never, 0)
	})

	// The offsets of the fields of struct itimerspec.
	nanoseconds := []struct {
		name string
		off  int
	}{{"it_interval", 8}, {"it_value", 24}}

	for _, field := range nanoseconds {
		Clause("timerfd.nanoseconds-out-of-range", field.name, func() {
			a := actor.New()
			fd := armedTimerfd(a, 0, actor.Itimer{Value: never, Interval: second})
			for _, bad := range []int64{second, -1, -1 << 63, 1<<63 - 1} {
				setting := a.Alloc(32)
				setting.PutUint64(0, 3)
				setting.PutUint64(16, 3)
				setting.PutUint64(field.off, uint64(bad))
				Expect(a.Raw(unix.SYS_TIMERFD_SETTIME, fd, 0, setting, nil)).To(FailWith(unix.EINVAL), "tv_nsec %d", bad)
			}
			expectGettime(a, fd, never, second)
		})
	}

	Clause("timerfd.nanoseconds-at-limit", func() {
		a := actor.New()
		fd := newTimerfd(a, 0)
		last := second - 1
		Expect(a.TimerfdSettime(fd, 0, actor.Itimer{Value: never + last, Interval: last})).To(Return(0))
		expectGettime(a, fd, never+last, last)
	})

	Clause("timerfd.settime-unknown-flags", func() {
		a := actor.New()
		fd := armedTimerfd(a, 0, actor.Itimer{Value: never, Interval: second})
		for bit := range 32 {
			if flags := 1 << bit; flags&(absolute|cancelOnSet) == 0 {
				Expect(a.TimerfdSettime(fd, flags, once(1))).To(FailWith(unix.EINVAL))
				Expect(a.TimerfdSettime(fd, flags|absolute, once(1))).To(FailWith(unix.EINVAL))
			}
		}
		expectGettime(a, fd, never, second)
	})
})
