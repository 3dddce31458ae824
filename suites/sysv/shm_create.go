package sysv

import (
	"fmt"
	"math"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A key of shmget", func() {
	Clause("shmget.private", func() {
		a := actor.New()
		for _, flags := range []int{0o600, 0o600 | creat, 0o600 | excl, 0o600 | creat | excl} {
			one := expectMade(a.Shmget(private, shmPage+flags, flags), private, shmPage+flags, 0o600)
			other := expectMade(a.Shmget(private, shmPage, flags), private, shmPage, 0o600)
			Expect(one).NotTo(Equal(other))
			put(a, attach(a, one, 0), "one")
			expectHolds(a, attach(a, other, 0), zeros(3))
		}
		expectSegments(a, 8)
	})

	Clause("shmget.finds", func() {
		a := actor.New()
		b := a.Fork()
		id := expectMade(a.Shmget(shmKey(), shmPage, creat|0o600), shmKey(), shmPage, 0o600)
		other := expectMade(a.Shmget(shmKey()+1, 2*shmPage, creat|0o640), shmKey()+1, 2*shmPage, 0o640)
		Expect(other).NotTo(Equal(id))
		put(a, attach(a, id, 0), "found")
		Expect(b.Shmget(shmKey(), 0, 0)).To(Return(id))
		Expect(b.Shmget(shmKey()+1, 0, 0)).To(Return(other))
		expectHolds(b, attach(b, id, 0), "found")
		expectSegments(a, 2)
	})

	Clause("shmget.creat-new", func() {
		a := actor.New()
		b := a.Fork()
		id := expectMade(a.Shmget(shmKey(), shmPage, creat|0o600), shmKey(), shmPage, 0o600)
		Expect(b.Shmget(shmKey(), shmPage, 0o600)).To(Return(id))
		expectSegments(a, 1)
	})

	Clause("shmget.creat-existing", func() {
		a := actor.New()
		id := expectMade(a.Shmget(shmKey(), shmPage, creat|0o600), shmKey(), shmPage, 0o600)
		put(a, attach(a, id, 0), "kept")
		before := segment(a, id)
		Expect(a.Shmget(shmKey(), shmPage, creat|0o666)).To(Return(id))
		Expect(segment(a, id)).To(Equal(before))
		expectHolds(a, attach(a, id, 0), "kept")
		expectSegments(a, 1)
	})

	Clause("shmget.excl-existing", func() {
		a := actor.New()
		id := expectMade(a.Shmget(shmKey(), shmPage, creat|0o600), shmKey(), shmPage, 0o600)
		before := segment(a, id)
		for _, caller := range []*actor.Actor{a, a.Fork()} {
			Expect(caller.Shmget(shmKey(), shmPage, creat|excl|0o600)).To(FailWith(unix.EEXIST))
		}
		Expect(segment(a, id)).To(Equal(before))
		Expect(a.Shmget(shmKey(), 0, 0)).To(Return(id))
		expectSegments(a, 1)
	})

	Clause("shmget.excl-new", func() {
		a := actor.New()
		id := expectMade(a.Shmget(shmKey(), shmPage, creat|excl|0o600), shmKey(), shmPage, 0o600)
		Expect(a.Shmget(shmKey(), 0, 0)).To(Return(id))
		expectSegments(a, 1)
	})

	Clause("shmget.racing-creators", func() {
		a := actor.New()
		made := expectOneMade(a, func(by actor.Caller) *actor.Call { return by.Shmget(shmKey(), shmPage, creat|excl|0o600) })
		id := expectMade(made, shmKey(), shmPage, 0o600)
		Expect(a.Shmget(shmKey(), 0, 0)).To(Return(id))
		expectSegments(a, 1)
	})

	Clause("shmget.enoent", func() {
		a := actor.New()
		expectMade(a.Shmget(shmKey(), shmPage, creat|0o600), shmKey(), shmPage, 0o600)
		for _, key := range []int{shmKey() - 1, shmKey() + 1, -1, math.MinInt32} {
			Expect(a.Shmget(key, shmPage, 0o600)).To(FailWith(unix.ENOENT), "key %#x", key)
		}
		expectSegments(a, 1)
	})

	Clause("shmget.key-extremes", func() {
		a := actor.New()
		for i, key := range []int{1, -1, math.MaxInt32, math.MinInt32} {
			id := expectMade(a.Shmget(key, shmPage, creat|excl|0o600), key, shmPage, 0o600)
			Expect(a.Shmget(key, 0, 0)).To(Return(id))
			expectSegments(a, i+1)
		}
	})

	Clause("shmget.key-after-removal", func() {
		a := actor.New()
		old := expectMade(a.Shmget(shmKey(), shmPage, creat|0o600), shmKey(), shmPage, 0o600)
		at := attach(a, old, 0)
		put(a, at, "old")
		Must(a.Shmdt(at))
		Must(a.Shmctl(old, actor.IPC_RMID, nil))
		Expect(a.Shmget(shmKey(), 0, 0)).To(FailWith(unix.ENOENT))
		id := expectMade(a.Shmget(shmKey(), 5, creat|excl|0o640), shmKey(), 5, 0o640)
		Expect(id).NotTo(Equal(old))
		expectHolds(a, attach(a, id, 0), zeros(3))
		expectSegments(a, 1)
	})

	Clause("shmget.key-of-marked", func() {
		a := actor.New()
		old := expectMade(a.Shmget(shmKey(), shmPage, creat|0o600), shmKey(), shmPage, 0o600)
		at := attach(a, old, 0)
		put(a, at, "old")
		Must(a.Shmctl(old, actor.IPC_RMID, nil))
		Expect(a.Shmget(shmKey(), 0, 0)).To(FailWith(unix.ENOENT))
		id := expectMade(a.Shmget(shmKey(), 5, creat|excl|0o640), shmKey(), 5, 0o640)
		Expect(id).NotTo(Equal(old))
		expectHolds(a, attach(a, id, 0), zeros(3))
		expectHolds(a, at, "old")
		expectSegments(a, 2)
	})
})

var _ = Describe("A new segment", func() {
	Clause("shmget.zero-filled", func() {
		a := actor.New()
		// Pages that somebody has used before, so that a kernel which does not clear them shows it.
		used := expectMade(a.Shmget(private, 3*shmPage, 0o600), private, 3*shmPage, 0o600)
		at := attach(a, used, 0)
		put(a, at, strings.Repeat("x", 3*shmPage))
		Must(a.Shmdt(at))
		Must(a.Shmctl(used, actor.IPC_RMID, nil))

		id := expectMade(a.Shmget(private, 2*shmPage+1, 0o400), private, 2*shmPage+1, 0o400)
		expectHolds(a, attach(a, id, actor.SHM_RDONLY), zeros(3*shmPage))
	})

	Clause("shmget.rounded-to-pages", func() {
		a := actor.New()
		b := a.Fork()
		faults(b)
		var total uint64
		for _, size := range []int{1, shmPage - 1, shmPage, shmPage + 1, 3 * shmPage} {
			pages := (size + shmPage - 1) / shmPage
			id := expectMade(a.Shmget(private, size, 0o600), private, size, 0o600)
			total += uint64(pages)
			Expect(usage(a).Tot).To(Equal(total), "size %d", size)

			at := hole(b, pages+1)
			Expect(b.Shmat(id, at, 0)).To(Return(int(at.Addr)))
			last, behind := at.At(pages*shmPage-1), at.At(pages*shmPage)
			Expect(b.Store(last, []byte("z"))).To(Return(0), "size %d", size)
			Expect(b.Store(behind, []byte("z"))).To(FailWith(unix.EFAULT), "size %d", size)
			expectHolds(a, attach(a, id, 0).At(pages*shmPage-1), "z")
			Must(b.Shmdt(at))
		}
	})

	Clause("shmget.segsz", func() {
		a := actor.New()
		for _, size := range []int{1, shmPage - 1, shmPage, shmPage + 1, 100000} {
			expectMade(a.Shmget(private, size, 0o600), private, size, 0o600)
		}
	})

	Clause("shmget.mode", func() {
		a := actor.New()
		Must(a.Umask(0o077))
		for _, mode := range []int{0, 0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o777, 0o640} {
			expectMade(a.Shmget(private, shmPage+mode, mode), private, shmPage+mode, mode)
		}
		expectMade(a.Shmget(shmKey(), shmPage, creat|excl|actor.SHM_NORESERVE|0o421), shmKey(), shmPage, 0o421)
	})

	Clause("shmget.owner-and-creator", func() {
		a := actor.New()
		perm := segment(a, expectMade(a.Shmget(private, 2, 0o600), private, 2, 0o600)).Perm
		uid, gid := uint32(Must(a.Raw(unix.SYS_GETEUID))), uint32(Must(a.Raw(unix.SYS_GETEGID)))
		Expect([]uint32{perm.UID, perm.CUID}).To(Equal([]uint32{uid, uid}))
		Expect([]uint32{perm.GID, perm.CGID}).To(Equal([]uint32{gid, gid}))
	})

	Clause("shmget.effective-ids", func() {
		a := actor.New()
		b := a.Fork()
		uid, gid := FreshUser(), FreshUser()
		Must(b.Setresgid(FreshUser(), gid, FreshUser()))
		Must(b.Setresuid(FreshUser(), uid, FreshUser()))
		perm := segment(a, expectMade(b.Shmget(private, 2, 0o600), private, 2, 0o600)).Perm
		Expect([]uint32{perm.UID, perm.CUID}).To(Equal([]uint32{uint32(uid), uint32(uid)}))
		Expect([]uint32{perm.GID, perm.CGID}).To(Equal([]uint32{uint32(gid), uint32(gid)}))
	})

	Clause("shmget.fresh-fields", func() {
		a := actor.New()
		ds := segment(a, expectMade(a.Shmget(private, shmPage, 0o600), private, shmPage, 0o600))
		Expect([]int64{int64(ds.Lpid), ds.Nattch, ds.Atime, ds.Dtime}).To(Equal([]int64{0, 0, 0, 0}))
	})

	Clause("shmget.ctime", func() {
		a := actor.New()
		before := ipcNow(a)
		id := expectMade(a.Shmget(private, shmPage, 0o600), private, shmPage, 0o600)
		after := ipcNow(a)
		Expect(segment(a, id).Ctime).To(withinIPC(before, after))
	})

	Clause("shmget.cpid", func() {
		a := actor.New()
		b := a.Fork()
		id := expectMade(b.Shmget(private, shmPage, 0o600), private, shmPage, 0o600)
		at := expectAttached(a.Shmat(id, nil, 0))
		expectNattch(a, id, 1)
		Must(a.Shmdt(at))
		ds := segment(a, id)
		Expect(ds.Cpid).To(Equal(Must(b.Getpid())))
		Expect(ds.Lpid).To(Equal(Must(a.Getpid())))
	})
})

var _ = Describe("The size of a segment", func() {
	Clause("shmget.size-zero", func() {
		a := actor.New()
		Expect(a.Shmget(private, 0, 0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Shmget(shmKey(), 0, creat|0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Shmget(shmKey(), 0, 0)).To(FailWith(unix.ENOENT))
		expectSegments(a, 0)
	})

	Clause("shmget.size-one", func() {
		a := actor.New()
		expectMade(a.Shmget(private, 1, 0o600), private, 1, 0o600)
	})

	Clause("shmget.shmmax", func() {
		a := actor.New()
		setShm(a, "shmmax", 2*shmPage+1)
		Expect(a.Shmget(private, 2*shmPage+2, 0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Shmget(shmKey(), 2*shmPage+2, creat|0o600)).To(FailWith(unix.EINVAL))
		expectSegments(a, 0)
		expectMade(a.Shmget(private, 2*shmPage+1, 0o600), private, 2*shmPage+1, 0o600)
		setShm(a, "shmmax", 2*shmPage+2)
		expectMade(a.Shmget(shmKey(), 2*shmPage+2, creat|0o600), shmKey(), 2*shmPage+2, 0o600)
		expectSegments(a, 2)
	})

	Clause("shmget.larger-than-existing", func() {
		a := actor.New()
		id := expectMade(a.Shmget(shmKey(), 100, creat|0o600), shmKey(), 100, 0o600)
		// The rest of the last page is not part of what was asked for.
		for _, size := range []int{101, shmPage, shmPage + 1, 1 << 30} {
			Expect(a.Shmget(shmKey(), size, 0)).To(FailWith(unix.EINVAL), "size %d", size)
			Expect(a.Shmget(shmKey(), size, creat|0o600)).To(FailWith(unix.EINVAL), "size %d", size)
		}
		Expect(segment(a, id).Segsz).To(BeEquivalentTo(100))
		expectSegments(a, 1)
	})

	Clause("shmget.smaller-than-existing", func() {
		a := actor.New()
		id := expectMade(a.Shmget(shmKey(), 100, creat|0o600), shmKey(), 100, 0o600)
		for _, size := range []int{0, 1, 99, 100} {
			Expect(a.Shmget(shmKey(), size, 0)).To(Return(id), "size %d", size)
			Expect(a.Shmget(shmKey(), size, creat|0o600)).To(Return(id), "size %d", size)
		}
		Expect(segment(a, id).Segsz).To(BeEquivalentTo(100))
	})
})

var _ = Describe("The limits of shared memory", func() {
	Clause("shmget.shmmni", func() {
		a := actor.New()
		setShm(a, "shmmni", 3)
		id := expectMade(a.Shmget(shmKey(), 1, creat|0o600), shmKey(), 1, 0o600)
		expectMade(a.Shmget(private, 2, 0o600), private, 2, 0o600)
		expectMade(a.Shmget(private, 3, 0o600), private, 3, 0o600)
		for _, caller := range []*actor.Actor{a, a.Fork()} {
			Expect(caller.Shmget(private, shmPage, 0o600)).To(FailWith(unix.ENOSPC))
			Expect(caller.Shmget(shmKey()+1, shmPage, creat|0o600)).To(FailWith(unix.ENOSPC))
		}
		Expect(a.Shmget(shmKey()+1, 0, 0)).To(FailWith(unix.ENOENT))
		Expect(a.Shmget(shmKey(), 0, creat|0o600)).To(Return(id))
		Expect([]uint64{uint64(usage(a).UsedIDs), usage(a).Tot}).To(Equal([]uint64{3, 3}))

		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		expectMade(a.Shmget(private, 4, 0o600), private, 4, 0o600)
		Expect(a.Shmget(private, shmPage, 0o600)).To(FailWith(unix.ENOSPC))
		setShm(a, "shmmni", 4)
		expectMade(a.Shmget(private, 5, 0o600), private, 5, 0o600)
	})

	Clause("shmget.shmall", func() {
		a := actor.New()
		setShm(a, "shmall", 4)
		id := expectMade(a.Shmget(private, 2*shmPage+1, 0o600), private, 2*shmPage+1, 0o600) // which takes three
		Expect(a.Shmget(private, shmPage+1, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(a.Shmget(shmKey(), shmPage+1, creat|0o600)).To(FailWith(unix.ENOSPC))
		Expect(usage(a).Tot).To(BeEquivalentTo(3))
		expectMade(a.Shmget(private, shmPage, 0o600), private, shmPage, 0o600)
		Expect(a.Shmget(private, 1, 0o600)).To(FailWith(unix.ENOSPC))
		expectSegments(a, 2)

		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		expectMade(a.Shmget(private, 3*shmPage, 0o600), private, 3*shmPage, 0o600)
		Expect(a.Shmget(private, 1, 0o600)).To(FailWith(unix.ENOSPC))
		setShm(a, "shmall", 5)
		expectMade(a.Shmget(private, 2, 0o600), private, 2, 0o600)
	})

	Clause("shmget.shmall-counts-marked", func() {
		a := actor.New()
		setShm(a, "shmall", 2)
		id := expectMade(a.Shmget(private, 2*shmPage, 0o600), private, 2*shmPage, 0o600)
		at := attach(a, id, 0)
		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		Expect(a.Shmget(private, 1, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(usage(a).Tot).To(BeEquivalentTo(2))
		Must(a.Shmdt(at))
		expectMade(a.Shmget(private, 2*shmPage, 0o640), private, 2*shmPage, 0o640)
		Expect(usage(a).Tot).To(BeEquivalentTo(2))
	})

	Clause("shmget.default-limits", func() {
		a := actor.New()
		info := a.ShmIPCInfo()
		Expect(info).To(Return(Must(a.ShmUsage())))
		limits := info.Shminfo()
		// ULONG_MAX less 2^24.
		Expect([]uint64{limits.Max, limits.All}).To(Equal([]uint64{math.MaxUint64 - 1<<24, math.MaxUint64 - 1<<24}))
		Expect(limits.Mni).To(BeEquivalentTo(4096))
	})

	Clause("shmget.many-in-one-process", func() {
		a := actor.New()
		const many = 130 // SHMSEG was 128, where there was such a limit
		for i := range many {
			id := expectMade(a.Shmget(private, 2+i, 0o600), private, 2+i, 0o600)
			expectAttached(a.Shmat(id, nil, 0))
			expectNattch(a, id, 1)
		}
		expectSegments(a, many)
	})

	Clause("shmget.enfile", func() {
		a := actor.New()
		a.ExhaustFiles()
		Expect(a.Shmget(private, shmPage, 0o600)).To(FailWith(unix.ENFILE))
		expectSegments(a, 0)
	})
})

// moreThanMemory is more than any machine has of memory and swap together, and less than what a file
// can have.
const moreThanMemory = 1 << 56

// presupposeHeuristic ends a spec where the kernel does not refuse obvious overcommits of memory only.
func presupposeHeuristic(a *actor.Actor) {
	mode := strings.TrimSpace(a.ReadFile("/proc/sys/vm/overcommit_memory"))
	Presuppose(mode == "0", "vm.overcommit_memory to be 0, not %s", mode)
}

var _ = Describe("SHM_NORESERVE", func() {
	Clause("shmget.reserves", func() {
		a := actor.New()
		presupposeHeuristic(a)
		Expect(a.Shmget(private, moreThanMemory, 0o600)).To(FailWith(unix.ENOMEM))
		expectSegments(a, 0)
		Expect(usage(a).Tot).To(BeZero())
	})

	Clause("shmget.noreserve", func() {
		a := actor.New()
		presupposeHeuristic(a)
		for _, key := range []int{private, shmKey()} {
			id := expectMade(a.Shmget(key, moreThanMemory, creat|actor.SHM_NORESERVE|0o600), key, moreThanMemory, 0o600)
			Must(a.Shmctl(id, actor.IPC_RMID, nil))
		}
	})

	Clause("shmget.noreserve-usable", func() {
		a := actor.New()
		b := a.Fork()
		id := expectMade(a.Shmget(private, 2*shmPage, actor.SHM_NORESERVE|0o600), private, 2*shmPage, 0o600)
		one, other := expectAttached(a.Shmat(id, nil, 0)), expectAttached(b.Shmat(id, nil, 0))
		expectNattch(a, id, 2)
		expectHolds(a, one, zeros(2*shmPage))
		put(a, one.At(2*shmPage-3), "end")
		expectHolds(b, other.At(2*shmPage-3), "end")
	})
})

// A huge page's size is encoded as its binary logarithm.
const shmHugeShift = 26

// hugePages returns the numbers in /proc/meminfo about huge pages.
func hugePages(a *actor.Actor) map[string]int {
	numbers := map[string]int{}
	for _, line := range strings.Split(a.ReadFile("/proc/meminfo"), "\n") {
		var name string
		var n int
		if _, err := fmt.Sscan(strings.Replace(line, ":", "", 1), &name, &n); err == nil {
			numbers[name] = n
		}
	}
	return numbers
}

var _ = Describe("SHM_HUGETLB", func() {
	Clause("shmget.huge-unprivileged", func() {
		a := actor.New()
		a.SetRlimit(unix.RLIMIT_MEMLOCK, 0)
		Expect(a.Shmget(private, 1<<21, actor.SHM_HUGETLB|0o600)).To(FailWith(unix.EPERM))
		Expect(a.Shmget(shmKey(), 1<<21, creat|actor.SHM_HUGETLB|0o600)).To(FailWith(unix.EPERM))
		expectSegments(a, 0)
	})

	Clause("shmget.huge-none-left", func() {
		a := actor.New()
		pages := hugePages(a)
		overcommit := strings.TrimSpace(a.ReadFile("/proc/sys/vm/nr_overcommit_hugepages"))
		Presuppose(pages["HugePages_Free"] == 0 && overcommit == "0", "that no huge pages are to be had")
		size := pages["Hugepagesize"] << 10
		Expect(a.Shmget(private, size, actor.SHM_HUGETLB|0o600)).To(FailWith(unix.ENOMEM))
		Expect(a.Shmget(shmKey(), size, creat|actor.SHM_HUGETLB|0o600)).To(FailWith(unix.ENOMEM))
		expectSegments(a, 0)
		expectMade(a.Shmget(private, size, 0o600), private, size, 0o600)
	})

	Clause("shmget.huge", func() {
		a := actor.New()
		actor.ChangeFile("/proc/sys/vm/nr_hugepages", "2")
		pages := hugePages(a)
		size := pages["Hugepagesize"] << 10
		Presuppose(pages["HugePages_Free"] >= 2, "memory for two huge pages")
		id := expectMade(a.Shmget(private, size+1, actor.SHM_HUGETLB|0o600), private, size+1, 0o600)
		at := expectAttached(a.Shmat(id, nil, 0))
		Expect(at.Addr % uint64(size)).To(BeZero())
		put(a, at.At(2*size-3), "end")
		Expect(hugePages(a)["HugePages_Free"]).To(BeNumerically("<", pages["HugePages_Free"]))
	})

	Clause("shmget.huge-sizes", func() {
		a := actor.New()
		pages := hugePages(a)
		size, free := pages["Hugepagesize"]<<10, pages["HugePages_Free"]
		overcommit := strings.TrimSpace(a.ReadFile("/proc/sys/vm/nr_overcommit_hugepages"))
		Presuppose(overcommit == "0", "that there are no more huge pages than the pool has")
		log := 0
		for 1<<log < size {
			log++
		}
		// The default size by its number does what it does without.
		unnamed := a.Shmget(private, size, actor.SHM_HUGETLB|0o600)
		named := a.Shmget(private, size, log<<shmHugeShift|actor.SHM_HUGETLB|0o600)
		for _, get := range []*actor.Call{unnamed, named} {
			if free < 2 {
				Expect(get).To(FailWith(unix.ENOMEM))
			} else {
				expectMade(get, private, size, 0o600)
			}
		}
		// Without the flag the bits say nothing.
		expectMade(a.Shmget(private, size, log<<shmHugeShift|0o640), private, size, 0o640)
		for _, strange := range []int{1, 13, 40, 63} {
			Expect(a.Shmget(private, size, strange<<shmHugeShift|actor.SHM_HUGETLB|0o600)).To(FailWith(unix.EINVAL), "2^%d", strange)
		}
	})
})
