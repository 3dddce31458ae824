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

var _ = Describe("semctl on the values of semaphores", func() {
	Clause("semctl.getval", func() {
		a := actor.New()
		id := newSemSet(a, 0, 1, semMax)
		for num, value := range []int{0, 1, semMax} {
			Expect(a.Semctl(id, num, actor.GETVAL, nil)).To(Return(value))
		}
		Must(a.Semop(id, sop(1, 41)))
		Expect(a.Fork().Semctl(id, 1, actor.GETVAL, nil)).To(Return(42))
	})

	Clause("semctl.setval", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2, 3)
		Expect(a.Semctl(id, 1, actor.SETVAL, 9)).To(Return(0))
		expectSems(a, id, 1, 9, 3)
		Expect(a.Semctl(id, 0, actor.SETVAL, semMax)).To(Return(0))
		expectSems(a, id, semMax, 9, 3)
		Expect(a.Semctl(id, 2, actor.SETVAL, 0)).To(Return(0))
		expectSems(a, id, semMax, 9, 0)
	})

	Clause("semctl.setval-erange", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		for _, value := range []int{-1, semMax + 1, 0xffff, 0x10000, math.MaxInt32, math.MinInt32} {
			Expect(a.Semctl(id, 1, actor.SETVAL, value)).To(FailWith(unix.ERANGE))
		}
		expectSems(a, id, 1, 2)
	})

	Clause("semctl.getall", func() {
		a := actor.New()
		id := newSemSet(a, 5, 0, semMax)
		buffer := a.Bytes([]byte("........"))
		Expect(a.Semctl(id, 0, actor.GETALL, buffer)).To(Return(0))
		Expect([]uint16{buffer.Uint16(0), buffer.Uint16(2), buffer.Uint16(4)}).To(Equal([]uint16{5, 0, semMax}))
		Expect(string(buffer.Copy()[6:])).To(Equal(".."))
	})

	Clause("semctl.setall", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2, 3)
		Expect(a.SemSetAll(id, 0, semMax, 7)).To(Return(0))
		expectSems(a, id, 0, semMax, 7)
	})

	Clause("semctl.setall-erange", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2, 3)
		Expect(a.SemSetAll(id, semMax+1, 7, 8)).To(FailWith(unix.ERANGE))
		Expect(a.SemSetAll(id, 7, 0xffff, 8)).To(FailWith(unix.ERANGE))
		Expect(a.SemSetAll(id, 7, 8, semMax+1)).To(FailWith(unix.ERANGE))
		expectSems(a, id, 1, 2, 3)
	})

	Clause("semctl.many-values", func() {
		// More than any buffer of the kernel's on its stack.
		a := actor.New()
		values := make([]int, 1000)
		for i := range values {
			values[i] = i * 31 % (semMax + 1)
		}
		id := Must(a.Semget(semPrivate, len(values), 0o600))
		Expect(a.SemSetAll(id, values...)).To(Return(0))
		expectSems(a, id, values...)
		Expect(a.Semctl(id, 999, actor.GETVAL, nil)).To(Return(values[999]))
	})

	// setters are the ways to set a set of two semaphores to values, as far as each goes.
	setters := []struct {
		name string
		set  func(a *actor.Actor, id, first, second int) *actor.Call
	}{
		{"setval", func(a *actor.Actor, id, first, _ int) *actor.Call { return a.Semctl(id, 0, actor.SETVAL, first) }},
		{"setall", func(a *actor.Actor, id, first, second int) *actor.Call { return a.SemSetAll(id, first, second) }},
	}
	for _, s := range setters {
		Clause("semctl."+s.name+"-wakes", func() {
			a := actor.New()
			id := newSemSet(a, 1, 1)
			take, both := sleepInSemop(a, id, sop(0, -3)), sleepInSemop(a, id, sop(1, 1), sop(0, -3))
			zero := sleepInSemop(a, id, sop(0, 0))
			Expect(s.set(a, id, 2, 1)).To(Return(0))
			Expect(take).To(Block())
			Expect(both).To(Block())
			Expect(zero).To(Block())
			expectSems(a, id, 2, 1)
			Expect(s.set(a, id, 6, 1)).To(Return(0))
			Expect(take).To(Return(0))
			Expect(both).To(Return(0))
			Expect(zero).To(Return(0))
			expectSems(a, id, 0, 2)
		})

		Clause("semctl."+s.name+"-to-zero-wakes", func() {
			a := actor.New()
			id := newSemSet(a, 4, 1)
			zero, more := sleepInSemop(a, id, sop(0, 0)), sleepInSemop(a, id, sop(0, -5))
			Expect(s.set(a, id, 3, 1)).To(Return(0))
			Expect(zero).To(Block())
			Expect(s.set(a, id, 0, 1)).To(Return(0))
			Expect(zero).To(Return(0))
			Expect(more).To(Block())
			expectSems(a, id, 0, 1)
			expectSemWaiters(a, id, 0, 1, 0)
		})

		Clause("semctl."+s.name+"-ctime", func() {
			a := actor.New()
			id := Must(a.Semget(semPrivate, 2, 0o600))
			since := ipcNow(a)
			Expect(s.set(a, id, 1, 1)).To(Return(0))
			after := semStat(a, id)
			Expect(after.Ctime).To(withinIPC(since, ipcNow(a)))
			Expect(after.Otime).To(BeZero())
		})
	}

	Clause("semctl.setval-sempid", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		b := a.Fork()
		Expect(b.Semctl(id, 1, actor.SETVAL, 5)).To(Return(0))
		Expect(a.Semctl(id, 1, actor.GETPID, nil)).To(Return(b.PID()))
		Expect(a.Semctl(id, 0, actor.GETPID, nil)).To(Return(a.PID()))
	})

	Clause("semctl.setall-sempid", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		b := a.Fork()
		Expect(b.SemSetAll(id, 3, 4)).To(Return(0))
		Expect(a.Semctl(id, 0, actor.GETPID, nil)).To(Return(b.PID()))
		Expect(a.Semctl(id, 1, actor.GETPID, nil)).To(Return(b.PID()))
	})

	Clause("semctl.getpid", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		b := a.Fork()
		Must(b.Semop(id, sop(1, -1)))
		Expect(a.Semctl(id, 1, actor.GETPID, nil)).To(Return(b.PID()))
		Expect(b.Semctl(id, 0, actor.GETPID, nil)).To(Return(a.PID()))
		Must(a.Semop(id, sop(1, 1)))
		Expect(b.Semctl(id, 1, actor.GETPID, nil)).To(Return(a.PID()))
	})

	Clause("semctl.getncnt", func() {
		a := actor.New()
		id := newSemSet(a, 0, 1, 0)
		Expect(a.Semctl(id, 0, actor.GETNCNT, nil)).To(Return(0))
		sleepInSemop(a, id, sop(0, -1))
		two := sleepInSemop(a, id, sop(0, -2))
		sleepInSemop(a, id, sop(1, 0))
		sleepInSemop(a, id, sop(2, -1))
		Expect(a.Semctl(id, 0, actor.GETNCNT, nil)).To(Return(2))
		Expect(a.Semctl(id, 1, actor.GETNCNT, nil)).To(Return(0))
		Expect(a.Semctl(id, 2, actor.GETNCNT, nil)).To(Return(1))
		Must(a.Kill(two.Actor().PID(), unix.SIGKILL))
		Expect(two.Actor().AwaitGone()).To(BeTrue())
		Expect(a.Semctl(id, 0, actor.GETNCNT, nil)).To(Return(1))
	})

	Clause("semctl.getzcnt", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0, 2)
		Expect(a.Semctl(id, 0, actor.GETZCNT, nil)).To(Return(0))
		gone := sleepInSemop(a, id, sop(0, 0))
		sleepInSemop(a, id, sop(0, 0))
		sleepInSemop(a, id, sop(1, -1))
		sleepInSemop(a, id, sop(2, 0))
		Expect(a.Semctl(id, 0, actor.GETZCNT, nil)).To(Return(2))
		Expect(a.Semctl(id, 1, actor.GETZCNT, nil)).To(Return(0))
		Expect(a.Semctl(id, 2, actor.GETZCNT, nil)).To(Return(1))
		Must(a.Kill(gone.Actor().PID(), unix.SIGKILL))
		Expect(gone.Actor().AwaitGone()).To(BeTrue())
		Expect(a.Semctl(id, 0, actor.GETZCNT, nil)).To(Return(1))
	})

	Clause("semctl.semnum-out-of-range", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		for _, num := range []int{2, 3, -1, math.MaxInt32, math.MinInt32} {
			for _, cmd := range []int{actor.GETVAL, actor.GETPID, actor.GETNCNT, actor.GETZCNT} {
				Expect(a.Semctl(id, num, cmd, nil)).To(FailWith(unix.EINVAL))
			}
			Expect(a.Semctl(id, num, actor.SETVAL, 9)).To(FailWith(unix.EINVAL))
		}
		expectSems(a, id, 1, 2)
	})

	Clause("semctl.semnum-ignored", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		plain := a.Alloc(128)
		Must(a.Semctl(id, 0, actor.IPC_STAT, plain))
		for _, num := range []int{1, 2, -1, math.MaxInt32} {
			stat := a.Alloc(128)
			Expect(a.Semctl(id, num, actor.IPC_STAT, stat)).To(Return(0))
			Expect(stat.Copy()).To(Equal(plain.Copy()))

			all := a.Alloc(4)
			Expect(a.Semctl(id, num, actor.GETALL, all)).To(Return(0))
			Expect([]uint16{all.Uint16(0), all.Uint16(2)}).To(Equal([]uint16{1, 2}))
		}
	})

	Clause("semctl.semnum-ignored-by-changes", func() {
		a := actor.New()
		for i, num := range []int{2, -1, math.MaxInt32} {
			id := newSemSet(a, 1, 2)
			values := a.Bytes([]byte{0, 0, 0, 0})
			values.PutUint16(0, uint16(i+3))
			values.PutUint16(2, uint16(i+7))
			Expect(a.Semctl(id, num, actor.SETALL, values)).To(Return(0))
			expectSems(a, id, i+3, i+7)

			stat := a.Alloc(128)
			Must(a.Semctl(id, 0, actor.IPC_STAT, stat))
			stat.PutUint32(20, 0o640) // the mode
			Expect(a.Semctl(id, num, actor.IPC_SET, stat)).To(Return(0))
			Expect(semStat(a, id).Perm.Mode).To(Equal(uint32(0o640)))

			Expect(a.Semctl(id, num, actor.IPC_RMID, nil)).To(Return(0))
			expectSemUsage(a, 0, 0)
		}
	})
})

var _ = Describe("What semctl takes to be permitted", func() {
	zero := func(*actor.Actor, int) int { return 0 }
	for _, p := range []struct {
		name       string
		permission int
		returns    func(creator *actor.Actor, id int) int
		ask        func(who *actor.Actor, id int) *actor.Call
	}{
		{"stat-read", 0o444, zero, func(who *actor.Actor, id int) *actor.Call { return who.SemStat(id, actor.IPC_STAT) }},
		{"sem-stat-read", 0o444, func(_ *actor.Actor, id int) int { return id }, func(who *actor.Actor, id int) *actor.Call {
			return who.SemStat(semIndex(who, id), actor.SEM_STAT)
		}},
		{"getall-read", 0o444, zero, func(who *actor.Actor, id int) *actor.Call { return who.SemGetAll(id, 2) }},
		{"getval-read", 0o444, func(*actor.Actor, int) int { return 3 }, func(who *actor.Actor, id int) *actor.Call {
			return who.Semctl(id, 0, actor.GETVAL, nil)
		}},
		{"getpid-read", 0o444, func(creator *actor.Actor, _ int) int { return creator.PID() }, func(who *actor.Actor, id int) *actor.Call {
			return who.Semctl(id, 0, actor.GETPID, nil)
		}},
		{"getncnt-read", 0o444, zero, func(who *actor.Actor, id int) *actor.Call { return who.Semctl(id, 0, actor.GETNCNT, nil) }},
		{"getzcnt-read", 0o444, zero, func(who *actor.Actor, id int) *actor.Call { return who.Semctl(id, 0, actor.GETZCNT, nil) }},
		{"setval-alter", 0o222, zero, func(who *actor.Actor, id int) *actor.Call { return who.Semctl(id, 1, actor.SETVAL, 6) }},
		{"setall-alter", 0o222, zero, func(who *actor.Actor, id int) *actor.Call { return who.SemSetAll(id, 7, 8) }},
	} {
		Clause("semctl.permission-"+p.name, func() {
			a := actor.New()
			expectSemPermission(a, p.permission, func(creator *actor.Actor, id int) types.GomegaMatcher { return Return(p.returns(creator, id)) }, p.ask)
		})
	}

	// expectReading judges all calls that read: what they return where that is permitted, of a set whose
	// first semaphore has a value and was operated on last by a process.
	expectReading := func(who *actor.Actor, id int, permitted bool, value, pid int) {
		GinkgoHelper()
		for _, c := range []struct {
			call    *actor.Call
			returns int
		}{
			{who.SemStat(id, actor.IPC_STAT), 0},
			{who.SemStat(semIndex(who, id), actor.SEM_STAT), id},
			{who.SemGetAll(id, 2), 0},
			{who.Semctl(id, 0, actor.GETVAL, nil), value},
			{who.Semctl(id, 0, actor.GETPID, nil), pid},
			{who.Semctl(id, 0, actor.GETNCNT, nil), 0},
			{who.Semctl(id, 0, actor.GETZCNT, nil), 0},
		} {
			if permitted {
				Expect(c.call).To(Return(c.returns))
			} else {
				Expect(c.call).To(FailWith(unix.EACCES))
			}
		}
	}
	// expectAltering likewise judges those that alter, and make the values 6 and 7.
	expectAltering := func(who *actor.Actor, id int, permitted bool) {
		GinkgoHelper()
		matcher := FailWith(unix.EACCES)
		if permitted {
			matcher = Return(0)
		}
		Expect(who.SemSetAll(id, 9, 7)).To(matcher)
		Expect(who.Semctl(id, 0, actor.SETVAL, 6)).To(matcher)
	}

	// expectAccess judges both of a set whose values are 3 and 4, as its maker has left them.
	expectAccess := func(maker, who *actor.Actor, id int, read, alter bool) {
		GinkgoHelper()
		expectReading(who, id, read, 3, maker.PID())
		expectAltering(who, id, alter)
		values := []int{3, 4}
		if alter {
			values = []int{6, 7}
		}
		expectSems(maker, id, values...)
	}

	for _, c := range []struct {
		id          string
		mode        int
		read, alter bool
	}{
		{"semctl.eacces-owner", 0o466, true, false}, {"semctl.eacces-owner", 0o266, false, true}, {"semctl.eacces-owner", 0o166, false, false},
		{"semctl.execute-bits-unused", 0o600, true, true}, {"semctl.execute-bits-unused", 0o111, false, false},
	} {
		Clause(c.id, fmt.Sprintf("%#o", c.mode), func() {
			a := actor.New()
			id := newSemSet(a, 3, 4)
			setSemMode(a, id, c.mode)
			expectAccess(a, capableOnly(a), id, c.read, c.alter)
			Expect(semStat(a, id).Perm.Mode & 0o777).To(BeEquivalentTo(c.mode))
		})
	}

	Clause("semctl.cap-ipc-owner", func() {
		a := actor.New()
		Presuppose(a.Capabilities()>>unix.CAP_IPC_OWNER&1 != 0, "CAP_IPC_OWNER: run as root, in a container with that capability")
		id := newSemSet(a, 3, 4)
		setSemMode(a, id, 0)
		expectAccess(a, incapable(a, unix.CAP_IPC_OWNER), id, false, false)
		expectAccess(a, capableOnly(a, unix.CAP_IPC_OWNER), id, true, true)
	})

	for _, c := range []struct {
		name string
		do   func(who *actor.Actor, id int, ds actor.SemidDS) *actor.Call
	}{
		{"set", func(who *actor.Actor, id int, ds actor.SemidDS) *actor.Call { return who.SemSet(id, ds) }},
		{"rmid", func(who *actor.Actor, id int, _ actor.SemidDS) *actor.Call {
			return who.Semctl(id, 0, actor.IPC_RMID, nil)
		}},
	} {
		for i, name := range []string{"creator", "owner"} {
			Clause("semctl."+c.name+"-by-"+name, func() {
				a := actor.New()
				id, relations, _ := semRelations(a)
				setSemMode(a, id, 0) // the bits have no say in it
				ds := semSettable(a, id)
				ds.Perm.Mode = 0o640
				Expect(c.do(relations[i].who, id, ds)).To(Return(0))
				if c.name == "set" {
					Expect(semStat(a, id).Perm.Mode & 0o777).To(Equal(uint32(0o640)))
				} else {
					expectSemUsage(a, 0, 0)
				}
			})
		}

		Clause("semctl."+c.name+"-eperm", func() {
			a := actor.New()
			id, relations, _ := semRelations(a)
			setSemMode(a, id, 0o666)
			before := semStat(a, id)
			ds := before
			ds.Perm.Mode = 0o606
			holder := capableOnly(a, unix.CAP_IPC_OWNER) // which is not the one
			strangers := append(relations[2:], semRelation{name: "CAP_IPC_OWNER", who: holder})
			for _, r := range strangers {
				Expect(c.do(r.who, id, ds)).To(FailWith(unix.EPERM), r.name)
			}
			Expect(semStat(a, id)).To(Equal(before))
		})

		Clause("semctl."+c.name+"-real-uid-does-not-count", func() {
			a := actor.New()
			uid := FreshUser()
			id := Must(ipcUser(a, uid, FreshUser()).Semget(semKey(), 1, semCreat|0o666))
			before := semStat(a, id)
			ds := before
			ds.Perm.Mode = 0o640
			Expect(c.do(userInRealityOnly(a, uid), id, ds)).To(FailWith(unix.EPERM))
			Expect(semStat(a, id)).To(Equal(before))
		})

		Clause("semctl."+c.name+"-cap-sys-admin", func() {
			a := actor.New()
			Presuppose(a.Capabilities()>>unix.CAP_SYS_ADMIN&1 != 0, "CAP_SYS_ADMIN: run as root, in a container with that capability")
			id, _, _ := semRelations(a)
			setSemMode(a, id, 0o600)
			ds := semSettable(a, id)
			ds.Perm.Mode = 0o640
			admin, not := capableOnly(a, unix.CAP_SYS_ADMIN), incapable(a, unix.CAP_SYS_ADMIN)
			Expect(c.do(not, id, ds)).To(FailWith(unix.EPERM))
			Expect(semStat(a, id).Perm.Mode & 0o777).To(Equal(uint32(0o600)))
			Expect(c.do(admin, id, ds)).To(Return(0))
			if c.name == "set" {
				Expect(semStat(a, id).Perm.Mode & 0o777).To(Equal(uint32(0o640)))
			} else {
				expectSemUsage(a, 0, 0)
			}
		})
	}
})

var _ = Describe("semctl on a set as a whole", func() {
	Clause("semctl.stat", func() {
		a := actor.New()
		since := ipcNow(a)
		uid, gid := uint32(Must(a.Getuid())), uint32(Must(a.Raw(unix.SYS_GETGID)))
		id := Must(a.Semget(semKey(), 3, semCreat|0o640))
		Must(a.Semop(id, sop(0, 1)))

		stat := a.SemStat(id, actor.IPC_STAT)
		Expect(stat).To(Return(0))
		ds := stat.SemidDS()
		Expect(ds.Perm.Key).To(Equal(int32(semKey())))
		Expect([]uint32{ds.Perm.UID, ds.Perm.GID, ds.Perm.CUID, ds.Perm.CGID}).To(Equal([]uint32{uid, gid, uid, gid}))
		Expect(ds.Perm.Mode).To(Equal(uint32(0o640)))
		Expect(ds.Nsems).To(Equal(int64(3)))
		Expect(ds.Otime).To(withinIPC(since, ipcNow(a)))
		Expect(ds.Ctime).To(withinIPC(since, ipcNow(a)))
		again := a.SemStat(id, actor.IPC_STAT)
		Expect(again).To(Return(0))
		Expect(again.SemidDS()).To(Equal(ds), "looking changes nothing")
	})

	Clause("semctl.seq", func() {
		a := actor.New()
		stat := func() (index int, perm actor.IPCPerm) {
			set := Must(a.Semget(semPrivate, 1, 0o600))
			index = semIndex(a, set)
			stat := a.SemStat(set, actor.IPC_STAT)
			Expect(stat).To(Return(0))
			Must(a.Semctl(set, 0, actor.IPC_RMID, nil))
			return index, stat.SemidDS().Perm
		}
		// A place in the array that is used anew is told from its former use by the number.
		last := map[int]uint16{}
		for range 4 {
			index, perm := stat()
			Expect(perm.Mode).To(Equal(uint32(0o600)))
			if seq, again := last[index]; again {
				Expect(perm.Seq).NotTo(Equal(seq))
			}
			last[index] = perm.Seq
		}
	})

	Clause("semctl.set-mode", func() {
		a := actor.New()
		id := Must(a.Semget(semKey(), 2, semCreat|0o600))
		before := semStat(a, id)
		for _, mode := range []uint32{0o640, 0o777, 0o421, 0o400, 0o177400 | 0o604} {
			ds := before
			ds.Perm.Mode = mode
			Expect(a.SemSet(id, ds)).To(Return(0))
			after := semStat(a, id)
			Expect(after.Perm.Mode).To(Equal(mode & 0o777))
			after.Perm.Mode, after.Ctime = before.Perm.Mode, before.Ctime
			Expect(after).To(Equal(before))
		}
	})

	Clause("semctl.set-owner", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		before := semStat(a, id)
		want := before
		want.Perm.UID, want.Perm.GID = uint32(FreshUser()), uint32(FreshUser())
		Expect(a.SemSet(id, want)).To(Return(0))
		after := semStat(a, id)
		after.Ctime = before.Ctime
		Expect(after).To(Equal(want))
	})

	Clause("semctl.set-nothing-else", func() {
		a := actor.New()
		id := Must(a.Semget(semKey(), 2, semCreat|0o600))
		before := semStat(a, id)
		// Everything in the structure is another number, but the three that are to be set.
		ds := a.Alloc(128)
		for off := 0; off < 128; off += 4 {
			ds.PutUint32(off, 77)
		}
		ds.PutUint32(4, before.Perm.UID)
		ds.PutUint32(8, before.Perm.GID)
		ds.PutUint32(20, 0o640)
		since := ipcNow(a)
		Expect(a.Semctl(id, 0, actor.IPC_SET, ds)).To(Return(0))
		after := semStat(a, id)
		Expect(after.Ctime).To(withinIPC(since, ipcNow(a)))
		before.Perm.Mode, before.Ctime = 0o640, after.Ctime
		Expect(after).To(Equal(before))
		expectSems(a, id, 0, 0)
		Expect(a.Semget(semKey(), 2, 0)).To(Return(id))
	})

	Clause("semctl.set-ctime", func() {
		a := actor.New()
		id := Must(a.Semget(semPrivate, 2, 0o600))
		ds := semSettable(a, id)
		since := ipcNow(a)
		Expect(a.SemSet(id, ds)).To(Return(0))
		after := semStat(a, id)
		Expect(after.Ctime).To(withinIPC(since, ipcNow(a)))
		Expect(after.Otime).To(BeZero())
	})

	Clause("semctl.ctime-of-last-change", func() {
		a := actor.New()
		var ids []int
		var were []actor.SemidDS
		for range 4 {
			id := Must(a.Semget(semPrivate, 1, 0o600))
			ids, were = append(ids, id), append(were, semStat(a, id))
		}

		since := ipcNextSecond(a, ipcNow(a))
		Expect(a.SemSet(ids[0], were[0])).To(Return(0))
		Expect(a.Semctl(ids[1], 0, actor.SETVAL, 1)).To(Return(0))
		Expect(a.SemSetAll(ids[2], 1)).To(Return(0))
		for i, id := range ids[:3] {
			is, want := semStat(a, id), were[i]
			Expect(is.Ctime).To(withinIPC(since, ipcNow(a)))
			Expect(is.Ctime).To(BeNumerically(">", want.Ctime))
			want.Ctime = is.Ctime // and nothing else, nor was it an operation
			Expect(is).To(Equal(want))
		}
		expectSems(a, ids[3], 0)
		Expect(a.Semctl(ids[3], 0, actor.SETVAL, -1)).To(FailWith(unix.ERANGE))
		Expect(a.SemSetAll(ids[3], semMax+1)).To(FailWith(unix.ERANGE))
		Expect(semStat(a, ids[3])).To(Equal(were[3]))
		Expect(were[3].Ctime).To(BeNumerically("<", since))
	})

	Clause("semctl.rmid", func() {
		a := actor.New()
		id := Must(a.Semget(semKey(), 2, semCreat|0o600))
		kept := newSemSet(a, 6)
		Expect(a.Semctl(id, 0, actor.IPC_RMID, nil)).To(Return(0))
		expectSemUsage(a, 1, 1)
		Expect(a.Semget(semKey(), 0, 0)).To(FailWith(unix.ENOENT))
		expectSems(a, kept, 6)
	})

	Clause("semctl.rmid-wakes", func() {
		a := actor.New()
		id := newSemSet(a, 1, 0)
		waits := []*actor.Call{
			sleepInSemop(a, id, sop(0, 0)), sleepInSemop(a, id, sop(1, -1)),
			sleepInSemop(a, id, sop(0, -1), sop(1, -1)), sleepInSemop(a, id, sop(0, 0), sop(1, 0)),
		}
		Expect(a.Semctl(id, 0, actor.IPC_RMID, nil)).To(Return(0))
		for _, wait := range waits {
			Expect(wait).To(FailWith(unix.EIDRM))
		}
	})

	Clause("semctl.removed-set", func() {
		a := actor.New()
		id := newSemSet(a, 1)
		ds := semSettable(a, id)
		Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		gone := goneIPC()
		look := func() {
			GinkgoHelper()
			for _, cmd := range []int{actor.IPC_STAT, actor.GETALL, actor.GETVAL, actor.GETPID, actor.GETNCNT, actor.GETZCNT} {
				Expect(a.Semctl(id, 0, cmd, a.Alloc(128))).To(gone)
			}
			Expect(a.Semctl(id, 0, actor.SETVAL, 1)).To(gone)
			Expect(a.SemSetAll(id, 1)).To(gone)
			Expect(a.SemSet(id, ds)).To(gone)
			Expect(a.Semctl(id, 0, actor.IPC_RMID, nil)).To(gone)
		}
		look()
		other := newSemSet(a, 5)
		Expect(other).NotTo(Equal(id))
		look()
		expectSems(a, other, 5)
	})

	Clause("semctl.no-such-set", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		ds := semSettable(a, id)
		for _, wrong := range []int{-1, math.MinInt32, id + 1, math.MaxInt32} {
			for _, cmd := range []int{actor.IPC_STAT, actor.SEM_STAT, actor.SEM_STAT_ANY, actor.GETALL, actor.GETVAL, actor.GETPID, actor.GETNCNT, actor.GETZCNT} {
				Expect(a.Semctl(wrong, 0, cmd, a.Alloc(128))).To(FailWith(unix.EINVAL))
			}
			Expect(a.Semctl(wrong, 0, actor.SETVAL, 1)).To(FailWith(unix.EINVAL))
			Expect(a.SemSetAll(wrong, 1)).To(FailWith(unix.EINVAL))
			Expect(a.SemSet(wrong, ds)).To(FailWith(unix.EINVAL))
			Expect(a.Semctl(wrong, 0, actor.IPC_RMID, nil)).To(FailWith(unix.EINVAL))
		}
		expectSems(a, id, 5)
		expectSemUsage(a, 1, 1)
	})

	Clause("semctl.unknown-op", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		before := semStat(a, id)
		for _, cmd := range []int{-1, 4, 5, 10, 21, 99, math.MaxInt32} {
			Expect(a.Semctl(id, 0, cmd, a.Alloc(128))).To(FailWith(unix.EINVAL))
		}
		expectSems(a, id, 5)
		Expect(semStat(a, id)).To(Equal(before))
	})

	Clause("semctl.efault-reading", func() {
		a := actor.New()
		id := newSemSet(a, 5)
		for _, to := range []actor.Mem{a.Unmapped(), a.ReadOnly(make([]byte, 128))} {
			for _, cmd := range []int{actor.IPC_STAT, actor.GETALL, actor.IPC_INFO, actor.SEM_INFO} {
				Expect(a.Semctl(id, 0, cmd, to)).To(FailWith(unix.EFAULT))
			}
			for _, cmd := range []int{actor.SEM_STAT, actor.SEM_STAT_ANY} {
				Expect(a.Semctl(semIndex(a, id), 0, cmd, to)).To(FailWith(unix.EFAULT))
			}
		}
	})

	Clause("semctl.efault-setting", func() {
		a := actor.New()
		id := newSemSet(a, 5, 6)
		before := semStat(a, id)
		Expect(a.Semctl(id, 0, actor.SETALL, a.Unmapped())).To(FailWith(unix.EFAULT))
		Expect(a.Semctl(id, 0, actor.IPC_SET, a.Unmapped())).To(FailWith(unix.EFAULT))
		perm := a.PageEnd(48) // of which all is there that is to be set, and not the rest of the structure
		perm.PutUint32(4, before.Perm.UID)
		perm.PutUint32(8, before.Perm.GID)
		perm.PutUint32(20, 0o640)
		Expect(a.Semctl(id, 0, actor.IPC_SET, perm)).To(FailWith(unix.EFAULT))
		half := a.PageEnd(3)
		half.PutUint16(0, 9)
		Expect(a.Semctl(id, 0, actor.SETALL, half)).To(FailWith(unix.EFAULT))
		expectSems(a, id, 5, 6)
		Expect(semStat(a, id)).To(Equal(before))
	})
})

var _ = Describe("What semctl tells of all sets", func() {
	Clause("semctl.ipc-info", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2, 3)
		l := readSemLimits(a)
		call := a.SemInfo(actor.IPC_INFO)
		Expect(call).To(returnHighest(semIndex, a, id))
		info := call.Seminfo()
		Expect(semLimits{info.Msl, info.Mns, info.Opm, info.Mni}).To(Equal(l))
		Expect(info.Vmx).To(Equal(semMax))
		Expect(info.Aem).To(Equal(semMax))
		Expect(info.Usz).To(BeNumerically(">", 0))
	})

	Clause("semctl.limits-set", func() {
		a := actor.New()
		want := semLimits{101, 102, 103, 104}
		id := newSemSet(a, 1)
		writeSemLimits(a, want)
		for _, cmd := range []int{actor.IPC_INFO, actor.SEM_INFO} {
			call := a.SemInfo(cmd)
			Expect(call).To(returnHighest(semIndex, a, id))
			info := call.Seminfo()
			Expect(semLimits{info.Msl, info.Mns, info.Opm, info.Mni}).To(Equal(want))
		}
	})

	Clause("semctl.sem-info", func() {
		a := actor.New()
		ids := []int{Must(a.Semget(semPrivate, 2, 0o600))}
		limits := a.SemInfo(actor.IPC_INFO)
		Expect(limits).To(returnHighest(semIndex, a, ids...))
		plain := limits.Seminfo()
		sets, semaphores := 1, 2
		expectUsage := func() {
			GinkgoHelper()
			call := a.SemInfo(actor.SEM_INFO)
			Expect(call).To(returnHighest(semIndex, a, ids...))
			info := call.Seminfo()
			Expect([]int{info.Usz, info.Aem}).To(Equal([]int{sets, semaphores}))
			info.Usz, info.Aem = plain.Usz, plain.Aem
			Expect(info).To(Equal(plain))
		}
		expectUsage()
		for _, n := range []int{3, 1, 7} {
			ids = append(ids, Must(a.Semget(semPrivate, n, 0o600)))
			sets, semaphores = sets+1, semaphores+n
			expectUsage()
		}
		Must(a.Semctl(ids[0], 0, actor.IPC_RMID, nil))
		ids, sets, semaphores = ids[1:], sets-1, semaphores-2
		expectUsage()
	})

	Clause("semctl.highest-index", func() {
		a := actor.New()
		var ids []int
		for range 3 {
			ids = append(ids, Must(a.Semget(semPrivate, 1, 0o600)))
		}
		for len(ids) > 0 {
			highest := a.SemInfo(actor.IPC_INFO)
			Expect(highest).To(returnHighest(semIndex, a, ids...))
			Expect(highest.Seminfo().Vmx).To(Equal(semMax))
			Expect(a.SemInfo(actor.SEM_INFO)).To(Return(highest.Value()))
			var found []int
			for index := range max(0, highest.Value()) + 1 {
				if set := a.SemStat(index, actor.SEM_STAT); set.OK() {
					found = append(found, set.Value())
				}
			}
			Expect(found).To(ConsistOf(ids))
			last := found[len(found)-1]
			Must(a.Semctl(last, 0, actor.IPC_RMID, nil))
			for i, id := range ids {
				if id == last {
					ids = append(ids[:i:i], ids[i+1:]...)
					break
				}
			}
		}
	})

	for _, s := range []struct {
		name string
		cmd  int
	}{{"sem-stat", actor.SEM_STAT}, {"sem-stat-any", actor.SEM_STAT_ANY}} {
		Clause("semctl."+s.name, func() {
			a := actor.New()
			ids := []int{Must(a.Semget(semPrivate, 1, 0o600)), Must(a.Semget(semKey(), 2, semCreat|0o644)), newSemSet(a, 1, 2, 3)}
			Must(a.Semop(ids[0], sop(0, 1)))
			seen := 0
			for index := range Must(a.Quietly().SemInfo(actor.IPC_INFO)) + 1 {
				stat := a.SemStat(index, s.cmd)
				if stat.OK() {
					seen++
					Expect(ids).To(ContainElement(stat.Value()))
					Expect(stat.SemidDS()).To(Equal(semStat(a, stat.Value())))
				} else {
					Expect(stat).To(FailWith(unix.EINVAL))
				}
			}
			Expect(seen).To(Equal(len(ids)))
		})

		Clause("semctl."+s.name+"-unused", func() {
			a := actor.New()
			Expect(a.SemStat(0, s.cmd)).To(FailWith(unix.EINVAL))
			id := newSemSet(a, 1)
			index := semIndex(a, id)
			stat := a.SemStat(index, s.cmd)
			Expect(stat).To(Return(id))
			Expect(stat.SemidDS()).To(Equal(semStat(a, id)))
			Expect(a.SemStat(index+1, s.cmd)).To(FailWith(unix.EINVAL))
			Expect(a.SemStat(-1, s.cmd)).To(FailWith(unix.EINVAL))
			Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
			Expect(a.SemStat(index, s.cmd)).To(FailWith(unix.EINVAL))
		})
	}

	Clause("semctl.sem-stat-any-without-permission", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		before := semStat(a, id)
		setSemMode(a, id, 0)
		anybody := capableOnly(a)
		index := semIndex(a, id)

		Expect(anybody.SemStat(id, actor.IPC_STAT)).To(FailWith(unix.EACCES))
		Expect(anybody.SemStat(index, actor.SEM_STAT)).To(FailWith(unix.EACCES))
		stat := anybody.SemStat(index, actor.SEM_STAT_ANY)
		Expect(stat).To(Return(id))
		ds := stat.SemidDS()
		Expect(ds.Perm.Mode & 0o777).To(BeZero())
		ds.Perm.Mode, ds.Ctime = before.Perm.Mode, before.Ctime
		Expect(ds).To(Equal(before))
	})

	Clause("semctl.sem-stat-any-by-anybody", func() {
		a := actor.New()
		id, relations, _ := semRelations(a)
		setSemMode(a, id, 0)
		index := semIndex(a, id)
		for _, r := range relations {
			stat := r.who.SemStat(index, actor.SEM_STAT_ANY)
			Expect(stat).To(Return(id), r.name)
			Expect(stat.SemidDS().Nsems).To(Equal(int64(2)), r.name)
		}
	})

	Clause("semctl.info-by-anybody", func() {
		a := actor.New()
		id := newSemSet(a, 1, 2)
		other := capableOnly(a)
		for _, cmd := range []int{actor.IPC_INFO, actor.SEM_INFO} {
			mine, theirs := a.SemInfo(cmd), other.SemInfo(cmd)
			Expect(mine).To(returnHighest(semIndex, a, id))
			Expect(theirs).To(Return(mine.Value()))
			Expect(theirs.Seminfo()).To(Equal(mine.Seminfo()))
		}
	})
})
