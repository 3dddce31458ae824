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
			one, other := a.Shmget(private, shmPage, flags), a.Shmget(private, shmPage, flags)
			Expect(one).To(ReturnSuccess())
			Expect(other).To(ReturnSuccess())
			Expect(one.Value()).NotTo(Equal(other.Value()))
			Expect(segment(a, one.Value()).Perm.Key).To(BeEquivalentTo(private))
			put(a, attach(a, one.Value(), 0), "one")
			expectHolds(a, attach(a, other.Value(), 0), zeros(3))
		}
		expectSegments(a, 8)
	})

	Clause("shmget.finds", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(a.Shmget(shmKey, shmPage, creat|0o600))
		other := Must(a.Shmget(shmKey+1, shmPage, creat|0o600))
		Expect(other).NotTo(Equal(id))
		put(a, attach(a, id, 0), "found")
		Expect(b.Shmget(shmKey, 0, 0)).To(Return(id))
		Expect(b.Shmget(shmKey+1, 0, 0)).To(Return(other))
		expectHolds(b, attach(b, id, 0), "found")
		expectSegments(a, 2)
	})

	Clause("shmget.creat-new", func() {
		a := actor.New()
		b := a.Fork()
		made := a.Shmget(shmKey, shmPage, creat|0o600)
		Expect(made).To(ReturnSuccess())
		Expect(segment(a, made.Value()).Perm.Key).To(BeEquivalentTo(shmKey))
		Expect(b.Shmget(shmKey, shmPage, 0o600)).To(Return(made.Value()))
		expectSegments(a, 1)
	})

	Clause("shmget.creat-existing", func() {
		a := actor.New()
		id := Must(a.Shmget(shmKey, shmPage, creat|0o600))
		put(a, attach(a, id, 0), "kept")
		before := segment(a, id)
		Expect(a.Shmget(shmKey, shmPage, creat|0o666)).To(Return(id))
		Expect(segment(a, id)).To(Equal(before))
		expectHolds(a, attach(a, id, 0), "kept")
		expectSegments(a, 1)
	})

	Clause("shmget.excl-existing", func() {
		a := actor.New()
		id := Must(a.Shmget(shmKey, shmPage, creat|0o600))
		before := segment(a, id)
		for _, caller := range []*actor.Actor{a, a.Fork()} {
			Expect(caller.Shmget(shmKey, shmPage, creat|excl|0o600)).To(FailWith(unix.EEXIST))
		}
		Expect(segment(a, id)).To(Equal(before))
		Expect(a.Shmget(shmKey, 0, 0)).To(Return(id))
		expectSegments(a, 1)
	})

	Clause("shmget.excl-new", func() {
		a := actor.New()
		made := a.Shmget(shmKey, shmPage, creat|excl|0o600)
		Expect(made).To(ReturnSuccess())
		Expect(a.Shmget(shmKey, 0, 0)).To(Return(made.Value()))
		expectSegments(a, 1)
	})

	Clause("shmget.enoent", func() {
		a := actor.New()
		Must(a.Shmget(shmKey, shmPage, creat|0o600))
		for _, key := range []int{shmKey - 1, shmKey + 1, -1, math.MinInt32} {
			Expect(a.Shmget(key, shmPage, 0o600)).To(FailWith(unix.ENOENT), "key %#x", key)
		}
		expectSegments(a, 1)
	})

	Clause("shmget.key-extremes", func() {
		a := actor.New()
		for i, key := range []int{1, -1, math.MaxInt32, math.MinInt32} {
			made := a.Shmget(key, shmPage, creat|excl|0o600)
			Expect(made).To(ReturnSuccess(), "key %#x", key)
			Expect(a.Shmget(key, 0, 0)).To(Return(made.Value()))
			Expect(segment(a, made.Value()).Perm.Key).To(BeEquivalentTo(key))
			expectSegments(a, i+1)
		}
	})

	Clause("shmget.key-after-removal", func() {
		a := actor.New()
		old := Must(a.Shmget(shmKey, shmPage, creat|0o600))
		at := attach(a, old, 0)
		put(a, at, "old")
		Must(a.Shmdt(at))
		Must(a.Shmctl(old, actor.IPC_RMID, nil))
		Expect(a.Shmget(shmKey, 0, 0)).To(FailWith(unix.ENOENT))
		made := a.Shmget(shmKey, shmPage, creat|excl|0o600)
		Expect(made).To(ReturnSuccess())
		Expect(made.Value()).NotTo(Equal(old))
		expectHolds(a, attach(a, made.Value(), 0), zeros(3))
		expectSegments(a, 1)
	})

	Clause("shmget.key-of-marked", func() {
		a := actor.New()
		old := Must(a.Shmget(shmKey, shmPage, creat|0o600))
		at := attach(a, old, 0)
		put(a, at, "old")
		Must(a.Shmctl(old, actor.IPC_RMID, nil))
		Expect(a.Shmget(shmKey, 0, 0)).To(FailWith(unix.ENOENT))
		made := a.Shmget(shmKey, shmPage, creat|excl|0o600)
		Expect(made).To(ReturnSuccess())
		Expect(made.Value()).NotTo(Equal(old))
		expectHolds(a, attach(a, made.Value(), 0), zeros(3))
		expectHolds(a, at, "old")
		expectSegments(a, 2)
	})
})

var _ = Describe("A new segment", func() {
	Clause("shmget.zero-filled", func() {
		a := actor.New()
		// Pages that somebody has used before, so that a kernel which does not clear them shows it.
		used := newSegment(a, 3*shmPage)
		at := attach(a, used, 0)
		put(a, at, strings.Repeat("x", 3*shmPage))
		Must(a.Shmdt(at))
		Must(a.Shmctl(used, actor.IPC_RMID, nil))

		id := newSegment(a, 2*shmPage+1)
		expectHolds(a, attach(a, id, actor.SHM_RDONLY), zeros(3*shmPage))
	})

	Clause("shmget.rounded-to-pages", func() {
		a := actor.New()
		b := a.Fork()
		faults(b)
		var total uint64
		for _, size := range []int{1, shmPage - 1, shmPage, shmPage + 1, 3 * shmPage} {
			pages := (size + shmPage - 1) / shmPage
			id := newSegment(a, size)
			total += uint64(pages)
			Expect(a.ShmUsage().ShmInfo().Tot).To(Equal(total), "size %d", size)

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
			Expect(segment(a, newSegment(a, size)).Segsz).To(BeEquivalentTo(size))
		}
	})

	Clause("shmget.mode", func() {
		a := actor.New()
		Must(a.Umask(0o077))
		for _, mode := range []int{0, 0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o777, 0o640} {
			id := Must(a.Shmget(private, shmPage, mode))
			Expect(segment(a, id).Perm.Mode).To(BeEquivalentTo(mode))
		}
		id := Must(a.Shmget(shmKey, shmPage, creat|excl|actor.SHM_NORESERVE|0o421))
		Expect(segment(a, id).Perm.Mode).To(BeEquivalentTo(0o421))
	})

	Clause("shmget.owner-and-creator", func() {
		a := actor.New()
		perm := segment(a, newSegment(a, 1)).Perm
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
		perm := segment(a, newSegment(b, 1)).Perm
		Expect([]uint32{perm.UID, perm.CUID}).To(Equal([]uint32{uint32(uid), uint32(uid)}))
		Expect([]uint32{perm.GID, perm.CGID}).To(Equal([]uint32{uint32(gid), uint32(gid)}))
	})

	Clause("shmget.fresh-fields", func() {
		a := actor.New()
		ds := segment(a, newSegment(a, shmPage))
		Expect([]int64{int64(ds.Lpid), ds.Nattch, ds.Atime, ds.Dtime}).To(Equal([]int64{0, 0, 0, 0}))
	})

	Clause("shmget.ctime", func() {
		a := actor.New()
		before := kernelSecond(a)
		id := newSegment(a, shmPage)
		after := kernelSecond(a)
		Expect(segment(a, id).Ctime).To(And(BeNumerically(">=", before), BeNumerically("<=", after)))
	})

	Clause("shmget.cpid", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(b, shmPage)
		Must(a.Shmdt(attach(a, id, 0)))
		ds := segment(a, id)
		Expect(ds.Cpid).To(Equal(Must(b.Getpid())))
		Expect(ds.Lpid).To(Equal(Must(a.Getpid())))
	})
})

var _ = Describe("The size of a segment", func() {
	Clause("shmget.size-zero", func() {
		a := actor.New()
		Expect(a.Shmget(private, 0, 0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Shmget(shmKey, 0, creat|0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Shmget(shmKey, 0, 0)).To(FailWith(unix.ENOENT))
		expectSegments(a, 0)
	})

	Clause("shmget.size-one", func() {
		a := actor.New()
		made := a.Shmget(private, 1, 0o600)
		Expect(made).To(ReturnSuccess())
		Expect(segment(a, made.Value()).Segsz).To(BeEquivalentTo(1))
	})

	Clause("shmget.shmmax", func() {
		a := actor.New()
		setShm(a, "shmmax", 2*shmPage+1)
		Expect(a.Shmget(private, 2*shmPage+2, 0o600)).To(FailWith(unix.EINVAL))
		Expect(a.Shmget(shmKey, 2*shmPage+2, creat|0o600)).To(FailWith(unix.EINVAL))
		expectSegments(a, 0)
		Expect(a.Shmget(private, 2*shmPage+1, 0o600)).To(ReturnSuccess())
		setShm(a, "shmmax", 2*shmPage+2)
		Expect(a.Shmget(shmKey, 2*shmPage+2, creat|0o600)).To(ReturnSuccess())
		expectSegments(a, 2)
	})

	Clause("shmget.larger-than-existing", func() {
		a := actor.New()
		id := Must(a.Shmget(shmKey, 100, creat|0o600))
		// The rest of the last page is not part of what was asked for.
		for _, size := range []int{101, shmPage, shmPage + 1, 1 << 30} {
			Expect(a.Shmget(shmKey, size, 0)).To(FailWith(unix.EINVAL), "size %d", size)
			Expect(a.Shmget(shmKey, size, creat|0o600)).To(FailWith(unix.EINVAL), "size %d", size)
		}
		Expect(segment(a, id).Segsz).To(BeEquivalentTo(100))
		expectSegments(a, 1)
	})

	Clause("shmget.smaller-than-existing", func() {
		a := actor.New()
		id := Must(a.Shmget(shmKey, 100, creat|0o600))
		for _, size := range []int{0, 1, 99, 100} {
			Expect(a.Shmget(shmKey, size, 0)).To(Return(id), "size %d", size)
			Expect(a.Shmget(shmKey, size, creat|0o600)).To(Return(id), "size %d", size)
		}
		Expect(segment(a, id).Segsz).To(BeEquivalentTo(100))
	})
})

var _ = Describe("The limits of shared memory", func() {
	Clause("shmget.shmmni", func() {
		a := actor.New()
		setShm(a, "shmmni", 3)
		id := Must(a.Shmget(shmKey, shmPage, creat|0o600))
		newSegment(a, shmPage)
		Expect(a.Shmget(private, shmPage, 0o600)).To(ReturnSuccess())
		for _, caller := range []*actor.Actor{a, a.Fork()} {
			Expect(caller.Shmget(private, shmPage, 0o600)).To(FailWith(unix.ENOSPC))
			Expect(caller.Shmget(shmKey+1, shmPage, creat|0o600)).To(FailWith(unix.ENOSPC))
		}
		Expect(a.Shmget(shmKey+1, 0, 0)).To(FailWith(unix.ENOENT))
		Expect(a.Shmget(shmKey, shmPage, creat|0o600)).To(Return(id))
		usage := a.ShmUsage().ShmInfo()
		Expect([]uint64{uint64(usage.UsedIDs), usage.Tot}).To(Equal([]uint64{3, 3}))

		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		Expect(a.Shmget(private, shmPage, 0o600)).To(ReturnSuccess())
		Expect(a.Shmget(private, shmPage, 0o600)).To(FailWith(unix.ENOSPC))
		setShm(a, "shmmni", 4)
		Expect(a.Shmget(private, shmPage, 0o600)).To(ReturnSuccess())
	})

	Clause("shmget.shmall", func() {
		a := actor.New()
		setShm(a, "shmall", 4)
		id := newSegment(a, 2*shmPage+1) // which takes three
		Expect(a.Shmget(private, shmPage+1, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(a.Shmget(shmKey, shmPage+1, creat|0o600)).To(FailWith(unix.ENOSPC))
		Expect(a.ShmUsage().ShmInfo().Tot).To(BeEquivalentTo(3))
		Expect(a.Shmget(private, shmPage, 0o600)).To(ReturnSuccess())
		Expect(a.Shmget(private, 1, 0o600)).To(FailWith(unix.ENOSPC))
		expectSegments(a, 2)

		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		Expect(a.Shmget(private, 3*shmPage, 0o600)).To(ReturnSuccess())
		Expect(a.Shmget(private, 1, 0o600)).To(FailWith(unix.ENOSPC))
		setShm(a, "shmall", 5)
		Expect(a.Shmget(private, 1, 0o600)).To(ReturnSuccess())
	})

	Clause("shmget.shmall-counts-marked", func() {
		a := actor.New()
		setShm(a, "shmall", 2)
		id := newSegment(a, 2*shmPage)
		at := attach(a, id, 0)
		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		Expect(a.Shmget(private, 1, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(a.ShmUsage().ShmInfo().Tot).To(BeEquivalentTo(2))
		Must(a.Shmdt(at))
		Expect(a.Shmget(private, 2*shmPage, 0o600)).To(ReturnSuccess())
		Expect(a.ShmUsage().ShmInfo().Tot).To(BeEquivalentTo(2))
	})

	Clause("shmget.default-limits", func() {
		a := actor.New()
		info := a.ShmIPCInfo()
		Expect(info).To(ReturnSuccess())
		limits := info.Shminfo()
		// ULONG_MAX less 2^24.
		Expect([]uint64{limits.Max, limits.All}).To(Equal([]uint64{math.MaxUint64 - 1<<24, math.MaxUint64 - 1<<24}))
		Expect(limits.Mni).To(BeEquivalentTo(4096))
	})

	Clause("shmget.many-in-one-process", func() {
		a := actor.New()
		const many = 130 // SHMSEG was 128, where there was such a limit
		for range many {
			made := a.Shmget(private, 1, 0o600)
			Expect(made).To(ReturnSuccess())
			Expect(a.Shmat(made.Value(), nil, 0)).To(ReturnSuccess())
		}
		expectSegments(a, many)
	})

	Clause("shmget.enfile", func() {
		a := actor.New()
		// All files that are open in the system are more than this.
		actor.ChangeFile("/proc/sys/fs/file-max", "1")
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
		Expect(a.ShmUsage().ShmInfo().Tot).To(BeZero())
	})

	Clause("shmget.noreserve", func() {
		a := actor.New()
		presupposeHeuristic(a)
		for _, key := range []int{private, shmKey} {
			made := a.Shmget(key, moreThanMemory, creat|actor.SHM_NORESERVE|0o600)
			Expect(made).To(ReturnSuccess())
			ds := segment(a, made.Value())
			Expect(ds.Segsz).To(BeEquivalentTo(moreThanMemory))
			Expect(ds.Perm.Mode).To(BeEquivalentTo(0o600))
			Must(a.Shmctl(made.Value(), actor.IPC_RMID, nil))
		}
	})

	Clause("shmget.noreserve-usable", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(a.Shmget(private, 2*shmPage, actor.SHM_NORESERVE|0o600))
		one, other := attach(a, id, 0), attach(b, id, 0)
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
		Expect(a.Shmget(shmKey, 1<<21, creat|actor.SHM_HUGETLB|0o600)).To(FailWith(unix.EPERM))
		expectSegments(a, 0)
	})

	Clause("shmget.huge-none-left", func() {
		a := actor.New()
		pages := hugePages(a)
		overcommit := strings.TrimSpace(a.ReadFile("/proc/sys/vm/nr_overcommit_hugepages"))
		Presuppose(pages["HugePages_Free"] == 0 && overcommit == "0", "that no huge pages are to be had")
		size := pages["Hugepagesize"] << 10
		Expect(a.Shmget(private, size, actor.SHM_HUGETLB|0o600)).To(FailWith(unix.ENOMEM))
		Expect(a.Shmget(shmKey, size, creat|actor.SHM_HUGETLB|0o600)).To(FailWith(unix.ENOMEM))
		expectSegments(a, 0)
		Expect(a.Shmget(private, size, 0o600)).To(ReturnSuccess())
	})

	Clause("shmget.huge", func() {
		a := actor.New()
		actor.ChangeFile("/proc/sys/vm/nr_hugepages", "2")
		pages := hugePages(a)
		size := pages["Hugepagesize"] << 10
		Presuppose(pages["HugePages_Free"] >= 2, "memory for two huge pages")
		made := a.Shmget(private, size+1, actor.SHM_HUGETLB|0o600)
		Expect(made).To(ReturnSuccess())
		Expect(segment(a, made.Value()).Segsz).To(BeEquivalentTo(size + 1))
		at := attach(a, made.Value(), 0)
		Expect(at.Addr % uint64(size)).To(BeZero())
		put(a, at.At(2*size-3), "end")
		Expect(hugePages(a)["HugePages_Free"]).To(BeNumerically("<", pages["HugePages_Free"]))
	})

	Clause("shmget.huge-sizes", func() {
		a := actor.New()
		size := hugePages(a)["Hugepagesize"] << 10
		log := 0
		for 1<<log < size {
			log++
		}
		// The default size by its number is the default size, available or not.
		unnamed := a.Shmget(private, size, actor.SHM_HUGETLB|0o600)
		named := a.Shmget(private, size, log<<shmHugeShift|actor.SHM_HUGETLB|0o600)
		Expect(unnamed.Errno()).To(BeElementOf(unix.Errno(0), unix.ENOMEM))
		Expect(named.Errno()).To(BeElementOf(unix.Errno(0), unix.ENOMEM))
		// Without the flag the bits say nothing.
		Expect(a.Shmget(private, size, log<<shmHugeShift|0o600)).To(ReturnSuccess())
		for _, strange := range []int{1, 13, 40, 63} {
			Expect(a.Shmget(private, size, strange<<shmHugeShift|actor.SHM_HUGETLB|0o600)).To(FailWith(unix.EINVAL), "2^%d", strange)
		}
	})
})
