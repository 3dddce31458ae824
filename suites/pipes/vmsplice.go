package pipes

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

// dots returns memory in which each byte that a call stores shows.
func dots(a *actor.Actor, n int) actor.Mem { return a.Bytes([]byte(strings.Repeat(".", n))) }

// privatePages maps anonymous private memory of the actor's that holds data, and gives its address
// and a struct iovec for it. What actors have otherwise is shared memory.
func privatePages(a *actor.Actor, data string) (addr uint64, iov actor.Mem) {
	addr = uint64(Must(a.Mmap(0, len(data), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0)))
	Must(a.Store(actor.Mem{Addr: addr}, []byte(data)))
	iov = a.Alloc(16)
	iov.PutUint64(0, addr)
	iov.PutUint64(8, uint64(len(data)))
	return addr, iov
}

var _ = Describe("vmsplice from memory to a pipe", func() {
	Clause("vmsplice.to-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		memory := a.Bytes([]byte("abcdefghij"))

		Expect(a.Vmsplice(w, 0, memory.Sub(0, 3), memory.Sub(9, 1), memory.Sub(2, 5))).To(Return(9))
		Expect(restOf(a, r)).To(Equal("abcjcdefg"))
	})

	Clause("vmsplice.to-pipe-many-pages", func() {
		a := actor.New()
		data := countUp(4*page + 10)
		r, w := a.Pipe(0)
		memory := a.AllocAligned(6*page, page).Sub(100, len(data))
		copy(memory.Bytes(), data)

		Expect(a.Vmsplice(w, 0, memory)).To(Return(len(data)))
		Expect(restOf(a, r)).To(Equal(data))
	})

	Clause("vmsplice.to-pipe-behind-earlier-data", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Vmsplice(w, 0, a.Bytes([]byte("def")))).To(Return(3))
		Must(a.Write(w, []byte("ghi")))
		Expect(restOf(a, r)).To(Equal("abcdefghi"))
	})

	Clause("vmsplice.to-pipe-short", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := countUp(Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)) + 2*page)

		vmsplice := a.Vmsplice(w, unix.SPLICE_F_NONBLOCK, a.Bytes([]byte(data)))
		Expect(vmsplice).To(ReturnSuccess())
		n := vmsplice.Value()
		Expect(n).To(And(BeNumerically(">", 0), BeNumerically("<", len(data))))
		Expect(restOf(a, r)).To(Equal(data[:n]))
	})

	Clause("vmsplice.to-pipe-memory-unchanged", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		memory := a.Bytes([]byte("abcdef"))
		// As for a file that is spliced: a pipe that has been full has seen every buffer used for
		// written data before, to which a later write might append.
		Must(a.Read(r, a.Fill(w)))

		Expect(a.Vmsplice(w, 0, memory.Sub(0, 1))).To(Return(1))
		Expect(a.Write(w, []byte("XYZ"))).To(Return(3))
		Expect(string(memory.Bytes())).To(Equal("abcdef"))
		Expect(restOf(a, r)).To(Equal("aXYZ"))
	})

	Clause("vmsplice.to-pipe-outlives-mapping", func() {
		a := actor.New()
		data := countUp(2 * page)
		r, w := a.Pipe(0)
		addr, iov := privatePages(a, data)

		Expect(a.Raw(unix.SYS_VMSPLICE, w, iov, 1, 0)).To(Return(len(data)))
		Must(a.Munmap(addr, len(data)))
		privatePages(a, strings.Repeat("-", len(data))) // what uses freed pages again
		Expect(restOf(a, r)).To(Equal(data))
	})

	Clause("vmsplice.to-pipe-other-reader", func() {
		a := actor.New()
		data := countUp(2 * page)
		r, w := a.Pipe(0)
		child := a.Fork()
		_, iov := privatePages(child, data)

		Expect(child.Raw(unix.SYS_VMSPLICE, w, iov, 1, 0)).To(Return(len(data)))
		child.Exit(0)
		privatePages(a, strings.Repeat("-", len(data))) // what uses freed pages again
		Expect(restOf(a, r)).To(Equal(data))
	})

	Clause("vmsplice.to-pipe-read-only-memory", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Vmsplice(w, 0, a.ReadOnly([]byte("abc")))).To(Return(3))
		Expect(restOf(a, r)).To(Equal("abc"))
	})
})

var _ = Describe("vmsplice from a pipe to memory", func() {
	Clause("vmsplice.from-pipe", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abcdefghi")
		memory := dots(a, 12)

		Expect(a.Vmsplice(pipe, 0, memory.Sub(8, 3), memory.Sub(5, 1), memory.Sub(0, 5))).To(Return(9))
		Expect(string(memory.Bytes())).To(Equal("efghid..abc."))
		Expect(left()).To(BeEmpty())
	})

	Clause("vmsplice.from-pipe", "many pages", func() {
		a := actor.New()
		data := countUp(4*page + 10)
		pipe, left := fromPipe.open(a, data)
		memory := a.AllocAligned(6*page, page).Sub(100, len(data))

		Expect(a.Vmsplice(pipe, 0, memory)).To(Return(len(data)))
		Expect(string(memory.Bytes())).To(Equal(data))
		Expect(left()).To(BeEmpty())
	})

	Clause("vmsplice.from-pipe-rest-stays", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abcdefghi")
		memory := dots(a, 6)

		Expect(a.Vmsplice(pipe, 0, memory.Sub(0, 2), memory.Sub(2, 3))).To(Return(5))
		Expect(string(memory.Bytes())).To(Equal("abcde."))
		Expect(left()).To(Equal("fghi"))
	})

	Clause("vmsplice.from-pipe-short", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		memory := dots(a, 8)

		Expect(a.Vmsplice(pipe, 0, memory.Sub(0, 2), memory.Sub(2, 6))).To(Return(3))
		Expect(string(memory.Bytes())).To(Equal("abc....."))
		Expect(left()).To(BeEmpty())
	})

	Clause("vmsplice.from-pipe-copies", func() {
		a := actor.New()
		data := countUp(2 * page)
		pipe, _ := fromPipe.open(a, data)
		r, w := a.Pipe(0)
		Must(a.Tee(pipe, w, len(data), 0))
		memory := a.AllocAligned(len(data), page)

		Expect(a.Vmsplice(pipe, 0, memory)).To(Return(len(data)))
		Expect(string(memory.Bytes())).To(Equal(data))
		Must(a.Store(memory, []byte(strings.Repeat("-", len(data)))))
		Expect(restOf(a, r)).To(Equal(data))
	})

	Clause("vmsplice.from-pipe-eof", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(w))
		memory := dots(a, 8)

		Expect(a.Vmsplice(r, 0, memory)).To(Return(0))
		Expect(string(memory.Bytes())).To(Equal("........"))
	})
})

var _ = Describe("The ranges of vmsplice", func() {
	Clause("vmsplice.zero-length-ranges", "write end", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		nowhere := a.Unmapped().Sub(0, 0)

		Expect(a.Vmsplice(w, 0, actor.Null, a.Bytes([]byte("abc")), nowhere, a.Bytes([]byte("de")), nowhere)).To(Return(5))
		Expect(restOf(a, r)).To(Equal("abcde"))
	})

	Clause("vmsplice.zero-length-ranges", "read end", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abcdef")
		memory := dots(a, 6)
		nowhere := a.Unmapped().Sub(0, 0)

		Expect(a.Vmsplice(pipe, 0, actor.Null, memory.Sub(0, 3), nowhere, memory.Sub(3, 2), nowhere)).To(Return(5))
		Expect(string(memory.Bytes())).To(Equal("abcde."))
		Expect(left()).To(Equal("f"))
	})

	Clause("vmsplice.nothing-to-do", func() {
		a := actor.New()
		empty, _ := a.Pipe(0)
		r, full := a.Pipe(0)
		old := a.Fill(full)
		noBytes := a.Alloc(8).Sub(0, 0)

		for _, fd := range []int{empty, full} {
			Expect(a.Vmsplice(fd, 0)).To(Return(0), "no range")
			Expect(a.Vmsplice(fd, 0, noBytes)).To(Return(0), "an empty range")
			Expect(a.Vmsplice(fd, 0, noBytes, noBytes, noBytes)).To(Return(0), "empty ranges")
		}
		Expect(restOf(a, r)).To(HaveLen(old))
	})

	Clause("vmsplice.iov-max", "write end", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		memory := a.Bytes([]byte("x"))
		// A pipe has no room for that many ranges with a byte in each.
		ranges := make([]actor.Mem, vmspliceMax)
		for i := range ranges {
			ranges[i] = memory.Sub(0, 0)
		}
		ranges[0], ranges[vmspliceMax-1] = memory, memory

		Expect(a.Vmsplice(w, 0, ranges...)).To(Return(2))
		Expect(restOf(a, r)).To(Equal("xx"))
	})

	Clause("vmsplice.iov-max", "read end", func() {
		a := actor.New()
		data := countUp(vmspliceMax)
		pipe, left := fromPipe.open(a, data)
		memory := dots(a, vmspliceMax)

		Expect(a.Vmsplice(pipe, 0, singleBytes(memory)...)).To(Return(vmspliceMax))
		Expect(string(memory.Bytes())).To(Equal(data))
		Expect(left()).To(BeEmpty())
	})

	Clause("vmsplice.iov-max-einval", "write end", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Vmsplice(w, 0, singleBytes(a.Alloc(vmspliceMax+1))...)).To(FailWith(unix.EINVAL))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("vmsplice.iov-max-einval", "read end", func() {
		a := actor.New()
		data := countUp(vmspliceMax + 1)
		pipe, left := fromPipe.open(a, data)
		memory := dots(a, vmspliceMax+1)

		Expect(a.Vmsplice(pipe, 0, singleBytes(memory)...)).To(FailWith(unix.EINVAL))
		Expect(string(memory.Bytes())).To(Equal(strings.Repeat(".", vmspliceMax+1)))
		Expect(left()).To(Equal(data))
	})

	Clause("vmsplice.nr-segs-negative-einval", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))
		iov := a.Iovec(dots(a, 1))

		for _, fd := range []int{r, w} {
			Expect(a.Raw(unix.SYS_VMSPLICE, fd, iov, uint64(math.MaxUint64), 0)).To(FailWith(unix.EINVAL))
		}
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	for _, n := range []uint64{1 << 32, 1<<32 + 1} {
		Clause("vmsplice.nr-segs-wide-einval", fmt.Sprintf("%#x ranges", n), func() {
			a := actor.New()
			r, w := a.Pipe(0)
			Must(a.Write(w, []byte("abc")))
			iov := a.Iovec(dots(a, 1))

			for _, fd := range []int{r, w} {
				Expect(a.Raw(unix.SYS_VMSPLICE, fd, iov, n, 0)).To(FailWith(unix.EINVAL))
			}
			Expect(restOf(a, r)).To(Equal("abc"))
		})
	}

	Clause("vmsplice.iov-unreadable-efault", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))

		for _, fd := range []int{r, w} {
			Expect(a.Raw(unix.SYS_VMSPLICE, fd, a.Unmapped(), 1, 0)).To(FailWith(unix.EFAULT))
		}
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("vmsplice.to-pipe-range-efault", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Vmsplice(w, 0, a.Unmapped().Sub(0, 10))).To(FailWith(unix.EFAULT))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("vmsplice.from-pipe-range-efault", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		fixed := a.ReadOnly([]byte("......"))

		Expect(a.Vmsplice(pipe, 0, a.Unmapped().Sub(0, 10))).To(FailWith(unix.EFAULT), "not mapped")
		Expect(a.Vmsplice(pipe, 0, fixed)).To(FailWith(unix.EFAULT), "read-only")
		Expect(string(fixed.Bytes())).To(Equal("......"))
		Expect(left()).To(Equal("abc"))
	})
})

const vmspliceMax = 1024

// singleBytes cuts memory into ranges of one byte.
func singleBytes(m actor.Mem) []actor.Mem {
	var parts []actor.Mem
	for i := range m.Len() {
		parts = append(parts, m.Sub(i, 1))
	}
	return parts
}

var _ = Describe("A vmsplice that has to wait", func() {
	Clause("vmsplice.full-blocks", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		old := a.Fill(w)
		splicer := a.Fork()

		vmsplice := splicer.Begin().Vmsplice(w, 0, splicer.Bytes([]byte("abc")))
		Expect(vmsplice).To(Block())
		Must(a.Read(r, old))
		Expect(vmsplice).To(Return(3))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("vmsplice.empty-blocks", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		splicer := a.Fork()
		memory := dots(splicer, 6)

		vmsplice := splicer.Begin().Vmsplice(r, 0, memory)
		Expect(vmsplice).To(Block())
		Must(a.Write(w, []byte("abc")))
		Expect(vmsplice).To(Return(3))
		Expect(string(memory.Bytes())).To(Equal("abc..."))
	})

	Clause("vmsplice.blocked-eof", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		splicer := a.Fork()
		Must(splicer.Close(w))

		vmsplice := splicer.Begin().Vmsplice(r, 0, dots(splicer, 6))
		Expect(vmsplice).To(Block())
		Must(a.Close(w))
		Expect(vmsplice).To(Return(0))
	})

	Clause("vmsplice.nonblock-flag-full-eagain", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		old := a.Fill(w)

		Expect(a.Vmsplice(w, unix.SPLICE_F_NONBLOCK, a.Bytes([]byte("abc")))).To(FailWith(unix.EAGAIN))
		Expect(restOf(a, r)).To(HaveLen(old))
	})

	Clause("vmsplice.nonblock-flag-empty-eagain", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		memory := dots(a, 6)

		Expect(a.Vmsplice(r, unix.SPLICE_F_NONBLOCK, memory)).To(FailWith(unix.EAGAIN))
		Expect(string(memory.Bytes())).To(Equal("......"))
	})

	Clause("vmsplice.blocked-epipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Fill(w)
		splicer := a.Fork()
		splicer.Ignore(unix.SIGPIPE)
		Must(splicer.Close(r))

		vmsplice := splicer.Begin().Vmsplice(w, 0, splicer.Bytes([]byte("abc")))
		Expect(vmsplice).To(Block())
		Must(a.Close(r))
		Expect(vmsplice).To(FailWith(unix.EPIPE))
	})
})

var _ = Describe("vmsplice to a pipe without readers", func() {
	Clause("vmsplice.no-readers-sigpipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(r))

		Expect(a.Begin().Vmsplice(w, 0, a.Bytes([]byte("abc")))).To(BeKilledBy(unix.SIGPIPE))
	})

	Clause("vmsplice.no-readers-epipe", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		r, w := a.Pipe(0)
		Must(a.Close(r))

		Expect(a.Vmsplice(w, 0, a.Bytes([]byte("abc")))).To(FailWith(unix.EPIPE))
	})
})

var _ = Describe("The flags of vmsplice", func() {
	for _, hint := range []struct {
		id   string
		flag uint
	}{
		{"vmsplice.move-unused", unix.SPLICE_F_MOVE},
		{"vmsplice.more-no-effect", unix.SPLICE_F_MORE},
		{"vmsplice.nonblock-flag-ready", unix.SPLICE_F_NONBLOCK},
	} {
		Clause(hint.id, func() {
			a := actor.New()
			data := countUp(2*page + 10)
			r, w := a.Pipe(0)
			memory := a.AllocAligned(len(data), page)

			Expect(a.Vmsplice(w, hint.flag, a.Bytes([]byte(data)))).To(Return(len(data)))
			Expect(a.Vmsplice(r, hint.flag, memory)).To(Return(len(data)))
			Expect(string(memory.Bytes())).To(Equal(data))
			Expect(restOf(a, r)).To(BeEmpty())
		})
	}

	Clause("vmsplice.gift-aligned", func() {
		a := actor.New()
		data := countUp(2 * page)
		r, w := a.Pipe(0)
		_, iov := privatePages(a, data)

		Expect(a.Raw(unix.SYS_VMSPLICE, w, iov, 1, unix.SPLICE_F_GIFT)).To(Return(len(data)))
		Expect(restOf(a, r)).To(Equal(data))
	})

	for _, gift := range []struct {
		name string
		flag uint
	}{{"given", unix.SPLICE_F_GIFT}, {"not given", 0}} {
		Clause("vmsplice.gift-then-move", gift.name, func() {
			a := actor.New()
			data := countUp(2 * page)
			r, w := a.Pipe(0)
			file, arrived := intoFile.open(a)
			_, iov := privatePages(a, data)

			Expect(a.Raw(unix.SYS_VMSPLICE, w, iov, 1, gift.flag)).To(Return(len(data)))
			Expect(a.Splice(r, nil, file, nil, len(data), unix.SPLICE_F_MOVE)).To(Return(len(data)))
			Expect(arrived()).To(Equal(data))
			Expect(restOf(a, r)).To(BeEmpty())
		})
	}

	for _, part := range []struct {
		name     string
		start, n int
	}{
		{"a page from inside a page on", 1, page},
		{"the front of a page", 0, 10},
		{"the middle of a page", 7, 10},
	} {
		Clause("vmsplice.gift-unaligned", part.name, func() {
			a := actor.New()
			data := countUp(2 * page)
			r, w := a.Pipe(0)
			addr, iov := privatePages(a, data)
			iov.PutUint64(0, addr+uint64(part.start))
			iov.PutUint64(8, uint64(part.n))

			Expect(a.Raw(unix.SYS_VMSPLICE, w, iov, 1, unix.SPLICE_F_GIFT)).To(Return(part.n))
			Expect(restOf(a, r)).To(Equal(data[part.start : part.start+part.n]))
		})
	}

	Clause("vmsplice.unknown-flag-einval", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))
		memory := dots(a, 3)

		for _, flags := range undefinedSpliceFlags {
			Expect(a.Vmsplice(w, flags, memory)).To(FailWith(unix.EINVAL), "write end")
			Expect(a.Vmsplice(r, flags, memory)).To(FailWith(unix.EINVAL), "read end")
		}
		Expect(string(memory.Bytes())).To(Equal("..."))
		Expect(restOf(a, r)).To(Equal("abc"))
	})
})

var _ = Describe("The descriptor of vmsplice", func() {
	Clause("vmsplice.not-open-ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(w))
		memory := dots(a, 3)

		for _, bad := range []int{w, -1} {
			Expect(a.Vmsplice(bad, 0, memory)).To(FailWith(unix.EBADF))
		}
		Expect(restOf(a, r)).To(BeEmpty())
		Expect(string(memory.Bytes())).To(Equal("..."))
	})

	for _, mode := range []struct {
		name  string
		flags int
	}{{"read-only file", unix.O_RDONLY}, {"write-only file", unix.O_WRONLY}, {"file", unix.O_RDWR}} {
		Clause("vmsplice.not-pipe-ebadf", mode.name, func() {
			a := actor.New()
			file := spliceFile(a, "old", mode.flags)
			memory := dots(a, 3)

			Expect(a.Vmsplice(file, 0, memory)).To(FailWith(unix.EBADF))
			Expect(string(memory.Bytes())).To(Equal("..."))
			Expect(fileOffset(a, file)).To(BeZero())
			Expect(a.ReadFile(fmt.Sprintf("/proc/self/fd/%d", file))).To(Equal("old"))
		})
	}

	Clause("vmsplice.not-pipe-ebadf", "socket", func() {
		a := actor.New()
		socket, peer := socketPair(a)
		Must(a.Write(peer, []byte("abc")))
		memory := dots(a, 3)

		Expect(a.Vmsplice(socket, 0, memory)).To(FailWith(unix.EBADF))
		Expect(string(memory.Bytes())).To(Equal("..."))
		Expect(restOf(a, socket)).To(Equal("abc"))
		Expect(restOf(a, peer)).To(BeEmpty())
	})

	Clause("vmsplice.fifo", func() {
		a := actor.New()
		r, w := spliceFIFO(a)
		memory := dots(a, 6)

		Expect(a.Vmsplice(w, 0, a.Bytes([]byte("abc")))).To(Return(3))
		Expect(a.Vmsplice(r, 0, memory)).To(Return(3))
		Expect(string(memory.Bytes())).To(Equal("abc..."))
	})
})
