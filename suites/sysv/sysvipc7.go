package sysv

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What sysvipc(7) says of the three mechanisms; their own pages have the rest.

// overviewKey is a key that nobody else has.
func overviewKey() int { return actor.Key(0x51) }

// expectSet checks the values of a set's semaphores, and its permissions for its owner alone.
func expectSet(a *actor.Actor, id int, values ...int) {
	GinkgoHelper()
	all, stat := a.SemGetAll(id, len(values)), a.SemStat(id, actor.IPC_STAT)
	Expect(all).To(Return(0))
	Expect(all.Values()).To(Equal(values))
	Expect(stat).To(Return(0))
	Expect(stat.SemidDS()).To(SatisfyAll(HaveField("Nsems", BeEquivalentTo(len(values))), HaveField("Perm.Mode", BeEquivalentTo(0o600))))
}

// expectSegment checks a segment's size and how often it is attached, and its permissions for its owner
// alone.
func expectSegment(a *actor.Actor, id int, size, attached int64) {
	GinkgoHelper()
	stat := a.ShmStat(id, actor.IPC_STAT)
	Expect(stat).To(Return(0))
	ds := stat.ShmidDS()
	Expect([]int64{ds.Segsz, ds.Nattch, int64(ds.Perm.Mode)}).To(Equal([]int64{size, attached, 0o600}))
}

var _ = Describe("System V IPC", func() {
	Clause("sysvipc.messages", func() {
		a := actor.New()
		b := a.Fork()
		id := newQueue(a)
		Expect(a.Msgsnd(id, 1, []byte("one"), 0)).To(Return(0))
		Expect(a.Msgsnd(id, 2, []byte("another"), 0)).To(Return(0))
		expectMessage(b.Msgrcv(id, 64, 0, 0), message{1, "one"})
		Expect(b.Msgsnd(id, 3, []byte("back"), 0)).To(Return(0))
		expectMessages(a, id, message{2, "another"}, message{3, "back"})
	})

	Clause("sysvipc.message-priority", func() {
		a := actor.New()
		id := queueOf(a, message{9, "last"}, message{1, "first"}, message{5, "then"})
		for _, m := range []message{{1, "first"}, {5, "then"}, {9, "last"}} {
			expectMessage(a.Msgrcv(id, 8, -9, 0), m)
		}
	})

	Clause("sysvipc.queue-id", func() {
		a := actor.New()
		id := a.Msgget(overviewKey(), actor.IPC_CREAT|0o600)
		Expect(id).To(ReturnSuccess())
		Expect(a.Msgget(overviewKey(), 0)).To(Return(id.Value()))
		Expect(a.Msgsnd(id.Value(), 1, []byte("x"), 0)).To(Return(0))
		expectMessages(a, id.Value(), message{1, "x"})
		Expect(queueStat(a, id.Value()).Perm).To(SatisfyAll(HaveField("Key", BeEquivalentTo(overviewKey())), HaveField("Mode", BeEquivalentTo(0o600))))
		Expect(a.Msgctl(id.Value(), actor.IPC_RMID, nil)).To(Return(0))
		Expect(a.Msgget(overviewKey(), 0)).To(FailWith(unix.ENOENT))
	})

	Clause("sysvipc.semaphores-synchronize", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(a.Semget(actor.IPC_PRIVATE, 1, 0o600))
		wait := b.Begin().Semop(id, actor.SemOp{Op: -1})
		Expect(wait).To(Block())
		Expect(a.Semop(id, actor.SemOp{Op: 1})).To(Return(0))
		Expect(wait).To(Return(0))
		expectSet(a, id, 0)
	})

	Clause("sysvipc.semaphores-count", func() {
		a := actor.New()
		id := Must(a.Semget(actor.IPC_PRIVATE, 3, 0o600))
		Must(a.SemSetAll(id, 0, 0, 0))
		Expect(a.Semop(id, actor.SemOp{Num: 1, Op: 3})).To(Return(0))
		Expect(a.Semop(id, actor.SemOp{Num: 2, Op: 1})).To(Return(0))
		Expect(a.Semop(id, actor.SemOp{Num: 1, Op: -2})).To(Return(0))
		expectSet(a, id, 0, 1, 1)
	})

	Clause("sysvipc.set-id", func() {
		a := actor.New()
		id := a.Semget(overviewKey(), 2, actor.IPC_CREAT|0o600)
		Expect(id).To(ReturnSuccess())
		Expect(a.Semget(overviewKey(), 0, 0)).To(Return(id.Value()))
		Expect(a.SemSetAll(id.Value(), 1, 2)).To(Return(0))
		Expect(a.Semop(id.Value(), actor.SemOp{Num: 1, Op: 5})).To(Return(0))
		expectSet(a, id.Value(), 1, 7)
		Expect(a.Semctl(id.Value(), 0, actor.IPC_RMID, nil)).To(Return(0))
		Expect(a.Semget(overviewKey(), 0, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("sysvipc.memory-is-shared", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(a.Shmget(actor.IPC_PRIVATE, 4096, 0o600))
		here, there := a.Shmat(id, nil, 0), b.Shmat(id, nil, 0)
		Expect(here).To(ReturnSuccess())
		Expect(there).To(ReturnSuccess())
		expectSegment(a, id, 4096, 2)
		Must(a.Store(here.At(), []byte("hello")))
		Expect(string(b.Load(there.At(), 5).Data())).To(Equal("hello"))
		Must(b.Store(there.At(), []byte("y")))
		Expect(string(a.Load(here.At(), 5).Data())).To(Equal("yello"))
	})

	Clause("sysvipc.detached", func() {
		a := actor.New()
		id := Must(a.Shmget(actor.IPC_PRIVATE, 4096, 0o600))
		at := a.Shmat(id, nil, 0)
		Must(at)
		Must(a.Store(at.At(), []byte("x")))
		Expect(a.Shmdt(at.At())).To(Return(0))
		Expect(a.Load(at.At(), 1)).To(BeKilledBy(unix.SIGSEGV))
	})

	Clause("sysvipc.segment-id", func() {
		a := actor.New()
		id := a.Shmget(overviewKey(), 4096, actor.IPC_CREAT|0o600)
		Expect(id).To(ReturnSuccess())
		Expect(a.Shmget(overviewKey(), 0, 0)).To(Return(id.Value()))
		at := a.Shmat(id.Value(), nil, 0)
		Expect(at).To(ReturnSuccess())
		expectSegment(a, id.Value(), 4096, 1)
		Must(a.Store(at.At(), []byte("x")))
		Expect(string(a.Load(at.At(), 2).Data())).To(Equal("x\x00"))
		Must(a.Shmdt(at.At()))
		Expect(a.Shmctl(id.Value(), actor.IPC_RMID, nil)).To(Return(0))
		Expect(a.Shmget(overviewKey(), 0, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("sysvipc.kinds-apart", func() {
		a := actor.New()
		exclusive := actor.IPC_CREAT | actor.IPC_EXCL | 0o600
		makers := []func() *actor.Call{
			func() *actor.Call { return a.Msgget(overviewKey(), exclusive) },
			func() *actor.Call { return a.Semget(overviewKey(), 1, exclusive) },
			func() *actor.Call { return a.Shmget(overviewKey(), 1, exclusive) },
		}
		var ids []int
		for _, make := range makers {
			call := make()
			Expect(call).To(ReturnSuccess())
			ids = append(ids, call.Value())
		}
		for _, make := range makers {
			Expect(make()).To(FailWith(unix.EEXIST))
		}
		Expect(queueStat(a, ids[0]).Perm.Mode).To(BeEquivalentTo(0o600))
		expectSet(a, ids[1], 0)
		expectSegment(a, ids[2], 1, 0)
	})
})
