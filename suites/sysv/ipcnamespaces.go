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
}

var ipcObjects = []anIPCObject{
	{
		"msg",
		func(a *actor.Actor) *actor.Call {
			return a.Msgget(namespaceKey, actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		},
		func(a *actor.Actor) *actor.Call { return a.Msgget(namespaceKey, 0) },
		func(a *actor.Actor, id int) *actor.Call { return a.MsgStat(id, actor.IPC_STAT) },
	},
	{
		"sem",
		func(a *actor.Actor) *actor.Call {
			return a.Semget(namespaceKey, 1, actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		},
		func(a *actor.Actor) *actor.Call { return a.Semget(namespaceKey, 0, 0) },
		func(a *actor.Actor, id int) *actor.Call { return a.SemStat(id, actor.IPC_STAT) },
	},
	{
		"shm",
		func(a *actor.Actor) *actor.Call {
			return a.Shmget(namespaceKey, 1, actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		},
		func(a *actor.Actor) *actor.Call { return a.Shmget(namespaceKey, 0, 0) },
		func(a *actor.Actor, id int) *actor.Call { return a.ShmStat(id, actor.IPC_STAT) },
	},
}

var _ = Describe("An IPC namespace", func() {
	for _, kind := range ipcObjects {
		Clause("ipcns."+kind.name+"-keys-apart", func() {
			a := actor.New()
			Must(kind.make(a))
			b := emigrant(a)
			Expect(kind.find(b)).To(FailWith(unix.ENOENT))
			Expect(kind.make(b)).To(ReturnSuccess())
			Expect(kind.find(b)).To(ReturnSuccess())
		})

		Clause("ipcns."+kind.name+"-ids-apart", func() {
			a := actor.New()
			id := Must(kind.make(a))
			b := emigrant(a)
			Expect(kind.stat(b, id)).To(FailWith(unix.EINVAL))
			Expect(kind.stat(a, id)).To(Return(0))
		})

		Clause("ipcns."+kind.name+"-seen-by-members", func() {
			a := emigrant(actor.New())
			member := a.Fork()
			id := Must(kind.make(a))
			Expect(kind.find(member)).To(Return(id))
			Expect(kind.stat(member, id)).To(Return(0))
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
		Expect(a.Msgsnd(one.Value(), 1, []byte("a"), 0)).To(Return(0))
		Expect(b.Msgsnd(other.Value(), 2, []byte("b"), 0)).To(Return(0))
		expectMessages(a, one.Value(), message{1, "a"})
		expectMessages(b, other.Value(), message{2, "b"})
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
		Expect(a.Msgget(actor.IPC_PRIVATE, 0o600)).To(ReturnSuccess())
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
		Expect(open(a, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)).To(ReturnFD())
		Expect(open(b, unix.O_RDWR)).To(FailWith(unix.ENOENT))
		Expect(open(b, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)).To(ReturnFD())
		Expect(open(a.Fork(), unix.O_RDWR)).To(ReturnFD())
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
		Eventually(func() unix.Errno { return other.Shmctl(second, actor.SHM_LOCK, nil).Errno() }).
			WithTimeout(time.Duration(10 * actor.TimeoutScale * float64(time.Second))).WithPolling(time.Millisecond).Should(BeZero())
	})
})
