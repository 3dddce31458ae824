package sysv

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("Waiting for a semaphore to become zero", func() {
	Clause("semop.zero-nowait", func() {
		a := actor.New()
		id := newSemSet(a, 1, semMax)
		Expect(a.Semop(id, sop(0, 0, semNowait))).To(FailWith(unix.EAGAIN))
		Expect(a.Semop(id, sop(1, 0, semNowait))).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 1, semMax)
		expectSemWaiters(a, id, 0, 0, 0)
	})

	Clause("semop.zero-blocks", func() {
		a := actor.New()
		id := newSemSet(a, 2, 0)
		wait := sleepInSemop(a, id, sop(0, 0))
		expectSemWaiters(a, id, 0, 0, 1)
		expectSemWaiters(a, id, 1, 0, 0)

		Expect(a.Semop(id, sop(0, -1))).To(Return(0))
		Expect(wait).To(Block())
		expectSemWaiters(a, id, 0, 0, 1)
		Expect(a.Semop(id, sop(0, -1))).To(Return(0))
		Expect(wait).To(Return(0))
		expectSemWaiters(a, id, 0, 0, 0)
		expectSems(a, id, 0, 0)
	})

	Clause("semop.zero-wakes-all", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		waits := []*actor.Call{sleepInSemop(a, id, sop(0, 0)), sleepInSemop(a, id, sop(0, 0)), sleepInSemop(a, id, sop(0, 0))}
		expectSemWaiters(a, id, 0, 0, 3)
		Expect(a.Semop(id, sop(0, -1))).To(Return(0))
		for _, wait := range waits {
			Expect(wait).To(Return(0))
		}
		expectSemWaiters(a, id, 0, 0, 0)
	})

	Clause("semop.zero-by-woken", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		zero, take := sleepInSemop(a, id, sop(0, 0)), sleepInSemop(a, id, sop(0, -2))
		// The one who takes two makes it zero.
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(take).To(Return(0))
		Expect(zero).To(Return(0))
		expectSems(a, id, 0)
	})

	Clause("semop.zero-eidrm", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		waits := []*actor.Call{sleepInSemop(a, id, sop(0, 0)), sleepInSemop(a, id, sop(0, 0))}
		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		for _, wait := range waits {
			Expect(wait).To(FailWith(unix.EIDRM))
		}
	})

	Clause("semop.zero-eintr", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		wait := catching(a, 0).Begin().Semop(id, sop(0, 0))
		Expect(wait).To(Block())
		expectSemWaiters(a, id, 0, 0, 1)
		expectInterrupted(a, wait)
		expectSemWaiters(a, id, 0, 0, 0)
		expectSems(a, id, 1)
	})
})

var _ = Describe("Waiting for a semaphore to increase", func() {
	Clause("semop.subtract-nowait", func() {
		a := actor.New()
		id := newSemSet(a, 0, 3)
		Expect(a.Semop(id, sop(0, -1, semNowait))).To(FailWith(unix.EAGAIN))
		Expect(a.Semop(id, sop(1, -4, semNowait))).To(FailWith(unix.EAGAIN))
		Expect(a.Semop(id, sop(1, -semMax-1, semNowait))).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 0, 3)
		expectSemWaiters(a, id, 0, 0, 0)
	})

	Clause("semop.subtract-blocks", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		wait := sleepInSemop(a, id, sop(0, -3))
		expectSems(a, id, 1, 0)
		expectSemWaiters(a, id, 0, 1, 0)
		expectSemWaiters(a, id, 1, 0, 0)

		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(wait).To(Block())
		expectSems(a, id, 2, 0)
		expectSemWaiters(a, id, 0, 1, 0)
		Expect(a.Semop(id, sop(0, 2))).To(Return(0))
		Expect(wait).To(Return(0))
		expectSems(a, id, 1, 0)
		expectSemWaiters(a, id, 0, 0, 0)
	})

	Clause("semop.one-unit-for-one", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		waits := []*actor.Call{sleepInSemop(a, id, sop(0, -1)), sleepInSemop(a, id, sop(0, -1))}
		expectSemWaiters(a, id, 0, 2, 0)
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Eventually(func() bool { return waits[0].Done() || waits[1].Done() }).Should(BeTrue(), "one of them proceeds")
		done, asleep := waits[0], waits[1]
		if !done.Done() {
			done, asleep = asleep, done
		}
		Expect(done).To(Return(0))
		Expect(asleep).To(Block())
		expectSems(a, id, 0)
		expectSemWaiters(a, id, 0, 1, 0)
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(asleep).To(Return(0))
		expectSems(a, id, 0)
	})

	Clause("semop.units-for-all", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		var waits []*actor.Call
		for n := range 3 {
			waits = append(waits, sleepInSemop(a, id, sop(0, -n-1)))
		}
		expectSemWaiters(a, id, 0, 3, 0)
		Expect(a.Semop(id, sop(0, 7))).To(Return(0))
		for _, wait := range waits {
			Expect(wait).To(Return(0))
		}
		expectSems(a, id, 1)
		expectSemWaiters(a, id, 0, 0, 0)
	})

	Clause("semop.smaller-need-proceeds", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		large, small := sleepInSemop(a, id, sop(0, -5)), sleepInSemop(a, id, sop(0, -1))
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(small).To(Return(0))
		Expect(large).To(Block())
		expectSems(a, id, 0)
		Expect(a.Semop(id, sop(0, 5))).To(Return(0))
		Expect(large).To(Return(0))
	})

	Clause("semop.woken-wakes-others", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0, 0)
		last := sleepInSemop(a, id, sop(2, -1))
		middle := sleepInSemop(a, id, sop(1, -1), sop(2, 1))
		first := sleepInSemop(a, id, sop(0, -1), sop(1, 1))
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		for _, call := range []*actor.Call{first, middle, last} {
			Expect(call).To(Return(0))
		}
		expectSems(a, id, 0, 0, 0)
	})

	Clause("semop.waits-on-one-semaphore", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0, 1)
		wait := sleepInSemop(a, id, sop(0, -1), sop(1, -1), sop(2, 0))
		expectSemWaiters(a, id, 0, 0, 0)
		expectSemWaiters(a, id, 1, 1, 0)
		expectSemWaiters(a, id, 2, 0, 0)
		Expect(a.Semop(id, sop(1, 1))).To(Return(0))
		Expect(wait).To(Block())
		expectSemWaiters(a, id, 1, 0, 0)
		expectSemWaiters(a, id, 2, 0, 1)
		Expect(a.Semop(id, sop(2, -1))).To(Return(0))
		Expect(wait).To(Return(0))
		expectSems(a, id, 0, 0, 0)
	})

	Clause("semop.subtract-eidrm", func() {
		a := actor.New()
		id := newSemSet(a, 0, 1)
		waits := []*actor.Call{
			sleepInSemop(a, id, sop(0, -1)), sleepInSemop(a, id, sop(1, -2)), sleepInSemop(a, id, sop(1, 1), sop(0, -1)),
		}
		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		for _, wait := range waits {
			Expect(wait).To(FailWith(unix.EIDRM))
		}
	})

	Clause("semop.subtract-eintr", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		wait := catching(a, 0).Begin().Semop(id, sop(0, -2))
		Expect(wait).To(Block())
		expectSemWaiters(a, id, 0, 1, 0)
		expectInterrupted(a, wait)
		expectSemWaiters(a, id, 0, 0, 0)
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		expectSems(a, id, 2)
	})

	Clause("semop.several-eintr", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		expectInterrupted(a, catching(a, 0).Begin().Semop(id, sop(0, -1), sop(1, -1)))
		expectSems(a, id, 1, 0)
		expectSemWaiters(a, id, 1, 0, 0)
	})

	Clause("semop.never-restarted", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		for _, op := range []actor.SemOp{sop(0, -2), sop(0, 0)} {
			expectInterrupted(a, catching(a, actor.SA_RESTART).Begin().Semop(id, op))
			expectInterrupted(a, catching(a, actor.SA_RESTART).Begin().Semtimedop(id, -1, op))
			expectInterrupted(a, catching(a, actor.SA_RESTART).Begin().Semtimedop(id, 3600e9, op))
		}
		expectSems(a, id, 1)
	})

	Clause("semop.ignored-signal", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		wait := ignoring(a).Begin().Semop(id, sop(0, -1))
		expectUninterrupted(a, wait)
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(wait).To(Return(0))
	})

	Clause("semop.killed-waiter", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		wait := sleepInSemop(a, id, sop(0, -1, semUndo), sop(1, -1, semUndo))
		Must(a.Kill(wait.Actor().PID(), unix.SIGKILL))
		Expect(wait.Actor().AwaitGone()).To(BeTrue())
		expectSemWaiters(a, id, 1, 0, 0)
		Expect(a.Semop(id, sop(1, 1))).To(Return(0))
		expectSems(a, id, 1, 1)
	})

	Clause("semop.threads-wait-apart", func() {
		a := actor.New()
		thread := a.Thread()
		id := newSemSet(a, 0)
		wait := thread.Begin().Semop(id, sop(0, -1))
		Expect(wait).To(Block())
		expectSemWaiters(a, id, 0, 1, 0)
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(wait).To(Return(0))
	})
})

var _ = Describe("semtimedop", func() {
	const short, hour = 2e6, 3600e9

	for _, op := range []actor.SemOp{sop(0, -2), sop(0, 0)} {
		name := "zero"
		if op.Op < 0 {
			name = "subtract"
		}
		Clause("semtimedop.timeout", name, func() {
			a := actor.New()
			id := newSemSet(a, 1, 0)
			now := func() int64 { return a.ClockGettime(unix.CLOCK_MONOTONIC).Nanoseconds() }

			since := now()
			Expect(a.Semtimedop(id, short, sop(1, 1), op)).To(FailWith(unix.EAGAIN))
			Expect(now()-since).To(BeNumerically(">=", int64(short)), "nanoseconds")
			expectSems(a, id, 1, 0)
			expectSemWaiters(a, id, 0, 0, 0)
		})

		Clause("semtimedop.timeout-zero", name, func() {
			a := actor.New()
			id := newSemSet(a, 1, 0)
			Expect(a.Semtimedop(id, 0, op)).To(FailWith(unix.EAGAIN))
			Expect(a.Semtimedop(id, 0, sop(1, 1), op)).To(FailWith(unix.EAGAIN))
			expectSems(a, id, 1, 0)
			expectSemWaiters(a, id, 0, 0, 0)
		})
	}

	Clause("semtimedop.shorter-first", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		long := a.Fork().Begin().Semtimedop(id, hour, sop(0, -1))
		Expect(long).To(Block())
		Expect(a.Fork().Semtimedop(id, short, sop(0, -1))).To(FailWith(unix.EAGAIN))
		Expect(long).To(Block())
		expectSemWaiters(a, id, 0, 1, 0)
	})

	Clause("semtimedop.no-wait-needed", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		for _, timeout := range []int64{0, hour, -1} {
			Expect(a.Semtimedop(id, timeout, sop(0, -1), sop(1, 0), sop(0, 2))).To(Return(0))
		}
		expectSems(a, id, 4, 0)
	})

	Clause("semtimedop.nowait", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		for _, timeout := range []int64{hour, -1} {
			Expect(a.Semtimedop(id, timeout, sop(0, -2, semNowait))).To(FailWith(unix.EAGAIN))
			Expect(a.Semtimedop(id, timeout, sop(0, 0, semNowait))).To(FailWith(unix.EAGAIN))
		}
		expectSems(a, id, 1)
	})

	for _, t := range []struct {
		name    string
		timeout int64
	}{{"within the time", hour}, {"without a time limit", -1}} {
		Clause("semtimedop.woken", t.name, func() {
			a := actor.New()
			id := newSemSet(a, 1, 1)
			take := a.Fork().Begin().Semtimedop(id, t.timeout, sop(0, -2))
			zero := a.Fork().Begin().Semtimedop(id, t.timeout, sop(1, 0))
			Expect(take).To(Block())
			Expect(zero).To(Block())
			expectSemWaiters(a, id, 0, 1, 0)
			expectSemWaiters(a, id, 1, 0, 1)
			Expect(a.Semop(id, sop(0, 1))).To(Return(0))
			Expect(take).To(Return(0))
			Expect(zero).To(Block())
			Expect(a.Semop(id, sop(1, -1))).To(Return(0))
			Expect(zero).To(Return(0))
			expectSems(a, id, 0, 0)
		})

		Clause("semtimedop.eidrm", t.name, func() {
			a := actor.New()
			id := newSemSet(a, 1)
			wait := a.Fork().Begin().Semtimedop(id, t.timeout, sop(0, -2))
			Expect(wait).To(Block())
			Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
			Expect(wait).To(FailWith(unix.EIDRM))
		})
	}

	Clause("semtimedop.eintr-keeps-timeout", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		waiter := catching(a, 0)
		timeout := waiter.Alloc(16)
		timeout.PutUint64(0, 3600)
		timeout.PutUint64(8, 123456789)

		wait := waiter.Begin().Raw(unix.SYS_SEMTIMEDOP, id, semBytes(sop(0, 0)), 1, timeout)
		expectInterrupted(a, wait)
		Expect(timeout.Uint64(0)).To(Equal(uint64(3600)))
		Expect(timeout.Uint64(8)).To(Equal(uint64(123456789)))
		expectSemWaiters(a, id, 0, 0, 0)
		expectSems(a, id, 1)
	})
})
