package sysv

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("The address of an attachment", func() {
	Clause("shmat.address-chosen", func() {
		a := actor.New()
		id := newSegment(a, 2*shmPage)
		one, other := expectAttached(a.Shmat(id, nil, 0)), expectAttached(a.Shmat(id, nil, 0))
		distance := int64(one.Addr - other.Addr)
		Expect(max(distance, -distance)).To(BeNumerically(">=", 2*shmPage))
		put(a, one.At(shmPage), "both")
		expectHolds(a, other.At(shmPage), "both")
		expectNattch(a, id, 2)
	})

	Clause("shmat.address-unused", func() {
		a := actor.New()
		// What was at the addresses before is there still.
		at := actor.Mem{Addr: uint64(Must(a.Mmap(0, shmPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0)))}
		put(a, at, "mine")
		for range 3 {
			id := newSegment(a, 16*shmPage)
			put(a, expectAttached(a.Shmat(id, nil, 0)), "theirs")
			expectNattch(a, id, 1)
		}
		expectHolds(a, at, "mine")
	})

	Clause("shmat.address-exact", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, 2*shmPage)
		at := hole(a, 4).At(shmPage)
		Expect(a.Shmat(id, at, 0)).To(Return(int(at.Addr)))
		put(a, at.At(shmPage), "here")
		expectHolds(b, attach(b, id, 0).At(shmPage), "here")
	})

	Clause("shmat.rnd", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		put(b, attach(b, id, 0), "low")
		for _, beyond := range []int{1, 8, shmPage / 2, shmPage - 1} {
			at := hole(a, 3).At(shmPage)
			Expect(a.Shmat(id, at.At(beyond), actor.SHM_RND)).To(Return(int(at.Addr)), "%d bytes beyond", beyond)
			expectHolds(a, at, "low")
			Must(a.Shmdt(at))
			expectNattch(a, id, 1)
		}
	})

	Clause("shmat.rnd-next-multiple", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := hole(a, 3)
		Expect(a.Shmat(id, at.At(shmPage), actor.SHM_RND)).To(Return(int(at.Addr) + shmPage))
		Expect(a.Shmat(id, at.At(shmPage-1), actor.SHM_RND)).To(Return(int(at.Addr)))
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(2))
	})

	Clause("shmat.unaligned", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		at := hole(a, 3).At(shmPage)
		for _, beyond := range []int{1, 8, shmPage / 2, shmPage - 1} {
			for _, flags := range []int{0, actor.SHM_RDONLY, actor.SHM_REMAP} {
				Expect(a.Shmat(id, at.At(beyond), flags)).To(FailWith(unix.EINVAL), "%d bytes beyond", beyond)
			}
		}
		Expect(segment(a, id)).To(Equal(before))
		faults(a)
		Expect(a.Load(at, 1)).To(FailWith(unix.EFAULT))
	})

	Clause("shmat.occupied", func() {
		a := actor.New()
		id := newSegment(a, 2*shmPage)
		before := segment(a, id)
		at := hole(a, 4)
		Must(a.Mmap(at.Addr+uint64(2*shmPage), shmPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED, -1, 0))
		put(a, at.At(2*shmPage), "mine")
		// Both pages in the way, and either of them.
		for _, page := range []int{1, 2} {
			Expect(a.Shmat(id, at.At(page*shmPage), 0)).To(FailWith(unix.EINVAL))
			Expect(a.Shmat(id, at.At(page*shmPage+1), actor.SHM_RND)).To(FailWith(unix.EINVAL))
		}
		expectHolds(a, at.At(2*shmPage), "mine")
		Expect(segment(a, id)).To(Equal(before))
		Expect(a.Shmat(id, at, 0)).To(Return(int(at.Addr)))
	})

	Clause("shmat.occupied-by-segment", func() {
		a := actor.New()
		one, other := newSegment(a, shmPage), newSegment(a, shmPage)
		at := attach(a, one, 0)
		put(a, at, "first")
		Expect(a.Shmat(other, at, 0)).To(FailWith(unix.EINVAL))
		Expect(a.Shmat(one, at, 0)).To(FailWith(unix.EINVAL))
		expectHolds(a, at, "first")
		Expect([]int64{segment(a, one).Nattch, segment(a, other).Nattch}).To(Equal([]int64{1, 0}))
	})

	Clause("shmat.remap", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, 2*shmPage)
		put(b, attach(b, id, 0), strings.Repeat("s", 2*shmPage))
		at := actor.Mem{Addr: uint64(Must(a.Mmap(0, 4*shmPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0)))}
		put(a, at, strings.Repeat("m", 4*shmPage))
		Expect(a.Shmat(id, at.At(shmPage), actor.SHM_REMAP)).To(Return(int(at.Addr) + shmPage))
		// The range of the segment's size and no more.
		expectHolds(a, at.At(shmPage-1), "ms")
		expectHolds(a, at.At(3*shmPage-1), "sm")
		put(a, at.At(shmPage), "r")
		expectNattch(a, id, 2)
		expectHolds(b, attach(b, id, 0), "rs")
		expectNattch(a, id, 3)
	})

	Clause("shmat.remap-free", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := hole(a, 1)
		Expect(a.Shmat(id, at, actor.SHM_REMAP)).To(Return(int(at.Addr)))
		expectHolds(a, at, zeros(1))
	})

	Clause("shmat.remap-segment", func() {
		a := actor.New()
		one, other := newSegment(a, shmPage), newSegment(a, shmPage)
		at := attach(a, one, 0)
		put(a, at, "one")
		Expect(a.Shmat(other, at, actor.SHM_REMAP)).To(Return(int(at.Addr)))
		expectHolds(a, at, zeros(3))
		Expect([]int64{segment(a, one).Nattch, segment(a, other).Nattch}).To(Equal([]int64{0, 1}))
	})

	Clause("shmat.remap-null", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		for _, flags := range []int{0, actor.SHM_RDONLY, actor.SHM_RND} {
			Expect(a.Shmat(id, nil, actor.SHM_REMAP|flags)).To(FailWith(unix.EINVAL))
		}
		Expect(segment(a, id)).To(Equal(before))
	})

	Clause("shmat.remap-rounded-to-null", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		for _, addr := range []int{1, shmPage - 1} {
			Expect(a.Shmat(id, addr, actor.SHM_REMAP|actor.SHM_RND)).To(FailWith(unix.EINVAL))
		}
		Expect(segment(a, id)).To(Equal(before))
	})

	Clause("shmat.brk", func() {
		a := actor.New()
		before := Must(a.Raw(unix.SYS_BRK, 0))
		id := newSegment(a, 16*shmPage)
		at := expectAttached(a.Shmat(id, nil, 0))
		expectNattch(a, id, 1)
		Expect(a.Raw(unix.SYS_BRK, 0)).To(Return(before))
		Expect(a.Shmdt(at)).To(Return(0))
		expectNattch(a, id, 0)
		Expect(a.Raw(unix.SYS_BRK, 0)).To(Return(before))
	})

	Clause("shmat.no-room", func() {
		a := actor.New()
		presupposeHeuristic(a)
		id := Must(a.Shmget(private, moreThanMemory, actor.SHM_NORESERVE|0o600))
		before := segment(a, id)
		Expect(a.Shmat(id, nil, 0)).To(FailWith(unix.ENOMEM))
		Expect(a.Shmat(id, nil, actor.SHM_RDONLY)).To(FailWith(unix.ENOMEM))
		Expect(segment(a, id).Nattch).To(Equal(before.Nattch))
	})
})

var _ = Describe("Access to an attachment", func() {
	Clause("shmat.read-write", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		one, other := expectAttached(a.Shmat(id, nil, 0)), expectAttached(b.Shmat(id, nil, 0))
		Expect(a.Store(one, []byte("ping"))).To(Return(0))
		expectHolds(b, other, "ping")
		Expect(b.Store(other, []byte("pong"))).To(Return(0))
		expectHolds(a, one, "pong")
		expectNattch(a, id, 2)
	})

	Clause("shmat.different-addresses", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, 2*shmPage)
		one, other := hole(a, 8).At(shmPage), hole(b, 16).At(5*shmPage)
		Expect(a.Shmat(id, one, 0)).To(Return(int(one.Addr)))
		Expect(b.Shmat(id, other, 0)).To(Return(int(other.Addr)))
		put(a, one.At(shmPage+7), "same")
		expectHolds(b, other.At(shmPage+7), "same")
	})

	Clause("shmat.kernel-reads-and-writes", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		one, other := attach(a, id, 0), attach(b, id, 0)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("by a call")))
		Expect(a.ReadInto(r, one, 9)).To(Return(9))
		expectHolds(b, other, "by a call")
		put(b, other, "and")
		Expect(a.WriteFrom(w, one, 6)).To(Return(6))
		Expect(a.Read(r, 10)).To(ReturnData("anda c"))
		expectNattch(a, id, 2)
	})

	Clause("shmat.rdonly", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		own := expectAttached(a.Shmat(id, nil, 0))
		put(a, own, "kept")
		at := expectAttached(b.Shmat(id, nil, actor.SHM_RDONLY))
		expectHolds(b, at, "kept")
		put(a, own, "more")
		expectHolds(b, at, "more")
		expectNattch(a, id, 2)
		Expect(b.Store(at, []byte("lost"))).To(BeKilledBy(unix.SIGSEGV))
		expectHolds(a, own, "more")
	})

	Clause("shmat.rdonly-kernel", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		put(a, attach(a, id, 0), "kept")
		at := expectAttached(a.Shmat(id, nil, actor.SHM_RDONLY))
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("lost")))
		Expect(a.ReadInto(r, at, 4)).To(FailWith(unix.EFAULT))
		expectHolds(a, at, "kept")
		expectNattch(a, id, 2)
	})

	Clause("shmat.rdonly-stays", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := expectAttached(a.Shmat(id, nil, actor.SHM_RDONLY))
		Expect(a.Raw(unix.SYS_MPROTECT, at, shmPage, unix.PROT_READ|unix.PROT_WRITE)).To(FailWith(unix.EACCES))
		faults(a)
		Expect(a.Store(at, []byte("x"))).To(FailWith(unix.EFAULT))
		expectHolds(a, at, zeros(1))
		expectNattch(a, id, 1)
	})

	Clause("shmat.rdonly-and-writable", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		read, write := expectAttached(a.Shmat(id, nil, actor.SHM_RDONLY)), expectAttached(a.Shmat(id, nil, 0))
		again := expectAttached(a.Shmat(id, nil, actor.SHM_RDONLY))
		put(a, write, "one")
		expectHolds(a, read, "one")
		expectHolds(a, again, "one")
		expectNattch(a, id, 3)
		faults(a)
		Expect(a.Store(read, []byte("x"))).To(FailWith(unix.EFAULT))
		Expect(a.Store(again, []byte("x"))).To(FailWith(unix.EFAULT))
	})

	Clause("shmat.exec", func() {
		a := actor.New()
		id := Must(a.Shmget(private, shmPage, 0o700))
		at := expectAttached(a.Shmat(id, nil, actor.SHM_EXEC))
		put(a, at, string(actor.CodeReturn))
		Expect(a.Execute(at)).To(ReturnSuccess())
		read := expectAttached(a.Shmat(id, nil, actor.SHM_EXEC|actor.SHM_RDONLY))
		Expect(a.Execute(read)).To(ReturnSuccess())
		expectNattch(a, id, 2)
		faults(a)
		Expect(a.Store(read, []byte("x"))).To(FailWith(unix.EFAULT))
	})

	Clause("shmat.without-exec", func() {
		a := actor.New()
		id := Must(a.Shmget(private, shmPage, 0o700))
		at := expectAttached(a.Shmat(id, nil, 0))
		put(a, at, string(actor.CodeReturn))
		expectNattch(a, id, 1)
		Expect(a.Execute(at)).To(BeKilledBy(unix.SIGSEGV))
	})

	Clause("shmat.exec-permission", func() {
		a := actor.New()
		for _, mode := range []int{0o600, 0o400, 0o677} {
			id := Must(a.Shmget(private, shmPage, mode))
			b := capableOnly(a)
			Expect(b.Shmat(id, nil, actor.SHM_EXEC|actor.SHM_RDONLY)).To(FailWith(unix.EACCES), "mode %#o", mode)
			Expect(b.Shmat(id, nil, actor.SHM_EXEC)).To(FailWith(unix.EACCES), "mode %#o", mode)
			ds := segment(a, id)
			Expect(ds.Nattch).To(BeZero())
			ds.Perm.Mode |= 0o100
			setPerm(a, id, ds.Perm)
			put(a, attach(a, id, 0), string(actor.CodeReturn))
			at := expectAttached(b.Shmat(id, nil, actor.SHM_EXEC|actor.SHM_RDONLY))
			Expect(b.Execute(at)).To(ReturnSuccess())
			faults(b)
			Expect(b.Store(at, []byte("x"))).To(FailWith(unix.EFAULT))
			expectNattch(a, id, 2)
		}
	})
})

var _ = Describe("What shmat and shmdt record", func() {
	Clause("shmat.records", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		made := segment(a, id)
		before := ipcNow(a)
		expectAttached(b.Shmat(id, nil, 0))
		after := ipcNow(a)
		ds := segment(a, id)
		Expect(ds.Atime).To(withinIPC(before, after))
		Expect(ds.Lpid).To(Equal(Must(b.Getpid())))
		Expect(ds.Nattch).To(BeEquivalentTo(1))
		// And nothing else.
		made.Atime, made.Lpid, made.Nattch = ds.Atime, ds.Lpid, ds.Nattch
		Expect(ds).To(Equal(made))
	})

	Clause("shmat.nattch", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		for i, caller := range []*actor.Actor{a, b, b, a} {
			expectAttached(caller.Shmat(id, nil, i&1*actor.SHM_RDONLY))
			Expect(segment(a, id).Nattch).To(BeEquivalentTo(i + 1))
			Expect(segment(a, id).Lpid).To(Equal(Must(caller.Getpid())))
		}
	})

	Clause("shmdt.records", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		at := attach(b, id, 0)
		attach(a, id, 0)
		attached := segment(a, id)
		Expect([]int64{attached.Dtime, int64(attached.Lpid)}).To(Equal([]int64{0, int64(Must(a.Getpid()))}))
		before := ipcNow(a)
		Expect(b.Shmdt(at)).To(Return(0))
		after := ipcNow(a)
		ds := segment(a, id)
		Expect(ds.Dtime).To(withinIPC(before, after))
		Expect(ds.Lpid).To(Equal(Must(b.Getpid())))
		Expect(ds.Nattch).To(BeEquivalentTo(1))
		attached.Dtime, attached.Lpid, attached.Nattch = ds.Dtime, ds.Lpid, ds.Nattch
		Expect(ds).To(Equal(attached))
	})

	Clause("shmat.failure-records-nothing", func() {
		a := actor.New()
		b := capableOnly(a)
		id := Must(a.Shmget(private, shmPage, 0o400))
		before := segment(a, id)
		Expect(b.Shmat(id, nil, 0)).To(FailWith(unix.EACCES))
		Expect(b.Shmat(id, 1, actor.SHM_RDONLY)).To(FailWith(unix.EINVAL))
		Expect(segment(a, id)).To(Equal(before))
	})
})

var _ = Describe("shmdt", func() {
	Clause("shmdt.detaches", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, 2*shmPage)
		one, other := attach(a, id, 0), attach(b, id, 0)
		put(a, one, "kept")
		Expect(a.Shmdt(one)).To(Return(0))
		faults(a)
		Expect(a.Load(one, 1)).To(FailWith(unix.EFAULT))
		Expect(a.Load(one.At(shmPage), 1)).To(FailWith(unix.EFAULT))
		expectHolds(b, other, "kept")
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
	})

	Clause("shmdt.content-kept", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		put(a, at, "kept")
		Expect(a.Shmdt(at)).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeZero())
		expectHolds(a, attach(a, id, 0), "kept")
	})

	Clause("shmdt.one-of-two", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		one, other := attach(a, id, 0), attach(a, id, 0)
		put(a, one, "kept")
		Expect(a.Shmdt(one)).To(Return(0))
		expectHolds(a, other, "kept")
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
		Expect(a.Shmdt(other)).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeZero())
	})

	Clause("shmdt.twice", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		attach(a, id, 0)
		at := attach(a, id, 0)
		Must(a.Shmdt(at))
		Expect(a.Shmdt(at)).To(FailWith(unix.EINVAL))
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
	})

	Clause("shmdt.inner-address", func() {
		a := actor.New()
		id := newSegment(a, 3*shmPage)
		at := attach(a, id, 0)
		put(a, at, "kept")
		before := segment(a, id)
		Expect(a.Shmdt(at.At(shmPage))).To(FailWith(unix.EINVAL))
		Expect(a.Shmdt(at.At(2 * shmPage))).To(FailWith(unix.EINVAL))
		expectHolds(a, at, "kept")
		expectHolds(a, at.At(2*shmPage), zeros(shmPage))
		Expect(segment(a, id)).To(Equal(before))
	})

	Clause("shmdt.unaligned", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		before := segment(a, id)
		for _, beyond := range []int{1, 8, shmPage - 1} {
			Expect(a.Shmdt(at.At(beyond))).To(FailWith(unix.EINVAL), "%d bytes beyond", beyond)
		}
		expectHolds(a, at, zeros(1))
		Expect(segment(a, id)).To(Equal(before))
	})

	Clause("shmdt.nothing-there", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		attach(a, id, 0)
		before := segment(a, id)
		mine := actor.Mem{Addr: uint64(Must(a.Mmap(0, shmPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0)))}
		put(a, mine, "mine")
		for _, addr := range []any{nil, a.Unmapped(), mine, hole(a, 1)} {
			Expect(a.Shmdt(addr)).To(FailWith(unix.EINVAL))
		}
		expectHolds(a, mine, "mine")
		Expect(segment(a, id)).To(Equal(before))
	})

	Clause("shmdt.address-of-other-process", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		Expect(b.Shmdt(at)).To(FailWith(unix.EINVAL))
		expectHolds(a, at, zeros(1))
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
	})

	Clause("shmdt.rounded-address", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := hole(a, 1)
		Must(a.Shmat(id, at.At(5), actor.SHM_RND))
		Expect(a.Shmdt(at.At(5))).To(FailWith(unix.EINVAL))
		Expect(a.Shmdt(at)).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeZero())
	})

	Clause("shmdt.after-mprotect", func() {
		a := actor.New()
		id := newSegment(a, 3*shmPage)
		at := attach(a, id, 0)
		Must(a.Raw(unix.SYS_MPROTECT, at.At(shmPage), shmPage, unix.PROT_READ))
		Expect(a.Shmdt(at)).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeZero())
		faults(a)
		for page := range 3 {
			Expect(a.Load(at.At(page*shmPage), 1)).To(FailWith(unix.EFAULT))
		}
	})

	Clause("shmdt.after-munmap-of-a-part", func() {
		a := actor.New()
		id := newSegment(a, 3*shmPage)
		at := attach(a, id, 0)
		Must(a.Munmap(at.Addr+uint64(shmPage), shmPage))
		Expect(segment(a, id).Nattch).NotTo(BeZero())
		expectHolds(a, at.At(2*shmPage), zeros(1))
		Expect(a.Shmdt(at)).To(Return(0))
		Expect(segment(a, id).Nattch).To(BeZero())
		faults(a)
		Expect(a.Load(at.At(2*shmPage), 1)).To(FailWith(unix.EFAULT))
	})

	Clause("shmdt.by-a-thread", func() {
		a := actor.New()
		thread := a.Thread()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		put(thread, at, "ours")
		expectHolds(a, at, "ours")
		Expect(thread.Shmdt(at)).To(Return(0))
		ds := segment(a, id)
		Expect(ds.Nattch).To(BeZero())
		Expect(ds.Lpid).To(Equal(Must(a.Getpid())))
		Expect(a.Shmdt(at)).To(FailWith(unix.EINVAL))
	})
})

var _ = Describe("Attachments over the life of a process", func() {
	Clause("shmat.fork", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		read := attach(a, id, actor.SHM_RDONLY)
		put(a, at, "before")
		child := a.Fork()
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(4))
		expectHolds(child, at, "before")
		put(child, at, "after")
		expectHolds(a, at, "after")
		expectHolds(child, read, "after")
		Must(a.Shmdt(at))
		expectHolds(child, at, "after")
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(3))
		Expect(child.Shmdt(at)).To(Return(0))
		Expect(child.Store(read, []byte("x"))).To(BeKilledBy(unix.SIGSEGV))
	})

	Clause("shmat.thread-counts-once", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		at := attach(a, id, 0)
		thread := a.Thread()
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
		put(thread, at, "ours")
		expectHolds(a, at, "ours")
	})

	Clause("shmat.exec-detaches", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		at := attach(b, id, 0)
		attach(b, id, actor.SHM_RDONLY)
		mine := attach(a, id, 0)
		put(b, at, "kept")
		b.Exec()
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
		Expect(segment(a, id).Dtime).NotTo(BeZero())
		expectHolds(a, mine, "kept")
		Expect(b.Shmdt(at)).To(FailWith(unix.EINVAL))
	})

	Clause("shmat.exit-detaches", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		attach(a, id, 0)
		put(b, attach(b, id, 0), "kept")
		attach(b, id, actor.SHM_RDONLY)
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(3))
		b.Exit(0)
		ds := segment(a, id) // all that it had, read-only or not
		Expect(ds.Nattch).To(BeEquivalentTo(1))
		Expect(ds.Dtime).NotTo(BeZero())
		expectHolds(a, attach(a, id, 0), "kept")
	})

	Clause("shmctl.records-without-a-call", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		attach(b, id, 0)
		attach(a, id, 0)
		was := segment(a, id)
		Expect(was.Lpid).To(Equal(a.PID()))
		before := ipcNextSecond(a, was.Atime)

		child := b.Fork()
		is := segment(a, id)
		Expect(is.Atime).To(withinIPC(before, ipcNow(a)))
		was.Atime, was.Lpid, was.Nattch = is.Atime, b.PID(), 3
		Expect(is).To(Equal(was))

		child.Exit(0)
		is = segment(a, id)
		Expect(is.Dtime).To(withinIPC(before, ipcNow(a)))
		was.Dtime, was.Lpid, was.Nattch = is.Dtime, child.PID(), 2
		Expect(is).To(Equal(was))

		b.Exec()
		is = segment(a, id)
		Expect(is.Dtime).To(withinIPC(was.Dtime, ipcNow(a)))
		was.Dtime, was.Lpid, was.Nattch = is.Dtime, b.PID(), 1
		Expect(is).To(Equal(was))
	})

	Clause("shmat.kill-detaches", func() {
		a := actor.New()
		b := a.Fork()
		id := newSegment(a, shmPage)
		put(b, expectAttached(b.Shmat(id, nil, 0)), "kept")
		expectNattch(a, id, 1)
		Must(a.Kill(b.PID(), unix.SIGKILL))
		Expect(b).To(BeKilledBy(unix.SIGKILL))
		Expect(segment(a, id).Nattch).To(BeZero())
		expectHolds(a, attach(a, id, 0), "kept")
	})

	Clause("shmat.thread-exit-keeps", func() {
		a := actor.New()
		thread := a.Thread()
		id := newSegment(a, shmPage)
		at := attach(thread, id, 0)
		put(thread, at, "kept")
		thread.Begin().Raw(unix.SYS_EXIT, 0)
		Expect(thread.AwaitGone()).To(BeTrue())
		expectHolds(a, at, "kept")
		Expect(segment(a, id).Nattch).To(BeEquivalentTo(1))
	})
})

var _ = Describe("An id that shmat is given", func() {
	Clause("shmat.invalid-id", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		before := segment(a, id)
		for _, wrong := range []int{id + 1, id + 1<<20, -1, -id - 1, 1<<31 - 1} {
			Expect(a.Shmat(wrong, nil, 0)).To(FailWith(unix.EINVAL), "id %d", wrong)
		}
		Expect(segment(a, id)).To(Equal(before))
	})

	Clause("shmat.removed-id", func() {
		a := actor.New()
		id := newSegment(a, shmPage)
		Must(a.Shmctl(id, actor.IPC_RMID, nil))
		Expect(a.Shmat(id, nil, 0)).To(goneIPC())
		others := []int{newSegment(a, shmPage), newSegment(a, shmPage)}
		Expect(a.Shmat(id, nil, 0)).To(goneIPC())
		Expect(slices.Contains(others, id)).To(BeFalse())
		for _, other := range others {
			Expect(segment(a, other).Nattch).To(BeZero())
		}
	})

	Clause("shmat.foreign-namespace", func() {
		a, b := actor.New(), actor.New()
		id := newSegment(a, shmPage)
		Expect(b.Shmat(id, nil, 0)).To(FailWith(unix.EINVAL))
		Expect(segment(a, id).Nattch).To(BeZero())
	})
})
