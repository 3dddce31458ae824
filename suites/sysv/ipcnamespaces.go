package sysv

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// emigrant has a child of the actor move into an IPC namespace of its own.
func emigrant(a *actor.Actor) *actor.Actor {
	child := a.Fork()
	Must(child.Unshare(unix.CLONE_NEWIPC))
	return child
}

const (
	namespaceKey = 0x4e53
	mqName       = "ipcspec"
)

// anIPCObject is one of the three kinds of objects: how it is made, found by its key, and looked at.
type anIPCObject struct {
	name string
	make func(a *actor.Actor) *actor.Call
	find func(a *actor.Actor) *actor.Call
	stat func(a *actor.Actor, id int) *actor.Call
	told func(stat *actor.Call) (perm actor.IPCPerm, size int64) // 1
}

// expectOwn checks that an id is that of an object which make has made.
func (kind anIPCObject) expectOwn(a *actor.Actor, id int) {
	GinkgoHelper()
	call := kind.stat(a, id)
	Expect(call).To(Return(0))
	perm, size := kind.told(call)
	Expect(perm).To(SatisfyAll(HaveField("Key", BeEquivalentTo(namespaceKey)), HaveField("Mode", BeEquivalentTo(0o600))))
	Expect(size).To(BeEquivalentTo(1))
}

var ipcObjects = []anIPCObject{
	{
		"msg",
		func(a *actor.Actor) *actor.Call {
			return a.Msgget(namespaceKey, actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		},
		func(a *actor.Actor) *actor.Call { return a.Msgget(namespaceKey, 0) },
		func(a *actor.Actor, id int) *actor.Call { return a.MsgStat(id, actor.IPC_STAT) },
		func(c *actor.Call) (actor.IPCPerm, int64) { return c.MsqidDS().Perm, 1 },
	},
	{
		"sem",
		func(a *actor.Actor) *actor.Call {
			return a.Semget(namespaceKey, 1, actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		},
		func(a *actor.Actor) *actor.Call { return a.Semget(namespaceKey, 0, 0) },
		func(a *actor.Actor, id int) *actor.Call { return a.SemStat(id, actor.IPC_STAT) },
		func(c *actor.Call) (actor.IPCPerm, int64) { return c.SemidDS().Perm, c.SemidDS().Nsems },
	},
	{
		"shm",
		func(a *actor.Actor) *actor.Call {
			return a.Shmget(namespaceKey, 1, actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		},
		func(a *actor.Actor) *actor.Call { return a.Shmget(namespaceKey, 0, 0) },
		func(a *actor.Actor, id int) *actor.Call { return a.ShmStat(id, actor.IPC_STAT) },
		func(c *actor.Call) (actor.IPCPerm, int64) { return c.ShmidDS().Perm, c.ShmidDS().Segsz },
	},
}

var _ = Describe("An IPC namespace", func() {
	for _, kind := range ipcObjects {
		Clause("ipcns."+kind.name+"-keys-apart", func() {
			a := actor.New()
			id := Must(kind.make(a))
			b := emigrant(a)
			Expect(kind.find(b)).To(FailWith(unix.ENOENT))
			own := kind.make(b)
			Expect(own).To(ReturnSuccess())
			Expect(kind.find(b)).To(Return(own.Value()))
			kind.expectOwn(b, own.Value())
			kind.expectOwn(a, id)
		})

		Clause("ipcns."+kind.name+"-ids-apart", func() {
			a := actor.New()
			id := Must(kind.make(a))
			b := emigrant(a)
			Expect(kind.stat(b, id)).To(FailWith(unix.EINVAL))
			kind.expectOwn(a, id)
		})

		Clause("ipcns."+kind.name+"-seen-by-members", func() {
			a := emigrant(actor.New())
			member := a.Fork()
			id := Must(kind.make(a))
			Expect(kind.find(member)).To(Return(id))
			kind.expectOwn(member, id)
		})

		Clause("ipcns."+kind.name+"-in-proc-apart", func() {
			a := actor.New()
			Must(kind.make(a))
			b := emigrant(a)
			Expect(procTable(b, kind.name)).To(BeEmpty())
			Expect(procTable(a, kind.name)).To(HaveLen(1))
		})
	}

	Clause("ipcns.separate-queues", func() {
		a := actor.New()
		b := emigrant(a)
		one, other := a.Msgget(namespaceKey, actor.IPC_CREAT|0o600), b.Msgget(namespaceKey, actor.IPC_CREAT|0o600)
		Expect(one).To(ReturnSuccess())
		Expect(other).To(ReturnSuccess())
		ipcObjects[0].expectOwn(a, one.Value())
		ipcObjects[0].expectOwn(b, other.Value())
		Expect(a.Msgsnd(one.Value(), 2, []byte("a"), 0)).To(Return(0))
		Expect(b.Msgsnd(other.Value(), 3, []byte("b"), 0)).To(Return(0))
		expectMessages(a, one.Value(), message{2, "a"})
		expectMessages(b, other.Value(), message{3, "b"})
	})

	Clause("ipcns.joined", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		file := Must(a.Open("/proc/self/ns/ipc", unix.O_RDONLY, 0))
		c := emigrant(a)
		Expect(c.MsgStat(id, actor.IPC_STAT)).To(FailWith(unix.EINVAL))
		Expect(c.Raw(unix.SYS_SETNS, file, unix.CLONE_NEWIPC)).To(Return(0))
		expectMessages(c, id, message{1, "x"})
	})

	for _, limit := range []struct{ name, value string }{
		{"msgmax", "1234"}, {"msgmnb", "1234"}, {"msgmni", "1234"}, {"sem", "12\t34\t5\t6"},
		{"shmall", "1234"}, {"shmmax", "1234"}, {"shmmni", "1234"}, {"shm_rmid_forced", "1"},
	} {
		Clause("ipcns.limits-apart", limit.name, func() {
			a := actor.New()
			b := emigrant(a)
			file := "/proc/sys/kernel/" + limit.name
			was := readWhole(a, file)
			Expect(was).NotTo(Equal(limit.value + "\n"))
			b.WriteFile(file, limit.value)
			Expect(readWhole(b, file)).To(Equal(limit.value + "\n"))
			Expect(readWhole(a, file)).To(Equal(was))
		})
	}

	Clause("ipcns.limits-hold-apart", func() {
		a := actor.New()
		b := emigrant(a)
		messageLimit(b, "msgmni", "0")
		Expect(b.Msgget(actor.IPC_PRIVATE, 0o600)).To(FailWith(unix.ENOSPC))
		call := a.Msgget(namespaceKey, actor.IPC_CREAT|0o600)
		Expect(call).To(ReturnSuccess())
		ipcObjects[0].expectOwn(a, call.Value())
	})

	for _, file := range []string{"msg_max", "msgsize_max", "queues_max", "msg_default", "msgsize_default"} {
		Clause("ipcns.mqueue-limits-apart", file, func() {
			a := actor.New()
			b := emigrant(a)
			file := "/proc/sys/fs/mqueue/" + file
			was := readWhole(a, file)
			b.WriteFile(file, "131")
			Expect(readWhole(b, file)).To(Equal("131\n"))
			Expect(readWhole(a, file)).To(Equal(was))
		})
	}

	Clause("ipcns.mqueues-apart", func() {
		a := actor.New()
		b := emigrant(a)
		open := func(by *actor.Actor, flags int) *actor.Call {
			return by.Raw(unix.SYS_MQ_OPEN, mqName, flags, 0o600, nil)
		}
		one := open(a, unix.O_RDWR|unix.O_CREAT)
		Expect(one).To(ReturnFD())
		Expect(open(b, unix.O_RDWR)).To(FailWith(unix.ENOENT))
		other := open(b, unix.O_RDWR|unix.O_CREAT|unix.O_NONBLOCK)
		Expect(other).To(ReturnFD())
		for _, made := range []*actor.Call{one, other} {
			stat := made.Actor().Fstat(made.Value())
			Must(stat)
			Expect(stat.Stat().Mode & 0o777).To(BeEquivalentTo(0o600))
		}
		Must(a.Raw(unix.SYS_MQ_TIMEDSEND, one.Value(), "x", 1, 0, nil))
		Expect(b.Raw(unix.SYS_MQ_TIMEDRECEIVE, other.Value(), b.Alloc(8192), 8192, nil, nil)).To(FailWith(unix.EAGAIN))
		c := a.Fork()
		again := open(c, unix.O_RDWR|unix.O_NONBLOCK)
		Expect(again).To(ReturnFD())
		receive := func() *actor.Call {
			return c.Raw(unix.SYS_MQ_TIMEDRECEIVE, again.Value(), c.Alloc(8192), 8192, nil, nil)
		}
		Expect(receive()).To(Return(1))
		Expect(receive()).To(FailWith(unix.EAGAIN))
	})

	Clause("ipcns.gone-with-its-last-member", func() {
		a := actor.New()
		uid := FreshUser()
		const size = 1 << 16
		// What a user has locked counts until it is destroyed, in whatever namespace it is.
		locker := func() (b *actor.Actor, segment int) {
			b = emigrant(a)
			Must(b.Prlimit(unix.RLIMIT_MEMLOCK, size, size))
			b.BecomeUser(uid)
			return b, Must(b.Shmget(namespaceKey, size, actor.IPC_CREAT|0o600))
		}
		one, first := locker()
		other, second := locker()
		Must(one.Shmctl(first, actor.SHM_LOCK, nil))
		Expect(other.Shmctl(second, actor.SHM_LOCK, nil)).To(FailWith(unix.ENOMEM))
		one.Exit(0)
		// The namespace is destroyed a little later.
		Eventually(func() bool {
			lock := other.Shmctl(second, actor.SHM_LOCK, nil)
			Expect(lock).To(SatisfyAny(Return(0), FailWith(unix.ENOMEM)))
			return lock.OK()
		}).WithTimeout(time.Duration(10 * actor.TimeoutScale * float64(time.Second))).WithPolling(time.Millisecond).Should(BeTrue())
		stat := other.ShmStat(second, actor.IPC_STAT)
		Must(stat)
		Expect(stat.ShmidDS().Perm.Mode & actor.SHM_LOCKED).NotTo(BeZero())
	})
})
