package sysv

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("IPC_STAT of a segment", func() {
	Clause("shmctl.stat", func() {
		a := actor.New()
		b := a.Fork()
		uid, gid := uint32(Must(a.Raw(unix.SYS_GETEUID))), uint32(Must(a.Raw(unix.SYS_GETEGID)))
		before := ipcNow(a)
		id := Must(a.Shmget(shmKey(), 12345, creat|0o640))
		attach(a, id, 0)
		Must(b.Shmdt(attach(b, id, 0)))
		after := ipcNow(a)
		stat := b.ShmStat(id, actor.IPC_STAT)
		Expect(stat).To(Return(0))
		ds := stat.ShmidDS()
		Expect([]int64{ds.Atime, ds.Dtime, ds.Ctime}).To(HaveEach(withinIPC(before, after)))
		ds.Atime, ds.Dtime, ds.Ctime = 0, 0, 0
		ds.Perm.Seq = 0
		Expect(ds).To(Equal(actor.ShmidDS{
			Perm:  actor.IPCPerm{Key: int32(shmKey()), UID: uid, GID: gid, CUID: uid, CGID: gid, Mode: 0o640},
			Segsz: 12345, Cpid: Must(a.Getpid()), Lpid: Must(b.Getpid()), Nattch: 1,
		}))
	})

	Clause("shmctl.stat-changes-nothing", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		attach(a, id, 0)
		first := segment(a, id)
		Expect(segment(b, id)).To(Equal(first))
		Expect(segment(b, newSegment(a, 2*shmPage)).Segsz).To(BeEquivalentTo(2 * shmPage))
		Expect(segment(a, id)).To(Equal(first))
	})

	Clause("shmctl.stat-fault", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.PageEnd(16), a.ReadOnly(make([]byte, 112))} {
			Expect(a.Shmctl(id, actor.IPC_STAT, nowhere)).To(FailWith(unix.EFAULT))
		}
		Expect(segment(a, id)).To(Equal(before))
	})

	Clause("shmctl.nattch-counts-attachments", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		attach(a, id, 0)
		attach(a, id, 0)
		Expect(segment(b, id).Nattch).To(BeEquivalentTo(2))
		Must(b.Shmdt(attach(b, id, 0)))
		Expect(segment(b, id).Nattch).To(BeEquivalentTo(2))
	})
})

var _ = Describe("IPC_SET of a segment", func() {
	Clause("shmctl.set", func() {
		a := actor.New()
		id := Must(a.Shmget(shmKey(), shmPage, creat|0o600))
		before := segment(a, id)
		wanted := before
		for _, mode := range []uint32{0o666, 0, 0o124, 0o777, 0o600} {
			wanted.Perm.Mode = mode
			Expect(a.ShmSet(id, wanted)).To(Return(0))
			Expect(segment(a, id).Perm).To(Equal(wanted.Perm))
		}
	})

	Clause("shmctl.set-owner", func() {
		a := actor.New()
		id := Must(a.Shmget(shmKey(), shmPage, creat|0o600))
		wanted := segment(a, id)
		wanted.Perm.UID, wanted.Perm.GID = uint32(FreshUser()), uint32(FreshUser())
		Expect(a.ShmSet(id, wanted)).To(Return(0))
		Expect(segment(a, id).Perm).To(Equal(wanted.Perm))
	})

	Clause("shmctl.set-nothing-else", func() {
		a := actor.New()
		id := Must(a.Shmget(shmKey(), shmPage, creat|0o600))
		attach(a, id, 0)
		before := segment(a, id)
		given := a.Alloc(112)
		for i := range given.Bytes() {
			given.Bytes()[i] = 0x55
		}
		given.PutUint32(0, uint32(shmKey()+1))
		given.PutUint32(4, before.Perm.UID)
		given.PutUint32(8, before.Perm.GID)
		given.PutUint32(20, 0o640)
		since := ipcNow(a)
		Expect(a.Shmctl(id, actor.IPC_SET, given)).To(Return(0))
		after := segment(a, id)
		Expect(after.Ctime).To(withinIPC(since, ipcNow(a)))
		before.Ctime, before.Perm.Mode = after.Ctime, 0o640
		Expect(after).To(Equal(before))
		Expect(a.Shmget(shmKey(), shmPage, 0)).To(Return(id))
		Expect(a.Shmget(shmKey()+1, 0, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("shmctl.set-nine-bits", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		wanted := segment(a, id)
		wanted.Perm.Mode = 0o7644
		Expect(a.ShmSet(id, wanted)).To(Return(0))
		wanted.Perm.Mode = 0o644
		Expect(segment(a, id).Perm).To(Equal(wanted.Perm))
		// It is not marked by that.
		Must(a.Shmdt(at))
		Expect(segment(a, id).Perm.Mode).To(BeEquivalentTo(0o644))
	})

	Clause("shmctl.set-ctime", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		wanted := segment(a, id)
		before := ipcNow(a)
		wanted.Perm.Mode = 0o640
		Expect(a.ShmSet(id, wanted)).To(Return(0))
		after := ipcNow(a)
		Expect(segment(a, id).Perm).To(Equal(wanted.Perm))
		Expect(segment(a, id).Ctime).To(withinIPC(before, after))
	})

	Clause("shmctl.times-move-on", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		Must(b.Shmdt(attach(b, id, 0)))
		was := segment(a, id)
		Expect([]int64{was.Atime, was.Dtime, was.Ctime}).To(HaveEach(BeNumerically("<=", ipcNow(a))))
		before := ipcNextSecond(a, was.Atime, was.Dtime, was.Ctime)

		at := expectAttached(a.Shmat(id, nil, 0))
		is := segment(a, id)
		Expect(is.Atime).To(withinIPC(before, ipcNow(a)))
		was.Atime, was.Lpid, was.Nattch = is.Atime, a.PID(), 1
		Expect(is).To(Equal(was))

		Expect(a.Shmdt(at)).To(Return(0))
		is = segment(a, id)
		Expect(is.Dtime).To(withinIPC(before, ipcNow(a)))
		was.Dtime, was.Nattch = is.Dtime, 0
		Expect(is).To(Equal(was))

		Expect(a.ShmSet(id, is)).To(Return(0))
		is = segment(a, id)
		Expect(is.Ctime).To(withinIPC(before, ipcNow(a)))
		was.Ctime = is.Ctime
		Expect(is).To(Equal(was))
	})

	Clause("shmctl.set-takes-effect", func() {
		a := actor.New()
		b := capableOnly(a)
		id := Must(a.Shmget(shmKey(), shmPage, creat|0o600))
		ds := segment(a, id)
		expectAttached(b.Shmat(id, nil, 0))
		ds.Perm.Mode = 0o400
		Expect(b.ShmSet(id, ds)).To(Return(0))
		Expect(segment(a, id).Perm).To(Equal(ds.Perm))
		Expect(b.Shmat(id, nil, 0)).To(FailWith(unix.EACCES))
		Expect(b.Shmget(shmKey(), 0, 0o600)).To(FailWith(unix.EACCES))
		at := expectAttached(b.Shmat(id, nil, actor.SHM_RDONLY))
		ds.Perm.Mode = 0
		Expect(b.ShmSet(id, ds)).To(Return(0))
		Expect(segment(a, id).Perm).To(Equal(ds.Perm))
		Expect(b.ShmStat(id, actor.IPC_STAT)).To(FailWith(unix.EACCES))
		expectNattch(a, id, 2)
		faults(b)
		Expect(b.Store(at, []byte("x"))).To(FailWith(unix.EFAULT))
	})

	Clause("shmctl.set-keeps-attachments", func() {
		a := actor.New()
		b := capableOnly(a)
		id := newSegment(a, shmPage)
		at := attach(b, id, 0)
		perm := segment(a, id).Perm
		perm.Mode = 0
		setPerm(a, id, perm)
		put(b, at, "still")
		expectHolds(a, attach(a, id, 0), "still")
	})

	Clause("shmctl.set-fault", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.PageEnd(16), a.NoAccess()} {
			Expect(a.Shmctl(id, actor.IPC_SET, nowhere)).To(FailWith(unix.EFAULT))
		}
		Expect(segment(a, id)).To(Equal(before))
	})
})

var _ = Describe("The removal of a segment", func() {
	Clause("shmctl.rmid", func() {
		a := actor.New()
		id, other := newSegment(a, shmPage), newSegment(a, 2*shmPage)
		Expect(a.Shmctl(id, actor.IPC_RMID, nil)).To(Return(0))
		expectGone(a, id, 1)
		Expect(usage(a).Tot).To(BeEquivalentTo(2))
		Expect(segment(a, other).Segsz).To(BeEquivalentTo(2 * shmPage))
	})

	Clause("shmctl.rmid-ignores-buf", func() {
		a := actor.New()
		for _, buf := range []any{actor.Null, a.Unmapped(), 1, a.NoAccess()} {
			id := newSegment(a, shmPage)
			Expect(a.Shmctl(id, actor.IPC_RMID, buf)).To(Return(0))
			expectGone(a, id, 0)
		}
	})

	Clause("shmctl.rmid-attached", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(a.Shmget(shmKey(), shmPage, creat|0o640))
		one, other := attach(a, id, 0), attach(b, id, 0)
		before := segment(a, id)
		Expect(a.Shmctl(id, actor.IPC_RMID, nil)).To(Return(0))
		after := segment(b, id)
		Expect(after.Perm.Mode).To(BeEquivalentTo(actor.SHM_DEST | 0o640))
		Expect(after.Perm.Key).To(BeEquivalentTo(private))
		after.Perm.Mode, after.Perm.Key = before.Perm.Mode, before.Perm.Key
		Expect(after).To(Equal(before))
		put(a, one, "lives")
		expectHolds(b, other, "lives")
		expectSegments(a, 1)
	})

	Clause("shmctl.dest-only-when-marked", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		Expect(segment(a, id).Perm.Mode & actor.SHM_DEST).To(BeZero())
		Must(a.Shmdt(at))
		Expect(segment(a, id).Perm.Mode & actor.SHM_DEST).To(BeZero())
	})

	Clause("shmdt.last-destroys", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		one, other := attach(a, id, 0), attach(b, id, 0)
		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		Expect(a.Shmdt(one)).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
		Expect(b.Shmdt(other)).To(Return(0))
		expectGone(a, id, 0)
		Expect(usage(a).Tot).To(BeZero())
	})

	Clause("shmdt.unmarked-stays", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		Expect(a.Shmdt(attach(a, id, 0))).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeZero())
		expectSegments(a, 1)
	})

	for _, end := range []struct {
		name string
		of   func(b *actor.Actor)
	}{{"exit", func(b *actor.Actor) { b.Exit(0) }}, {"exec", (*actor.Actor).Exec}} {
		Clause("shmctl.destroyed-at-"+end.name, func() {
			a := actor.New()
			b := a.Fork()
			id := newSegment(a, shmPage)
			attach(b, id, 0)
			Expect(a.Shmctl(id, actor.IPC_RMID, nil)).To(Return(0))
			Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
			end.of(b)
			expectGone(a, id, 0)
		})
	}

	Clause("shmat.marked", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		put(a, at, "marked")
		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		late := expectAttached(b.Shmat(id, nil, 0))
		expectNattch(a, id, 2)
		Must(a.Shmdt(at))
		expectHolds(b, late, "marked")
		Must(b.Shmdt(late))
		expectGone(a, id, 0)
	})

	Clause("shmat.marked-fork", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(b, shmPage)
		at := attach(b, id, 0)
		put(b, at, "marked")
		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		child := b.Fork()
		Must(b.Shmdt(at))
		expectHolds(child, at, "marked")
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
		Must(child.Shmdt(at))
		expectGone(a, id, 0)
	})

	Clause("shmctl.outlives-creator", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(b.Shmget(shmKey(), shmPage, creat|0o600))
		put(b, attach(b, id, 0), "stays")
		b.Exit(0)
		Expect(a.Shmget(shmKey(), 0, 0)).To(Return(id))
		Expect(segment(a, id).Nattch).To(BeZero())
		expectHolds(a, attach(a, id, 0), "stays")
	})

	for _, cmd := range []struct {
		name string
		call func(a *actor.Actor, id int) *actor.Call
	}{
		{"stat", func(a *actor.Actor, id int) *actor.Call { return a.ShmStat(id, actor.IPC_STAT) }},
		{"set", func(a *actor.Actor, id int) *actor.Call { return a.ShmSet(id, actor.ShmidDS{}) }},
		{"rmid", func(a *actor.Actor, id int) *actor.Call { return a.Shmctl(id, actor.IPC_RMID, nil) }},
		{"lock", func(a *actor.Actor, id int) *actor.Call { return a.Shmctl(id, actor.SHM_LOCK, nil) }},
		{"unlock", func(a *actor.Actor, id int) *actor.Call { return a.Shmctl(id, actor.SHM_UNLOCK, nil) }},
	} {
		Clause("shmctl.removed-id-"+cmd.name, func() {
			a := actor.New()
			id := newSegment(a, shmPage)
			Must(a.Shmctl(id, actor.IPC_RMID, nil))
			Expect(cmd.call(a, id)).To(goneIPC())
			other := newSegment(a, shmPage)
			before := segment(a, other)
			Expect(cmd.call(a, id)).To(goneIPC())
			Expect(segment(a, other)).To(Equal(before))
		})

		Clause("shmctl.invalid-id-"+cmd.name, func() {
			a := actor.New()
			id := newSegment(a, shmPage)
			before := segment(a, id)
			for _, wrong := range []int{id + 1, id + 1<<20, -1, 1<<31 - 1} {
				Expect(cmd.call(a, wrong)).To(FailWith(unix.EINVAL), "id %d", wrong)
			}
			Expect(segment(a, id)).To(Equal(before))
		})
	}

	Clause("shmctl.ids-not-reused-at-once", func() {
		a := actor.New()
		gone := map[int]bool{}
		for range 40 {
			made := a.Shmget(private, 1, 0o600)
			Expect(made).To(ReturnSuccess())
			Expect(gone).NotTo(HaveKey(made.Value()))
			gone[made.Value()] = true
			Expect(a.Shmctl(made.Value(), actor.IPC_RMID, nil)).To(Return(0))
		}
	})

	Clause("shmctl.slot-used-again", func() {
		a := actor.New()
		first := newSegment(a, 1)
		index := Must(a.ShmUsage())
		Expect(a.ShmStat(index, actor.SHM_STAT)).To(Return(first))
		old := segment(a, first)
		Must(a.Shmctl(first, actor.IPC_RMID, nil))
		// A slot comes round again after a while: how long that is, is the kernel's affair.
		for range 1 << 12 {
			made := newSegment(a, 2)
			if Must(a.ShmUsage()) != index {
				Must(a.Shmctl(made, actor.IPC_RMID, nil))
				continue
			}
			Expect(made).NotTo(Equal(first))
			ds := segment(a, made)
			Expect(ds.Perm.Seq).NotTo(Equal(old.Perm.Seq))
			Expect([]int64{old.Segsz, ds.Segsz}).To(Equal([]int64{1, 2}))
			Expect(a.ShmStat(first, actor.IPC_STAT)).To(goneIPC())
			return
		}
		Presuppose(false, "a kernel that uses a slot again within 4096 segments")
	})

	Clause("shmctl.unknown-command", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		buf := a.Alloc(128)
		for _, cmd := range []int{4, 10, 16, 100, -1, -2} {
			Expect(a.Shmctl(id, cmd, buf)).To(FailWith(unix.EINVAL), "command %d", cmd)
		}
		Expect(segment(a, id)).To(Equal(before))
		Expect(buf.Copy()).To(Equal(make([]byte, 128)))
	})
})

var _ = Describe("Segments while shm_rmid_forced is 1", func() {
	Clause("shmctl.rmid-forced-detach", func() {
		a := actor.New()
		b := a.Fork()
		setShm(a, "shm_rmid_forced", 1)
		id := newSegment(a, shmPage)
		one, other := attach(a, id, 0), attach(b, id, 0)
		Expect(b.Shmdt(other)).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
		Expect(a.Shmdt(one)).To(Return(0))
		expectGone(a, id, 0)
	})

	Clause("shmctl.rmid-forced-exit", func() {
		a := actor.New()
		b := a.Fork()
		setShm(a, "shm_rmid_forced", 1)
		used, unused := newSegment(b, shmPage), newSegment(b, shmPage)
		at := attach(a, used, 0)
		mine := newSegment(a, shmPage)
		Expect(segment(a, unused).Nattch).To(BeZero())
		b.Exit(0)
		expectGone(a, unused, 2)
		Expect(segment(a, used).Nattch).To(BeEquivalentTo(1))
		Expect(segment(a, mine).Nattch).To(BeZero())
		Must(a.Shmdt(at))
		expectGone(a, used, 1)
	})

	Clause("shmctl.rmid-forced-orphans", func() {
		a := actor.New()
		b := a.Fork()
		orphan, used := newSegment(b, shmPage), newSegment(b, shmPage)
		mine := newSegment(a, shmPage)
		attach(a, used, 0)
		b.Exit(0)
		Expect(segment(a, orphan).Nattch).To(BeZero())
		others := []actor.ShmidDS{segment(a, used), segment(a, mine)}
		Expect([]int64{others[0].Nattch, others[1].Nattch}).To(Equal([]int64{1, 0}))
		setShm(a, "shm_rmid_forced", 1)
		expectGone(a, orphan, 2)
		Expect([]actor.ShmidDS{segment(a, used), segment(a, mine)}).To(Equal(others))
	})
})

var _ = Describe("Information about all segments", func() {
	Clause("shmctl.ipc-info", func() {
		a := actor.New()
		for _, n := range []int{shmPage, 123456} {
			setShm(a, "shmmax", n)
			setShm(a, "shmall", n+1)
			setShm(a, "shmmni", n/100)
			info := a.ShmIPCInfo()
			Expect(info).To(Return(Must(a.ShmUsage())))
			limits := info.Shminfo()
			Expect([]uint64{limits.Max, limits.Min, limits.Mni, limits.All}).To(Equal([]uint64{uint64(n), 1, uint64(n / 100), uint64(n + 1)}))
		}
	})

	Clause("shmctl.ipc-info-own-namespace", func() {
		a, b := actor.New(), actor.New()
		before := b.ShmIPCInfo()
		Expect(before).To(ReturnSuccess())
		setShm(a, "shmmni", 17)
		after, other := b.ShmIPCInfo(), a.ShmIPCInfo()
		Expect(after).To(Return(before.Value()))
		Expect(after.Shminfo()).To(Equal(before.Shminfo()))
		Expect(other).To(Return(Must(a.ShmUsage())))
		Expect(other.Shminfo().Mni).To(BeEquivalentTo(17))
	})

	Clause("shmctl.shm-info", func() {
		a := actor.New()
		for i, size := range []int{1, shmPage + 1, 4 * shmPage} {
			newSegment(a, size)
			used := a.ShmUsage()
			Expect(used).To(Return(Must(a.ShmIPCInfo())))
			Expect(used.ShmInfo().UsedIDs).To(Equal(i + 1))
			Expect(used.ShmInfo().Tot).To(BeEquivalentTo([]int{1, 3, 7}[i]))
		}
	})

	Clause("shmctl.shm-info-resident", func() {
		a := actor.New()
		id := newSegment(a, 8*shmPage)
		at := attach(a, id, 0)
		resident := func() uint64 {
			used := a.ShmUsage()
			Expect(used).To(Return(Must(a.ShmIPCInfo())))
			return used.ShmInfo().Rss + used.ShmInfo().Swp
		}
		Expect(resident()).To(BeZero())
		put(a, at, "x")
		put(a, at.At(5*shmPage), "x")
		Expect(resident()).To(BeEquivalentTo(2))
		Must(a.Shmdt(at))
		Expect(resident()).To(BeEquivalentTo(2))
		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		Expect(resident()).To(BeZero())
	})

	Clause("shmctl.info-highest-index", func() {
		a := actor.New()
		ids := []int{newSegment(a, 1), newSegment(a, 1), newSegment(a, 1)}
		for len(ids) > 0 {
			limits, used := a.ShmIPCInfo(), a.ShmUsage()
			Expect(limits).To(returnHighest(segmentIndex, a, ids...))
			Expect(limits.Shminfo().Min).To(BeEquivalentTo(1))
			Expect(used).To(returnHighest(segmentIndex, a, ids...))
			Expect(used.ShmInfo().UsedIDs).To(Equal(len(ids)))
			last := a.ShmStat(limits.Value(), actor.SHM_STAT)
			Expect(last).To(ReturnSuccess())
			Expect(segmentIndex(a, last.Value())).To(Equal(limits.Value()))
			Must(a.Shmctl(last.Value(), actor.IPC_RMID, nil))
			ids = slices.DeleteFunc(ids, func(id int) bool { return id == last.Value() })
		}
	})

	for _, way := range []struct {
		name string
		cmd  int
	}{{"stat", actor.SHM_STAT}, {"stat-any", actor.SHM_STAT_ANY}} {
		Clause("shmctl.shm-"+way.name, func() {
			a := actor.New()
			ids := []int{Must(a.Shmget(shmKey(), 1234, creat|0o640)), newSegment(a, shmPage), newSegment(a, 3)}
			attach(a, ids[1], 0)
			found := map[int]bool{}
			for index := range Must(a.ShmUsage()) + 1 {
				stat := a.ShmStat(index, way.cmd)
				if stat.Errno() == unix.EINVAL {
					continue // a slot that nobody has
				}
				Expect(stat.Value()).To(BeElementOf(ids))
				Expect(found).NotTo(HaveKey(stat.Value()))
				found[stat.Value()] = true
				Expect(stat.ShmidDS()).To(Equal(segment(a, stat.Value())))
			}
			Expect(found).To(HaveLen(3))
		})

		Clause("shmctl.shm-"+way.name+"-unused-slot", func() {
			a := actor.New()
			Expect(a.ShmStat(0, way.cmd)).To(FailWith(unix.EINVAL))
			ids := []int{newSegment(a, 1), newSegment(a, 2), newSegment(a, 3)}
			var indexes []int
			for _, id := range ids {
				indexes = append(indexes, segmentIndex(a, id))
			}
			highest := slices.Max(indexes)
			Expect(a.ShmStat(indexes[1], way.cmd)).To(Return(ids[1]))
			Must(a.Shmctl(ids[1], actor.IPC_RMID, nil))
			for _, unused := range []int{indexes[1], highest + 1, highest + 100, -1} {
				Expect(a.ShmStat(unused, way.cmd)).To(FailWith(unix.EINVAL), "index %d", unused)
			}
			for _, i := range []int{0, 2} {
				stat := a.ShmStat(indexes[i], way.cmd)
				Expect(stat).To(Return(ids[i]))
				Expect(stat.ShmidDS()).To(Equal(segment(a, ids[i])))
			}
		})
	}

	Clause("shmctl.shm-stat-eacces", func() {
		a := actor.New()
		b := capableOnly(a)
		id := Must(a.Shmget(private, shmPage, 0o377))
		index := Must(a.ShmUsage())
		Expect(b.ShmStat(index, actor.SHM_STAT)).To(FailWith(unix.EACCES))
		perm := segment(a, id).Perm
		perm.Mode = 0o400
		setPerm(a, id, perm)
		Expect(b.ShmStat(index, actor.SHM_STAT)).To(Return(id))
	})

	Clause("shmctl.shm-stat-any-without-permission", func() {
		a := actor.New()
		b := capableOnly(a)
		id := Must(a.Shmget(private, shmPage, 0))
		index := Must(a.ShmUsage())
		stat := b.ShmStat(index, actor.SHM_STAT_ANY)
		Expect(stat).To(Return(id))
		Expect(stat.ShmidDS()).To(Equal(segment(a, id)))
		Expect(b.ShmStat(id, actor.IPC_STAT)).To(FailWith(unix.EACCES))
	})

	Clause("shmctl.shm-stat-any-stranger", func() {
		a := actor.New()
		b := stranger(a)
		id := Must(a.Shmget(private, shmPage, 0o770))
		index := Must(a.ShmUsage())
		stat := b.ShmStat(index, actor.SHM_STAT_ANY)
		Expect(stat).To(Return(id))
		Expect(stat.ShmidDS()).To(Equal(segment(a, id)))
		Expect(b.ShmStat(index, actor.SHM_STAT)).To(FailWith(unix.EACCES))
	})

	Clause("shmctl.info-fault", func() {
		a := actor.New()
		newSegment(a, shmPage)
		for _, cmd := range []int{actor.IPC_INFO, actor.SHM_INFO, actor.SHM_STAT, actor.SHM_STAT_ANY} {
			for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.PageEnd(16)} {
				Expect(a.Shmctl(0, cmd, nowhere)).To(FailWith(unix.EFAULT), "command %d", cmd)
			}
		}
	})
})

// expectLocked checks whether a segment is shown as locked.
func expectLocked(a *actor.Actor, id int, locked bool) {
	GinkgoHelper()
	Expect(segment(a, id).Perm.Mode&actor.SHM_LOCKED != 0).To(Equal(locked))
}

var _ = Describe("SHM_LOCK", func() {
	Clause("shmctl.lock", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		Expect(a.Shmctl(id, actor.SHM_LOCK, nil)).To(Return(0))
		after := segment(a, id)
		Expect(after.Perm.Mode).To(BeEquivalentTo(actor.SHM_LOCKED | 0o600))
		after.Perm.Mode = before.Perm.Mode
		Expect(after).To(Equal(before))
	})

	Clause("shmctl.unlock", func() {
		a := actor.New()
		id, other := newSegment(a, shmPage), newSegment(a, shmPage)
		Must(a.Shmctl(id, actor.SHM_LOCK, nil))
		Must(a.Shmctl(other, actor.SHM_LOCK, nil))
		Expect(a.Shmctl(id, actor.SHM_UNLOCK, nil)).To(Return(0))
		Expect(segment(a, id).Perm.Mode).To(BeEquivalentTo(0o600))
		expectLocked(a, other, true)
	})

	Clause("shmctl.lock-faults-nothing-in", func() {
		a := actor.New()
		id := newSegment(a, 4*shmPage)
		Expect(a.Shmctl(id, actor.SHM_LOCK, nil)).To(Return(0))
		expectLocked(a, id, true)
		Expect(usage(a).Rss).To(BeZero())
		put(a, attach(a, id, 0), "x")
		Expect(usage(a).Rss).To(BeEquivalentTo(1))
	})

	Clause("shmctl.lock-kept-by-set", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		Must(a.Shmctl(id, actor.SHM_LOCK, nil))
		perm := segment(a, id).Perm
		perm.Mode = 0o640
		Expect(a.ShmSet(id, actor.ShmidDS{Perm: perm})).To(Return(0))
		perm.Mode = actor.SHM_LOCKED | 0o640
		Expect(segment(a, id).Perm).To(Equal(perm))
		Expect(a.Shmctl(id, actor.SHM_UNLOCK, nil)).To(Return(0))
		Expect(segment(a, id).Perm.Mode).To(BeEquivalentTo(0o640))
	})

	Clause("shmctl.lock-leaves-access", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		one, other := attach(a, id, 0), attach(b, id, 0)
		put(a, one, "before")
		Expect(a.Shmctl(id, actor.SHM_LOCK, nil)).To(Return(0))
		expectHolds(b, other, "before")
		put(b, other, "locked")
		expectHolds(a, one, "locked")
		Expect(a.Shmctl(id, actor.SHM_UNLOCK, nil)).To(Return(0))
		expectHolds(b, other, "locked")
	})

	Clause("shmctl.lock-by-owner", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, uint64(8*shmPage))
		id := newSegment(a, 8*shmPage)
		b := capableOnly(a)
		Expect(b.Shmctl(id, actor.SHM_LOCK, nil)).To(Return(0))
		expectLocked(a, id, true)
		Expect(b.Shmctl(id, actor.SHM_UNLOCK, nil)).To(Return(0))
		expectLocked(a, id, false)
	})

	Clause("shmctl.lock-beyond-limit", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, uint64(8*shmPage))
		fits, exceeds := newSegment(a, 6*shmPage), newSegment(a, 9*shmPage)
		b := capableOnly(a)
		Expect(b.Shmctl(exceeds, actor.SHM_LOCK, nil)).To(FailWith(unix.ENOMEM))
		expectLocked(a, exceeds, false)
		Expect(b.Shmctl(fits, actor.SHM_LOCK, nil)).To(Return(0))
		expectLocked(a, fits, true)
	})

	Clause("shmctl.lock-limit-sums", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, uint64(8*shmPage))
		one, other := newSegment(a, 6*shmPage), newSegment(a, 3*shmPage)
		b, c := capableOnly(a), capableOnly(a)
		Must(b.Shmctl(one, actor.SHM_LOCK, nil))
		// It is the user's limit, whoever locks.
		Expect(c.Shmctl(other, actor.SHM_LOCK, nil)).To(FailWith(unix.ENOMEM))
		expectLocked(a, other, false)
		Must(b.Shmctl(one, actor.SHM_UNLOCK, nil))
		Expect(c.Shmctl(other, actor.SHM_LOCK, nil)).To(Return(0))
		expectLocked(a, other, true)
	})

	Clause("shmctl.lock-limit-of-the-real-user", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, uint64(8*shmPage))
		owner := FreshUser()
		ownedBy := func(real int) *actor.Actor {
			child := a.Fork()
			Must(child.Setresuid(real, owner, owner))
			return child
		}
		one, other := FreshUser(), FreshUser()
		b, c := ownedBy(one), ownedBy(other)
		ids := []int{newSegment(b, 6*shmPage), newSegment(b, 6*shmPage), newSegment(b, 3*shmPage)}
		Expect(b.Shmctl(ids[0], actor.SHM_LOCK, nil)).To(Return(0))
		Expect(c.Shmctl(ids[1], actor.SHM_LOCK, nil)).To(Return(0))
		expectLocked(a, ids[0], true)
		expectLocked(a, ids[1], true)
		for _, full := range []*actor.Actor{b, c, ownedBy(one), ownedBy(other)} {
			Expect(full.Shmctl(ids[2], actor.SHM_LOCK, nil)).To(FailWith(unix.ENOMEM))
		}
		expectLocked(a, ids[2], false)
	})

	Clause("shmctl.lock-limit-after-removal", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, uint64(8*shmPage))
		one, other := newSegment(a, 8*shmPage), newSegment(a, 8*shmPage)
		b := capableOnly(a)
		Must(b.Shmctl(one, actor.SHM_LOCK, nil))
		Expect(b.Shmctl(other, actor.SHM_LOCK, nil)).To(FailWith(unix.ENOMEM))
		Must(b.Shmctl(one, actor.IPC_RMID, nil))
		Expect(b.Shmctl(other, actor.SHM_LOCK, nil)).To(Return(0))
		expectLocked(a, other, true)
	})

	Clause("shmctl.lock-limit-zero", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, 0)
		id := newSegment(a, shmPage)
		b := capableOnly(a)
		Expect(b.Shmctl(id, actor.SHM_LOCK, nil)).To(FailWith(unix.EPERM))
		expectLocked(a, id, false)
	})

	Clause("shmctl.unlock-limit-zero", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		Must(a.Shmctl(id, actor.SHM_LOCK, nil))
		a.SetRlimit(unix.RLIMIT_MEMLOCK, 0)
		Expect(capableOnly(a).Shmctl(id, actor.SHM_UNLOCK, nil)).To(Return(0))
		expectLocked(a, id, false)
	})

	Clause("shmctl.lock-privileged-beyond-limit", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, uint64(shmPage))
		id := Must(a.Shmget(private, 4*shmPage, 0))
		b := capableOnly(a, unix.CAP_IPC_LOCK)
		Expect(b.Shmctl(id, actor.SHM_LOCK, nil)).To(Return(0))
		expectLocked(a, id, true)
		Expect(b.Shmctl(id, actor.SHM_UNLOCK, nil)).To(Return(0))
		expectLocked(a, id, false)
	})

	Clause("shmctl.lock-by-stranger", func() {
		a := actor.New()
		b := stranger(a)
		id := Must(a.Shmget(private, shmPage, 0o777))
		Expect(b.Shmctl(id, actor.SHM_LOCK, nil)).To(FailWith(unix.EPERM))
		expectLocked(a, id, false)
		Must(a.Shmctl(id, actor.SHM_LOCK, nil))
		Expect(b.Shmctl(id, actor.SHM_UNLOCK, nil)).To(FailWith(unix.EPERM))
		expectLocked(a, id, true)
	})

	Clause("shmctl.lock-by-owner-or-creator", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, uint64(8*shmPage))
		_, id, ds := settled(a)
		for _, uid := range []uint32{ds.Perm.UID, ds.Perm.CUID} {
			b := ipcUser(a, int(uid), FreshUser())
			Expect(b.Shmctl(id, actor.SHM_LOCK, nil)).To(Return(0))
			expectLocked(a, id, true)
			Expect(b.Shmctl(id, actor.SHM_UNLOCK, nil)).To(Return(0))
			expectLocked(a, id, false)
		}
	})
})
