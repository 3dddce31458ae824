package sysv

import (
	"fmt"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A semaphore operation that can proceed", func() {
	Clause("semop.add", func() {
		a := actor.New()
		id := newSemSet(a, 0, 5)
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		expectSems(a, id, 1, 5)
		Expect(a.Semop(id, sop(1, 300))).To(Return(0))
		expectSems(a, id, 1, 305)
		Expect(a.Semop(id, sop(0, semMax-1))).To(Return(0))
		expectSems(a, id, semMax, 305)
	})

	Clause("semop.subtract", func() {
		a := actor.New()
		id := newSemSet(a, 5, semMax)
		Expect(a.Semop(id, sop(0, -2))).To(Return(0))
		expectSems(a, id, 3, semMax)
		Expect(a.Semop(id, sop(0, -3))).To(Return(0))
		expectSems(a, id, 0, semMax)
		Expect(a.Semop(id, sop(1, -semMax))).To(Return(0))
		expectSems(a, id, 0, 0)
	})

	Clause("semop.zero", func() {
		a := actor.New()
		id := newSemSet(a, 0, 1)
		Expect(a.Semop(id, sop(0, 0))).To(Return(0))
		Expect(a.Semop(id, sop(0, 0, semNowait))).To(Return(0))
		expectSems(a, id, 0, 1)
		expectSemWaiters(a, id, 0, 0, 0)
	})

	Clause("semop.numbers-from-zero", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0, 0, 0)
		want := []int{0, 0, 0, 0}
		for _, num := range []int{0, 3, 1, 2} {
			Expect(a.Semop(id, sop(num, num+1))).To(Return(0))
			want[num] = num + 1
			expectSems(a, id, want...)
		}
	})

	Clause("semop.by-another-process", func() {
		a := actor.New()
		id := Must(a.Semget(semKey(), 1, semCreat|0o600))
		other := a.Fork()
		Expect(other.Semop(id, sop(0, 4))).To(Return(0))
		Expect(a.Semop(id, sop(0, -1))).To(Return(0))
		expectSems(other, id, 3)
	})

	Clause("semop.nowait-not-needed", func() {
		a := actor.New()
		id := newSemSet(a, 2)
		Expect(a.Semop(id, sop(0, 1, semNowait))).To(Return(0))
		Expect(a.Semop(id, sop(0, -3, semNowait))).To(Return(0))
		expectSems(a, id, 0)
	})

	Clause("semop.add-never-waits", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		more, zero := sleepInSemop(a, id, sop(0, -5)), sleepInSemop(a, id, sop(0, 0))
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		expectSems(a, id, 2)
		Expect(more).To(Block())
		Expect(zero).To(Block())
	})

	Clause("semop.racing-increments", func() {
		const each = 500
		a := actor.New()
		id := newSemSet(a, 0, 0)
		b := a.Fork()
		one := a.Begin().Repeat(each).Semop(id, sop(0, 1), sop(1, 2))
		other := b.Begin().Repeat(each).Semop(id, sop(1, 1), sop(0, 2))
		Expect(one).To(Return(0))
		Expect(other).To(Return(0))
		Expect(one.Count()).To(Equal(each))
		Expect(other.Count()).To(Equal(each))
		expectSems(a, id, 3*each, 3*each)
	})
})

var _ = Describe("What a successful semop leaves behind", func() {
	// expectSempids checks who has operated last on each semaphore.
	expectSempids := func(a *actor.Actor, id int, pids ...int) {
		GinkgoHelper()
		for num, pid := range pids {
			Expect(a.Semctl(id, num, actor.GETPID, nil)).To(Return(pid))
		}
	}

	Clause("semop.sempid", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0, 1, 0)
		b := a.Fork()
		expectSempids(a, id, a.PID(), a.PID(), a.PID(), a.PID())
		Expect(b.Semop(id, sop(0, 1), sop(1, 0), sop(2, -1))).To(Return(0))
		expectSempids(a, id, b.PID(), b.PID(), b.PID(), a.PID())
		Expect(a.Semop(id, sop(1, 0))).To(Return(0))
		expectSempids(b, id, b.PID(), a.PID(), b.PID(), a.PID())
	})

	Clause("semop.sempid-kept-on-failure", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0)
		b := a.Fork()
		Expect(b.Semop(id, sop(0, 1), sop(1, -1, semNowait))).To(FailWith(unix.EAGAIN))
		expectSempids(a, id, a.PID(), a.PID())
		wait := b.Begin().Semop(id, sop(1, -1))
		Expect(wait).To(Block())
		expectSempids(a, id, a.PID(), a.PID())
	})

	Clause("semop.sempid-of-woken", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0)
		wait := sleepInSemop(a, id, sop(0, -1))
		Expect(a.Semop(id, sop(0, 1), sop(1, 1))).To(Return(0))
		Expect(wait).To(Return(0))
		expectSempids(a, id, wait.Actor().PID(), a.PID())
	})

	Clause("semop.sempid-of-thread", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		process := a.Fork()
		thread := process.Thread()
		Expect(thread.Semop(id, sop(0, 1))).To(Return(0))
		expectSempids(a, id, process.PID())
	})

	Clause("semop.otime", func() {
		a := actor.New()
		for _, op := range []int{1, -1, 0} {
			id := newSemSet(a, max(0, -op), 3)
			Expect(semStat(a, id).Otime).To(BeZero())
			since := ipcNow(a)
			Expect(a.Semop(id, sop(0, op))).To(Return(0))
			Expect(semStat(a, id).Otime).To(withinIPC(since, ipcNow(a)))
		}
	})

	Clause("semop.otime-kept-on-failure", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		Expect(a.Semop(id, sop(0, -2, semNowait))).To(FailWith(unix.EAGAIN))
		Expect(a.Semop(id, sop(0, 0, semNowait))).To(FailWith(unix.EAGAIN))
		Expect(a.Semop(id, sop(0, semMax))).To(FailWith(unix.ERANGE))
		Expect(a.Semop(id, sop(1, 1))).To(FailWith(unix.EFBIG))
		Expect(semStat(a, id).Otime).To(BeZero())
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(semStat(a, id).Otime).NotTo(BeZero())
	})

	Clause("semop.otime-of-last", func() {
		a := actor.New()
		used, idle := newSemSet(a, 1, 0, 0), newSemSet(a, 1, 0, 0)
		Must(a.Semop(used, sop(0, 1)))
		Must(a.Semop(idle, sop(0, 1)))
		first, changed := semStat(a, idle).Otime, semStat(a, used).Ctime

		since := ipcNextSecond(a, ipcNow(a))
		Expect(a.Semop(used, sop(2, 1))).To(Return(0))
		Expect(semStat(a, used).Otime).To(withinIPC(since, ipcNow(a)))
		Expect(semStat(a, used).Ctime).To(Equal(changed))
		Expect(a.Semop(idle, sop(1, -1, semNowait))).To(FailWith(unix.EAGAIN))
		expectSems(a, idle, 2, 0, 0)
		Expect(semStat(a, idle).Otime).To(Equal(first))
	})
})

var _ = Describe("Several semaphore operations in one call", func() {
	Clause("semop.all-performed", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2, 0, 9)
		Expect(a.Semop(id, sop(3, -4), sop(0, 5), sop(2, 0), sop(1, -2))).To(Return(0))
		expectSems(a, id, 6, 0, 0, 5)
	})

	for _, refused := range []struct {
		name string
		op   actor.SemOp
	}{{"decrement", sop(2, -1, semNowait)}, {"zero", sop(3, 0, semNowait)}} {
		Clause("semop.none-performed", refused.name, func() {
			a := actor.New()
			id := newSemSet(a, 1, 4, 0, 1)
			Expect(a.Semop(id, sop(0, 1), sop(1, -2), refused.op)).To(FailWith(unix.EAGAIN))
			expectSems(a, id, 1, 4, 0, 1)
			Expect(a.Semop(id, refused.op, sop(0, 1), sop(1, -2))).To(FailWith(unix.EAGAIN))
			expectSems(a, id, 1, 4, 0, 1)
			Expect(a.Semop(id, sop(0, 1), refused.op, sop(1, -2))).To(FailWith(unix.EAGAIN))
			expectSems(a, id, 1, 4, 0, 1)
		})
	}

	Clause("semop.array-order", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		Expect(a.Semop(id, sop(0, -1, semNowait), sop(0, 1, semNowait))).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 0)
		Expect(a.Semop(id, sop(0, 1, semNowait), sop(0, -1, semNowait))).To(Return(0))
		expectSems(a, id, 0)
		Expect(a.Semop(id, sop(0, 1, semNowait), sop(0, 0, semNowait))).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 0)
		Expect(a.Semop(id, sop(0, 0, semNowait), sop(0, 1, semNowait))).To(Return(0))
		expectSems(a, id, 1)
	})

	Clause("semop.same-semaphore", func() {
		a := actor.New()
		id := newSemSet(a, 5, 0)
		Expect(a.Semop(id, sop(0, -2), sop(0, -3), sop(0, 0), sop(0, 4))).To(Return(0))
		expectSems(a, id, 4, 0)
		Expect(a.Semop(id, sop(0, -2), sop(1, 1), sop(0, -3, semNowait))).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 4, 0)
	})

	Clause("semop.lock-by-zero-and-add", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		lock := []actor.SemOp{sop(0, 0), sop(0, 1)}
		Expect(a.Semop(id, lock...)).To(Return(0))
		second := sleepInSemop(a, id, lock...)
		expectSems(a, id, 1)
		Expect(a.Semop(id, sop(0, -1))).To(Return(0))
		Expect(second).To(Return(0))
		expectSems(a, id, 1)
	})

	Clause("semop.nowait-of-the-one-that-waits", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		// Only the second cannot proceed, and its own flag counts.
		Expect(a.Semop(id, sop(0, -1), sop(1, -1, semNowait))).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 1, 0)
		wait := sleepInSemop(a, id, sop(0, -1, semNowait), sop(1, -1))
		expectSems(a, id, 1, 0)
		Expect(a.Semop(id, sop(1, 1))).To(Return(0))
		Expect(wait).To(Return(0))
		expectSems(a, id, 0, 0)
	})

	Clause("semop.nowait-after-sleep", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0)
		wait := sleepInSemop(a, id, sop(0, -1), sop(1, -1, semNowait))
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(wait).To(FailWith(unix.EAGAIN))
		expectSems(a, id, 1, 0)
		expectSemWaiters(a, id, 0, 0, 0)
	})

	Clause("semop.waits-for-all", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		wait := sleepInSemop(a, id, sop(0, -1), sop(1, -1))
		expectSems(a, id, 1, 0) // nothing is held while it sleeps

		Expect(a.Semop(id, sop(0, -1))).To(Return(0))
		Expect(a.Semop(id, sop(1, 1))).To(Return(0))
		Expect(wait).To(Block())
		expectSems(a, id, 0, 1)
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(wait).To(Return(0))
		expectSems(a, id, 0, 0)
	})
})

var _ = Describe("The permissions that semop takes", func() {
	for _, p := range []struct {
		name       string
		permission int
		op         actor.SemOp
	}{
		{"zero-read", 0o444, sop(1, 0)},
		{"add-alter", 0o222, sop(0, 1)},
		{"subtract-alter", 0o222, sop(0, -1, semNowait)},
	} {
		Clause("semop.permission-"+p.name, func() {
			a := actor.New()
			expectSemPermission(a, p.permission, func(*actor.Actor, int) types.GomegaMatcher { return Return(0) }, func(who *actor.Actor, id int) *actor.Call {
				return who.Semop(id, p.op)
			})
		})
	}

	Clause("semop.eacces-owner", func() {
		a := actor.New()
		owner := capableOnly(a)
		id := newSemSet(a, 1, 0)

		setSemMode(a, id, 0o466)
		Expect(owner.Semop(id, sop(1, 0))).To(Return(0))
		Expect(owner.Semop(id, sop(0, 1))).To(FailWith(unix.EACCES))
		Expect(owner.Semop(id, sop(0, -1))).To(FailWith(unix.EACCES))
		setSemMode(a, id, 0o266)
		Expect(owner.Semop(id, sop(1, 0))).To(FailWith(unix.EACCES))
		expectSems(a, id, 1, 0)
		Expect(owner.Semop(id, sop(0, 1))).To(Return(0))
		Expect(owner.Semop(id, sop(0, -2))).To(Return(0))
		expectSems(a, id, 0, 0)
	})

	Clause("semop.zero-beside-altering", func() {
		a := actor.New()
		owner := capableOnly(a)
		id := newSemSet(a, 1, 0)
		setSemMode(a, id, 0o255)
		Expect(owner.Semop(id, sop(1, 0))).To(FailWith(unix.EACCES))
		Expect(owner.Semop(id, sop(1, 0), sop(0, 1))).To(Return(0))
		expectSems(a, id, 2, 0)
		setSemMode(a, id, 0o455)
		Expect(owner.Semop(id, sop(1, 0))).To(Return(0))
		Expect(owner.Semop(id, sop(1, 0), sop(0, 1))).To(FailWith(unix.EACCES))
		Expect(owner.Semop(id, sop(0, -1), sop(1, 0))).To(FailWith(unix.EACCES))
		expectSems(a, id, 2, 0)
	})

	Clause("semop.cap-ipc-owner", func() {
		a := actor.New()
		Presuppose(a.Capabilities()>>unix.CAP_IPC_OWNER&1 != 0, "CAP_IPC_OWNER: run as root, in a container with that capability")
		id := newSemSet(a, 1, 0)
		setSemMode(a, id, 0)
		with, without := capableOnly(a, unix.CAP_IPC_OWNER), incapable(a, unix.CAP_IPC_OWNER)

		for _, op := range []actor.SemOp{sop(1, 0), sop(0, 1), sop(0, -1)} {
			Expect(without.Semop(id, op)).To(FailWith(unix.EACCES))
			Expect(with.Semop(id, op)).To(Return(0))
		}
		expectSems(a, id, 1, 0)
	})
})

var _ = Describe("A semop that fails", func() {
	Clause("semop.e2big", func() {
		a := actor.New()
		l := readSemLimits(a)
		l.opm = 3
		writeSemLimits(a, l)
		id := newSemSet(a, 0)
		one := sop(0, 1)

		Expect(a.Semop(id, one, one, one, one)).To(FailWith(unix.E2BIG))
		Expect(a.Semtimedop(id, 0, one, one, one, one)).To(FailWith(unix.E2BIG))
		expectSems(a, id, 0)
		Expect(a.Semop(id, one, one, one)).To(Return(0))
		expectSems(a, id, 3)
	})

	Clause("semop.default-semopm", func() {
		a := actor.New()
		id := newSemSet(a, 0, 0)
		limits := a.SemInfo(actor.IPC_INFO)
		Expect(limits).To(returnHighest(semIndex, a, id))
		Expect(limits.Seminfo().Opm).To(Equal(500))
		var ops []actor.SemOp
		for i := range 500 {
			ops = append(ops, sop(i%2, 1))
		}
		Expect(a.Semop(id, append(ops, sop(0, 1))...)).To(FailWith(unix.E2BIG))
		expectSems(a, id, 0, 0)
		Expect(a.Semop(id, ops...)).To(Return(0))
		expectSems(a, id, 250, 250)
	})

	Clause("semop.efbig", func() {
		a := actor.New()
		id := newSemSet(a, 5, 5)
		for _, num := range []int{2, 3, 0x7fff, 0xffff} {
			for _, op := range []int{1, -1, 0} {
				Expect(a.Semop(id, sop(num, op, semNowait))).To(FailWith(unix.EFBIG))
			}
			Expect(a.Semop(id, sop(0, 1), sop(num, 1), sop(1, 1))).To(FailWith(unix.EFBIG))
		}
		expectSems(a, id, 5, 5)
		Expect(a.Semop(id, sop(1, 1))).To(Return(0))
	})

	Clause("semop.no-operations", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		Expect(a.Raw(unix.SYS_SEMOP, id, semBytes(sop(0, 1)), 0)).To(FailWith(unix.EINVAL))
		Expect(a.Raw(unix.SYS_SEMTIMEDOP, id, semBytes(sop(0, 1)), 0, nil)).To(FailWith(unix.EINVAL))
		expectSems(a, id, 5)
	})

	Clause("semop.no-such-set", func() {
		a := actor.New()
		Expect(a.Semop(0, sop(0, 1))).To(FailWith(unix.EINVAL))
		id := newSemSet(a, 5)
		for _, wrong := range []int{-1, math.MinInt32, -id - 1, id + 1, math.MaxInt32} {
			Expect(a.Semop(wrong, sop(0, 1))).To(FailWith(unix.EINVAL))
			Expect(a.Semtimedop(wrong, 0, sop(0, 1))).To(FailWith(unix.EINVAL))
		}
		expectSems(a, id, 5)
	})

	Clause("semop.removed-set", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		gone := goneIPC()
		Expect(a.Semop(id, sop(0, 1))).To(gone)
		other := newSemSet(a, 7)
		Expect(other).NotTo(Equal(id))
		Expect(a.Semop(id, sop(0, 1))).To(gone)
		Expect(a.Semtimedop(id, 0, sop(0, 1, semUndo))).To(gone)
		expectSems(a, other, 7)
	})

	Clause("semop.erange", func() {
		a := actor.New()
		id := newSemSet(a, 0, semMax, semMax-1)
		Expect(a.Semop(id, sop(1, 1))).To(FailWith(unix.ERANGE))
		Expect(a.Semop(id, sop(2, 2))).To(FailWith(unix.ERANGE))
		Expect(a.Semop(id, sop(1, semMax))).To(FailWith(unix.ERANGE))
		Expect(a.Semop(id, sop(0, 1), sop(1, 1, semNowait))).To(FailWith(unix.ERANGE))
		expectSems(a, id, 0, semMax, semMax-1)
		Expect(a.Semop(id, sop(2, 1), sop(0, semMax))).To(Return(0))
		expectSems(a, id, semMax, semMax, semMax)
	})

	Clause("semop.erange-same-semaphore", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		Expect(a.Semop(id, sop(1, 1), sop(0, semMax-1), sop(0, 1), sop(0, -1))).To(FailWith(unix.ERANGE))
		expectSems(a, id, 1, 0)
		Expect(a.Semop(id, sop(0, -1), sop(0, semMax))).To(Return(0))
		expectSems(a, id, semMax, 0)
	})

	Clause("semop.efault", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		Expect(a.Raw(unix.SYS_SEMOP, id, a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_SEMOP, id, nil, 1)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_SEMTIMEDOP, id, a.Unmapped(), 1, nil)).To(FailWith(unix.EFAULT))

		// The first operation can be read, the second only in part.
		edge := a.PageEnd(11)
		copy(edge.Bytes(), semBytes(sop(0, 1), sop(0, 1)))
		Expect(a.Raw(unix.SYS_SEMOP, id, edge, 2)).To(FailWith(unix.EFAULT))
		expectSems(a, id, 0)
		Expect(a.Raw(unix.SYS_SEMOP, id, edge, 1)).To(Return(0))
		expectSems(a, id, 1)
	})

	Clause("semtimedop.efault", func() {
		a := actor.New()
		id := newSemSet(a, 3)
		for _, timeout := range []actor.Mem{a.Unmapped(), a.PageEnd(15)} {
			Expect(a.Raw(unix.SYS_SEMTIMEDOP, id, semBytes(sop(0, 1)), 1, timeout)).To(FailWith(unix.EFAULT))
			Expect(a.Raw(unix.SYS_SEMTIMEDOP, id, semBytes(sop(0, -4)), 1, timeout)).To(FailWith(unix.EFAULT))
		}
		expectSems(a, id, 3)
		expectSemWaiters(a, id, 0, 0, 0)
	})
})

var _ = Describe("/proc/sys/kernel/sem", func() {
	Clause("semop.limit-semopm", func() {
		a := actor.New()
		for _, most := range []int{1, 2, 40} {
			l := readSemLimits(a)
			l.opm = most
			writeSemLimits(a, l)
			Expect(readSemLimits(a).opm).To(Equal(most))
			id := newSemSet(a, 0)
			ops := make([]actor.SemOp, most, most+1)
			for i := range ops {
				ops[i] = sop(0, 1)
			}
			Expect(a.Semop(id, ops...)).To(Return(0), fmt.Sprint(most))
			Expect(a.Semop(id, append(ops, sop(0, 1))...)).To(FailWith(unix.E2BIG), fmt.Sprint(most))
			expectSems(a, id, most)
		}
	})
})
