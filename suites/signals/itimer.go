package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	millisecond = int64(1_000_000)
	second      = 1000 * millisecond
)

// The three interval timers and their signals.
var intervalTimers = []struct {
	name  string
	which int
	sig   unix.Signal
}{
	{"ITIMER_REAL", unix.ITIMER_REAL, unix.SIGALRM},
	{"ITIMER_VIRTUAL", unix.ITIMER_VIRTUAL, unix.SIGVTALRM},
	{"ITIMER_PROF", unix.ITIMER_PROF, unix.SIGPROF},
}

// itimerLeft returns the value and interval of an interval timer of the actor's.
func itimerLeft(a *actor.Actor, which int) actor.Itimer {
	GinkgoHelper()
	get := a.Getitimer(which)
	Expect(get).To(Return(0))
	return get.Itimerval()
}

// cpuTime returns a clock of CPU time of the actor's.
func cpuTime(a *actor.Actor, clock int) int64 {
	get := a.ClockGettime(clock)
	Must(get)
	return get.Nanoseconds()
}

// burnUntil has an actor use up CPU time, nearly all of it in user mode, until something has
// happened; or half a second of it, when that shall be judged as it is.
func burnUntil(a *actor.Actor, happened func() bool) {
	const chunk = 3 << 20
	on := a.Alloc(chunk)
	for start := cpuTime(a, unix.CLOCK_THREAD_CPUTIME_ID); ; {
		for range 8 {
			if happened() {
				return
			}
			Must(a.Work(on, chunk))
		}
		if cpuTime(a, unix.CLOCK_THREAD_CPUTIME_ID)-start > second/2 {
			return
		}
	}
}

// passTime lets real time pass for the actor, by a timer that has nothing to do with those that
// are judged: whatever was due before has come when its signal has.
func passTime(a *actor.Actor, ns int64) {
	const sig = unix.Signal(60)
	clock := a.ClockGettime(unix.CLOCK_MONOTONIC)
	Must(clock)
	old := a.Sigprocmask(unix.SIG_BLOCK, setOf(sig))
	Must(old)
	timer := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_SIGNAL, Signo: sig})
	Must(timer)
	Must(a.TimerSettime(timer.Int(), unix.TIMER_ABSTIME, actor.Itimer{Value: clock.Nanoseconds() + ns}))
	Must(a.Sigtimedwait(setOf(sig), noTimeout))
	Must(a.TimerDelete(timer.Int()))
	Must(a.Sigprocmask(unix.SIG_SETMASK, old.Word()))
}

// asleep shows that a timer of CPU time, of which left tells what remains, does not run while an
// actor sleeps. Once is enough: what the actor does around its sleep takes CPU time too, on some
// machines also what others take from it.
func asleep(a *actor.Actor, sleep int64, left func() int64) {
	GinkgoHelper()
	ran := sleep
	for try := 0; try < 10 && ran >= sleep; try++ {
		before := left()
		Must(a.Nanosleep(unix.CLOCK_MONOTONIC, 0, sleep))
		ran = before - left()
	}
	Expect(ran).To(BeNumerically("<", sleep))
}

// setitimerRaw is setitimer with any seconds and microseconds.
func setitimerRaw(a *actor.Actor, which int, intervalSec, intervalUsec, valueSec, valueUsec int64) *actor.Call {
	return a.Raw(unix.SYS_SETITIMER, which, append(timespecOf(intervalSec, intervalUsec), timespecOf(valueSec, valueUsec)...), actor.Null)
}

// remainsOf judges what is left of a timer that was armed with a value, no longer ago than the
// actor's clock tells by now.
func remainsOf(left, armed int64, a *actor.Actor, since int64) {
	GinkgoHelper()
	Expect(left).To(BeNumerically(">", 0))
	Expect(left).To(BeNumerically("<=", armed))
	// A microsecond is lost where the kernel's nanoseconds are rounded.
	Expect(left).To(BeNumerically(">=", armed-(monotonic(a)-since)-1000))
}

var _ = Describe("An interval timer", func() {
	for _, timer := range intervalTimers {
		Clause("itimer."+map[int]string{0: "real", 1: "virtual", 2: "prof"}[timer.which]+"-expires", func() {
			a := actor.New()
			a.Handle(timer.sig, 0)

			Expect(a.Setitimer(timer.which, actor.Itimer{Value: millisecond})).To(Return(0))
			if timer.which == unix.ITIMER_REAL {
				a.AwaitEvents(1)
			} else {
				burnUntil(a, func() bool { return len(a.Events()) > 0 })
			}
			Expect(a).To(Catch(timer.sig))
			Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
			Expect(itimerLeft(a, timer.which)).To(Equal(actor.Itimer{}))
		})

		Clause("itimer.default-action", timer.name, func() {
			a := actor.New()

			Expect(a.Setitimer(timer.which, actor.Itimer{Value: millisecond})).To(Return(0))
			if timer.which == unix.ITIMER_REAL {
				Expect(a).To(BeKilledBy(timer.sig))
				return
			}
			// In the middle of using up its CPU time it ends.
			loop := a.Begin().Repeat(1 << 30).Getppid()
			Expect(loop).To(BeKilledBy(timer.sig))
		})

		Clause("itimer.initially-disarmed", timer.name, func() {
			a := actor.New()

			Expect(itimerLeft(a, timer.which)).To(Equal(actor.Itimer{}))
			set := a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second})
			Expect(set).To(Return(0))
			Expect(set.Itimerval()).To(Equal(actor.Itimer{}))
			Expect(itimerLeft(a, timer.which).Interval).To(BeZero())
		})

		Clause("itimer.get", timer.name, func() {
			a := actor.New()

			start := monotonic(a)
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000*second + 5000, Interval: 2*second + 345_000}))
			left := itimerLeft(a, timer.which)
			Expect(left.Interval).To(Equal(2*second + 345_000))
			Expect(left.Value).To(BeNumerically(">", 0))
			if timer.which == unix.ITIMER_REAL {
				remainsOf(left.Value, 1000*second+5000, a, start)
			} else {
				// CPU time is counted by the tick, and a timer's value rounded up to one.
				Expect(left.Value).To(BeNumerically("~", 1000*second, second))
			}
		})

		Clause("itimer.old-value", timer.name, func() {
			a := actor.New()

			start := monotonic(a)
			Expect(a.Setitimer(timer.which, actor.Itimer{Value: 500 * second, Interval: 7 * second})).To(Return(0))
			set := a.Setitimer(timer.which, actor.Itimer{Value: 900 * second, Interval: 3 * second})
			Expect(set).To(Return(0))
			Expect(set.Itimerval().Interval).To(Equal(7 * second))
			Expect(set.Itimerval().Value).To(BeNumerically("~", 500*second, second+monotonic(a)-start))
			set = a.Setitimer(timer.which, actor.Itimer{})
			Expect(set).To(Return(0))
			Expect(set.Itimerval().Interval).To(Equal(3 * second))
			Expect(set.Itimerval().Value).To(BeNumerically("~", 900*second, second+monotonic(a)-start))
			Expect(itimerLeft(a, timer.which)).To(Equal(actor.Itimer{}))
		})

		Clause("itimer.old-value-null", timer.name, func() {
			a := actor.New()

			Expect(setitimerRaw(a, timer.which, 5, 0, 700, 0)).To(Return(0))
			Expect(itimerLeft(a, timer.which).Interval).To(Equal(5 * second))
		})

		Clause("itimer.zero-disarms", timer.name, func() {
			a := actor.New()
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second, Interval: 1000 * second}))

			set := a.Setitimer(timer.which, actor.Itimer{})
			Expect(set).To(Return(0))
			Expect(set.Itimerval().Interval).To(Equal(1000 * second))
			Expect(itimerLeft(a, timer.which)).To(Equal(actor.Itimer{}))
		})

		Clause("itimer.either-field-arms", timer.name, func() {
			a := actor.New()
			start := monotonic(a)

			a.Ignore(timer.sig) // it may expire, on a slow machine
			Expect(setitimerRaw(a, timer.which, 0, 0, 0, 999_999)).To(Return(0))
			old := a.Setitimer(timer.which, actor.Itimer{Value: 2000 * second})
			Expect(old).To(Return(0))
			if timer.which != unix.ITIMER_REAL || monotonic(a)-start < 999_999_000 {
				Expect(old.Itimerval().Value).To(BeNumerically(">", 0))
			}
			Expect(old.Itimerval().Interval).To(BeZero())
			Expect(setitimerRaw(a, timer.which, 0, 0, 1000, 0)).To(Return(0))
			left := itimerLeft(a, timer.which)
			Expect(left.Interval).To(BeZero())
			Expect(left.Value).To(BeNumerically("~", 1000*second, 10*second+monotonic(a)-start))
		})

		Clause("itimer.invalid-microseconds", timer.name, func() {
			a := actor.New()
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second, Interval: 3 * second}))

			for _, bad := range []int64{1_000_000, -1} {
				Expect(setitimerRaw(a, timer.which, 0, 0, 1, bad)).To(FailWith(unix.EINVAL))
				Expect(setitimerRaw(a, timer.which, 1, bad, 1, 0)).To(FailWith(unix.EINVAL))
			}
			left := itimerLeft(a, timer.which)
			Expect(left.Interval).To(Equal(3 * second))
			Expect(left.Value).To(BeNumerically("~", 1000*second, 100*second))
			Expect(setitimerRaw(a, timer.which, 4, 999_999, 1, 999_999)).To(Return(0))
			Expect(itimerLeft(a, timer.which).Interval).To(BeNumerically(">=", 4*second+999_999_000))
		})

		Clause("itimer.null-disarms", timer.name, func() {
			a := actor.New()
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second, Interval: 3 * second}))
			Expect(itimerLeft(a, timer.which).Interval).To(Equal(3 * second))

			Expect(a.Raw(unix.SYS_SETITIMER, timer.which, actor.Null, actor.Null)).To(Return(0))
			Expect(itimerLeft(a, timer.which)).To(Equal(actor.Itimer{}))
		})

		Clause("itimer.not-inherited", timer.name, func() {
			a := actor.New()
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second, Interval: 3 * second}))

			child := a.Fork()
			Expect(itimerLeft(child, timer.which)).To(Equal(actor.Itimer{}))
			Must(child.Setitimer(timer.which, actor.Itimer{Value: 50 * second}))
			left := itimerLeft(a, timer.which)
			Expect(left.Interval).To(Equal(3 * second))
			Expect(left.Value).To(BeNumerically(">", 900*second))
		})

		Clause("itimer.over-exec", timer.name, func() {
			a := actor.New()
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second, Interval: 3 * second}))

			execAnew(a)
			left := itimerLeft(a, timer.which)
			Expect(left.Interval).To(Equal(3 * second))
			Expect(left.Value).To(BeNumerically("~", 1000*second, 100*second))
		})

		Clause("itimer.of-the-process", timer.name, func() {
			a := actor.New()
			thread := a.Thread()

			Must(thread.Setitimer(timer.which, actor.Itimer{Value: 1000 * second, Interval: 3 * second}))
			Expect(itimerLeft(a, timer.which).Interval).To(Equal(3 * second))
			Must(a.Setitimer(timer.which, actor.Itimer{}))
			Expect(itimerLeft(thread, timer.which)).To(Equal(actor.Itimer{}))
		})

		Clause("itimer.one-of-each", timer.name, func() {
			a := actor.New()
			for _, other := range intervalTimers {
				Must(a.Setitimer(other.which, actor.Itimer{Value: 1000 * second, Interval: int64(other.which+1) * second}))
			}

			set := a.Setitimer(timer.which, actor.Itimer{Value: 2000 * second, Interval: 100 * second})
			Expect(set).To(Return(0))
			Expect(set.Itimerval().Interval).To(Equal(int64(timer.which+1) * second))
			for _, other := range intervalTimers {
				want := int64(other.which+1) * second
				if other.which == timer.which {
					want = 100 * second
				}
				Expect(itimerLeft(a, other.which).Interval).To(Equal(want))
				Expect(itimerLeft(a, other.which).Value > 1500*second).To(Equal(other.which == timer.which))
			}
		})

		Clause("itimer.efault", timer.name, func() {
			a := actor.New()
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second, Interval: 3 * second}))

			Expect(a.Raw(unix.SYS_GETITIMER, timer.which, a.Unmapped())).To(FailWith(unix.EFAULT))
			Expect(a.Raw(unix.SYS_GETITIMER, timer.which, actor.Null)).To(FailWith(unix.EFAULT))
			Expect(a.Raw(unix.SYS_SETITIMER, timer.which, a.Unmapped(), actor.Null)).To(FailWith(unix.EFAULT))
			Expect(itimerLeft(a, timer.which).Interval).To(Equal(3 * second))
			value := append(timespecOf(0, 0), timespecOf(100, 0)...)
			Expect(a.Raw(unix.SYS_SETITIMER, timer.which, value, a.Unmapped())).To(FailWith(unix.EFAULT))
		})
	}

	Clause("itimer.invalid-which", func() {
		a := actor.New()
		Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 1000 * second, Interval: 3 * second}))

		for _, which := range []int{3, -1, 1 << 16} {
			Expect(a.Getitimer(which)).To(FailWith(unix.EINVAL))
			Expect(a.Setitimer(which, actor.Itimer{Value: second})).To(FailWith(unix.EINVAL))
		}
		Expect(itimerLeft(a, unix.ITIMER_REAL).Interval).To(Equal(3 * second))
		Expect(itimerLeft(a, unix.ITIMER_VIRTUAL)).To(Equal(actor.Itimer{}))
		Expect(itimerLeft(a, unix.ITIMER_PROF)).To(Equal(actor.Itimer{}))
	})

	Clause("itimer.not-early", func() {
		a := waiterFor(unix.SIGALRM)

		for _, ns := range []int64{1000, 999_000, 3 * millisecond} {
			before := monotonic(a)
			Expect(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: ns})).To(Return(0))
			Expect(a.Sigtimedwait(setOf(unix.SIGALRM), noTimeout)).To(Accept(unix.SIGALRM))
			Expect(monotonic(a) - before).To(BeNumerically(">=", ns))
		}
	})

	Clause("itimer.periodic", func() {
		a := waiterFor(unix.SIGALRM)

		start := monotonic(a)
		Expect(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 2 * millisecond, Interval: millisecond})).To(Return(0))
		for n := range int64(4) {
			Expect(a.Sigtimedwait(setOf(unix.SIGALRM), noTimeout)).To(Accept(unix.SIGALRM))
			Expect(monotonic(a) - start).To(BeNumerically(">=", (2+n)*millisecond))
		}
		Expect(itimerLeft(a, unix.ITIMER_REAL).Interval).To(Equal(millisecond))
	})

	for _, timer := range intervalTimers[1:] {
		Clause("itimer.periodic-cpu", timer.name, func() {
			a := waiterFor(timer.sig)

			Expect(a.Setitimer(timer.which, actor.Itimer{Value: millisecond, Interval: millisecond})).To(Return(0))
			expired := 0
			burnUntil(a, func() bool {
				if a.PendingSignals() != 0 {
					Expect(a.Sigtimedwait(setOf(timer.sig), 0)).To(Accept(timer.sig))
					expired++
				}
				return expired == 3
			})
			Expect(expired).To(Equal(3))
			set := a.Setitimer(timer.which, actor.Itimer{})
			Expect(set).To(Return(0))
			// The kernel may round it up to whole ticks.
			Expect(set.Itimerval().Interval).To(And(BeNumerically(">=", millisecond), BeNumerically("<", second)))
		})
	}

	Clause("itimer.single-shot", func() {
		a := actor.New()
		a.Handle(unix.SIGALRM, 0)

		Expect(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: millisecond})).To(Return(0))
		a.AwaitEvents(1)
		passTime(a, 3*millisecond)
		Expect(a).To(Catch(unix.SIGALRM))
		Expect(itimerLeft(a, unix.ITIMER_REAL)).To(Equal(actor.Itimer{}))
	})

	Clause("itimer.reset-to-interval", func() {
		a := waiterFor(unix.SIGALRM)

		start := monotonic(a)
		Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: millisecond, Interval: 1000 * second}))
		Expect(a.Sigtimedwait(setOf(unix.SIGALRM), noTimeout)).To(Accept(unix.SIGALRM))
		left := itimerLeft(a, unix.ITIMER_REAL)
		Expect(left.Interval).To(Equal(1000 * second))
		remainsOf(left.Value, 1000*second, a, start)
	})

	Clause("itimer.counts-down", func() {
		a := actor.New()
		Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 1000 * second}))

		first, at := itimerLeft(a, unix.ITIMER_REAL), monotonic(a)
		Expect(first.Interval).To(BeZero())
		passTime(a, millisecond)
		passed := monotonic(a) - at
		left := itimerLeft(a, unix.ITIMER_REAL)
		Expect(left.Value).To(BeNumerically("<=", first.Value-passed+1000))
		Expect(left.Interval).To(BeZero())
	})

	Clause("itimer.disarmed-does-not-expire", func() {
		for _, off := range []actor.Itimer{{}, {Interval: millisecond}} {
			a := actor.New()
			a.Handle(unix.SIGALRM, 0)
			Must(a.Sigprocmask(unix.SIG_BLOCK, setOf(unix.SIGALRM)))

			Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 500 * second, Interval: millisecond}))
			Expect(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: millisecond})).To(Return(0))
			Expect(a.Setitimer(unix.ITIMER_REAL, off)).To(Return(0))
			// It may have expired in between; that is over now.
			a.Sigtimedwait(setOf(unix.SIGALRM), 0)
			a.SetMask()
			passTime(a, 3*millisecond)
			Expect(a).To(Catch())
			Expect(itimerLeft(a, unix.ITIMER_REAL).Value).To(BeZero())
		}
	})

	Clause("itimer.set-anew", func() {
		a := actor.New()
		a.Handle(unix.SIGALRM, 0)
		Must(a.Sigprocmask(unix.SIG_BLOCK, setOf(unix.SIGALRM)))

		Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: millisecond, Interval: millisecond}))
		Expect(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 1000 * second})).To(Return(0))
		a.Sigtimedwait(setOf(unix.SIGALRM), 0)
		a.SetMask()
		passTime(a, 3*millisecond)
		Expect(a).To(Catch())
		Expect(itimerLeft(a, unix.ITIMER_REAL).Value).To(BeNumerically(">", 900*second))
	})

	Clause("itimer.pending-once", func() {
		a := waiterFor(unix.SIGALRM)

		for range 3 {
			Expect(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 1000})).To(Return(0))
			for itimerLeft(a, unix.ITIMER_REAL).Value != 0 {
			}
		}
		Expect(a.Sigtimedwait(setOf(unix.SIGALRM), noTimeout)).To(Accept(unix.SIGALRM))
		expectNothing(a, unix.SIGALRM)
	})

	Clause("itimer.no-ceiling", func() {
		const halfCentury = 100 * 365 * 86400 * second / 2
		a := actor.New()

		start := monotonic(a)
		Expect(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: halfCentury})).To(Return(0))
		remainsOf(itimerLeft(a, unix.ITIMER_REAL).Value, halfCentury, a, start)
	})

	for _, timer := range intervalTimers[1:] {
		Clause("itimer.asleep-does-not-count", timer.name, func() {
			const sleep = 12 * millisecond
			a := actor.New()
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second}))

			asleep(a, sleep, func() int64 {
				left := itimerLeft(a, timer.which)
				Expect(left.Interval).To(BeZero())
				return left.Value
			})
		})

		Clause("itimer.all-threads", timer.name, func() {
			a := actor.New()
			a.Handle(timer.sig, 0)
			thread := a.Thread()

			Expect(a.Setitimer(timer.which, actor.Itimer{Value: millisecond})).To(Return(0))
			caught := func() int { return len(a.Events()) + len(thread.Events()) }
			burnUntil(thread, func() bool { return caught() > 0 })
			Expect(caught()).To(Equal(1))
			Expect(append(a.Events(), thread.Events()...)[0].Signal).To(Equal(timer.sig))
			Expect(itimerLeft(a, timer.which)).To(Equal(actor.Itimer{}))
		})
	}

	Clause("itimer.virtual-is-user-time", func() {
		a := actor.New()
		zero := Must(a.Open("/dev/zero", unix.O_RDONLY, 0))
		for _, timer := range intervalTimers[1:] {
			Expect(a.Setitimer(timer.which, actor.Itimer{Value: 1000 * second})).To(Return(0))
		}

		// Nearly all of this is the kernel's time, which only ITIMER_PROF counts. That the other one
		// stands still nobody promises: what is between them grows.
		virtual, prof := int64(0), int64(0)
		for start := cpuTime(a, unix.CLOCK_PROCESS_CPUTIME_ID); virtual-prof < 8*millisecond && cpuTime(a, unix.CLOCK_PROCESS_CPUTIME_ID)-start < second; {
			Must(a.Repeat(8).Read(zero, 1<<20))
			left := itimerLeft(a, unix.ITIMER_VIRTUAL)
			Expect(left.Interval).To(BeZero())
			other := itimerLeft(a, unix.ITIMER_PROF)
			Expect(other.Interval).To(BeZero())
			virtual, prof = left.Value, other.Value
		}
		Expect(virtual - prof).To(BeNumerically(">=", 8*millisecond))
	})
})

// alarm makes alarm(2).
func alarm(a *actor.Actor, seconds uint) *actor.Call { return a.Raw(unix.SYS_ALARM, seconds) }

// secondsLeft judges how many seconds alarm told of one that was set to so many.
func secondsLeft(call *actor.Call, set uint, since int64) {
	GinkgoHelper()
	passed := int((monotonic(call.Actor()) - since) / second)
	Expect(call).To(ReturnBetween(int(set)-passed-1, int(set)))
}

var _ = Describe("alarm", func() {
	Clause("alarm.delivers", func() {
		a := actor.New()
		a.Handle(unix.SIGALRM, 0)

		start := monotonic(a)
		Expect(alarm(a, 1)).To(Return(0))
		// In steps: the time limits of a run that lies are shorter than a second.
		for step := int64(1); step <= 5 && len(a.Events()) == 0; step++ {
			a.Nanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, start+step*second/5)
		}
		Expect(a).To(Catch(unix.SIGALRM))
		Expect(monotonic(a) - start).To(BeNumerically(">=", second))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
		Expect(alarm(a, 0)).To(Return(0))
	})

	Clause("alarm.none-before", func() {
		a := actor.New()

		Expect(alarm(a, 0)).To(Return(0))
		Expect(alarm(a, 1000)).To(Return(0))
	})

	Clause("alarm.arms", func() {
		a := actor.New()

		start := monotonic(a)
		Expect(alarm(a, 1000)).To(Return(0))
		left := itimerLeft(a, unix.ITIMER_REAL)
		Expect(left.Interval).To(BeZero())
		remainsOf(left.Value, 1000*second, a, start)
	})

	Clause("alarm.returns-what-remains", func() {
		a := actor.New()

		start := monotonic(a)
		Must(alarm(a, 1000))
		secondsLeft(alarm(a, 500), 1000, start)
		secondsLeft(alarm(a, 2000), 500, start)
		secondsLeft(alarm(a, 0), 2000, start)
		Expect(alarm(a, 0)).To(Return(0))
	})

	Clause("alarm.less-than-a-second-is-not-none", func() {
		a := actor.New()
		Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 300 * millisecond}))
		a.Handle(unix.SIGALRM, 0)

		previous := alarm(a, 0)
		if len(a.Events()) == 0 { // or else it has expired on a machine that is so slow
			Expect(previous).To(Return(1))
		}
	})

	Clause("alarm.zero-cancels", func() {
		a := actor.New()
		a.Handle(unix.SIGALRM, 0)
		Must(a.Sigprocmask(unix.SIG_BLOCK, setOf(unix.SIGALRM)))
		Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 2 * millisecond, Interval: millisecond}))

		Expect(alarm(a, 0)).To(ReturnBetween(0, 1))
		a.Sigtimedwait(setOf(unix.SIGALRM), 0) // it may have expired before
		a.SetMask()
		passTime(a, 4*millisecond)
		Expect(a).To(Catch())
		Expect(itimerLeft(a, unix.ITIMER_REAL)).To(Equal(actor.Itimer{}))
		Expect(alarm(a, 0)).To(Return(0))
	})

	Clause("alarm.replaces", func() {
		a := actor.New()

		start := monotonic(a)
		Must(alarm(a, 1000))
		secondsLeft(alarm(a, 2000), 1000, start)
		remainsOf(itimerLeft(a, unix.ITIMER_REAL).Value, 2000*second, a, start)
		secondsLeft(alarm(a, 0), 2000, start)
		Expect(alarm(a, 0)).To(Return(0))
	})

	Clause("alarm.shares-the-timer", func() {
		a := actor.New()
		start := monotonic(a)
		Must(a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 500 * second, Interval: 10 * second}))

		secondsLeft(alarm(a, 1000), 500, start)
		old := a.Setitimer(unix.ITIMER_REAL, actor.Itimer{Value: 70 * second})
		Expect(old).To(Return(0))
		Expect(old.Itimerval().Interval).To(BeZero())
		remainsOf(old.Itimerval().Value, 1000*second, a, start)
		secondsLeft(alarm(a, 0), 70, start)
		Expect(alarm(a, 0)).To(Return(0))
	})

	Clause("alarm.not-the-other-timers", func() {
		a := actor.New()
		for _, timer := range intervalTimers[1:] {
			Must(a.Setitimer(timer.which, actor.Itimer{Value: 500 * second, Interval: 10 * second}))
		}

		start := monotonic(a)
		Expect(alarm(a, 1000)).To(Return(0))
		secondsLeft(alarm(a, 0), 1000, start)
		Expect(alarm(a, 0)).To(Return(0))
		for _, timer := range intervalTimers[1:] {
			Expect(itimerLeft(a, timer.which).Interval).To(Equal(10 * second))
		}
	})

	Clause("alarm.of-the-process", func() {
		a := actor.New()
		thread := a.Thread()

		start := monotonic(a)
		Expect(alarm(thread, 1000)).To(Return(0))
		secondsLeft(alarm(a, 0), 1000, start)
		Expect(alarm(thread, 0)).To(Return(0))
	})

	Clause("alarm.not-inherited", func() {
		a := actor.New()
		start := monotonic(a)
		Expect(alarm(a, 1000)).To(Return(0))

		child := a.Fork()
		Expect(itimerLeft(child, unix.ITIMER_REAL)).To(Equal(actor.Itimer{}))
		Expect(alarm(child, 0)).To(Return(0))
		secondsLeft(alarm(a, 0), 1000, start)
		Expect(alarm(a, 0)).To(Return(0))
	})

	Clause("alarm.over-exec", func() {
		a := actor.New()
		start := monotonic(a)
		Expect(alarm(a, 1000)).To(Return(0))

		execAnew(a)
		secondsLeft(alarm(a, 0), 1000, start)
	})

	Clause("alarm.whole-range", func() {
		const most = 0xffffffff
		a := actor.New()

		start := monotonic(a)
		Expect(alarm(a, most)).To(Return(0))
		remainsOf(itimerLeft(a, unix.ITIMER_REAL).Value, most*second, a, start)
	})
})
