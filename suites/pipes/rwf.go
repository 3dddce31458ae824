package pipes

import (
	"bytes"
	"math/bits"
	"strings"
	"unsafe"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// The highest bits are the last that a flag will be given.
var unknownFlags = []int{1 << 30, 1 << 29, 1<<30 | unix.RWF_HIPRI}

var _ = Describe("The flags of preadv2 and pwritev2", func() {
	Clause("preadv2.unknown-flag-eopnotsupp", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte(digits)))

		for _, flags := range unknownFlags {
			Expect(a.Preadv2(r, -1, flags, 2, 2)).To(FailWith(unix.EOPNOTSUPP))
		}
		Expect(a.Read(r, 100)).To(ReturnData(digits))
	})

	Clause("preadv2.unknown-flag-eopnotsupp", "regular file", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, flags := range unknownFlags {
			Expect(a.Preadv2(fd, 0, flags, 2, 2)).To(FailWith(unix.EOPNOTSUPP))
		}
		expectOffset(a, fd, 0)
	})

	Clause("pwritev2.unknown-flag-eopnotsupp", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		for _, flags := range unknownFlags {
			Expect(a.Pwritev2(w, -1, flags, []byte("a"), []byte("b"))).To(FailWith(unix.EOPNOTSUPP))
		}
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("pwritev2.unknown-flag-eopnotsupp", "regular file", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		for _, flags := range unknownFlags {
			Expect(a.Pwritev2(fd, 0, flags, []byte("a"), []byte("b"))).To(FailWith(unix.EOPNOTSUPP))
		}
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("preadv2.flags-per-call", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()

		Expect(reader.Preadv2(r, -1, unix.RWF_NOWAIT, 8)).To(FailWith(unix.EAGAIN))
		read := reader.Begin().Preadv2(r, -1, 0, 8)
		Expect(read).To(Block())
		Must(writer.Write(w, []byte("abc")))
		Expect(read).To(ReturnData("abc"))
	})

	Clause("preadv2.flags-together", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Preadv2(r, -1, unix.RWF_HIPRI|unix.RWF_NOWAIT, 8)).To(FailWith(unix.EAGAIN))
		Must(a.Write(w, []byte("abc")))
		Expect(a.Preadv2(r, -1, unix.RWF_HIPRI|unix.RWF_NOWAIT, 8)).To(ReturnData("abc"))
	})

	Clause("pwritev2.flags-together", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev2(fd, 3, unix.RWF_APPEND|unix.RWF_SYNC|unix.RWF_DSYNC|unix.RWF_HIPRI, []byte("ab"), []byte("c"))).To(Return(3))
		Expect(a.ReadFile(path)).To(Equal("0123456789abc"))
	})

	Clause("pwritev2.flags-per-call", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev2(fd, 0, unix.RWF_APPEND, []byte("a"))).To(Return(1))
		Expect(a.Pwritev2(fd, 3, 0, []byte("b"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("012b456789a"))
	})
})

var _ = Describe("RWF_NOWAIT", func() {
	Clause("preadv2.nowait-empty-pipe-eagain", func() {
		a := actor.New()
		r, _ := a.Pipe(0)

		Expect(a.Preadv2(r, -1, unix.RWF_NOWAIT, 4, 4)).To(FailWith(unix.EAGAIN))
	})

	Clause("preadv2.nowait-available", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abcde")))

		Expect(a.Preadv2(r, -1, unix.RWF_NOWAIT, 4, 4)).To(ReturnData("abcde"))
	})

	Clause("preadv2.nowait-end-of-file", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Preadv2(r, -1, unix.RWF_NOWAIT, 4, 4)).To(FailWith(unix.EAGAIN))
		Must(a.Close(w))
		Expect(a.Preadv2(r, -1, unix.RWF_NOWAIT, 4, 4)).To(Return(0))
	})

	Clause("preadv2.nowait-empty-socket-eagain", func() {
		a := actor.New()
		pair := a.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		Must(pair)
		from, _ := pair.FDs()

		Expect(a.Preadv2(from, -1, unix.RWF_NOWAIT, 4, 4)).To(FailWith(unix.EAGAIN))
	})

	Clause("preadv2.nowait-fifo-does-not-wait", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		fd := Must(a.Open(path, unix.O_RDWR, 0))

		Expect(a.Preadv2(fd, -1, unix.RWF_NOWAIT, 4, 4)).To(FailWith(unix.EAGAIN, unix.EOPNOTSUPP))
	})

	Clause("preadv2.nowait-file", func() {
		a := actor.New()
		text := string(distinct(10000))
		fd, _ := scratchFile(a, text, unix.O_RDONLY)

		for _, offset := range []int64{0, 5000, 9000, 9999} {
			read := a.Preadv2(fd, offset, unix.RWF_NOWAIT, 1000, 3000)
			Expect(read).To(Or(ReturnSomeOf(text[offset:]), FailWith(unix.EAGAIN, unix.EOPNOTSUPP)))
		}
	})

	Clause("preadv2.nowait-not-zero", func() {
		a := actor.New()
		path := actor.TempDir() + "/file"
		data := distinct(64 << 10)
		a.WriteFile(path, string(data))
		fd := Must(a.Open(path, unix.O_RDONLY, 0))
		Must(a.Fsync(fd))
		Must(a.Raw(unix.SYS_FADVISE64, fd, 0, 0, unix.FADV_DONTNEED))

		for offset := 0; offset < len(data); offset += 5000 {
			read := a.Preadv2(fd, int64(offset), unix.RWF_NOWAIT, 100)
			Expect(read).To(Or(ReturnSomeOf(data[offset:offset+100]), FailWith(unix.EAGAIN, unix.EOPNOTSUPP)))
		}
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(0))
	})

	Clause("pwritev2.nowait-full-pipe-eagain", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		filled := a.Fill(w)

		Expect(a.Pwritev2(w, -1, unix.RWF_NOWAIT, []byte("a"), []byte("b"))).To(FailWith(unix.EAGAIN))
		readExactly(a, r, filled)
		Expect(a.Fionread(r).Int()).To(BeZero())
	})
})

var _ = Describe("Flags that change nothing where they mean nothing", func() {
	// sameBytes has preadv2 read with flags what it reads without.
	sameBytes := func(open, flags int) func() {
		return func() {
			a := actor.New()
			fd, path := scratchFile(a, digits, open)
			Must(a.Lseek(fd, 2, unix.SEEK_SET))

			Expect(a.Preadv2(fd, 3, flags, 1, 2, 3)).To(ReturnData("345678"))
			Expect(a.Preadv2(fd, -1, flags, 1, 2)).To(ReturnData("234"))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(5))
			Expect(a.Preadv2(fd, 8, flags, 4, 4)).To(ReturnData("89"))
			Expect(a.Preadv2(fd, 10, flags, 4, 4)).To(Return(0))
			Expect(a.ReadFile(path)).To(Equal(digits))
		}
	}

	Clause("preadv2.hipri-no-effect", "regular file", sameBytes(unix.O_RDONLY, unix.RWF_HIPRI))
	Clause("preadv2.dsync-no-effect", sameBytes(unix.O_RDWR, unix.RWF_DSYNC))
	Clause("preadv2.sync-no-effect", sameBytes(unix.O_RDWR, unix.RWF_SYNC))
	Clause("preadv2.append-no-effect", sameBytes(unix.O_RDWR, unix.RWF_APPEND))
	Clause("preadv2.noappend-no-effect", sameBytes(unix.O_RDWR|unix.O_APPEND, unix.RWF_NOAPPEND))

	Clause("preadv2.hipri-no-effect", "pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abcdefgh")))

		Expect(a.Preadv2(r, -1, unix.RWF_HIPRI, 2, 3)).To(ReturnData("abcde"))
		Expect(a.Preadv2(r, -1, unix.RWF_HIPRI, 2, 3)).To(ReturnData("fgh"))
	})

	Clause("pwritev2.hipri-no-effect", "pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Pwritev2(w, -1, unix.RWF_HIPRI, []byte("ab"), []byte("cde"))).To(Return(5))
		Expect(a.Read(r, 100)).To(ReturnData("abcde"))
	})

	Clause("pwritev2.hipri-no-effect", "regular file", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev2(fd, 3, unix.RWF_HIPRI, []byte("a"), []byte("bcd"))).To(Return(4))
		Expect(a.ReadFile(path)).To(Equal("012abcd789"))
	})

	Clause("pwritev2.noappend-without-append", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev2(fd, 3, unix.RWF_NOAPPEND, []byte("a"), []byte("bcd"))).To(Return(4))
		Expect(a.ReadFile(path)).To(Equal("012abcd789"))
	})
})

var _ = Describe("RWF_DSYNC and RWF_SYNC", func() {
	writes := func(flag int) func() {
		return func() {
			a := actor.New()
			fd, path := scratchFile(a, digits, unix.O_WRONLY)

			Expect(a.Pwritev2(fd, 3, flag, []byte("a"), []byte("bcd"))).To(Return(4))
			Expect(a.Pwritev2(fd, 9, flag, []byte("ef"))).To(Return(2))
			Expect(a.ReadFile(path)).To(Equal("012abcd78ef"))
		}
	}
	cleans := func(flag int) func() {
		return func() {
			a := actor.New()
			text := string(distinct(100_000))
			fd, path := scratchFile(a, text, unix.O_RDWR)
			data := bytes.Repeat([]byte("synced"), 5000)

			Expect(a.Pwritev2(fd, 20_000, flag, data)).To(Return(len(data)))
			dirty, writeback := cached(a, fd, 20_000, len(data))
			Expect(dirty).To(BeZero(), "pages that are dirty")
			Expect(writeback).To(BeZero(), "pages under writeback")
			Expect(a.ReadFile(path)).To(Equal(text[:20_000] + string(data) + text[20_000+len(data):]))
		}
	}

	Clause("pwritev2.dsync-writes", writes(unix.RWF_DSYNC))
	Clause("pwritev2.sync-writes", writes(unix.RWF_SYNC))
	Clause("pwritev2.dsync-cleans-pages", cleans(unix.RWF_DSYNC))
	Clause("pwritev2.sync-cleans-pages", cleans(unix.RWF_SYNC))
})

// cached asks cachestat(2) how many pages of a range are dirty, and how many under writeback.
func cached(a *actor.Actor, fd, from, n int) (dirty, writeback uint64) {
	span, stat := a.Alloc(16), a.Alloc(40)
	span.PutUint64(0, uint64(from))
	span.PutUint64(8, uint64(n))
	Must(a.Raw(unix.SYS_CACHESTAT, fd, span, stat, 0))
	return stat.Uint64(8), stat.Uint64(16)
}

var _ = Describe("RWF_APPEND", func() {
	Clause("pwritev2.append-at-end", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev2(fd, 0, unix.RWF_APPEND, []byte("a"), []byte("bc"))).To(Return(3))
		Expect(a.Pwritev2(fd, 4, unix.RWF_APPEND, []byte("d"))).To(Return(1))
		Expect(a.Pwritev2(fd, 1000, unix.RWF_APPEND, []byte("e"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("0123456789abcde"))
	})

	Clause("pwritev2.append-leaves-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		Expect(a.Pwritev2(fd, 0, unix.RWF_APPEND, []byte("a"), []byte("bc"))).To(Return(3))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
		Expect(a.ReadFile(path)).To(Equal(digits + "abc"))
	})

	Clause("pwritev2.append-moves-current-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		Expect(a.Pwritev2(fd, -1, unix.RWF_APPEND, []byte("a"), []byte("bc"))).To(Return(3))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(13))
		Expect(a.ReadFile(path)).To(Equal("0123456789abc"))
	})
})

var _ = Describe("RWF_NOAPPEND on a file opened with O_APPEND", func() {
	Clause("pwritev2.noappend-honours-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY|unix.O_APPEND)

		Expect(a.Pwritev2(fd, 3, unix.RWF_NOAPPEND, []byte("a"), []byte("bcd"))).To(Return(4))
		Expect(a.ReadFile(path)).To(Equal("012abcd789"))
	})

	Clause("pwritev2.noappend-current-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY|unix.O_APPEND)
		Must(a.Lseek(fd, 2, unix.SEEK_SET))

		Expect(a.Pwritev2(fd, -1, unix.RWF_NOAPPEND, []byte("a"), []byte("bcd"))).To(Return(4))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(6))
		Expect(a.ReadFile(path)).To(Equal("01abcd6789"))
	})

	Clause("pwritev2.noappend-per-call", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY|unix.O_APPEND)

		Expect(a.Pwritev2(fd, 0, unix.RWF_NOAPPEND, []byte("a"))).To(Return(1))
		Must(a.Lseek(fd, 5, unix.SEEK_SET))
		Expect(a.Write(fd, []byte("b"))).To(Return(1))
		Expect(a.Pwritev2(fd, 5, 0, []byte("c"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("a123456789bc"))
	})
})

var _ = Describe("RWF_ATOMIC", func() {
	const size = 64 << 10

	// refused opens a file with the given flags, has a write with RWF_ATOMIC fail on it, and finds it
	// as it was.
	refused := func(open int, write func(a *actor.Actor, fd int, limits tornWriteLimits)) func() {
		return func() {
			a := actor.New()
			text := strings.Repeat("0123456789abcdef", size/16)
			fd, path := scratchFile(a, text, unix.O_RDWR|open)
			write(a, fd, limitsOf(a, fd))
			Expect(a.ReadFile(path)).To(Equal(text))
		}
	}

	Clause("pwritev2.atomic-buffered-refused", refused(0, func(a *actor.Actor, fd int, limits tornWriteLimits) {
		Expect(atomicWrite(a, fd, 0, limits.unit())).To(FailWith(unix.EOPNOTSUPP, unix.EINVAL))
	}))

	Clause("pwritev2.atomic-length-refused", refused(unix.O_DIRECT, func(a *actor.Actor, fd int, limits tornWriteLimits) {
		Expect(atomicWrite(a, fd, 0, 3*limits.unit())).To(FailWith(limits.refusal()...))
	}))

	Clause("pwritev2.atomic-too-long-refused", refused(unix.O_DIRECT, func(a *actor.Actor, fd int, limits tornWriteLimits) {
		Expect(atomicWrite(a, fd, 0, max(2*limits.unitMax, limits.unit()))).To(FailWith(limits.refusal()...))
	}))

	Clause("pwritev2.atomic-offset-refused", refused(unix.O_DIRECT, func(a *actor.Actor, fd int, limits tornWriteLimits) {
		Expect(atomicWrite(a, fd, limits.unit(), 2*limits.unit())).To(FailWith(limits.refusal()...))
	}))

	Clause("pwritev2.atomic-segments-refused", refused(unix.O_DIRECT, func(a *actor.Actor, fd int, limits tornWriteLimits) {
		parts := limits.segmentsMax + 1
		total := limits.unit() << bits.Len(uint(parts-1)) // a power of two, of at least as many units as parts
		lengths := []int{total - (parts-1)*limits.unit()}
		for range parts - 1 {
			lengths = append(lengths, limits.unit())
		}
		Expect(atomicWrite(a, fd, 0, lengths...)).To(FailWith(limits.refusal()...))
	}))

	Clause("pwritev2.atomic-writes", func() {
		a := actor.New()
		text := strings.Repeat("0123456789abcdef", size/16)
		fd, path := scratchFile(a, text, unix.O_RDWR|unix.O_DIRECT)
		limits := limitsOf(a, fd)
		unit := limits.unit()

		if write := atomicWrite(a, fd, unit, unit); limits.unitMax > 0 {
			Expect(write).To(Return(unit))
			Expect(a.ReadFile(path)).To(Equal(text[:unit] + strings.Repeat("\x00", unit) + text[2*unit:]))
		} else {
			Expect(write).To(FailWith(limits.refusal()...))
			Expect(a.ReadFile(path)).To(Equal(text))
		}
	})
})

// tornWriteLimits is what statx(2) says of a file's torn-write protection: all 0 without any.
type tornWriteLimits struct{ unitMin, unitMax, segmentsMax int }

// unit is a length that the protection covers, where there is any.
func (l tornWriteLimits) unit() int { return max(l.unitMin, 4096) }

// refusal is how a write that breaks the rules fails. A file without protection may refuse the flag
// as such.
func (l tornWriteLimits) refusal() []unix.Errno {
	if l.unitMax > 0 {
		return []unix.Errno{unix.EINVAL}
	}
	return []unix.Errno{unix.EINVAL, unix.EOPNOTSUPP}
}

func limitsOf(a *actor.Actor, fd int) tornWriteLimits {
	const statxWriteAtomic = 0x10000
	m := a.Alloc(256)
	Must(a.Raw(unix.SYS_STATX, fd, "", unix.AT_EMPTY_PATH, statxWriteAtomic, m))
	var s unix.Statx_t
	return tornWriteLimits{
		unitMin:     int(m.Uint32(int(unsafe.Offsetof(s.Atomic_write_unit_min)))),
		unitMax:     int(m.Uint32(int(unsafe.Offsetof(s.Atomic_write_unit_max)))),
		segmentsMax: int(m.Uint32(int(unsafe.Offsetof(s.Atomic_write_segments_max)))),
	}
}

// atomicWrite calls pwritev2 with RWF_ATOMIC and members of the given lengths, which follow each
// other in page-aligned memory full of zeros, as O_DIRECT wants it.
func atomicWrite(a *actor.Actor, fd, offset int, lengths ...int) *actor.Call {
	total := 0
	for _, n := range lengths {
		total += n
	}
	at := uint64(Must(a.Mmap(0, total, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0)))
	iov := a.Alloc(16 * len(lengths))
	for i, n := range lengths {
		iov.PutUint64(16*i, at)
		iov.PutUint64(16*i+8, uint64(n))
		at += uint64(n)
	}
	return a.Raw(unix.SYS_PWRITEV2, fd, iov, len(lengths), offset, 0, unix.RWF_ATOMIC)
}

var _ = Describe("RWF_DONTCACHE", func() {
	Clause("preadv2.dontcache-pipe-eopnotsupp", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte(digits)))

		Expect(a.Preadv2(r, -1, unix.RWF_DONTCACHE, 2, 2)).To(FailWith(unix.EOPNOTSUPP))
		Expect(a.Read(r, 100)).To(ReturnData(digits))
	})

	Clause("pwritev2.dontcache-pipe-eopnotsupp", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Pwritev2(w, -1, unix.RWF_DONTCACHE, []byte("a"), []byte("b"))).To(FailWith(unix.EOPNOTSUPP))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("preadv2.dontcache-reads", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for range 2 { // what the first may have pruned is there for the second all the same
			Expect(a.Preadv2(fd, 3, unix.RWF_DONTCACHE, 1, 3)).To(Or(ReturnData("3456"), FailWith(unix.EOPNOTSUPP)))
		}
	})

	Clause("pwritev2.dontcache-writes", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		write := a.Pwritev2(fd, 3, unix.RWF_DONTCACHE, []byte("a"), []byte("bcd"))
		Expect(write).To(Or(Return(4), FailWith(unix.EOPNOTSUPP)))
		expected := digits
		if write.OK() {
			expected = "012abcd789"
		}
		Expect(a.ReadFile(path)).To(Equal(expected))
		Expect(a.ReadFile(path)).To(Equal(expected))
	})
})
