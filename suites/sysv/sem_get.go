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

const semCreat, semExcl, semPrivate = actor.IPC_CREAT, actor.IPC_EXCL, actor.IPC_PRIVATE

var _ = Describe("semget with IPC_PRIVATE", func() {
	Clause("semget.private-makes-new", func() {
		a := actor.New()
		one, other := a.Semget(semPrivate, 1, 0o600), a.Semget(semPrivate, 1, 0o600)
		Expect(one).To(ReturnFD())
		Expect(other).To(ReturnFD())
		Expect(other.Value()).NotTo(Equal(one.Value()))
		expectSemUsage(a, 2, 2)

		Must(a.Semctl(one.Value(), 0, actor.SETVAL, 5))
		expectSems(a, other.Value(), 0)
		expectSems(a, one.Value(), 5)
	})

	Clause("semget.private-ignores-flags", func() {
		a := actor.New()
		for bit := 9; bit < 32; bit++ {
			set := a.Semget(semPrivate, 1, int(int32(uint32(1)<<bit|0o600)))
			Expect(set).To(ReturnFD())
			expectSemUsage(a, 1, 1)
			Expect(semStat(a, set.Value()).Perm.Mode).To(Equal(uint32(0o600)))
			Must(a.Semctl(set.Value(), 0, actor.IPC_RMID, nil))
		}
		expectSemSet(a, a.Semget(semPrivate, 1, semCreat|semExcl|0o600), 1)
		expectSemSet(a, a.Semget(semPrivate, 2, semCreat|semExcl|0o600), 2)
		expectSemUsage(a, 2, 3)
	})

	Clause("semget.private-has-no-key", func() {
		a := actor.New()
		set := a.Semget(semPrivate, 1, 0o600)
		Expect(set).To(ReturnFD())
		Expect(semStat(a, set.Value()).Perm.Key).To(Equal(int32(semPrivate)))
		Expect(a.Semget(semPrivate, 0, 0)).To(FailWith(unix.EINVAL), "no set is found by that key")
	})
})

var _ = Describe("semget with a key", func() {
	Clause("semget.creat-new", func() {
		a := actor.New()
		set := a.Semget(semKey(), 3, semCreat|0o600)
		Expect(set).To(ReturnFD())
		expectSemUsage(a, 1, 3)
		Expect(semStat(a, set.Value()).Perm.Key).To(Equal(int32(semKey())))
	})

	Clause("semget.finds-existing", func() {
		a := actor.New()
		other := a.Fork()
		id := Must(a.Semget(semKey(), 2, semCreat|0o600))
		Must(a.Semget(semPrivate, 2, 0o600))

		Expect(other.Semget(semKey(), 0, 0)).To(Return(id))
		Expect(other.Semget(semKey(), 2, 0o600)).To(Return(id))
		expectSemUsage(a, 2, 4)
	})

	Clause("semget.creat-existing", func() {
		a := actor.New()
		id := Must(a.Semget(semKey(), 2, semCreat|0o640))
		Must(a.SemSetAll(id, 4, 5))
		before := semStat(a, id)

		Expect(a.Semget(semKey(), 2, semCreat|0o600)).To(Return(id))
		Expect(a.Semget(semKey(), 1, semCreat)).To(Return(id))
		Expect(semStat(a, id)).To(Equal(before))
		expectSems(a, id, 4, 5)
		expectSemUsage(a, 1, 2)
	})

	Clause("semget.keys-are-separate", func() {
		a := actor.New()
		keys := []int{1, 2, 0x7fffffff, -1, math.MinInt32}
		var ids []int
		for _, key := range keys {
			set := a.Semget(key, 1, semCreat|0o600)
			Expect(set).To(ReturnFD())
			Expect(ids).NotTo(ContainElement(set.Value()))
			ids = append(ids, set.Value())
		}
		for i, key := range keys {
			Expect(a.Semget(key, 1, 0)).To(Return(ids[i]))
			Expect(semStat(a, ids[i]).Perm.Key).To(Equal(int32(key)))
		}
	})

	Clause("semget.excl-existing", func() {
		a := actor.New()
		id := Must(a.Semget(semKey(), 1, semCreat|0o600))
		Must(a.Semctl(id, 0, actor.SETVAL, 3))

		Expect(a.Semget(semKey(), 1, semCreat|semExcl|0o600)).To(FailWith(unix.EEXIST))
		Expect(a.Fork().Semget(semKey(), 0, semCreat|semExcl)).To(FailWith(unix.EEXIST))
		Expect(a.Semget(semKey(), 1, 0)).To(Return(id))
		expectSems(a, id, 3)
		expectSemUsage(a, 1, 1)
	})

	Clause("semget.excl-new", func() {
		a := actor.New()
		set := a.Semget(semKey(), 1, semCreat|semExcl|0o600)
		Expect(set).To(ReturnFD())
		Expect(a.Semget(semKey(), 1, 0)).To(Return(set.Value()))
		expectSemUsage(a, 1, 1)
	})

	Clause("semget.excl-alone", func() {
		a := actor.New()
		Expect(a.Semget(semKey(), 1, semExcl|0o600)).To(FailWith(unix.ENOENT))
		expectSemUsage(a, 0, 0)
		id := Must(a.Semget(semKey(), 1, semCreat|0o600))
		Expect(a.Semget(semKey(), 1, semExcl)).To(Return(id))
	})

	Clause("semget.enoent", func() {
		a := actor.New()
		Must(a.Semget(semKey()+1, 1, semCreat|0o600))
		Must(a.Semget(semPrivate, 1, 0o600))
		Expect(a.Semget(semKey(), 1, 0o600)).To(FailWith(unix.ENOENT))
		Expect(a.Semget(semKey(), 0, 0)).To(FailWith(unix.ENOENT))
		expectSemUsage(a, 2, 2)
	})

	Clause("semget.enoent-after-removal", func() {
		a := actor.New()
		id := Must(a.Semget(semKey(), 1, semCreat|0o600))
		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		Expect(a.Semget(semKey(), 1, 0)).To(FailWith(unix.ENOENT))

		again := a.Semget(semKey(), 1, semCreat|semExcl|0o600)
		expectSemSet(a, again, 1)
		Expect(again.Value()).NotTo(Equal(id))
	})

	Clause("semget.racing-creators", func() {
		a := actor.New()
		made := expectOneMade(a, func(by actor.Caller) *actor.Call { return by.Semget(semKey(), 1, semCreat|semExcl|0o600) })
		expectSemSet(a, made, 1)
		Expect(semStat(a, made.Value()).Perm.Mode & 0o777).To(Equal(uint32(0o600)))
		Expect(a.Semget(semKey(), 0, 0)).To(Return(made.Value()))
		expectSemUsage(a, 1, 1)
	})
})

var _ = Describe("A new semaphore set", func() {
	Clause("semget.mode", func() {
		a := actor.New()
		for _, mode := range []int{0o400, 0o200, 0o100, 0o440, 0o420, 0o410, 0o404, 0o402, 0o401, 0o777, 0o640} {
			set := a.Semget(semPrivate, 1, mode)
			expectSemSet(a, set, 1)
			Expect(semStat(a, set.Value()).Perm.Mode & 0o777).To(Equal(uint32(mode)))
		}
	})

	Clause("semget.mode-not-masked", func() {
		a := actor.New()
		Must(a.Raw(unix.SYS_UMASK, 0o777))
		set := a.Semget(semKey(), 1, semCreat|0o664)
		Expect(set).To(ReturnFD())
		Expect(semStat(a, set.Value()).Perm.Mode & 0o777).To(Equal(uint32(0o664)))
	})

	Clause("semget.owner-and-creator", func() {
		a := actor.New()
		uid, gid := uint32(Must(a.Getuid())), uint32(Must(a.Raw(unix.SYS_GETGID)))
		set := a.Semget(semPrivate, 1, 0o600)
		Expect(set).To(ReturnFD())
		perm := semStat(a, set.Value()).Perm
		Expect(perm.UID).To(Equal(uid))
		Expect(perm.CUID).To(Equal(uid))
		Expect(perm.GID).To(Equal(gid))
		Expect(perm.CGID).To(Equal(gid))
	})

	Clause("semget.owner-is-effective", func() {
		a := actor.New()
		user, group := FreshUser(), FreshUser()
		creator := a.Fork()
		Must(creator.Setresgid(FreshUser(), group, FreshUser()))
		Must(creator.Setresuid(FreshUser(), user, FreshUser()))

		set := creator.Semget(semPrivate, 1, 0o600)
		Expect(set).To(ReturnFD())
		perm := semStat(a, set.Value()).Perm
		Expect([]uint32{perm.UID, perm.CUID}).To(Equal([]uint32{uint32(user), uint32(user)}))
		Expect([]uint32{perm.GID, perm.CGID}).To(Equal([]uint32{uint32(group), uint32(group)}))
	})

	for _, n := range []int{1, 2, 250} {
		Clause("semget.nsems", fmt.Sprint(n), func() {
			a := actor.New()
			set := a.Semget(semPrivate, n, 0o600)
			Expect(set).To(ReturnFD())
			Expect(semStat(a, set.Value()).Nsems).To(Equal(int64(n)))
			expectSemUsage(a, 1, n)
			Must(a.Semop(set.Value(), sop(n-1, 1)))
			Expect(a.Semop(set.Value(), sop(n, 1))).To(FailWith(unix.EFBIG))
		})
	}

	Clause("semget.otime-zero", func() {
		a := actor.New()
		set := a.Semget(semPrivate, 2, 0o600)
		Expect(set).To(ReturnFD())
		Expect(semStat(a, set.Value()).Otime).To(BeZero())
	})

	Clause("semget.ctime-now", func() {
		a := actor.New()
		since := ipcNow(a)
		set := a.Semget(semPrivate, 2, 0o600)
		Expect(set).To(ReturnFD())
		Expect(semStat(a, set.Value()).Ctime).To(withinIPC(since, ipcNow(a)))
	})

	Clause("semget.values-zero", func() {
		a := actor.New()
		id := newSemSet(a, 7, 8, 9)
		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		set := a.Semget(semPrivate, 3, 0o600)
		Expect(set).To(ReturnFD())
		expectSems(a, set.Value(), 0, 0, 0)
		for num := range 3 {
			expectSemWaiters(a, set.Value(), num, 0, 0)
		}
	})

	Clause("semget.otime-tells-first-use", func() {
		a := actor.New()
		peer := a.Fork()
		set := a.Semget(semKey(), 2, semCreat|semExcl|0o600)
		Expect(set).To(ReturnFD())
		id := set.Value()
		Expect(peer.Semget(semKey(), 2, 0o600)).To(Return(id))

		Must(a.SemSetAll(id, 1, 1))
		Must(a.Semctl(id, 0, actor.SETVAL, 0))
		Expect(semStat(peer, id).Otime).To(BeZero())
		Expect(a.Semop(id, sop(0, 1))).To(Return(0))
		Expect(semStat(peer, id).Otime).NotTo(BeZero())
		expectSems(peer, id, 1, 1)
	})
})

var _ = Describe("The number of semaphores that semget asks for", func() {
	// semKeyed makes a set of three with a key.
	semKeyed := func(a *actor.Actor) int { return Must(a.Semget(semKey(), 3, semCreat|0o600)) }

	Clause("semget.nsems-up-to-existing", func() {
		a := actor.New()
		id := semKeyed(a)
		for n := range 4 {
			Expect(a.Semget(semKey(), n, 0)).To(Return(id))
			Expect(a.Semget(semKey(), n, semCreat|0o600)).To(Return(id))
		}
		expectSemUsage(a, 1, 3)
	})

	Clause("semget.nsems-above-existing", func() {
		a := actor.New()
		id := semKeyed(a)
		for _, n := range []int{4, 5, 100} {
			Expect(a.Semget(semKey(), n, 0)).To(FailWith(unix.EINVAL))
			Expect(a.Semget(semKey(), n, semCreat|0o600)).To(FailWith(unix.EINVAL))
		}
		Expect(semStat(a, id).Nsems).To(Equal(int64(3)))
		expectSemUsage(a, 1, 3)
	})

	Clause("semget.nsems-zero-new", func() {
		a := actor.New()
		Expect(a.Semget(semPrivate, 0, 0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Semget(semKey(), 0, semCreat|0o600)).To(FailWith(unix.EINVAL))
		expectSemUsage(a, 0, 0)
		Expect(a.Semget(semKey(), 1, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("semget.nsems-negative", func() {
		a := actor.New()
		id := semKeyed(a)
		for _, n := range []int{-1, math.MinInt32} {
			Expect(a.Semget(semPrivate, n, 0o600)).To(FailWith(unix.EINVAL))
			Expect(a.Semget(semKey()+1, n, semCreat|0o600)).To(FailWith(unix.EINVAL))
			Expect(a.Semget(semKey(), n, 0)).To(FailWith(unix.EINVAL))
		}
		expectSemUsage(a, 1, 3)
		Expect(a.Semget(semKey(), 3, 0)).To(Return(id))
	})

	Clause("semget.nsems-above-semmsl", func() {
		a := actor.New()
		l := readSemLimits(a)
		l.msl = 5
		writeSemLimits(a, l)

		Expect(a.Semget(semPrivate, 6, 0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Semget(semKey(), 6, semCreat|0o600)).To(FailWith(unix.EINVAL))
		expectSemUsage(a, 0, 0)
		expectSemSet(a, a.Semget(semPrivate, 4, 0o600), 4)
		expectSemSet(a, a.Semget(semKey(), 5, semCreat|0o600), 5)
		expectSemUsage(a, 2, 9)
	})

	Clause("semget.default-semmsl", func() {
		a := actor.New()
		Expect(a.Semget(semPrivate, 32001, 0o600)).To(FailWith(unix.EINVAL))
		set := a.Semget(semPrivate, 32000, 0o600)
		expectSemSet(a, set, 32000)
		limits := a.SemInfo(actor.IPC_INFO)
		Expect(limits).To(returnHighest(semIndex, a, set.Value()))
		Expect(limits.Seminfo().Msl).To(Equal(32000))
		expectSemUsage(a, 1, 32000)
		Expect(a.Semop(set.Value(), sop(31999, 1))).To(Return(0))
	})

	Clause("semget.default-semmni", func() {
		a := actor.New()
		id := newSemSet(a, 0)
		limits := a.SemInfo(actor.IPC_INFO)
		Expect(limits).To(returnHighest(semIndex, a, id))
		Expect(limits.Seminfo().Mni).To(Equal(32000))
	})
})

var _ = Describe("The limits of an IPC namespace on semaphores", func() {
	Clause("semget.enospc-semmni", func() {
		a := actor.New()
		l := readSemLimits(a)
		l.mni = 2
		writeSemLimits(a, l)

		id := Must(a.Semget(semKey(), 1, semCreat|0o600))
		expectSemSet(a, a.Semget(semPrivate, 2, 0o600), 2)
		Expect(a.Semget(semPrivate, 1, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(a.Semget(semKey()+1, 1, semCreat|0o600)).To(FailWith(unix.ENOSPC))
		expectSemUsage(a, 2, 3)
		Expect(a.Semget(semKey(), 1, semCreat|0o600)).To(Return(id), "nothing has to be made for it")

		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		expectSemSet(a, a.Semget(semKey()+1, 1, semCreat|0o600), 1)
	})

	Clause("semget.enospc-semmns", func() {
		a := actor.New()
		l := readSemLimits(a)
		l.mns = 5
		writeSemLimits(a, l)

		id := Must(a.Semget(semKey(), 3, semCreat|0o600))
		Expect(a.Semget(semPrivate, 3, 0o600)).To(FailWith(unix.ENOSPC))
		expectSemUsage(a, 1, 3)
		expectSemSet(a, a.Semget(semPrivate, 2, 0o600), 2)
		Expect(a.Semget(semKey()+1, 1, semCreat|0o600)).To(FailWith(unix.ENOSPC))
		expectSemUsage(a, 2, 5)
		Expect(a.Semget(semKey(), 3, semCreat|0o600)).To(Return(id), "nothing has to be made for it")

		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		expectSemSet(a, a.Semget(semKey()+1, 3, semCreat|0o600), 3)
		expectSemUsage(a, 2, 5)
	})

	Clause("semget.limits-by-product", func() {
		a := actor.New()
		l := readSemLimits(a)
		l.msl, l.mns, l.mni = 2, 100, 3
		writeSemLimits(a, l)

		var ids []int
		for range 3 {
			set := a.Semget(semPrivate, 2, 0o600)
			expectSemSet(a, set, 2)
			Expect(ids).NotTo(ContainElement(set.Value()))
			ids = append(ids, set.Value())
		}
		expectSemUsage(a, 3, 6)
		Expect(a.Semget(semPrivate, 1, 0o600)).To(FailWith(unix.ENOSPC))
		expectSemUsage(a, 3, 6)
	})

	Clause("semget.limits-of-a-namespace", func() {
		a, b := actor.New(), actor.New() // a namespace each
		were := readSemLimits(b)
		writeSemLimits(a, semLimits{3, 4, 5, 1})

		Expect(readSemLimits(a)).To(Equal(semLimits{3, 4, 5, 1}))
		Expect(readSemLimits(b)).To(Equal(were))
		Expect(a.Semget(semPrivate, 4, 0o600)).To(FailWith(unix.EINVAL))
		expectSemSet(b, b.Semget(semPrivate, 4, 0o600), 4)
		expectSemSet(a, a.Semget(semPrivate, 1, 0o600), 1)
		Expect(a.Semget(semPrivate, 1, 0o600)).To(FailWith(unix.ENOSPC))
		expectSemSet(b, b.Semget(semPrivate, 1, 0o600), 1)
	})
})

var _ = Describe("The permissions of a set that semget finds", func() {
	for _, p := range []struct {
		name       string
		permission int
	}{{"read", 0o444}, {"alter", 0o222}} {
		Clause("semget.permission-"+p.name, func() {
			a := actor.New()
			succeed := func(_ *actor.Actor, id int) types.GomegaMatcher { return Return(id) }
			expectSemPermission(a, p.permission, succeed, func(who *actor.Actor, _ int) *actor.Call {
				return who.Semget(semKey(), 0, p.permission)
			})
		})
	}

	Clause("semget.permission-none-asked", func() {
		a := actor.New()
		id, relations, setMode := semRelations(a)
		setMode(0)
		for _, r := range relations {
			Expect(r.who.Semget(semKey(), 0, 0)).To(Return(id), r.name)
			Expect(r.who.Semget(semKey(), 0, semCreat)).To(Return(id), r.name)
		}
	})

	Clause("semget.eacces-owner", func() {
		a := actor.New()
		owner := capableOnly(a)
		for _, granted := range []int{0, 0o400, 0o200, 0o600} {
			id := Must(a.Semget(semKey(), 1, semCreat|0o066|granted))
			for _, asked := range []int{0o400, 0o200, 0o600} {
				if asked&^granted == 0 {
					Expect(owner.Semget(semKey(), 1, asked)).To(Return(id))
				} else {
					Expect(owner.Semget(semKey(), 1, asked)).To(FailWith(unix.EACCES))
				}
			}
			Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		}
	})

	Clause("semget.cap-ipc-owner", func() {
		a := actor.New()
		Presuppose(a.Capabilities()>>unix.CAP_IPC_OWNER&1 != 0, "CAP_IPC_OWNER: run as root, in a container with that capability")
		id := Must(a.Semget(semKey(), 1, semCreat))
		with, without := capableOnly(a, unix.CAP_IPC_OWNER), incapable(a, unix.CAP_IPC_OWNER)

		Expect(with.Semget(semKey(), 1, 0o666)).To(Return(id))
		Expect(without.Semget(semKey(), 1, 0o666)).To(FailWith(unix.EACCES))
	})

	Clause("semget.cap-ipc-owner-elsewhere", func() {
		a := actor.New()
		Must(a.Semget(semKey(), 1, semCreat))
		other := a.Fork()
		Must(other.Unshare(unix.CLONE_NEWUSER))
		Presuppose(other.Capabilities()>>unix.CAP_IPC_OWNER&1 != 0, "all capabilities in a new user namespace")
		Expect(other.Semget(semKey(), 1, 0o600)).To(FailWith(unix.EACCES))
	})
})
