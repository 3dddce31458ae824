package sysv

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// endSemThread ends one thread of a process.
func endSemThread(thread *actor.Actor) {
	thread.Begin().Raw(unix.SYS_EXIT, 0)
	Expect(thread.AwaitGone()).To(BeTrue())
}

var _ = Describe("SEM_UNDO", func() {
	Clause("semop.undo-at-exit", func() {
		a := actor.New()
		id := newSemSet(a, 5, 5)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, 3, semUndo), sop(1, -2, semUndo))).To(Return(0))
		expectSems(a, id, 8, 3)
		child.Exit(0)
		expectSems(a, id, 5, 5)
	})

	Clause("semop.undo-when-killed", func() {
		a := actor.New()
		id := newSemSet(a, 5, 5)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, 3, semUndo), sop(1, -2, semUndo))).To(Return(0))
		Must(a.Kill(child.PID(), unix.SIGKILL))
		Expect(child.AwaitGone()).To(BeTrue())
		expectSems(a, id, 5, 5)
	})

	Clause("semop.undo-only-with-flag", func() {
		a := actor.New()
		id := newSemSet(a, 5, 5)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, 1), sop(1, -1))).To(Return(0))
		child.Exit(0)
		expectSems(a, id, 6, 4)
	})

	Clause("semop.undo-sum", func() {
		a := actor.New()
		id := newSemSet(a, 10)
		child := a.Fork()
		for _, op := range []actor.SemOp{sop(0, 5, semUndo), sop(0, -2, semUndo), sop(0, 100), sop(0, -7, semUndo), sop(0, -30)} {
			Expect(child.Semop(id, op)).To(Return(0))
		}
		Expect(child.Semop(id, sop(0, 1, semUndo), sop(0, 20), sop(0, 1, semUndo))).To(Return(0))
		expectSems(a, id, 98)
		child.Exit(0)
		expectSems(a, id, 100) // the sum with the flag is -2
	})

	Clause("semop.undo-sum-zero", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, -1, semUndo))).To(Return(0))
		Expect(child.Semop(id, sop(0, 1, semUndo))).To(Return(0))
		expectSems(a, id, 1)
		child.Exit(0)
		expectSems(a, id, 1)
	})

	Clause("semop.undo-each-semaphore", func() {
		a := actor.New()
		one, other := newSemSet(a, 1, 1, 1), newSemSet(a, 2, 2)
		child := a.Fork()
		Expect(child.Semop(one, sop(2, 4, semUndo), sop(0, 3))).To(Return(0))
		Expect(child.Semop(other, sop(1, -2, semUndo))).To(Return(0))
		expectSems(a, one, 4, 1, 5)
		expectSems(a, other, 2, 0)
		child.Exit(0)
		expectSems(a, one, 4, 1, 1)
		expectSems(a, other, 2, 2)
	})

	Clause("semop.undo-each-process", func() {
		a := actor.New()
		id := newSemSet(a, 10)
		one, other := a.Fork(), a.Fork()
		Expect(one.Semop(id, sop(0, -1, semUndo))).To(Return(0))
		Expect(other.Semop(id, sop(0, -4, semUndo))).To(Return(0))
		expectSems(a, id, 5)
		other.Exit(0)
		expectSems(a, id, 9)
		one.Exit(0)
		expectSems(a, id, 10)
	})

	Clause("semop.undo-not-inherited", func() {
		a := actor.New()
		id := newSemSet(a, 10)
		parent := a.Fork()
		Expect(parent.Semop(id, sop(0, -3, semUndo))).To(Return(0))
		child := parent.Fork()
		child.Exit(0)
		expectSems(a, id, 7)
		second := parent.Fork()
		parent.Exit(0)
		expectSems(a, id, 10)
		Expect(second.Semop(id, sop(0, 1))).To(Return(0))
		second.Exit(0)
		expectSems(a, id, 11)
	})

	Clause("semop.undo-kept-by-exec", func() {
		a := actor.New()
		id := newSemSet(a, 10)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, -3, semUndo))).To(Return(0))
		child.Exec()
		expectSems(a, id, 7)
		Expect(child.Semop(id, sop(0, -1, semUndo))).To(Return(0))
		child.Exit(0)
		expectSems(a, id, 10)
	})

	for _, shared := range []struct {
		by   string
		with func(process *actor.Actor) *actor.Actor
		end  func(other *actor.Actor)
	}{
		{"threads", (*actor.Actor).Thread, endSemThread},
		{"clone", func(process *actor.Actor) *actor.Actor {
			return process.Clone(unix.CLONE_SYSVSEM | uint64(unix.SIGCHLD))
		}, func(child *actor.Actor) { child.Exit(0) }},
	} {
		Clause("semop.undo-shared-by-"+shared.by, func() {
			a := actor.New()
			id := newSemSet(a, 10)
			process := a.Fork()
			other := shared.with(process)
			Expect(other.Semop(id, sop(0, -3, semUndo))).To(Return(0))
			shared.end(other)
			expectSems(a, id, 7)
			Expect(process.Semop(id, sop(0, -1, semUndo))).To(Return(0))
			process.Exit(0)
			expectSems(a, id, 10)
		})
	}

	Clause("semop.undo-down-to-zero", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, 5, semUndo), sop(1, 5, semUndo))).To(Return(0))
		Must(a.Semop(id, sop(0, -3), sop(1, -5)))
		child.Exit(0) // it does not wait
		expectSems(a, id, 0, 0)
	})

	Clause("semop.undo-up-to-maximum", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, -5, semUndo))).To(Return(0))
		Must(a.Semop(id, sop(0, semMax-2)))
		child.Exit(0)
		expectSems(a, id, semMax)
	})

	Clause("semop.undo-adjustment-erange", func() {
		a := actor.New()
		id := newSemSet(a, semMax, 0, 1)
		child := a.Fork()
		// Adjustments go from -SEMAEM-1 to SEMAEM, which is 32767.
		Expect(child.Semop(id, sop(0, -semMax, semUndo))).To(Return(0))
		Must(child.Semop(id, sop(0, 2)))
		Expect(child.Semop(id, sop(2, 1), sop(0, -1, semUndo))).To(FailWith(unix.ERANGE))
		Expect(child.Semop(id, sop(1, semMax, semUndo))).To(Return(0))
		Must(child.Semop(id, sop(1, -3)))
		Expect(child.Semop(id, sop(1, 2, semUndo))).To(FailWith(unix.ERANGE))
		Expect(child.Semop(id, sop(1, 1, semUndo))).To(Return(0))
		Expect(child.Semop(id, sop(1, 1, semUndo))).To(FailWith(unix.ERANGE))
		expectSems(a, id, 2, semMax-2, 1)
		Expect(child.Semop(id, sop(0, -1), sop(1, 1))).To(Return(0), "without the flag there is no adjustment")

		Must(child.Semop(id, sop(0, -1)))
		child.Exit(0)
		expectSems(a, id, semMax, 0, 1)
	})

	Clause("semop.undo-wakes", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		child := a.Fork()
		Must(child.Semop(id, sop(0, -1, semUndo), sop(1, 1, semUndo)))
		take, zero := sleepInSemop(a, id, sop(0, -1)), sleepInSemop(a, id, sop(1, 0))
		child.Exit(0)
		Expect(take).To(Return(0))
		Expect(zero).To(Return(0))
		expectSems(a, id, 0, 0)
		expectSemWaiters(a, id, 0, 0, 0)
		expectSemWaiters(a, id, 1, 0, 0)
	})

	Clause("semop.undo-of-failed", func() {
		a := actor.New()
		id := newSemSet(a, 5, 0, semMax)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, -2, semUndo), sop(1, -1, semUndo, semNowait))).To(FailWith(unix.EAGAIN))
		Expect(child.Semop(id, sop(0, -2, semUndo), sop(0, -4, semUndo, semNowait))).To(FailWith(unix.EAGAIN))
		Expect(child.Semop(id, sop(0, -2, semUndo), sop(2, 1, semUndo))).To(FailWith(unix.ERANGE))
		Expect(child.Semop(id, sop(0, -2, semUndo), sop(3, 1, semUndo))).To(FailWith(unix.EFBIG))
		Expect(child.Semtimedop(id, 0, sop(0, -2, semUndo), sop(1, -1, semUndo))).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 5, 0, semMax)
		child.Exit(0)
		expectSems(a, id, 5, 0, semMax)
	})

	Clause("semop.undo-of-woken", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0)
		wait := sleepInSemop(a, id, sop(0, -2, semUndo), sop(1, 4, semUndo))
		Expect(a.Semop(id, sop(0, 2))).To(Return(0))
		Expect(wait).To(Return(0))
		expectSems(a, id, 0, 4)
		wait.Actor().Exit(0)
		expectSems(a, id, 2, 0)
	})

	Clause("semtimedop.undo", func() {
		a := actor.New()
		id := newSemSet(a, 5, 5)
		child := a.Fork()
		Expect(child.Semtimedop(id, 3600e9, sop(0, -2, semUndo))).To(Return(0))
		Expect(child.Semtimedop(id, -1, sop(1, 2, semUndo))).To(Return(0))
		expectSems(a, id, 3, 7)
		child.Exit(0)
		expectSems(a, id, 5, 5)
	})

	Clause("semop.undo-after-removal", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		child := a.Fork()
		Expect(child.Semop(id, sop(0, -2, semUndo))).To(Return(0))
		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		other := newSemSet(a, 9)
		child.Exit(0)
		expectSems(a, other, 9)
	})

	for _, c := range []struct {
		name  string
		set   func(a *actor.Actor, id int) *actor.Call
		after []int
	}{
		{"setval", func(a *actor.Actor, id int) *actor.Call { return a.Semctl(id, 0, actor.SETVAL, 20) }, []int{20, 10}},
		{"setall", func(a *actor.Actor, id int) *actor.Call { return a.SemSetAll(id, 20, 30) }, []int{20, 30}},
	} {
		Clause("semctl."+c.name+"-clears-undo", func() {
			a := actor.New()
			id := newSemSet(a, 10, 10)
			one, other := a.Fork(), a.Fork()
			Must(one.Semop(id, sop(0, -3, semUndo), sop(1, 3, semUndo)))
			Must(other.Semop(id, sop(0, 1, semUndo)))
			Expect(c.set(a, id)).To(Return(0))
			one.Exit(0)
			other.Exit(0)
			expectSems(a, id, c.after...)
		})

		Clause("semctl."+c.name+"-undo-afterwards", func() {
			a := actor.New()
			id := newSemSet(a, 10, 10)
			child := a.Fork()
			Must(child.Semop(id, sop(0, -3, semUndo)))
			Expect(c.set(child, id)).To(Return(0))
			Must(child.Semop(id, sop(0, -5, semUndo)))
			child.Exit(0)
			expectSems(a, id, c.after...)
		})
	}

	Clause("semctl.undo-otime", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		child := a.Fork()
		Must(child.Semop(id, sop(0, -1, semUndo)))
		was := semStat(a, id)
		before := ipcNextSecond(a, was.Otime, was.Ctime)
		child.Exit(0)
		is := semStat(a, id)
		Expect(is.Otime).To(withinIPC(before, ipcNow(a)))
		was.Otime = is.Otime
		Expect(is).To(Equal(was))
		expectSems(a, id, 5)
	})

	Clause("semctl.undo-sempid", func() {
		a := actor.New()
		id := newSemSet(a, 5, 5, 5)
		child := a.Fork()
		Must(child.Semop(id, sop(0, -1, semUndo), sop(1, 1)))
		Must(a.Semop(id, sop(0, 1), sop(1, 1), sop(2, 1)))
		child.Exit(0)
		Expect(a.Semctl(id, 0, actor.GETPID, nil)).To(Return(child.PID()))
		Expect(a.Semctl(id, 1, actor.GETPID, nil)).To(Return(a.PID()))
		Expect(a.Semctl(id, 2, actor.GETPID, nil)).To(Return(a.PID()))
	})
})
