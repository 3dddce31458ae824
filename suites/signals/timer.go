package signals

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// noTimer is an id that no timer of the specs has.
const noTimer = 123_456_789

// signalBy is a notification by a signal to the process.
func signalBy(sig unix.Signal, value uint64) *actor.Sigevent {
	return &actor.Sigevent{Notify: actor.SIGEV_SIGNAL, Signo: sig, Value: value}
}

// createTimer makes a timer as a step of the set-up.
func createTimer(a *actor.Actor, clock int, event *actor.Sigevent) int {
	GinkgoHelper()
	create := a.TimerCreate(clock, event)
	Must(create)
	return create.Int()
}

// settime is timer_settime without a pointer for the old value.
func settime(a *actor.Actor, timer, flags int, t actor.Itimer) *actor.Call {
	return a.Raw(unix.SYS_TIMER_SETTIME, timer, flags, itimerspecOf(t.Interval/second, t.Interval%second, t.Value/second, t.Value%second), actor.Null)
}

// itimerspecOf lays out a struct itimerspec that need not be a valid one.
func itimerspecOf(intervalSec, intervalNsec, valueSec, valueNsec int64) []byte {
	return append(timespecOf(intervalSec, intervalNsec), timespecOf(valueSec, valueNsec)...)
}

// timerLeft returns what timer_gettime tells.
func timerLeft(a *actor.Actor, timer int) actor.Itimer {
	GinkgoHelper()
	get := a.TimerGettime(timer)
	Expect(get).To(Return(0))
	return get.Itimerspec()
}

// accept has an actor accept a signal of a timer, which must be that one, and returns its particulars.
func accept(a *actor.Actor, sig unix.Signal) actor.Siginfo {
	GinkgoHelper()
	wait := a.Sigtimedwait(setOf(sig), noTimeout)
	Expect(wait).To(Accept(sig))
	return wait.Siginfo()
}

// spinUntil has an actor look at CLOCK_MONOTONIC until that has come to a time.
func spinUntil(a *actor.Actor, until int64) {
	for monotonic(a) < until {
	}
}

// listedTimers are the ids of an actor's timers, as /proc/PID/timers has them.
func listedTimers(a *actor.Actor) (ids []string) {
	for _, line := range strings.Split(a.ReadFile("/proc/self/timers"), "\n") {
		if id, ok := strings.CutPrefix(line, "ID:"); ok {
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	return ids
}

// cpuClock is the clock of the CPU time of a process, as clock_getcpuclockid(3) gives it.
func cpuClock(pid int) int { return ^pid<<3 | 2 }

// threadCPUClock is that of a thread, as pthread_getcpuclockid(3) gives it.
func threadCPUClock(tid int) int { return ^tid<<3 | 6 }

var _ = Describe("timer_create", func() {
	Clause("timer-create.returns-an-id", func() {
		a := waiterFor(lowRT)

		create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		Expect(create.Int()).To(BeNumerically(">=", 0))
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1}))
		accept(a, lowRT)
	})

	Clause("timer-create.ids-differ", func() {
		a := waiterFor(lowRT)
		ids := map[int]bool{}
		for range 20 {
			create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
			Expect(create).To(Return(0))
			ids[create.Int()] = true
			Expect(timerLeft(a, create.Int())).To(Equal(actor.Itimer{}))
		}
		Expect(ids).To(HaveLen(20))
	})

	Clause("timer-create.several-timers", func() {
		a := waiterFor(lowRT)
		var timers []int
		for i := range 5 {
			create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, uint64(100+i)))
			Expect(create).To(Return(0))
			timers = append(timers, create.Int())
		}

		// Each runs for itself, expires once, and not with one that is to expire sooner.
		now := monotonic(a)
		due := map[uint64]int64{}
		for i, timer := range timers {
			due[uint64(100+i)] = now + int64(5-i)*millisecond/2
			Must(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: due[uint64(100+i)]}))
		}
		for range timers {
			value := accept(a, lowRT).Value()
			Expect(due).To(HaveKey(value))
			Expect(monotonic(a)).To(BeNumerically(">=", due[value]))
			delete(due, value)
		}
		expectNothing(a, lowRT)
	})

	Clause("timer-create.disarmed", func() {
		a := actor.New()
		a.Handle(lowRT, 0)

		create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		Expect(timerLeft(a, create.Int())).To(Equal(actor.Itimer{}))
		passTime(a, millisecond)
		Expect(a).To(Catch())
	})

	for _, clock := range []struct {
		name string
		id   int
	}{
		{"realtime", unix.CLOCK_REALTIME}, {"monotonic", unix.CLOCK_MONOTONIC}, {"boottime", unix.CLOCK_BOOTTIME}, {"tai", unix.CLOCK_TAI},
		{"realtime-alarm", unix.CLOCK_REALTIME_ALARM}, {"boottime-alarm", unix.CLOCK_BOOTTIME_ALARM},
	} {
		Clause("timer-create.clock-"+clock.name, func() {
			a := waiterFor(lowRT)

			create := a.TimerCreate(clock.id, signalBy(lowRT, 5))
			Expect(create).To(Return(0))
			timer := create.Int()
			// A relative time passes on CLOCK_MONOTONIC as on this clock, also when somebody sets that.
			before := monotonic(a)
			Expect(settime(a, timer, 0, actor.Itimer{Value: 2 * millisecond})).To(Return(0))
			Expect(accept(a, lowRT).Value()).To(Equal(uint64(5)))
			Expect(monotonic(a) - before).To(BeNumerically(">=", 2*millisecond))

			// An absolute one is on the clock itself.
			now := cpuTime(a, clock.id)
			Expect(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: now + millisecond})).To(Return(0))
			accept(a, lowRT)
			Expect(cpuTime(a, clock.id)).To(BeNumerically(">=", now+millisecond))
		})
	}

	for _, clock := range []struct {
		name string
		id   int
	}{{"process-cputime", unix.CLOCK_PROCESS_CPUTIME_ID}, {"thread-cputime", unix.CLOCK_THREAD_CPUTIME_ID}} {
		Clause("timer-create.clock-"+clock.name, func() {
			a := actor.New()
			a.Handle(lowRT, 0)

			create := a.TimerCreate(clock.id, signalBy(lowRT, 5))
			Expect(create).To(Return(0))
			before := cpuTime(a, clock.id)
			Expect(settime(a, create.Int(), 0, actor.Itimer{Value: millisecond})).To(Return(0))
			burnUntil(a, func() bool { return len(a.Events()) > 0 })
			Expect(a).To(Catch(lowRT))
			Expect(cpuTime(a, clock.id) - before).To(BeNumerically(">=", millisecond))
			Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_TIMER))
		})

		Clause("timer-create.cputime-asleep", clock.name, func() {
			const sleep = 5 * millisecond
			a := actor.New()
			create := a.TimerCreate(clock.id, signalBy(lowRT, 5))
			Expect(create).To(Return(0))
			Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1000 * second}))

			asleep(a, sleep, func() int64 { return timerLeft(a, create.Int()).Value })
		})
	}

	Clause("timer-create.process-cputime-of-all-threads", func() {
		a := actor.New()
		a.Handle(lowRT, 0)
		thread := a.Thread()

		create := a.TimerCreate(unix.CLOCK_PROCESS_CPUTIME_ID, signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: millisecond}))
		caught := func() int { return len(a.Events()) + len(thread.Events()) }
		burnUntil(thread, func() bool { return caught() > 0 })
		Expect(caught()).To(Equal(1))
		Expect(append(a.Events(), thread.Events()...)[0].Signal).To(Equal(lowRT))
	})

	Clause("timer-create.thread-cputime-of-the-caller", func() {
		a := actor.New()
		thread := a.Thread()

		create := a.TimerCreate(unix.CLOCK_THREAD_CPUTIME_ID, signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1000 * second}))
		before, own := timerLeft(a, create.Int()).Value, cpuTime(thread, unix.CLOCK_THREAD_CPUTIME_ID)
		burnUntil(thread, func() bool { return cpuTime(thread, unix.CLOCK_THREAD_CPUTIME_ID)-own > 4*millisecond })
		// However much time the other one has used up.
		used := before - timerLeft(a, create.Int()).Value
		Expect(used).To(BeNumerically("<=", cpuTime(a, unix.CLOCK_THREAD_CPUTIME_ID)))
	})

	Clause("timer-create.clock-of-another-process", func() {
		a := actor.New()
		a.Handle(lowRT, 0)
		child := a.Fork()

		create := a.TimerCreate(cpuClock(child.PID()), signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		start := cpuTime(a, cpuClock(child.PID()))
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: millisecond}))
		burnUntil(child, func() bool { return len(a.Events()) > 0 })
		Expect(a).To(Catch(lowRT))
		Expect(a.Events()[0].Info.TimerID()).To(Equal(create.Int()))
		Expect(child).To(Catch())
		Expect(cpuTime(a, cpuClock(child.PID())) - start).To(BeNumerically(">=", millisecond))
	})

	Clause("timer-create.clock-of-another-thread", func() {
		a := actor.New()
		a.Handle(lowRT, 0)
		thread := a.Thread()

		create := a.TimerCreate(threadCPUClock(thread.TID()), signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		start := cpuTime(thread, unix.CLOCK_THREAD_CPUTIME_ID)
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: millisecond}))
		caught := func() int { return len(a.Events()) + len(thread.Events()) }
		burnUntil(thread, func() bool { return caught() > 0 })
		Expect(caught()).To(Equal(1))
		Expect(append(a.Events(), thread.Events()...)[0].Signal).To(Equal(lowRT))
		Expect(cpuTime(thread, unix.CLOCK_THREAD_CPUTIME_ID) - start).To(BeNumerically(">=", millisecond))
	})

	Clause("timer-create.none-is-silent", func() {
		a := actor.New()
		a.Handle(lowRT, 0)
		a.Handle(unix.SIGALRM, 0)

		create := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_NONE, Signo: lowRT})
		Expect(create).To(Return(0))
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: millisecond, Interval: millisecond}))
		passTime(a, 3*millisecond)
		Expect(a).To(Catch())
	})

	Clause("timer-create.none-can-be-watched", func() {
		a := actor.New()

		create := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_NONE})
		Expect(create).To(Return(0))
		start := monotonic(a)
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1000 * second, Interval: 7 * second}))
		Expect(timerLeft(a, create.Int()).Interval).To(Equal(7 * second))
		remainsOf(timerLeft(a, create.Int()).Value, 1000*second, a, start)
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: millisecond}))
		passTime(a, 2*millisecond)
		Expect(timerLeft(a, create.Int())).To(Equal(actor.Itimer{}))
	})

	for _, sig := range []unix.Signal{unix.SIGUSR1, highRT} {
		Clause("timer-create.signal", actor.SignalName(sig), func() {
			a := actor.New()
			a.Handle(sig, 0)
			first := createTimer(a, unix.CLOCK_MONOTONIC, nil) // so that the other's id is not 0

			create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(sig, 0x1122334455667788))
			Expect(create).To(Return(0))
			Expect(create.Int()).NotTo(Equal(first))
			Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1000}))
			Expect(a).To(Catch(sig))
			info := a.Events()[0].Info
			Expect(info.Code()).To(Equal(actor.SI_TIMER))
			Expect(info.Value()).To(Equal(uint64(0x1122334455667788)))
			Expect(info.TimerID()).To(Equal(create.Int()))
			Expect(info.Overrun()).To(Equal(0))
		})
	}

	Clause("timer-create.signal-to-the-process", func() {
		a := waiterFor(lowRT)
		thread := a.Thread()
		create := thread.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 1))
		Expect(create).To(Return(0))

		Must(settime(thread, create.Int(), 0, actor.Itimer{Value: 1000}))
		Expect(accept(a, lowRT).Value()).To(Equal(uint64(1)))
	})

	Clause("timer-create.signal-queued-once", func() {
		const period = 100 * second
		a := waiterFor(lowRT)
		create := a.TimerCreate(unix.CLOCK_REALTIME, signalBy(lowRT, 0))
		Expect(create).To(Return(0))

		// It has been due four times when it is set, and the next time is far away.
		first := cpuTime(a, unix.CLOCK_REALTIME) - 3*period - period/2
		Must(settime(a, create.Int(), unix.TIMER_ABSTIME, actor.Itimer{Value: first, Interval: period}))
		Expect(accept(a, lowRT).Overrun()).To(Equal(3))
		expectNothing(a, lowRT)

		// Nor is there a signal more for each time that passes.
		const short = millisecond
		running := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(highRT, 0))
		a.SetMask(highRT)
		start := monotonic(a)
		Must(settime(a, running, unix.TIMER_ABSTIME, actor.Itimer{Value: start, Interval: short}))
		passTime(a, 3*short)
		told := accept(a, highRT).Overrun()
		Expect(told).To(BeNumerically(">=", 3))
		told += 1 + accept(a, highRT).Overrun()
		Expect(told).To(BeNumerically("<=", (monotonic(a)-start)/short))
	})

	for _, clock := range []struct {
		name string
		id   int
	}{{"CLOCK_PROCESS_CPUTIME_ID", unix.CLOCK_PROCESS_CPUTIME_ID}, {"CLOCK_THREAD_CPUTIME_ID", unix.CLOCK_THREAD_CPUTIME_ID}} {
		Clause("timer-settime.past-overrun-cpu-time", clock.name, func() {
			a := waiterFor(lowRT)
			timer := createTimer(a, clock.id, signalBy(lowRT, 0))
			burnUntil(a, func() bool { return cpuTime(a, clock.id) > 4*millisecond })

			// It has been due three times and more when it is set.
			period := cpuTime(a, clock.id) / 5
			first := cpuTime(a, clock.id) - 3*period
			Expect(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: first, Interval: period})).To(Return(0))
			overrun := accept(a, lowRT).Overrun()
			Expect(overrun).To(BeNumerically(">=", 3))
			Expect(overrun).To(BeNumerically("<=", (cpuTime(a, clock.id)-first)/period))
		})
	}

	Clause("timer-create.thread-id", func() {
		a := waiterFor(lowRT)
		one, two := a.Thread(), a.Thread()

		for i, target := range []*actor.Actor{one, two, a} {
			create := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_THREAD_ID, Signo: lowRT, TID: target.TID(), Value: uint64(i)})
			Expect(create).To(Return(0))
			Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1000}))
			for timerLeft(a, create.Int()).Value != 0 {
			}
			for _, other := range []*actor.Actor{a, one, two} {
				if other != target {
					expectNothing(other, lowRT)
				}
			}
			info := accept(target, lowRT)
			Expect(info.Code()).To(Equal(actor.SI_TIMER))
			Expect(info.Value()).To(Equal(uint64(i)))
		}
	})

	Clause("timer-create.thread-id-elsewhere", func() {
		a := actor.New()
		child := a.Fork()
		thread := child.Thread()

		for _, tid := range []int{child.TID(), thread.TID(), 0, -1, 0x3fffffff} {
			Expect(a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_THREAD_ID, Signo: lowRT, TID: tid})).To(FailWith(unix.EINVAL))
		}
	})

	Clause("timer-create.default", func() {
		a := waiterFor(unix.SIGALRM)
		first := createTimer(a, unix.CLOCK_MONOTONIC, nil)

		create := a.TimerCreate(unix.CLOCK_MONOTONIC, nil)
		Expect(create).To(Return(0))
		Expect(create.Int()).NotTo(Equal(first))
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1000}))
		info := accept(a, unix.SIGALRM)
		Expect(info.Code()).To(Equal(actor.SI_TIMER))
		Expect(int(int32(info.Value()))).To(Equal(create.Int()))
	})

	Clause("timer-create.invalid-clock", func() {
		a := actor.New()

		for _, clock := range []int{12, 16, 1000, 1 << 20, cpuClock(0x0fffffff)} {
			Expect(a.TimerCreate(clock, signalBy(lowRT, 0))).To(FailWith(unix.EINVAL))
		}
	})

	Clause("timer-create.clock-of-a-strange-thread", func() {
		a := actor.New()
		child := a.Fork()
		thread := child.Thread()

		Expect(a.TimerCreate(threadCPUClock(thread.TID()), signalBy(lowRT, 0))).To(FailWith(unix.EINVAL))
	})

	for _, event := range []struct {
		name  string
		event actor.Sigevent
	}{
		{"notify 3", actor.Sigevent{Notify: 3, Signo: lowRT}},
		{"notify 8", actor.Sigevent{Notify: 8, Signo: lowRT}},
		{"notify −1", actor.Sigevent{Notify: -1, Signo: lowRT}},
		{"signal 65", actor.Sigevent{Notify: actor.SIGEV_SIGNAL, Signo: 65}},
		{"signal −1", actor.Sigevent{Notify: actor.SIGEV_SIGNAL, Signo: -1}},
		{"signal 0", actor.Sigevent{Notify: actor.SIGEV_SIGNAL, Signo: 0}},
	} {
		Clause("timer-create.invalid-event", event.name, func() {
			a := actor.New()

			Expect(a.TimerCreate(unix.CLOCK_MONOTONIC, &event.event)).To(FailWith(unix.EINVAL))
		})
	}

	Clause("timer-create.efault", func() {
		a := actor.New()

		Expect(a.Raw(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, actor.Null, actor.Null)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, actor.Null, a.Unmapped())).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, a.Unmapped(), a.Alloc(4))).To(FailWith(unix.EFAULT))
	})

	for _, clock := range []int{unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_REALTIME_COARSE, unix.CLOCK_MONOTONIC_COARSE} {
		Clause("timer-create.enotsup", fmt.Sprintf("clock %d", clock), func() {
			a := actor.New()

			Must(a.ClockGettime(clock))
			Expect(a.TimerCreate(clock, signalBy(lowRT, 0))).To(FailWith(unix.ENOTSUP))
		})
	}

	for _, clock := range []int{unix.CLOCK_REALTIME_ALARM, unix.CLOCK_BOOTTIME_ALARM} {
		Clause("timer-create.alarm-clock-eperm", fmt.Sprintf("clock %d", clock), func() {
			a := actor.New()

			Expect(a.TimerCreate(clock, signalBy(lowRT, 0))).To(FailWith(unix.EPERM))
		})
	}

	Clause("timer-create.not-inherited", func() {
		a := waiterFor(lowRT)
		create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: millisecond, Interval: 1000 * second}))

		child := a.Fork()
		Expect(child.TimerGettime(create.Int())).To(FailWith(unix.EINVAL))
		accept(a, lowRT)
		passTime(child, millisecond)
		expectNothing(child, lowRT)
		Expect(timerLeft(a, create.Int()).Interval).To(Equal(1000 * second))
	})

	Clause("timer-create.gone-after-exec", func() {
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		due := monotonic(a) + 40*millisecond
		Must(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: due}))

		execAnew(a)
		late := monotonic(a) >= due // it may have expired before, on a slow machine
		Expect(a.TimerGettime(timer)).To(FailWith(unix.EINVAL))
		if !late {
			passTime(a, due-monotonic(a)+millisecond)
			expectNothing(a, lowRT)
		}
	})

	Clause("timer-create.sigpending-limit-0", func() {
		a := actor.New()
		soft, _ := a.Rlimit(unix.RLIMIT_SIGPENDING)
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)

		Expect(a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))).To(FailWith(unix.EAGAIN))
		a.SetRlimit(unix.RLIMIT_SIGPENDING, soft)
		create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		Expect(timerLeft(a, create.Int())).To(BeZero())
	})

	Clause("timer-create.sigpending-limit", func() {
		const most = 4
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_SIGPENDING, most)

		var timers []int
		for range most {
			create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
			Expect(create).To(Return(0))
			timers = append(timers, create.Int())
		}
		Expect(a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))).To(FailWith(unix.EAGAIN))
		// Deleting one makes room for just another one.
		Must(a.TimerDelete(timers[0]))
		another := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Expect(another).To(Return(0))
		Expect(a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))).To(FailWith(unix.EAGAIN))
		for _, timer := range append(timers[1:], another.Int()) {
			Expect(a.TimerDelete(timer)).To(Return(0)) // each is there, once
		}
	})

	Clause("timer-create.expires-at-the-limit", func() {
		a := waiterFor(lowRT)
		create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 9))
		Expect(create).To(Return(0))
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)
		Must(a.Sigqueue(Must(a.Getpid()), unix.SIGWINCH, 0))
		Expect(a.Sigqueue(Must(a.Getpid()), lowRT, 0)).To(FailWith(unix.EAGAIN))

		// Its signal was set aside when the timer was made.
		Must(settime(a, create.Int(), 0, actor.Itimer{Value: 1000}))
		Expect(accept(a, lowRT).Value()).To(Equal(uint64(9)))
	})

	Clause("timer-create.failure-leaves-none", func() {
		a := actor.New()
		child := a.Fork()
		for _, clock := range []int{1000, cpuClock(0x0fffffff), threadCPUClock(child.TID())} {
			Expect(a.TimerCreate(clock, signalBy(lowRT, 0))).To(FailWith(unix.EINVAL))
		}
		for _, event := range []actor.Sigevent{
			{Notify: 3, Signo: lowRT}, {Notify: actor.SIGEV_SIGNAL, Signo: 65},
			{Notify: actor.SIGEV_THREAD_ID, Signo: lowRT, TID: child.TID()},
		} {
			Expect(a.TimerCreate(unix.CLOCK_MONOTONIC, &event)).To(FailWith(unix.EINVAL))
		}
		Expect(a.TimerCreate(unix.CLOCK_MONOTONIC_RAW, signalBy(lowRT, 0))).To(FailWith(unix.ENOTSUP))
		for _, id := range []actor.Mem{actor.Null, a.Unmapped()} {
			Expect(a.Raw(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, actor.Null, id)).To(FailWith(unix.EFAULT))
		}
		Expect(a.Raw(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, a.Unmapped(), a.Alloc(4))).To(FailWith(unix.EFAULT))
		Expect(listedTimers(a)).To(BeEmpty())

		create := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Expect(create).To(Return(0))
		Expect(listedTimers(a)).To(ConsistOf(fmt.Sprint(create.Int())))
	})

	Clause("timer-create.proc-timers", func() {
		a := actor.New()
		listed := func() []string { return listedTimers(a) }
		Expect(listed()).To(BeEmpty())

		one := a.TimerCreate(unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		two := a.TimerCreate(unix.CLOCK_REALTIME, signalBy(lowRT, 0))
		Expect(one).To(Return(0))
		Expect(two).To(Return(0))
		Expect(listed()).To(ConsistOf(fmt.Sprint(one.Int()), fmt.Sprint(two.Int())))
		Must(a.TimerDelete(one.Int()))
		Expect(listed()).To(ConsistOf(fmt.Sprint(two.Int())))
	})
})

var _ = Describe("timer_settime", func() {
	Clause("timer-settime.arms", func() {
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		for _, ns := range []int64{1, 999_999, 2 * millisecond} {
			before := monotonic(a)
			Expect(settime(a, timer, 0, actor.Itimer{Value: ns})).To(Return(0))
			accept(a, lowRT)
			Expect(monotonic(a) - before).To(BeNumerically(">=", ns))
			Expect(timerLeft(a, timer)).To(Equal(actor.Itimer{}))
		}
	})

	Clause("timer-settime.single-shot", func() {
		a := actor.New()
		a.Handle(lowRT, 0)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 7))

		Expect(settime(a, timer, 0, actor.Itimer{Value: millisecond})).To(Return(0))
		a.AwaitEvents(1)
		passTime(a, 3*millisecond)
		Expect(a).To(Catch(lowRT))
		Expect(a.Events()[0].Info.Value()).To(Equal(uint64(7)))
	})

	Clause("timer-settime.periodic", func() {
		const period = millisecond
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		start := monotonic(a)
		Expect(settime(a, timer, 0, actor.Itimer{Value: 2 * period, Interval: period})).To(Return(0))
		expired := int64(0)
		for range 4 {
			expired += 1 + int64(accept(a, lowRT).Overrun())
			// So often it may have expired by now, at the most.
			Expect(expired).To(BeNumerically("<=", (monotonic(a)-start)/period-1))
		}
		Expect(timerLeft(a, timer).Interval).To(Equal(period))
	})

	Clause("timer-settime.reloads", func() {
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		start := monotonic(a)
		Expect(settime(a, timer, 0, actor.Itimer{Value: millisecond, Interval: 1000 * second})).To(Return(0))
		accept(a, lowRT)
		remainsOf(timerLeft(a, timer).Value, 1000*second, a, start)
	})

	Clause("timer-settime.overwrites", func() {
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		start := monotonic(a)
		Must(settime(a, timer, 0, actor.Itimer{Value: 100 * second, Interval: 5 * second}))
		Expect(settime(a, timer, 0, actor.Itimer{Value: 1000 * second, Interval: 9 * second})).To(Return(0))
		Expect(timerLeft(a, timer).Interval).To(Equal(9 * second))
		remainsOf(timerLeft(a, timer).Value, 1000*second, a, start)
		Expect(settime(a, timer, 0, actor.Itimer{Value: 1000})).To(Return(0))
		Expect(accept(a, lowRT).Overrun()).To(Equal(0))
		Expect(timerLeft(a, timer)).To(Equal(actor.Itimer{}))
	})

	Clause("timer-settime.disarms", func() {
		for _, off := range []actor.Itimer{{}, {Interval: millisecond}} {
			a := actor.New()
			a.Handle(lowRT, 0)
			timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
			due := monotonic(a) + 4*millisecond
			Must(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: due, Interval: millisecond}))

			Expect(settime(a, timer, 0, off)).To(Return(0))
			before := len(a.Events()) // it may have expired already, on a slow machine
			Expect(timerLeft(a, timer).Value).To(BeZero())
			passTime(a, 5*millisecond)
			Expect(a.Events()).To(HaveLen(before))
		}
	})

	Clause("timer-settime.either-field-arms", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_NONE})

		for _, value := range []int64{1000 * second, 999_999_999} {
			Expect(settime(a, timer, 0, actor.Itimer{Value: value})).To(Return(0))
			left := timerLeft(a, timer)
			Expect(left.Value).To(BeNumerically(">", 0))
			Expect(left.Value).To(BeNumerically("<=", value))
			Expect(left.Interval).To(BeZero())
		}
	})

	Clause("timer-settime.absolute", func() {
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		due := monotonic(a) + 2*millisecond
		Expect(a.TimerSettime(timer, unix.TIMER_ABSTIME, actor.Itimer{Value: due})).To(Return(0))
		Expect(timerLeft(a, timer).Value).To(BeNumerically("<=", 2*millisecond))
		accept(a, lowRT)
		Expect(monotonic(a)).To(BeNumerically(">=", due))
	})

	Clause("timer-settime.relative", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		start := monotonic(a)
		Expect(settime(a, timer, 0, actor.Itimer{Value: start + 1000*second})).To(Return(0))
		remainsOf(timerLeft(a, timer).Value, start+1000*second, a, start)
	})

	for _, clock := range []int{unix.CLOCK_MONOTONIC, unix.CLOCK_REALTIME, unix.CLOCK_BOOTTIME} {
		Clause("timer-settime.past", fmt.Sprintf("clock %d", clock), func() {
			a := waiterFor(lowRT)
			timer := createTimer(a, clock, signalBy(lowRT, 6))

			// A moment ago, or a long time from now where it were taken for relative.
			Expect(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: cpuTime(a, clock)})).To(Return(0))
			info := accept(a, lowRT)
			Expect(info.Value()).To(Equal(uint64(6)))
			Expect(info.Overrun()).To(Equal(0))
			Expect(timerLeft(a, timer)).To(Equal(actor.Itimer{}))
		})
	}

	Clause("timer-settime.past-overrun", func() {
		const period = 100 * second
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_REALTIME, signalBy(lowRT, 0))

		now := cpuTime(a, unix.CLOCK_REALTIME)
		first := now - 10*period - period/2
		Expect(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: first, Interval: period})).To(Return(0))
		info := accept(a, lowRT)
		Expect(info.Overrun()).To(Equal(10))
		Expect(a.TimerGetoverrun(timer)).To(Return(10))
	})

	Clause("timer-settime.old-value", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		set := a.TimerSettime(timer, 0, actor.Itimer{Value: 1000*second + 7, Interval: 5*second + 3})
		Expect(set).To(Return(0))
		Expect(set.Itimerspec()).To(Equal(actor.Itimer{}))
		start := monotonic(a) - millisecond
		set = a.TimerSettime(timer, unix.TIMER_ABSTIME, actor.Itimer{Value: start + 500*second, Interval: 2 * second})
		Expect(set).To(Return(0))
		Expect(set.Itimerspec().Interval).To(Equal(5*second + 3))
		Expect(set.Itimerspec().Value).To(BeNumerically("<=", 1000*second+7))
		Expect(set.Itimerspec().Value).To(BeNumerically(">", 900*second))
		// Of an absolute time, too, it is told how far it is away.
		set = a.TimerSettime(timer, 0, actor.Itimer{})
		Expect(set).To(Return(0))
		Expect(set.Itimerspec().Interval).To(Equal(2 * second))
		Expect(set.Itimerspec().Value).To(BeNumerically("<=", 500*second))
		Expect(set.Itimerspec().Value).To(BeNumerically(">", 400*second))
		Expect(timerLeft(a, timer)).To(Equal(actor.Itimer{}))
	})

	Clause("timer-settime.by-any-thread", func() {
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		thread := a.Thread()

		Expect(settime(thread, timer, 0, actor.Itimer{Value: 1000 * second, Interval: 6 * second})).To(Return(0))
		Expect(timerLeft(a, timer).Interval).To(Equal(6 * second))
	})

	Clause("timer-settime.efault", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Must(settime(a, timer, 0, actor.Itimer{Value: 1000 * second, Interval: 6 * second}))

		Expect(a.Raw(unix.SYS_TIMER_SETTIME, timer, 0, a.Unmapped(), actor.Null)).To(FailWith(unix.EFAULT))
		Expect(timerLeft(a, timer).Interval).To(Equal(6 * second))
		Expect(a.Raw(unix.SYS_TIMER_SETTIME, timer, 0, itimerspecOf(0, 0, 100, 0), a.Unmapped())).To(FailWith(unix.EFAULT))
	})

	Clause("timer-settime.invalid-timer", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Must(a.TimerDelete(timer))

		for _, id := range []int{timer, noTimer, -1} {
			Expect(settime(a, id, 0, actor.Itimer{Value: second})).To(FailWith(unix.EINVAL))
		}
	})

	for _, value := range []struct {
		name      string
		sec, nsec int64
	}{
		{"seconds negative", -1, 0}, {"nanoseconds negative", 0, -1}, {"nanoseconds too many", 1, 1_000_000_000},
	} {
		Clause("timer-settime.invalid-value", value.name, func() {
			a := actor.New()
			timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
			Must(settime(a, timer, 0, actor.Itimer{Value: 1000 * second, Interval: 6 * second}))

			for _, flags := range []int{0, unix.TIMER_ABSTIME} {
				Expect(a.Raw(unix.SYS_TIMER_SETTIME, timer, flags, itimerspecOf(0, 0, value.sec, value.nsec), actor.Null)).To(FailWith(unix.EINVAL))
			}
			Expect(timerLeft(a, timer).Interval).To(Equal(6 * second))
			Expect(timerLeft(a, timer).Value).To(BeNumerically(">", 900*second))
			Expect(a.Raw(unix.SYS_TIMER_SETTIME, timer, 0, itimerspecOf(0, 0, 0, 999_999_999), actor.Null)).To(Return(0))
			Expect(timerLeft(a, timer).Interval).To(BeZero())
		})
	}

	Clause("timer-gettime.counts-down", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		start := monotonic(a)
		Must(settime(a, timer, 0, actor.Itimer{Value: 1000 * second, Interval: 3*second + 5}))

		first, at := timerLeft(a, timer), monotonic(a)
		Expect(first.Interval).To(Equal(3*second + 5))
		remainsOf(first.Value, 1000*second, a, start)
		passTime(a, millisecond)
		passed := monotonic(a) - at
		Expect(timerLeft(a, timer).Value).To(BeNumerically("<=", first.Value-passed))
	})

	Clause("timer-gettime.relative", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		now := monotonic(a)
		Must(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: now + 1000*second}))

		remainsOf(timerLeft(a, timer).Value, 1000*second, a, now)
	})

	Clause("timer-gettime.disarmed", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		Expect(timerLeft(a, timer)).To(Equal(actor.Itimer{}))
		Must(settime(a, timer, 0, actor.Itimer{Value: 1000 * second}))
		left := timerLeft(a, timer)
		Expect(left.Value).NotTo(BeZero())
		Expect(left.Interval).To(BeZero())
		Must(settime(a, timer, 0, actor.Itimer{}))
		Expect(timerLeft(a, timer)).To(Equal(actor.Itimer{}))
	})

	Clause("timer-gettime.invalid-timer", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		child := a.Fork()

		Expect(a.TimerGettime(noTimer)).To(FailWith(unix.EINVAL))
		Expect(a.TimerGettime(-1)).To(FailWith(unix.EINVAL))
		Expect(child.TimerGettime(timer)).To(FailWith(unix.EINVAL))
		Must(a.TimerDelete(timer))
		Expect(a.TimerGettime(timer)).To(FailWith(unix.EINVAL))
	})

	Clause("timer-gettime.efault", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		Expect(a.Raw(unix.SYS_TIMER_GETTIME, timer, a.Unmapped())).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_TIMER_GETTIME, timer, actor.Null)).To(FailWith(unix.EFAULT))
	})
})

var _ = Describe("timer_getoverrun", func() {
	Clause("timer-getoverrun.none", func() {
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))

		Expect(a.TimerGetoverrun(timer)).To(Return(0))
		Must(settime(a, timer, 0, actor.Itimer{Value: 1000}))
		accept(a, lowRT)
		Expect(a.TimerGetoverrun(timer)).To(Return(0))
	})

	for _, sig := range []unix.Signal{lowRT, unix.SIGUSR1} {
		Clause("timer-getoverrun.counts", actor.SignalName(sig), func() {
			const period = 300_000 // 0.3 ms
			a := waiterFor(sig)
			timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(sig, 0))
			first := monotonic(a) + period
			Must(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: first, Interval: period}))
			spinUntil(a, first+5*period)

			before := monotonic(a)
			overrun := accept(a, sig).Overrun()
			after := monotonic(a)
			Expect(overrun).To(BeNumerically(">=", (before-first)/period))
			Expect(overrun).To(BeNumerically("<=", (after-first)/period))
			Expect(a.TimerGetoverrun(timer)).To(Return(overrun))
			// The next one has a count of its own.
			next := accept(a, sig).Overrun()
			Expect(a.TimerGetoverrun(timer)).To(Return(next))
		})
	}

	Clause("timer-getoverrun.caught", func() {
		const period = 100 * second
		a := actor.New()
		a.Handle(lowRT, 0)
		timer := createTimer(a, unix.CLOCK_REALTIME, signalBy(lowRT, 0))

		first := cpuTime(a, unix.CLOCK_REALTIME) - 3*period - period/2
		Must(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: first, Interval: period}))
		Expect(a).To(Catch(lowRT))
		Expect(a.Events()[0].Info.Overrun()).To(Equal(3))
		Expect(a.TimerGetoverrun(timer)).To(Return(3))
	})

	Clause("timer-getoverrun.of-each-timer", func() {
		const period = 100 * second
		a := waiterFor(lowRT, highRT)
		one := createTimer(a, unix.CLOCK_REALTIME, signalBy(lowRT, 0))
		two := createTimer(a, unix.CLOCK_REALTIME, signalBy(highRT, 0))
		now := cpuTime(a, unix.CLOCK_REALTIME)

		Must(settime(a, one, unix.TIMER_ABSTIME, actor.Itimer{Value: now - 2*period - period/2, Interval: period}))
		Must(settime(a, two, unix.TIMER_ABSTIME, actor.Itimer{Value: now - 7*period - period/2, Interval: period}))
		accept(a, lowRT)
		accept(a, highRT)
		Expect(a.TimerGetoverrun(one)).To(Return(2))
		Expect(a.TimerGetoverrun(two)).To(Return(7))
	})

	Clause("timer-getoverrun.at-most-int-max", func() {
		const intMax = 0x7fffffff
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_REALTIME, signalBy(lowRT, 0))

		// A period a nanosecond, for four seconds.
		first := cpuTime(a, unix.CLOCK_REALTIME) - 4*second
		Must(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: first, Interval: 1}))
		Expect(accept(a, lowRT).Overrun()).To(Equal(intMax))
		Expect(a.TimerGetoverrun(timer)).To(Return(intMax))
		Must(a.TimerDelete(timer))
	})

	Clause("timer-getoverrun.invalid-timer", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		child := a.Fork()

		Expect(a.TimerGetoverrun(noTimer)).To(FailWith(unix.EINVAL))
		Expect(a.TimerGetoverrun(-1)).To(FailWith(unix.EINVAL))
		Expect(child.TimerGetoverrun(timer)).To(FailWith(unix.EINVAL))
		Must(a.TimerDelete(timer))
		Expect(a.TimerGetoverrun(timer)).To(FailWith(unix.EINVAL))
	})
})

var _ = Describe("timer_delete", func() {
	Clause("timer-delete.deletes", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		other := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Must(settime(a, other, 0, actor.Itimer{Value: 1000 * second, Interval: 8 * second}))

		Expect(a.TimerDelete(timer)).To(Return(0))
		Expect(a.TimerGettime(timer)).To(FailWith(unix.EINVAL))
		Expect(timerLeft(a, other).Interval).To(Equal(8 * second))
	})

	Clause("timer-delete.disarms", func() {
		a := actor.New()
		a.Handle(lowRT, 0)
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		Must(settime(a, timer, 0, actor.Itimer{Value: 4 * millisecond, Interval: millisecond}))

		Expect(a.TimerDelete(timer)).To(Return(0))
		before := len(a.Events()) // it may have expired already, on a slow machine
		passTime(a, 6*millisecond)
		Expect(a.Events()).To(HaveLen(before))
	})

	Clause("timer-delete.by-any-thread", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		thread := a.Thread()

		Expect(thread.TimerDelete(timer)).To(Return(0))
		Expect(a.TimerDelete(timer)).To(FailWith(unix.EINVAL))
	})

	Clause("timer-delete.invalid-timer", func() {
		a := actor.New()
		timer := createTimer(a, unix.CLOCK_MONOTONIC, signalBy(lowRT, 0))
		child := a.Fork()

		for _, id := range []int{noTimer, -1, timer + 1} {
			Expect(a.TimerDelete(id)).To(FailWith(unix.EINVAL))
		}
		Expect(child.TimerDelete(timer)).To(FailWith(unix.EINVAL))
		Expect(a.TimerDelete(timer)).To(Return(0))
		Expect(a.TimerDelete(timer)).To(FailWith(unix.EINVAL))
	})
})

var _ = Describe("A timer while the real-time clock is set", func() {
	// shift sets the clock forwards by so much, or back. It is put right when the spec ends.
	shift := func(a *actor.Actor, ns int64) {
		GinkgoHelper()
		Must(a.ClockSettime(unix.CLOCK_REALTIME, cpuTime(a, unix.CLOCK_REALTIME)+ns))
	}
	putRight := func() {
		var wall, since unix.Timespec
		if unix.ClockGettime(unix.CLOCK_REALTIME, &wall) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &since) != nil {
			return
		}
		offset := wall.Nano() - since.Nano()
		actor.OnEnd(func() {
			if unix.ClockGettime(unix.CLOCK_MONOTONIC, &since) == nil {
				wall = unix.NsecToTimespec(since.Nano() + offset)
				_ = unix.ClockSettime(unix.CLOCK_REALTIME, &wall)
			}
		})
	}
	const (
		far  = 1000 * second
		some = 100 * second // more than a spec lasts
	)

	Clause("timer-settime.clock-set-absolute", func() {
		putRight()
		a := waiterFor(lowRT)
		timer := createTimer(a, unix.CLOCK_REALTIME, signalBy(lowRT, 0))
		Expect(settime(a, timer, unix.TIMER_ABSTIME, actor.Itimer{Value: cpuTime(a, unix.CLOCK_REALTIME) + far})).To(Return(0))

		shift(a, -far)
		Expect(timerLeft(a, timer).Value).To(And(BeNumerically("<=", 2*far), BeNumerically(">", 2*far-some)))
		shift(a, 2*far-some)
		Expect(timerLeft(a, timer).Value).To(And(BeNumerically("<=", some), BeNumerically(">", 0)))
		expectNothing(a, lowRT)
		shift(a, some)
		accept(a, lowRT)
	})

	Clause("timer-settime.clock-set-relative", func() {
		putRight()
		a := waiterFor(lowRT, highRT)
		timer := createTimer(a, unix.CLOCK_REALTIME, signalBy(lowRT, 0))
		Expect(settime(a, timer, 0, actor.Itimer{Value: far})).To(Return(0))
		witness := createTimer(a, unix.CLOCK_REALTIME, signalBy(highRT, 0))
		Must(settime(a, witness, unix.TIMER_ABSTIME, actor.Itimer{Value: cpuTime(a, unix.CLOCK_REALTIME) + 2*far}))

		for _, by := range []int64{2 * far, -3 * far} {
			shift(a, by)
			if by > 0 {
				accept(a, highRT)
				Expect(timerLeft(a, witness)).To(BeZero())
			}
			Expect(timerLeft(a, timer).Value).To(And(BeNumerically("<=", far), BeNumerically(">", far-some)))
			expectNothing(a, lowRT)
		}
	})
})
